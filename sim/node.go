// Package sim is the virtual host of conference engines: a virtual clock,
// ordered links, a friend graph, splits and heals, all decided by one seed.
package sim

import (
	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
)

// Node is one identity's conferences as a host drives them. *conference.Engine
// is one; anything else with these methods can stand in the same places, in the
// simulator, under a recording and in a rule's scenario.
type Node interface {
	SetFriend(peer packets.PublicKey, friend bool)
	Online(now packets.Time, peer, dht packets.PublicKey)
	Offline(now packets.Time, peer packets.PublicKey)
	FriendReady(now packets.Time, friend packets.PublicKey)
	SetWritable(peer packets.PublicKey, lossless, lossy bool)
	Receive(now packets.Time, from packets.PublicKey, p []byte) error
	Tick(now packets.Time)

	Create(now packets.Time, t packets.Type) packets.ID
	Invite(now packets.Time, id packets.ID, friend packets.PublicKey) error
	Join(now packets.Time, inv conference.Invited) error
	Send(now packets.Time, id packets.ID, k packets.MessageKind, text []byte) (uint32, error)
	SetTitle(now packets.Time, id packets.ID, title []byte) error
	SetName(now packets.Time, name []byte) error
	SetMaxFrozen(now packets.Time, id packets.ID, n int) error
	SendLossy(now packets.Time, id packets.ID, kind byte, data []byte) error
	Leave(now packets.Time, id packets.ID) error
	Quit(now packets.Time)

	Poll() conference.Output
	Views() []conference.View
	Save() []packets.SavedConference
	Check() error
}

// NewNode makes a Node, as conference.New does.
type NewNode func(cfg conference.Config, saved []packets.SavedConference, now packets.Time) (Node, error)

// NewEngine is the NewNode of our own engine.
func NewEngine(cfg conference.Config, saved []packets.SavedConference, now packets.Time) (Node, error) {
	e, err := conference.New(cfg, saved, now)
	if err != nil {
		return nil, err
	}
	return e, nil
}
