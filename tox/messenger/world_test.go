package messenger

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
)

// begin is the time at which the virtual networks of the tests start.
const begin packets.Time = 1_700_000_000_000

// delay is how long a packet takes, and its acknowledgement.
const delay = packets.Time(40)

// world carries packets and requests between machines: a link between two is
// up if both hold each other and the test has not cut it.
type world struct {
	t     testing.TB
	rand  *rand.Rand
	now   packets.Time
	nodes []*node
	jobs  []job // in the order of time
	onion bool  // requests go through
	full  float64
	trace []byte
}

type job struct {
	at packets.Time
	do func()
}

// node is a machine and what its owner keeps.
type node struct {
	*Machine
	w      *world
	name   byte
	key    packets.PublicKey
	noSpam [4]byte
	held   map[packets.PublicKey]bool
	links  map[packets.PublicKey]*link
	events []string
	asked  []packets.Time // requests that were tried
	sent   []byte         // ids of packets
	dirty  int
}

// link is one end of a connection.
type link struct {
	other  *node
	number uint32 // of the next packet
	acked  uint32
	down   bool
}

func newWorld(t testing.TB, seed uint64, names string) *world {
	w := &world{t: t, rand: rand.New(rand.NewPCG(seed, 3)), now: begin, onion: true}
	for i := range names {
		n := &node{w: w, name: names[i], key: packets.PublicKey{names[i]}, noSpam: [4]byte{names[i], 1, 2, 3}}
		w.nodes = append(w.nodes, n)
		n.start(nil)
	}
	return w
}

// start makes a new machine with friends of a save.
func (n *node) start(friends []packets.SavedFriend) {
	for _, o := range n.w.nodes {
		n.w.cut(n, o)
	}
	n.held, n.links = map[packets.PublicKey]bool{}, map[packets.PublicKey]*link{}
	m, err := New(Config{
		Self: n.key, NoSpam: n.noSpam, Name: []byte{n.name}, StatusMessage: []byte("I am " + string(n.name)),
		Status: packets.Away, Friends: friends,
	}, n.w.now)
	require.NoError(n.w.t, err)
	n.Machine = m
	n.events = append(n.events, "start")
	n.drain()
}

// drain does what the output says.
func (n *node) drain() {
	w := n.w
	require.NoError(w.t, n.Check())
	out := n.Poll()
	for _, s := range out.Sends {
		n.carry(s)
	}
	for _, c := range out.Conns {
		require.NotEqual(w.t, c.Hold, n.held[c.Peer])
		n.held[c.Peer] = c.Hold
		o := w.byKey(c.Peer)
		if !c.Hold && o != nil {
			w.cut(n, o)
		}
	}
	for _, r := range out.Requests {
		n.asked = append(n.asked, w.now)
		o, self := w.byKey(r.To), n.key
		if w.onion && o != nil {
			n.RequestSent(w.now, r.To)
			r.Text = bytes.Clone(r.Text)
			w.after(delay, func() { o.hear(self, r) })
		}
	}
	for _, e := range out.Events {
		n.take(e)
	}
	if out.Dirty {
		n.dirty++
	}
	require.NoError(w.t, n.Check())
}

func (n *node) hear(from packets.PublicKey, r Request) {
	before := n.fingerprint()
	if err := n.Request(n.w.now, from, r.NoSpam, r.Text); err != nil {
		require.Equal(n.w.t, before, n.fingerprint())
	}
	n.drain()
}

// carry writes a packet to a link.
func (n *node) carry(s Send) {
	w := n.w
	l := n.links[s.To]
	if l == nil || l.down || s.Data[0] != packetOffline && w.full > 0 && w.rand.Float64() < w.full {
		n.Refused(w.now, s.To, s.Data[0], s.Message)
		return
	}
	require.NotZero(w.t, s.Data[0])
	require.Equal(w.t, s.Lossy, s.Data[0] >= firstLossy)
	require.LessOrEqual(w.t, len(s.Data), packets.MaxPacket)
	n.sent = append(n.sent, s.Data[0])
	w.note("%c sends %x", n.name, s.Data)
	if !s.Lossy {
		if s.Message != 0 {
			n.Sent(s.To, s.Message, l.number)
		}
		l.number++
	}
	data, lossy, number := bytes.Clone(s.Data), s.Lossy, l.number
	w.after(delay, func() {
		o := l.other
		if l.down {
			return
		}
		before := o.fingerprint()
		if err := o.Receive(w.now, n.key, lossy, data); err != nil {
			require.Equal(w.t, before, o.fingerprint())
			w.note("%c refuses %v", o.name, err)
		}
		o.drain()
		w.after(delay, func() {
			if !l.down {
				l.acked = max(l.acked, number)
				n.Acked(w.now, o.key, l.acked)
				n.drain()
			}
		})
	})
}

