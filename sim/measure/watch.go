package measure

import (
	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/sim"
)

// watched is a node of a trial.
type watched struct {
	sim.Node
	t     *trial
	me    int
	pings bool // it has got the ping that is followed
}

// watch makes a node that is watched.
func (t *trial) watch(cfg conference.Config, saved []packets.SavedConference, now packets.Time) (sim.Node, error) {
	n, err := t.NewNode(cfg, saved, now)
	if err != nil {
		return nil, err
	}
	if t.Causes != nil {
		n = &delayed{Node: n, t: t, me: sim.NodeOf(&cfg.Self)}
	}
	x := &watched{Node: n, t: t, me: sim.NodeOf(&cfg.Self)}
	t.nodes = append(t.nodes, x)
	return x, nil
}

// ping is one ping of node 0 on its way through the group.
type ping struct {
	wanted bool // follow the next one
	number uint32
	at     packets.Time // when it was sent; 0: not yet
	last   packets.Time // when somebody got it for the first time, the last of all
}

// Online notes the first session with each friend across the former cut.
func (x *watched) Online(now packets.Time, peer, dht packets.PublicKey) {
	t := x.t
	if other := sim.NodeOf(&peer); t.count && x.me < t.half && other >= t.half && t.world.Friends(x.me, other) {
		t.first = append(t.first, contact{x.me, other, t.world.Now() - t.healed})
	}
	x.Node.Online(now, peer, dht)
}

// Receive follows the ping.
func (x *watched) Receive(now packets.Time, from packets.PublicKey, p []byte) error {
	if t := x.t; t.ping.at != 0 && !x.pings && x.me != 0 {
		if m, ok := pingOf(p); ok && m.PeerNumber == 0 && m.Number == t.ping.number {
			x.pings, t.ping.last = true, t.world.Now()
		}
	}
	return x.Node.Receive(now, from, p)
}

// Poll counts pings, and finds the one to follow: node 0 founded the conference
// and has the number 0 in it.
func (x *watched) Poll() conference.Output {
	out := x.Node.Poll()
	out.Dirty = false // nobody starts again here, and saves take most of the time
	t := x.t
	follow := x.me == 0 && t.ping.wanted && t.ping.at == 0
	if !t.count && !follow {
		return out
	}
	for i := range out.Sends {
		m, ok := pingOf(out.Sends[i].Data)
		if !ok {
			continue
		}
		t.pings++
		if follow && m.PeerNumber == 0 {
			t.ping.number, t.ping.at = m.Number, t.world.Now()
		}
	}
	return out
}

// pingOf reads a packet if it is a ping.
func pingOf(p []byte) (packets.Message, bool) {
	if len(p) == 0 || p[0] != packets.PacketMessage {
		return packets.Message{}, false
	}
	m, err := packets.ParseMessage(p)
	return m, err == nil && m.Kind == packets.Ping
}
