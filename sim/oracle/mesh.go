//go:build oracle && linux && amd64

package oracle

import (
	"bytes"
	"errors"
	"math/rand/v2"

	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
)

// meshFrames is how many frames one network lives: a minute to twenty, by its
// frame.
const meshFrames = 1200

// meshInputs ends a network early that drowns in packets: two messages of one
// author whose numbers are 2^31 apart are each newer than the other, and go round
// for ever.
const meshInputs = 50_000

// mesh is a small network of pairs with several conferences, text and audio.
// Sessions come and go by chance, peers crash and return with an old save, and
// packets on the way are forged. Here nothing has to merge: it is there to
// bring two implementations into the same odd states.
type mesh struct {
	r      *rand.Rand
	frame  packets.Time
	frames int
	nodes  []*meshNode
	keys   []packets.PublicKey
	ids    []packets.ID
	cut    map[[2]int]bool // by lower number first
	lossy  float64         // share of lossy packets that get lost, and that come twice
	forge  float64         // share of packets that are forged
	calls  float64         // chance of a call per node and frame
	faults float64
	pairs  []*Pair // of all runs
	err    error   // only one of the two loads a save
	digest *digest
}

type meshNode struct {
	at      int
	forger  forger
	pair    *Pair // nil: down
	skew    packets.Time
	paused  int // frames
	friends map[int]bool
	wanted  map[int]bool
	session map[int]*meshSession // up as this side sees it
	saves   [][]packets.SavedConference
	invited []conference.Invited
	name    []byte
}

// meshSession is one side of a session: what is on the way to this side.
type meshSession struct {
	queue  []meshPacket
	doomed int // frames until this side hears that the session has ended; 0: not doomed
}

type meshPacket struct {
	due  int
	data []byte
}

func newMesh(seed uint64, d *digest) *mesh {
	r := rand.New(rand.NewPCG(seed, 3))
	m := &mesh{
		digest: d, r: r, frame: pick(r, []packets.Time{50, 200, 1000}), cut: map[[2]int]bool{},
		lossy: pick(r, []float64{0, 0.1}), forge: pick(r, []float64{0, 0, 0.002, 0.05}),
		calls: pick(r, []float64{0.005, 0.02, 0.1}), faults: pick(r, []float64{0, 0.002, 0.01}),
	}
	count := 2 + r.IntN(7)
	if r.IntN(8) == 0 {
		count = 20
	}
	m.keys = randomKeys(r, count)
	for i := range m.keys {
		m.nodes = append(m.nodes, &meshNode{
			at: i, friends: map[int]bool{}, skew: packets.Time(r.IntN(100_000)) * 10, name: randomBytes(r, r.IntN(20)),
		})
	}
	density := pick(r, []float64{0.3, 1, r.Float64()})
	for i, n := range m.nodes {
		for j := range i {
			if r.Float64() < density || j == i-1 {
				n.friends[j], m.nodes[j].friends[i] = true, true
			}
		}
	}
	for _, n := range m.nodes {
		m.start(n, nil)
	}
	return m
}

func (m *mesh) now(n *meshNode) packets.Time {
	return epoch + packets.Time(m.frames)*m.frame + n.skew
}

func (m *mesh) start(n *meshNode, saved []packets.SavedConference) {
	n.wanted, n.session, n.invited = map[int]bool{}, map[int]*meshSession{}, nil
	cfg := conference.Config{
		Self: m.keys[n.at], DHTKey: packets.PublicKey(randomBytes(m.r, 32)), Name: n.name, Frame: m.frame, Reference: true,
		Rand: smallRand{r: rand.New(rand.NewPCG(m.r.Uint64(), 4)), space: pick(m.r, []uint16{0, 0, 0, 8})},
	}
	for j := range m.nodes {
		if n.friends[j] {
			cfg.Friends = append(cfg.Friends, m.keys[j])
		}
	}
	pair, err := newPair(cfg, saved, m.now(n))
	if d := (*Difference)(nil); errors.As(err, &d) {
		m.err = err
	}
	if err != nil { // a save that forged peers made unloadable
		if pair, err = newPair(cfg, nil, m.now(n)); err != nil {
			panic(err)
		}
	}
	pair.lazy, pair.digest = m.r.IntN(2) == 0, m.digest
	keys := append([]packets.PublicKey{m.keys[n.at]}, m.keys...)
	n.pair, n.forger = pair, newForger(m.r, keys)
	n.forger.pair = pair
	m.pairs = append(m.pairs, pair)
}

// inputs is how many inputs all nodes have got.
func (m *mesh) inputs() int {
	n := 0
	for _, p := range m.pairs {
		n += len(p.inputs)
	}
	return n
}

