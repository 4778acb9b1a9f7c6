package hostile

import (
	"math/rand/v2"
	"slices"

	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/sim"
)

const (
	frame packets.Time = 50
	// heardKept is how many packets an attacker keeps to send them again.
	heardKept = 256
	// lookEvery is how often an attacker looks at its conference.
	lookEvery = packets.Second
)

// attacker is a member that attacks once it is told to. The node in it is a
// peer like others, and tells it who is there.
type attacker struct {
	sim.Node
	self    packets.PublicKey
	r       *rand.Rand
	attacks []Attack // what it does, one drawn for each packet; empty: it behaves
	rate    int      // packets for each neighbour and frame
	most    int      // bogus peers that it makes up, at most
	counts  *[numAttacks]uint64
	known   func(packets.PublicKey) bool // a node of the world

	friends []packets.PublicKey
	up      []packets.PublicKey // links that are up
	now     packets.Time
	looked  packets.Time
	view    conference.View
	bogus   []bogus
	last    map[uint16]uint32 // last message number heard of each author
	heard   [][]byte
	next    int // place in heard
	sends   []conference.Send
}

// bogus is a peer that does not exist.
type bogus struct {
	key, dht packets.PublicKey
	number   uint16
}

func newAttacker(inner sim.Node, cfg conference.Config, p *trial) *attacker {
	return &attacker{
		Node: inner, self: cfg.Self, r: rand.New(rand.NewPCG(p.Seed, uint64(numAttacks))), counts: &p.sent, known: p.known,
		friends: slices.Clone(cfg.Friends), last: map[uint16]uint32{},
	}
}

// SetFriend notes who is a friend: friends' links stay when the peer inside lets them go.
func (a *attacker) SetFriend(peer packets.PublicKey, friend bool) {
	a.Node.SetFriend(peer, friend)
	a.friends = drop(a.friends, peer)
	if friend {
		a.friends = append(a.friends, peer)
	}
}

// Online notes that a link is up.
func (a *attacker) Online(now packets.Time, peer, dht packets.PublicKey) {
	a.Node.Online(now, peer, dht)
	a.up = append(drop(a.up, peer), peer)
}

// Offline notes that a link is down.
func (a *attacker) Offline(now packets.Time, peer packets.PublicKey) {
	a.Node.Offline(now, peer)
	a.up = drop(a.up, peer)
}

// Receive keeps a copy of the packet.
func (a *attacker) Receive(now packets.Time, from packets.PublicKey, p []byte) error {
	a.hear(p)
	return a.Node.Receive(now, from, p)
}

// hear remembers a packet, and how far its author has counted.
func (a *attacker) hear(p []byte) {
	if m, err := packets.ParseMessage(p); err == nil {
		if last, ok := a.last[m.PeerNumber]; !ok || int32(m.Number-last) > 0 {
			a.last[m.PeerNumber] = m.Number
		}
	}
	if len(a.heard) < heardKept {
		a.heard = append(a.heard, slices.Clone(p))
		return
	}
	a.heard[a.next] = append(a.heard[a.next][:0], p...)
	a.next = (a.next + 1) % heardKept
}

// Tick strikes every neighbour.
func (a *attacker) Tick(now packets.Time) {
	a.Node.Tick(now)
	a.now = now
	if len(a.attacks) == 0 {
		return
	}
	if a.looked == 0 || now >= a.looked+lookEvery {
		a.look()
	}
	for i := range a.view.Neighbours {
		if n := &a.view.Neighbours[i]; n.Online && slices.Contains(a.up, n.Key) {
			for range a.rate {
				a.attack(n, a.attacks[a.r.IntN(len(a.attacks))])
			}
		}
	}
}

// look brings what the attacker knows of its conference up to date.
func (a *attacker) look() {
	a.looked = a.now
	if views := a.Views(); len(views) > 0 {
		a.view = views[0]
	}
}

// Poll is what the peer inside wants, and then the attack.
func (a *attacker) Poll() conference.Output {
	out := a.Node.Poll()
	for _, c := range out.Conns {
		if c.Op == conference.Release && !slices.Contains(a.friends, c.Peer) {
			a.up = drop(a.up, c.Peer)
		}
	}
	out.Conns = slices.DeleteFunc(out.Conns, func(c conference.Conn) bool { return !a.known(c.Peer) })
	for _, s := range a.sends {
		if slices.Contains(a.up, s.To) {
			out.Sends = append(out.Sends, s)
		}
	}
	a.sends = a.sends[:0]
	if len(a.attacks) > 0 {
		due := a.now + frame
		if out.Wake == 0 || out.Wake > due {
			out.Wake = due
		}
	}
	return out
}

// begin starts the attack; it goes on until the attacker is gone.
func (a *attacker) begin(attacks []Attack, rate, most int) {
	a.attacks, a.rate, a.most = attacks, rate, most
}

func drop(list []packets.PublicKey, key packets.PublicKey) []packets.PublicKey {
	return slices.DeleteFunc(list, func(k packets.PublicKey) bool { return k == key })
}
