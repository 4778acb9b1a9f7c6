//go:build oracle && linux && amd64

package oracle

import (
	"encoding/binary"

	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/sim"
)

// Causes are what can make a heal slow, counted from the heal on.
type Causes struct {
	// Severed is how often the halves, in touch already, lost the last entry that
	// was online across the former cut: who bridges it hears the other end of its
	// bridge over another bridge, takes the introduction for done and says Peer
	// Introduced (SPEC C-49, C-51), and so does the other bridge, before any of the
	// new neighbours is connected.
	Severed   int
	SeveredAt packets.Time // the first time, since the heal; 0: never
	// Alone is how many peers lost their last neighbour, whom the newly known made
	// less close (SPEC C-40), and froze everybody (SPEC C-85).
	Alone int
	// TimedOut is how many entries of lists were frozen by 60 s of silence (SPEC
	// C-80).
	TimedOut int
	// ByPing and ByName are how many peers were thawed by their Ping, which comes
	// every 20 s, and by their Name, which is said as soon as somebody is thawed;
	// ByOther by anything else.
	ByPing, ByName, ByOther int
	// Latest is the kind of message that thawed last; 255: no message.
	Latest packets.MessageKind
}

// noMessage is Causes.Latest when it was not a message.
const noMessage packets.MessageKind = 255

// watcher collects causes of one world.
type watcher struct {
	Causes
	on     bool
	halve  int // nodes from here on are beyond the cut
	across int // entries online across the cut, both ends counted
	now    packets.Time
	from   packets.Time
}

// wrap makes nodes that are watched.
func (w *watcher) wrap(inner sim.NewNode) sim.NewNode {
	return func(cfg conference.Config, saved []packets.SavedConference, now packets.Time) (sim.Node, error) {
		n, err := inner(cfg, saved, now)
		return &watched{Node: n, w: w, me: keyNumber(&cfg.Self)}, err
	}
}

// keyNumber is the number of the node with that key (sim.World.Key).
func keyNumber(k *packets.PublicKey) int {
	return int(binary.LittleEndian.Uint32(k[packets.KeySize-4:]))
}

// watched is a node with what it was last given.
type watched struct {
	sim.Node
	w      *watcher
	me     int
	tick   bool
	lost   bool // a connection went down
	kind   packets.MessageKind
	across int
}

func (x *watched) given(tick, lost bool) {
	x.tick, x.lost, x.kind = tick, lost, noMessage
}

// Receive notes what is received.
func (x *watched) Receive(now packets.Time, from packets.PublicKey, p []byte) error {
	x.given(false, false)
	if m, err := packets.ParseMessage(p); err == nil {
		x.kind = m.Kind
	}
	return x.Node.Receive(now, from, p)
}

// Tick notes that it is a tick.
func (x *watched) Tick(now packets.Time) {
	x.given(true, false)
	x.Node.Tick(now)
}

// Online notes that it is neither.
func (x *watched) Online(now packets.Time, peer, dht packets.PublicKey) {
	x.given(false, false)
	x.Node.Online(now, peer, dht)
}

// Offline notes that a connection went down.
func (x *watched) Offline(now packets.Time, peer packets.PublicKey) {
	x.given(false, true)
	x.Node.Offline(now, peer)
}

// Poll counts what came of the input.
func (x *watched) Poll() conference.Output {
	out := x.Node.Poll()
	w := x.w
	if !w.on {
		return out
	}
	frozen := 0
	for i := range out.Events {
		switch out.Events[i].Kind {
		case conference.PeerFrozen:
			frozen++
		case conference.PeerThawed:
			w.thawed(x.kind)
		}
	}
	switch {
	case x.tick:
		w.TimedOut += frozen
	case x.lost && frozen > 0:
		w.Alone++
	}
	if len(out.Sends)+len(out.Conns)+frozen > 0 || x.lost || x.kind == noMessage && !x.tick {
		x.count()
	}
	return out
}

func (w *watcher) thawed(by packets.MessageKind) {
	switch by {
	case packets.Ping:
		w.ByPing++
	case packets.Name:
		w.ByName++
	default:
		w.ByOther++
	}
	w.Latest = by
}

// count looks at the entries of a node that lead across.
func (x *watched) count() {
	across := 0
	for _, v := range x.Views() {
		for i := range v.Neighbours {
			nb := &v.Neighbours[i]
			if nb.Online && (keyNumber(&nb.Key) < x.w.halve) != (x.me < x.w.halve) {
				across++
			}
		}
	}
	w := x.w
	before := w.across
	w.across += across - x.across
	x.across = across
	if before > 0 && w.across == 0 {
		w.Severed++
		if w.Severed == 1 {
			w.SeveredAt = w.now - w.from
		}
	}
}
