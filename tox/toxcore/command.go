//go:build toxcore

package toxcore

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/tox-rejoin/rejoin/tox/crypto"
)

// A Command is a line that a Server reads. Do names the verb; the table in
// verbs says which other fields it uses.
type Command struct {
	ID         uint64         `json:"id"`
	Do         string         `json:"do"`
	Friend     uint32         `json:"friend,omitempty"`
	Conference uint32         `json:"conference,omitempty"`
	Value      uint32         `json:"value,omitempty"`
	Node       netip.AddrPort `json:"node,omitzero"`
	Key        Key            `json:"key,omitzero"`
	Address    string         `json:"address,omitempty"`
	Data       []byte         `json:"data,omitempty"`
}

// A Reply is a line that a Server writes: the outcome of the Command with the
// same ID, or, with ID 0, an Event.
type Reply struct {
	ID          uint64       `json:"id,omitempty"`
	Error       string       `json:"error,omitempty"`
	Number      uint32       `json:"number,omitempty"`
	Data        []byte       `json:"data,omitempty"`
	Self        *Self        `json:"self,omitempty"`
	Friends     []Friend     `json:"friends,omitempty"`
	Conferences []Conference `json:"conferences,omitempty"`
	Peers       []Peer       `json:"peers,omitempty"`
	Offline     []Peer       `json:"offline,omitempty"`
	Event       *Event       `json:"event,omitempty"`
}

// Self is what a Server says about its own Tox.
type Self struct {
	Version       string     `json:"version"`
	Address       string     `json:"address"`
	DHTKey        Key        `json:"dht_key"`
	Name          []byte     `json:"name,omitempty"`
	StatusMessage []byte     `json:"status_message,omitempty"`
	Connection    Connection `json:"connection"`
}

// A verb carries out a command.
type verb func(t *Tox, c Command) (Reply, error)

// done is a verb whose only outcome is success.
func done(do func(t *Tox, c Command) error) verb {
	return func(t *Tox, c Command) (Reply, error) { return Reply{}, do(t, c) }
}

// numbered is a verb whose outcome is a number.
func numbered(do func(t *Tox, c Command) (uint32, error)) verb {
	return func(t *Tox, c Command) (Reply, error) {
		n, err := do(t, c)
		return Reply{Number: n}, err
	}
}

// verbs are the commands but for bootstrap, save and quit, which are the
// Server's own.
func verbs() map[string]verb {
	return map[string]verb{
		"self":           func(t *Tox, _ Command) (Reply, error) { return Reply{Self: t.self()}, nil },
		"savedata":       func(t *Tox, _ Command) (Reply, error) { return Reply{Data: t.Savedata()}, nil },
		"relay":          done(func(t *Tox, c Command) error { return t.AddRelay(c.Node, c.Key) }),
		"name":           done(func(t *Tox, c Command) error { return t.SetName(c.Data) }),
		"status_message": done(func(t *Tox, c Command) error { return t.SetStatusMessage(c.Data) }),
		"status":         done(func(t *Tox, c Command) error { t.SetStatus(c.Value); return nil }),

		"friends":         func(t *Tox, _ Command) (Reply, error) { return Reply{Friends: t.Friends()}, nil },
		"friend_add":      numbered(addFriend),
		"friend_accept":   numbered(func(t *Tox, c Command) (uint32, error) { return t.FriendAccept(c.Key) }),
		"friend_delete":   done(func(t *Tox, c Command) error { return t.FriendDelete(c.Friend) }),
		"friend_message":  numbered(func(t *Tox, c Command) (uint32, error) { return t.FriendMessage(c.Friend, c.Value, c.Data) }),
		"friend_typing":   done(func(t *Tox, c Command) error { return t.FriendTyping(c.Friend, c.Value != 0) }),
		"friend_lossless": done(func(t *Tox, c Command) error { return t.FriendLossless(c.Friend, c.Data) }),
		"friend_lossy":    done(func(t *Tox, c Command) error { return t.FriendLossy(c.Friend, c.Data) }),
		"file_offer":      numbered(func(t *Tox, c Command) (uint32, error) { return t.FileOffer(c.Friend, c.Data, uint64(c.Value)) }),

		"conferences":             func(t *Tox, _ Command) (Reply, error) { return Reply{Conferences: t.Conferences()}, nil },
		"conference_new":          numbered(func(t *Tox, c Command) (uint32, error) { return t.ConferenceNew(c.Value) }),
		"conference_join":         numbered(func(t *Tox, c Command) (uint32, error) { return t.ConferenceJoin(c.Friend, c.Value, c.Data) }),
		"conference_invite":       done(func(t *Tox, c Command) error { return t.ConferenceInvite(c.Friend, c.Conference) }),
		"conference_delete":       done(func(t *Tox, c Command) error { return t.ConferenceDelete(c.Conference) }),
		"conference_send":         done(func(t *Tox, c Command) error { return t.ConferenceSend(c.Conference, c.Value, c.Data) }),
		"conference_title":        done(func(t *Tox, c Command) error { return t.ConferenceSetTitle(c.Conference, c.Data) }),
		"conference_max_offline":  done(func(t *Tox, c Command) error { return t.ConferenceSetMaxOffline(c.Conference, c.Value) }),
		"conference_peers":        peersOf,
		"conference_audio":        done(sendAudio),
		"conference_enable_audio": done(func(t *Tox, c Command) error { return t.ConferenceEnableAudio(c.Conference) }),
	}
}

func (t *Tox) self() *Self {
	return &Self{
		Version: Version(), Address: t.Address().String(), DHTKey: t.DHTKey(),
		Name: t.Name(), StatusMessage: t.StatusMessage(), Connection: t.Connection(),
	}
}

func addFriend(t *Tox, c Command) (uint32, error) {
	address, err := crypto.ParseAddress(c.Address)
	if err != nil {
		return 0, err
	}
	return t.FriendAdd(address, c.Data)
}

func peersOf(t *Tox, c Command) (Reply, error) {
	online, offline, err := t.ConferencePeers(c.Conference)
	return Reply{Peers: online, Offline: offline}, err
}

// sendAudio takes samples of 16 bits, little endian.
func sendAudio(t *Tox, c Command) error {
	samples := make([]int16, len(c.Data)/2)
	if _, err := binary.Decode(c.Data, binary.LittleEndian, samples); err != nil {
		return fmt.Errorf("samples: %w", err)
	}
	return t.ConferenceAudio(c.Conference, samples)
}
