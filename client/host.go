package client

import (
	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
)

// Transport is what carries the packets of conferences. A *tox.Node is one. All
// methods are called by the owner of the Host.
//
// What comes from a transport goes to the methods of Host: Online, Offline,
// FriendReady and Receive.
type Transport interface {
	// Write sends a packet to a peer who is online, in order if it is not lossy.
	// An error means that nothing was sent. payload is not kept.
	Write(now packets.Time, peer packets.PublicKey, payload []byte, lossy bool) error
	// Want wants a connection with a peer, who need not be a friend, until
	// Release. dht is the DHT key where to look first. An error means that there
	// will be none.
	Want(now packets.Time, peer, dht packets.PublicKey) error
	// Release takes Want back. A connection that nothing else needs ends.
	Release(now packets.Time, peer packets.PublicKey)
}

// retryWrite is after how many milliseconds a peer whose link could not take a
// packet is tried again.
const retryWrite = 1 * packets.Second

// Host does what a conference.Engine asks of its host, over a Transport: after
// each input it writes the packets, and then wants and releases connections, in
// order. What is left to the owner is to save, to publish events, and to call
// Tick; Poll says so. Host has one owner, as the Engine.
type Host struct {
	engine *conference.Engine
	wires  Transport
	out    Output
	full   []blocked
}

// blocked is a peer whose link could not take a packet.
type blocked struct {
	peer     packets.PublicKey
	lossless bool // otherwise it was a lossy one
	until    packets.Time
}

// Output is what an input leaves to the owner of a Host.
type Output struct {
	Dirty  bool               // Engine.Save has something new
	Events []conference.Event // to publish when that is saved; valid until the next input
	Wake   packets.Time       // call Tick then, after all other inputs of a frame; 0: nothing is due
}

// NewHost makes a Host of an Engine that had no input yet.
func NewHost(engine *conference.Engine, wires Transport) *Host {
	h := &Host{engine: engine, wires: wires}
	h.out.Wake = engine.Poll().Wake
	return h
}

// Engine is the engine, to look at; inputs go through Do.
func (h *Host) Engine() *conference.Engine { return h.engine }

// Poll returns what the last input left to the owner. It must be called after
// each input.
func (h *Host) Poll() Output { return h.out }

// Wake is Output.Wake of the last input.
func (h *Host) Wake() packets.Time { return h.out.Wake }

// Online tells that the connection of a peer, friend or not, came up; dht is the
// peer's DHT key.
func (h *Host) Online(now packets.Time, peer, dht packets.PublicKey) {
	h.Do(now, func(e *conference.Engine) { e.Online(now, peer, dht) })
}

// Offline tells that it went down.
func (h *Host) Offline(now packets.Time, peer packets.PublicKey) {
	h.Do(now, func(e *conference.Engine) { e.Offline(now, peer) })
}

// FriendReady tells that the messenger of a friend is online.
func (h *Host) FriendReady(now packets.Time, friend packets.PublicKey) {
	h.Do(now, func(e *conference.Engine) { e.FriendReady(now, friend) })
}

// Receive takes a packet 0x60 to 0x64 or 0xc7 of a peer. An error means that it
// was refused.
func (h *Host) Receive(now packets.Time, from packets.PublicKey, p []byte) (err error) {
	h.Do(now, func(e *conference.Engine) { err = e.Receive(now, from, p) })
	return err
}

// Tick does what is due.
func (h *Host) Tick(now packets.Time) {
	h.Do(now, func(e *conference.Engine) { e.Tick(now) })
}

// Do gives one input to the Engine: f calls one of its verbs.
func (h *Host) Do(now packets.Time, f func(e *conference.Engine)) {
	h.unblock(now)
	f(h.engine)
	out := h.engine.Poll()
	for i := range out.Sends {
		s := &out.Sends[i]
		if h.wires.Write(now, s.To, s.Data, s.Lossy) != nil {
			h.block(now, s.To, !s.Lossy)
		}
	}
	for _, c := range out.Conns {
		if c.Op == conference.Release {
			h.wires.Release(now, c.Peer)
			continue
		}
		// A peer whom the transport cannot want stays offline; the engine goes on
		// without, as with one that nobody can find.
		_ = h.wires.Want(now, c.Peer, c.DHT)
	}
	h.out = Output{Dirty: out.Dirty, Events: out.Events, Wake: out.Wake}
}

// block tells the engine that a peer's link is full.
func (h *Host) block(now packets.Time, peer packets.PublicKey, lossless bool) {
	for _, b := range h.full {
		if b.peer == peer && b.lossless == lossless {
			return
		}
	}
	h.full = append(h.full, blocked{peer: peer, lossless: lossless, until: now + retryWrite})
	h.setWritable(peer)
}

// unblock lets those be tried again who have waited long enough.
func (h *Host) unblock(now packets.Time) {
	for len(h.full) > 0 && h.full[0].until <= now {
		peer := h.full[0].peer
		h.full = append(h.full[:0], h.full[1:]...)
		h.setWritable(peer)
	}
}

func (h *Host) setWritable(peer packets.PublicKey) {
	lossless, lossy := true, true
	for _, b := range h.full {
		if b.peer == peer {
			lossless, lossy = lossless && !b.lossless, lossy && b.lossless
		}
	}
	h.engine.SetWritable(peer, lossless, lossy)
}
