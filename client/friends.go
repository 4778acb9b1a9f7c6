package client

import (
	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox"
	"github.com/tox-rejoin/rejoin/tox/crypto"
	"github.com/tox-rejoin/rejoin/tox/messenger"
)

// AddFriend asks the owner of a Tox ID to be our friend, until it answers. text
// has 1 to messenger.MaxRequestText bytes. It returns an error of
// tox.Node.AddFriend.
func (c *Client) AddFriend(address crypto.Address, text string) error {
	return c.do(func(now packets.Time, n *tox.Node) error {
		if err := n.AddFriend(now, address, []byte(text)); err != nil {
			return err
		}
		c.befriended(now, n, address.Key(), true)
		return nil
	})
}

// AcceptFriend makes a friend of who has asked with FriendRequested, or is known
// to have us. It returns an error of tox.Node.AcceptFriend.
func (c *Client) AcceptFriend(key packets.PublicKey) error {
	return c.do(func(now packets.Time, n *tox.Node) error {
		if err := n.AcceptFriend(now, key); err != nil {
			return err
		}
		c.befriended(now, n, key, true)
		return nil
	})
}

// RemoveFriend forgets a friend. It stays in the conferences where we are both.
// It returns messenger.ErrStranger.
func (c *Client) RemoveFriend(key packets.PublicKey) error {
	return c.do(func(now packets.Time, n *tox.Node) error {
		if err := n.RemoveFriend(now, key); err != nil {
			return err
		}
		c.befriended(now, n, key, false)
		return nil
	})
}

// befriended tells the conferences who is a friend.
func (c *Client) befriended(now packets.Time, n *tox.Node, key packets.PublicKey, friend bool) {
	c.host.Do(now, func(e *conference.Engine) { e.SetFriend(key, friend) })
	c.conferences(now, n)
	c.profile.urgent(now)
}

// Friend describes a friend; false if the key is none's.
func (c *Client) Friend(key packets.PublicKey) (f messenger.Friend, ok bool) {
	_ = c.do(func(_ packets.Time, n *tox.Node) error {
		f, ok = n.Friend(key)
		return nil
	})
	return f, ok
}

// Friends describes all friends, in the order in which they were added; none
// when Run has ended.
func (c *Client) Friends() (friends []messenger.Friend) {
	_ = c.do(func(_ packets.Time, n *tox.Node) error {
		for _, saved := range n.Friends() {
			if f, ok := n.Friend(saved.Key()); ok {
				friends = append(friends, f)
			}
		}
		return nil
	})
	return friends
}

// SendMessage says something to a friend who is online, in 1 to messenger.MaxText
// bytes, and returns the number that Delivered or Undelivered will carry. It
// returns an error of tox.Node.SendMessage.
func (c *Client) SendMessage(to packets.PublicKey, kind messenger.Kind, text string) (number uint32, err error) {
	err = c.do(func(now packets.Time, n *tox.Node) error {
		number, err = n.SendMessage(now, to, kind, []byte(text))
		return err
	})
	return number, err
}

// SendCustom sends a packet of an application, its id of 160 to 254 first, to a
// friend who is online. It returns an error of tox.Node.SendCustom.
func (c *Client) SendCustom(to packets.PublicKey, packet []byte) error {
	return c.do(func(now packets.Time, n *tox.Node) error { return n.SendCustom(now, to, packet) })
}

// SetTyping tells a friend whether we are typing. It returns an error of
// tox.Node.SetTyping.
func (c *Client) SetTyping(to packets.PublicKey, typing bool) error {
	return c.do(func(now packets.Time, n *tox.Node) error { return n.SetTyping(now, to, typing) })
}

// Self is our profile.
func (c *Client) Self() (self messenger.Profile) {
	_ = c.do(func(_ packets.Time, n *tox.Node) error {
		self = n.Self()
		return nil
	})
	return self
}

// SetName sets our name for friends and in all conferences, at most
// packets.MaxName bytes. It returns messenger.ErrLength.
func (c *Client) SetName(name string) error {
	return c.do(func(now packets.Time, n *tox.Node) error {
		err := n.SetName(now, []byte(name))
		if err != nil {
			return err
		}
		c.host.Do(now, func(e *conference.Engine) { err = e.SetName(now, []byte(name)) })
		c.conferences(now, n)
		return err
	})
}

// SetStatusMessage sets our status message, at most packets.MaxStatusMessage
// bytes. It returns messenger.ErrLength.
func (c *Client) SetStatusMessage(text string) error {
	return c.do(func(now packets.Time, n *tox.Node) error { return n.SetStatusMessage(now, []byte(text)) })
}

// SetStatus sets our status. It returns messenger.ErrValue.
func (c *Client) SetStatus(s packets.UserStatus) error {
	return c.do(func(now packets.Time, n *tox.Node) error { return n.SetStatus(now, s) })
}

// SetNoSpam changes our Tox ID: requests to the old one do not reach us any more.
func (c *Client) SetNoSpam(noSpam [packets.NoSpamSize]byte) error {
	return c.do(func(now packets.Time, n *tox.Node) error {
		n.SetNoSpam(now, noSpam)
		a := crypto.NewAddress(c.real.Public, noSpam)
		c.address.Store(&a)
		c.profile.urgent(now)
		return nil
	})
}