func (n *node) take(e Event) {
	s := fmt.Sprintf("%d%c", e.Kind, e.Peer[0])
	switch e.Kind {
	case Message, Requested, Renamed, StatusMessage, Custom, Conference:
		s += fmt.Sprintf(" %d %v %s", e.Message, e.Lossy, e.Data)
	case Received, Lost:
		s += fmt.Sprintf(" %d", e.Number)
	case Status:
		s += fmt.Sprintf(" %d", e.Status)
	case Typing:
		s += fmt.Sprintf(" %v", e.Typing)
	case Ready, Gone:
		require.True(n.w.t, n.held[e.Peer] || e.Kind == Gone)
	default:
		require.Fail(n.w.t, "no such event")
	}
	n.w.note("%c %s", n.name, s)
	n.events = append(n.events, s)
}

// join connects two nodes if both hold each other.
func (w *world) join(a, b *node) {
	if a == b || a.links[b.key] != nil || b.links[a.key] != nil || !a.held[b.key] || !b.held[a.key] {
		return
	}
	w.link(a, b)
}

// link connects two nodes, friends or not.
func (w *world) link(a, b *node) {
	a.links[b.key], b.links[a.key] = &link{other: b}, &link{other: a}
	a.Online(w.now, b.key)
	a.drain()
	b.Online(w.now, a.key)
	b.drain()
}

// cut disconnects two nodes.
func (w *world) cut(a, b *node) {
	for _, n := range []*node{a, b} {
		o := a
		if n == a {
			o = b
		}
		if l := n.links[o.key]; l != nil && !l.down {
			l.down = true
			w.after(delay, func() {
				if n.links[o.key] == l { // not started anew in between
					delete(n.links, o.key)
					n.Offline(w.now, o.key)
					n.drain()
				}
			})
		}
	}
}

func (w *world) byKey(k packets.PublicKey) *node {
	for _, n := range w.nodes {
		if n.key == k {
			return n
		}
	}
	return nil
}

func (w *world) note(format string, args ...any) {
	h := fnv.New64a()
	h.Write(w.trace)
	fmt.Fprintf(h, format, args...)
	w.trace = h.Sum(w.trace[:0])
}

func (w *world) after(d packets.Time, do func()) {
	i := len(w.jobs)
	for i > 0 && w.jobs[i-1].at > w.now+d {
		i--
	}
	w.jobs = append(w.jobs, job{})
	copy(w.jobs[i+1:], w.jobs[i:])
	w.jobs[i] = job{w.now + d, do}
}

// pass lets time pass.
func (w *world) pass(d packets.Time) {
	for until := w.now + d; ; {
		at := until + 1
		if len(w.jobs) > 0 {
			at = w.jobs[0].at
		}
		var ticked *node
		for _, n := range w.nodes {
			if n.wake != 0 && max(n.wake, w.now) < at {
				ticked, at = n, max(n.wake, w.now)
			}
		}
		if at > until {
			w.now = until
			return
		}
		w.now = at
		if ticked != nil {
			before := ticked.wake
			ticked.Tick(w.now)
			require.NotEqual(w.t, before, ticked.wake, "wakes for ever")
			ticked.drain()
			continue
		}
		do := w.jobs[0].do
		w.jobs = w.jobs[1:]
		do()
	}
}

// befriend makes two nodes friends who are ready.
func (w *world) befriend(a, b *node) {
	require.NoError(w.t, a.AcceptFriend(w.now, b.key))
	a.drain()
	require.NoError(w.t, b.AcceptFriend(w.now, a.key))
	b.drain()
	w.join(a, b)
	w.pass(packets.Second)
	a.events, b.events, a.sent, b.sent = nil, nil, nil, nil
}

// fingerprint is all that a machine remembers.
func (m *Machine) fingerprint() string {
	s := fmt.Sprint(m.wake, m.noSpam, m.name, m.text, m.status, m.requesters, m.message, len(m.byKey))
	for _, f := range m.friends {
		h := fnv.New64a()
		h.Write(f.saved[:])
		s += fmt.Sprint(f.key, h.Sum64(), f.linked, f.ready, f.types, f.typing, f.news, f.retry, f.waiting, f.asking, f.request, f.timeout)
	}
	return s
}