// step is one frame of all.
func (m *mesh) step() {
	m.frames++
	m.network()
	for _, n := range m.nodes {
		if n.pair == nil {
			if m.r.Float64() < 0.02 {
				m.restart(n)
			}
			continue
		}
		if n.paused > 0 {
			n.paused--
			continue
		}
		m.deliver(n)
		if m.r.Float64() < m.calls {
			m.call(n)
		}
		if n.pair != nil {
			n.pair.do(input{op: opTick, now: m.now(n)})
			m.carryOut(n)
		}
	}
	if m.r.Float64() < m.faults {
		m.fault()
	}
}

func (m *mesh) has(a, b int) bool {
	n := m.nodes[a]
	return n.pair != nil && (n.friends[b] || n.wanted[b])
}

// network makes sessions where both sides want one, and ends the others.
func (m *mesh) network() {
	for a := range m.nodes {
		for b := range a {
			possible := m.has(a, b) && m.has(b, a) && !m.cut[[2]int{b, a}]
			sides := [2][2]int{{a, b}, {b, a}}
			up := m.nodes[a].session[b] != nil || m.nodes[b].session[a] != nil
			if possible && !up && m.r.IntN(10) == 0 {
				for _, s := range sides {
					m.nodes[s[0]].session[s[1]] = &meshSession{}
				}
				for _, s := range sides {
					m.connected(m.nodes[s[0]], s[1])
				}
			}
			broken := up && (!possible || m.nodes[a].session[b] == nil || m.nodes[b].session[a] == nil)
			for _, s := range sides {
				if l := m.nodes[s[0]].session[s[1]]; l != nil && broken && l.doomed == 0 {
					l.doomed = 1 + m.r.IntN(20)
				}
			}
		}
	}
}

func (m *mesh) connected(n *meshNode, peer int) {
	now := m.now(n)
	dht := m.nodes[peer].pair.begin.cfg.DHTKey
	n.pair.do(input{op: opOnline, now: now, peer: m.keys[peer], dht: dht})
	m.carryOut(n)
	if n.pair != nil && n.friends[peer] && m.r.IntN(10) != 0 {
		n.pair.do(input{op: opReady, now: now, peer: m.keys[peer]})
	}
}

// deliver hands over what has arrived, and reports sessions that have ended.
func (m *mesh) deliver(n *meshNode) {
	for peer := range m.nodes {
		l := n.session[peer]
		for l != nil && len(l.queue) > 0 && l.queue[0].due <= m.frames {
			p := l.queue[0].data
			l.queue = l.queue[1:]
			switch f := m.r.Float64(); {
			case f < m.forge/2:
				p = mutated(m.r, p)
			case f < m.forge:
				p = n.forger.packet()
			}
			if len(p) > 0 {
				n.pair.do(input{op: opReceive, now: m.now(n), peer: m.keys[peer], data: p})
				m.carryOut(n)
			}
			l = n.session[peer]
		}
		if l != nil && l.doomed > 0 {
			if l.doomed--; l.doomed == 0 {
				delete(n.session, peer)
				n.pair.do(input{op: opOffline, now: m.now(n), peer: m.keys[peer]})
				m.carryOut(n)
			}
		}
	}
}

// carryOut does what a host does.
func (m *mesh) carryOut(n *meshNode) {
	out := n.pair.Poll()
	for _, s := range out.Sends {
		m.send(n, s)
	}
	for _, c := range out.Conns {
		peer := m.index(c.Peer)
		switch {
		case peer < 0:
		case c.Op == conference.Want:
			n.wanted[peer] = true
		default:
			delete(n.wanted, peer)
			if !n.friends[peer] {
				delete(n.session, peer)
			}
		}
	}
	for _, e := range out.Events {
		if e.Kind == conference.Invitation {
			n.invited = append(n.invited, e.Invited)
		}
	}
	if out.Dirty && m.r.IntN(20) == 0 {
		n.saves = append(n.saves, n.pair.Save())
	}
}

func (m *mesh) index(key packets.PublicKey) int {
	for i, k := range m.keys {
		if k == key {
			return i
		}
	}
	return -1
}

func (m *mesh) send(n *meshNode, s conference.Send) {
	peer := m.index(s.To)
	l := m.nodes[peer].session[n.at]
	if l == nil || l.doomed > 0 {
		return
	}
	p := meshPacket{due: m.frames + 1 + m.r.IntN(2), data: bytes.Clone(s.Data)}
	if !s.Lossy {
		if last := len(l.queue) - 1; last >= 0 {
			p.due = max(p.due, l.queue[last].due)
		}
		l.queue = append(l.queue, p)
		return
	}
	for f := m.r.Float64(); f >= m.lossy; f = m.lossy + m.r.Float64() - 0.9 {
		at := m.r.IntN(len(l.queue) + 1)
		if at > 0 {
			p.due = l.queue[at-1].due
		}
		l.queue = append(l.queue[:at], append([]meshPacket{p}, l.queue[at:]...)...)
	}
}
