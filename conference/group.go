package conference

import (
	"math"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/peers"
)

// group is one conference, joining or connected.
type group struct {
	number    uint16 // our group number
	id        packets.ID
	connected bool
	peers     peers.Set
	closest   peers.Closest
	conns     [MaxNeighbours]conn
	used      int // entries in conns that are not free
	online    int // entries in conns that are online
	gaps      bool
	// introducers counts entries with ReasonIntroducer.
	introducers int

	self        uint16 // our own peer number, once connected
	title       []byte
	titleFresh  bool   // the title was received since we were last alone
	titled      uint32 // number of the title that we set last; older ones of ours are outdated
	messages    uint32
	lossy       uint16
	unsaved     uint32 // own messages since the last Dirty for their sake
	unsavedLoss uint16
	lastPing    uint64 // seconds; 0: never
	sendName    bool   // our Name is due at the next tick
	maxFrozen   int
	freezeAt    uint64 // seconds; nobody can time out before
	inviter     packets.PublicKey
	inviterAt   uint16       // the inviter's group number
	retryAt     packets.Time // repeat the Accept then, while joining
}

// newGroup takes the lowest free group number (SPEC C-132). It returns nil if
// there is none.
func (e *Engine) newGroup() *group {
	g := &group{maxFrozen: e.maxFrozen, freezeAt: math.MaxUint64}
	for i := range e.groups {
		if e.groups[i].group == nil {
			if e.groups[i].reused && !e.better.frozenInReused {
				g.maxFrozen = 0 // SPEC C-99
			}
			g.number = uint16(i)
			e.groups[i].group = g
			return g
		}
	}
	if len(e.groups) >= maxGroups {
		return nil
	}
	g.number = uint16(len(e.groups))
	e.groups = append(e.groups, slot{group: g})
	return g
}

// deleteGroup frees the group number; free numbers at the end are forgotten.
func (e *Engine) deleteGroup(g *group) {
	e.groups[g.number] = slot{reused: true}
	for n := len(e.groups); n > 0 && e.groups[n-1].group == nil; n-- {
		e.groups = e.groups[:n-1]
	}
	e.out.Dirty = true
}

// own is our own entry in the active list, or nil.
func (e *Engine) own(g *group) *peers.Peer { return g.peers.ActiveByKey(&e.self) }

// sendMessage numbers a message of ours and sends it to every online
// neighbour. It returns ErrNotConnected, changing nothing, or ErrNotSent; the
// number is consumed then (SPEC C-56, C-57, C-78).
func (e *Engine) sendMessage(g *group, kind packets.MessageKind, data []byte) error {
	if !g.connected || g.online == 0 {
		return ErrNotConnected
	}
	g.messages++
	if g.messages == 0 {
		g.messages = 1
	}
	if g.unsaved++; g.unsaved >= saveEvery {
		g.unsaved, e.out.Dirty = 0, true
	}
	m := packets.Message{PeerNumber: g.self, Number: g.messages, Kind: kind, Data: data}
	sent := false
	for i := range g.conns {
		if c := &g.conns[i]; c.state == online {
			m.Group = c.group
			start := len(e.arena)
			e.arena = m.Append(e.arena)
			sent = e.write(c.link, false, start) || sent
		}
	}
	if !sent {
		return ErrNotSent
	}
	return nil
}

// forward relays a received packet to every online neighbour but the one in
// slot except (-1: to all), changing nothing but the group number (SPEC C-15,
// C-79).
func (e *Engine) forward(g *group, p []byte, except int) {
	for i := range g.conns {
		if c := &g.conns[i]; c.state == online && i != except {
			start := len(e.arena)
			e.arena = packets.AppendForward(e.arena, p, c.group)
			e.write(c.link, false, start)
		}
	}
}

func (e *Engine) sendNewPeer(g *group, number uint16, key, dht *packets.PublicKey) {
	var data [packets.NewPeerSize]byte
	_ = e.sendMessage(g, packets.NewPeer, packets.AppendNewPeer(data[:0], number, key, dht))
}

// ping sends a Ping if the last one is long enough ago (SPEC C-48).
func (e *Engine) ping(g *group) {
	if g.lastPing+pingInterval <= e.sec && e.sendMessage(g, packets.Ping, nil) == nil {
		g.lastPing = e.sec
	}
}

// sayName sends our Name; whether that works or not, it is no longer due
// (SPEC C-92, C-93).
func (e *Engine) sayName(g *group) {
	_ = e.sendMessage(g, packets.Name, e.name)
	g.sendName = false
}
