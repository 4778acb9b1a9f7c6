package measure

import (
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

// delayed is a node whose delays are counted, with what it was last given.
type delayed struct {
	sim.Node
	t      *trial
	me     int
	tick   bool
	lost   bool // a connection went down
	kind   packets.MessageKind
	across int // entries online across the cut
}

func (x *delayed) given(tick, lost bool) {
	x.tick, x.lost, x.kind = tick, lost, noMessage
}

// Receive notes what is received.
func (x *delayed) Receive(now packets.Time, from packets.PublicKey, p []byte) error {
	x.given(false, false)
	if m, err := packets.ParseMessage(p); err == nil {
		x.kind = m.Kind
	}
	return x.Node.Receive(now, from, p)
}

// Tick notes that it is a tick.
func (x *delayed) Tick(now packets.Time) {
	x.given(true, false)
	x.Node.Tick(now)
}

// Online notes that it is neither.
func (x *delayed) Online(now packets.Time, peer, dht packets.PublicKey) {
	x.given(false, false)
	x.Node.Online(now, peer, dht)
}

// Offline notes that a connection went down.
func (x *delayed) Offline(now packets.Time, peer packets.PublicKey) {
	x.given(false, true)
	x.Node.Offline(now, peer)
}

// Poll counts what came of the input.
func (x *delayed) Poll() conference.Output {
	out := x.Node.Poll()
	if !x.t.count {
		return out
	}
	c := x.t.Causes
	frozen := 0
	for i := range out.Events {
		switch out.Events[i].Kind {
		case conference.PeerFrozen:
			frozen++
		case conference.PeerThawed:
			c.thawed(x.kind)
		}
	}
	switch {
	case x.tick:
		c.TimedOut += frozen
	case x.lost && frozen > 0:
		c.Alone++
	}
	if len(out.Sends)+len(out.Conns)+frozen > 0 || x.lost || x.kind == noMessage && !x.tick {
		x.count()
	}
	return out
}

func (c *Causes) thawed(by packets.MessageKind) {
	switch by {
	case packets.Ping:
		c.ByPing++
	case packets.Name:
		c.ByName++
	default:
		c.ByOther++
	}
	c.Latest = by
}

// count looks at the entries of a node that lead across.
func (x *delayed) count() {
	t := x.t
	across := 0
	for _, v := range x.Views() {
		for i := range v.Neighbours {
			nb := &v.Neighbours[i]
			if nb.Online && (sim.NodeOf(&nb.Key) < t.half) != (x.me < t.half) {
				across++
			}
		}
	}
	before := t.across
	t.across += across - x.across
	x.across = across
	if before > 0 && t.across == 0 {
		t.Causes.Severed++
		if t.Causes.Severed == 1 {
			t.Causes.SeveredAt = t.world.Now() - t.healed
		}
	}
}
