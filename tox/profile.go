package tox

import (
	"fmt"
	"slices"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/crypto"
	"github.com/tox-rejoin/rejoin/tox/friend"
	"github.com/tox-rejoin/rejoin/tox/messenger"
)

// AddFriend adds a friend by its Tox ID and sends it a request with 1 to
// messenger.MaxRequestText bytes of text, again and again until it is there. It
// returns what crypto.Address.Check does, crypto.ErrLowOrder, friend.ErrFull, or
// an error of the messenger's AddFriend.
func (n *Node) AddFriend(now packets.Time, address crypto.Address, text []byte) error {
	n.begin(now)
	if err := address.Check(); err != nil {
		return err
	}
	if err := n.room(address.Key()); err != nil {
		return err
	}
	return n.did(n.messenger.AddFriend(n.now, address.Key(), address.NoSpam(), text))
}

// AcceptFriend adds a friend who has asked, or who is known to have us. It
// returns crypto.ErrLowOrder, friend.ErrFull, or an error of the messenger's
// AcceptFriend.
func (n *Node) AcceptFriend(now packets.Time, key packets.PublicKey) error {
	n.begin(now)
	if err := n.room(key); err != nil {
		return err
	}
	return n.did(n.messenger.AcceptFriend(n.now, key))
}

// room tells whether one more key can be held.
func (n *Node) room(key packets.PublicKey) error {
	if _, err := n.self.Shared(key); err != nil {
		return err
	}
	if len(n.held) >= friend.MaxPeers && !slices.Contains(n.held, key) {
		return fmt.Errorf("%w: %d", friend.ErrFull, len(n.held))
	}
	return nil
}

// RemoveFriend removes a friend and tells it so if it is online. It returns
// messenger.ErrStranger.
func (n *Node) RemoveFriend(now packets.Time, key packets.PublicKey) error {
	n.begin(now)
	return n.did(n.messenger.RemoveFriend(n.now, key))
}

// SendMessage says something to a friend who is Ready. An event Received or
// Lost will carry the number that it returns, which is not 0.
func (n *Node) SendMessage(now packets.Time, to packets.PublicKey, kind messenger.Kind, text []byte) (uint32, error) {
	n.begin(now)
	number, err := n.messenger.SendMessage(n.now, to, kind, text)
	return number, n.did(err)
}

// SendCustom sends a custom packet, its id of 160 to 254 first, to a friend who
// is Ready.
func (n *Node) SendCustom(now packets.Time, to packets.PublicKey, p []byte) error {
	n.begin(now)
	return n.did(n.messenger.SendCustom(n.now, to, p))
}

// SetTyping tells a friend whether we are typing.
func (n *Node) SetTyping(now packets.Time, to packets.PublicKey, typing bool) error {
	n.begin(now)
	return n.did(n.messenger.SetTyping(n.now, to, typing))
}

// Self is our profile.
func (n *Node) Self() messenger.Profile { return n.messenger.Self() }

// SetName sets our name, at most packets.MaxName bytes.
func (n *Node) SetName(now packets.Time, name []byte) error {
	n.begin(now)
	return n.did(n.messenger.SetName(n.now, name))
}

// SetStatusMessage sets our status message, at most packets.MaxStatusMessage
// bytes.
func (n *Node) SetStatusMessage(now packets.Time, text []byte) error {
	n.begin(now)
	return n.did(n.messenger.SetStatusMessage(n.now, text))
}

// SetStatus sets our status.
func (n *Node) SetStatus(now packets.Time, s packets.UserStatus) error {
	n.begin(now)
	return n.did(n.messenger.SetStatus(n.now, s))
}

// SetNoSpam changes what friend requests to us must carry.
func (n *Node) SetNoSpam(now packets.Time, noSpam [packets.NoSpamSize]byte) {
	n.begin(now)
	n.messenger.SetNoSpam(n.now, noSpam)
	n.after(theMessenger)
}

// Friend describes a friend; false if the key is none's.
func (n *Node) Friend(key packets.PublicKey) (messenger.Friend, bool) {
	return n.messenger.Friend(n.now, key)
}

// Friends is the records of all friends, for a save.
func (n *Node) Friends() []packets.SavedFriend { return n.messenger.Friends(n.now) }

// did carries what came of a verb of the messenger, and hands its error on.
func (n *Node) did(err error) error {
	if err == nil {
		n.after(theMessenger)
	}
	return err
}
