//go:build oracle && linux && amd64

package oracle

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/sim"
)

// refuses tells whether group.c will ignore a packet before it looks into it:
// because it is too short, or its sender never had an entry since the connection
// was made, or has none in the conference that the packet names, or is in neither
// list of the one that it wants to rejoin (SPEC C-1, C-6 to C-8, C-90, I-1). group.c
// itself does not say so, and an auditor of the world needs to know what counts as
// received.
func (n *node) refuses(from packets.PublicKey, p []byte) bool {
	if p[0] == packets.PacketInvite {
		return false
	}
	if len(p) < 4 || !n.hears(from) || bool(n.c.forgetful) && p[0] == packets.PacketRejoin {
		return true
	}
	switch p[0] {
	case packets.PacketDirect, packets.PacketMessage, packets.PacketLossy:
		return !n.hasEntry(binary.BigEndian.Uint16(p[1:]), from)
	case packets.PacketRejoin:
		r, err := packets.ParseRejoin(p)
		return err != nil || !n.lists(r.ID, from)
	}
	return false
}

// hears tells whether group.c has asked for the packets of a connection.
func (n *node) hears(peer packets.PublicKey) bool {
	links := unsafe.Slice(n.c.links, n.c.link_count)
	for i := range links {
		if l := &links[i]; bool(l.used) && publicKey(&l.key) == peer {
			return l.on_data != nil
		}
	}
	return false
}

// hasEntry tells whether a peer is in the connection table of a conference.
func (n *node) hasEntry(group uint16, peer packets.PublicKey) bool {
	if int(group) >= len(n.conferences()) {
		return false
	}
	c := &n.conferences()[group]
	links := unsafe.Slice(n.c.links, n.c.link_count)
	for i := range c.connections {
		k := &c.connections[i]
		if c.status != conferenceUnused && k.status != connectionNowhere && publicKey(&links[k.link].key) == peer {
			return true
		}
	}
	return false
}

// lists tells whether a peer is in either list of a conference.
func (n *node) lists(id packets.ID, peer packets.PublicKey) bool {
	for _, v := range n.Views() {
		if v.ID != id {
			continue
		}
		for _, list := range [2][]conference.Peer{v.Peers, v.Frozen} {
			for k := range list {
				if list[k].Key == peer {
					return true
				}
			}
		}
	}
	return false
}

// audited is a node whose Receive says what group.c refuses, as that of our
// engine does.
type audited struct {
	sim.Node
	of *node
}

// Receive hands a packet over, whatever comes of it.
func (a audited) Receive(now packets.Time, from packets.PublicKey, p []byte) error {
	err := a.Node.Receive(now, from, p)
	if err == nil && a.of.refused {
		return fmt.Errorf("%w: %v", conference.ErrNoEntry, from)
	}
	return err
}

// Poll says nothing of a new save after a refusal.
func (a audited) Poll() conference.Output {
	out := a.Node.Poll()
	out.Dirty = out.Dirty && !a.of.refused
	a.of.refused = false
	return out
}

// NewAudited is New for a world with auditors: what group.c refuses is an error of
// Receive.
func NewAudited(cfg conference.Config, saved []packets.SavedConference, now packets.Time) (sim.Node, error) {
	n, err := newNode(cfg, saved, now)
	if err != nil {
		return nil, err
	}
	return audited{n, n}, nil
}

// newAuditedPair is NewPair for such a world.
func newAuditedPair(cfg conference.Config, saved []packets.SavedConference, now packets.Time) (*Pair, sim.Node, error) {
	cfg.Reference = true
	p, err := newPair(cfg, saved, now)
	if err != nil {
		return nil, nil, err
	}
	return p, audited{p, p.want}, nil
}
