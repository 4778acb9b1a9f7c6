package friend

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
)

// begin is the time at which the virtual networks of the tests start.
const begin packets.Time = 1_700_000_000_000

// What the carrier does.
const (
	delay      = packets.Time(50)    // one way
	handshake  = 3 * delay           // from a dial that gets through to the session
	tries      = 8                   // of a dial, one a second
	foundEvery = 20 * packets.Second // the DHT hears a searched node
	onionEvery = 30 * packets.Second
	onionFirst = 7 * packets.Second
)

// world carries out the commands of machines: a DHT that finds who is there,
// an onion through which friends who look for each other tell their DHT keys,
// and sessions. It asserts that the commands make sense.
type world struct {
	t     testing.TB
	rand  *rand.Rand
	now   packets.Time
	nodes []*node
	onion bool
	loss  float64 // of dials and found addresses; sessions resend
	cut   func(a, b *node) bool
	jobs  []job
	order int
	trace []byte
}

// job is something that happens later.
type job struct {
	at    packets.Time
	order int
	do    func()
}

// node is a machine with the machines around it.
type node struct {
	*Machine
	w          *world
	name       byte
	run        int
	real, dht  packets.PublicKey
	addr       netip.AddrPort
	wants      map[packets.PublicKey]User // what the test held
	expected   map[packets.PublicKey]bool // friend or not
	searches   map[packets.PublicKey]int
	onions     map[packets.PublicKey]*lookup
	dials      map[packets.PublicKey]*attempt
	sessions   map[packets.PublicKey]*session
	online     map[packets.PublicKey]bool
	log        []string // of events but payloads
	got        []string // payloads
	dialed     int
	alives     []packets.Time
	inCommands bool
}

// lookup is one search in the onion.
type lookup struct {
	dht    packets.PublicKey
	online bool
}

// attempt is a dial that has not succeeded; session one end of an established
// session.
type attempt struct {
	dht   packets.PublicKey
	addrs []netip.AddrPort
	over  bool
}

type session struct {
	peer  *node
	other *session
	dht   packets.PublicKey // the peer's
	over  bool
	next  packets.Time // when the last packet to us arrives
}

func newWorld(t testing.TB, seed uint64, names string) *world {
	w := &world{t: t, rand: rand.New(rand.NewPCG(seed, 2)), now: begin, onion: true}
	for i := range names {
		n := &node{w: w, name: names[i]}
		n.real[0], n.real[31] = names[i], 1
		n.addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, names[i]}), 33445)
		w.nodes = append(w.nodes, n)
		n.start()
	}
	return w
}

// start begins a run of the node with a new DHT key; it holds nobody.
func (n *node) start() {
	n.run++
	n.dht = packets.PublicKey{n.name, byte(n.run), 31: 2}
	for _, s := range n.sessions {
		s.over = true // the peer does not learn of it
	}
	for _, a := range n.dials {
		a.over = true
	}
	n.Machine = New(Config{Real: n.real, DHT: n.dht})
	n.wants, n.expected, n.searches = map[packets.PublicKey]User{}, map[packets.PublicKey]bool{}, map[packets.PublicKey]int{}
	n.onions, n.dials = map[packets.PublicKey]*lookup{}, map[packets.PublicKey]*attempt{}
	n.sessions, n.online = map[packets.PublicKey]*session{}, map[packets.PublicKey]bool{}
}

// hold makes n hold o; hint tells it o's present DHT key as hearsay.
func (n *node) hold(user User, o *node, hint bool) {
	require.NoError(n.w.t, n.Hold(n.w.now, user, o.real))
	n.wants[o.real] |= user
	n.drain()
	if hint {
		_ = n.DHTKeyKnown(n.w.now, o.real, o.dht, Hearsay) // the peer may have told another one
		n.drain()
	}
}

func (n *node) release(user User, o *node) {
	n.Release(n.w.now, user, o.real)
	if n.wants[o.real] &^= user; n.wants[o.real] == 0 {
		delete(n.wants, o.real)
	}
	n.drain()
}

// drain does what the machine's output says.
func (n *node) drain() {
	w := n.w
	require.False(w.t, n.inCommands, "an input while an output is carried out")
	require.NoError(w.t, n.Check())
	out := n.Poll()
	n.inCommands = true
	var failed []packets.PublicKey
	for _, c := range out.Commands {
		w.note("%c %d %d %v %v %v %v %x", n.name, w.now, c.Kind, c.Real, c.DHT, c.Friend, c.Addrs, c.Data)
		if !n.carryOut(c) {
			failed = append(failed, c.Real)
		}
	}
	n.inCommands = false
	for _, e := range out.Events {
		w.note("%c %d event %d %v %v %v %x", n.name, w.now, e.Kind, e.Real, e.DHT, e.Released, e.Data)
		n.take(e)
	}
	for _, real := range failed {
		require.NoError(w.t, n.SessionDown(w.now, real, false))
		n.drain()
	}
}

// take checks that events come in an order that makes sense.
func (n *node) take(e Event) {
	w := n.w
	switch e.Kind {
	case Online:
		require.NotZero(w.t, n.wants[e.Real])
		s := n.sessions[e.Real]
		require.NotNil(w.t, s, "online without a session")
		require.Equal(w.t, s.dht, e.DHT)
		n.online[e.Real] = true
	case Offline:
		require.True(w.t, n.online[e.Real], "offline, but was not online")
		require.Equal(w.t, e.Released, n.wants[e.Real] == 0)
		delete(n.online, e.Real)
	case Payload, Request:
		require.True(w.t, n.online[e.Real], "payload while offline")
		n.got = append(n.got, fmt.Sprintf("%c%x%s", e.Real[0], e.NoSpam[:int(e.Kind-Payload)], e.Data))
		return
	}
	n.log = append(n.log, fmt.Sprintf("%d %c", e.Kind, e.Real[0]))
}

// carryOut does a command. It is false if a dial fails at once.
func (n *node) carryOut(c Command) bool {
	w, t := n.w, n.w.t
	if c.Kind != Expect && c.Kind != SearchDHT && c.Kind != StopDHT {
		_, ok := n.expected[c.Real]
		require.True(t, ok || c.Kind == StopOnion, "command %d about a stranger", c.Kind)
	}
	switch c.Kind {
	case Expect:
		was, ok := n.expected[c.Real]
		require.False(t, ok && was == c.Friend, "expected already")
		n.expected[c.Real] = c.Friend
	case Forget:
		n.closeSession(c.Real)
		delete(n.expected, c.Real)
	case Dial:
		return n.dial(c)
	case CloseSession:
		n.closeSession(c.Real)
	case Send:
		s := n.sessions[c.Real]
		require.NotNil(t, s, "sends without a session")
		if c.Data[0] == PacketAlive {
			n.alives = append(n.alives, w.now)
		}
		n.send(s, bytes.Clone(c.Data), false)
	case SearchDHT:
		n.searches[c.DHT]++
		if n.searches[c.DHT] == 1 {
			n.look(c.DHT, n.run)
		}
	case StopDHT:
		n.searches[c.DHT]--
		require.GreaterOrEqual(t, n.searches[c.DHT], 0, "stops what it does not search")
	case SearchOnion:
		require.Nil(t, n.onions[c.Real])
		l := &lookup{}
		n.onions[c.Real] = l
		w.after(onionFirst, func() { n.ask(c.Real, l) })
	case StopOnion:
		require.NotNil(t, n.onions[c.Real])
		delete(n.onions, c.Real)
	case OnionKey:
		require.NotEqual(t, c.DHT, n.onions[c.Real].dht)
		n.onions[c.Real].dht = c.DHT
	case OnionOnline:
		require.NotEqual(t, c.Online, n.onions[c.Real].online)
		n.onions[c.Real].online = c.Online
	default:
		require.Fail(t, "no such command")
	}
	return true
}

func (w *world) byDHT(dht packets.PublicKey) *node {
	for _, n := range w.nodes {
		if n.dht == dht {
			return n
		}
	}
	return nil
}

func (w *world) byReal(real packets.PublicKey) *node {
	for _, n := range w.nodes {
		if n.real == real {
			return n
		}
	}
	return nil
}

func (w *world) isCut(a, b *node) bool { return w.cut != nil && w.cut(a, b) }

func (w *world) lost() bool { return w.loss > 0 && w.rand.Float64() < w.loss }

func (w *world) note(format string, args ...any) {
	h := fnv.New64a()
	h.Write(w.trace)
	fmt.Fprintf(h, format, args...)
	w.trace = h.Sum(w.trace[:0])
}

func (w *world) after(d packets.Time, do func()) {
	w.order++
	w.jobs = append(w.jobs, job{w.now + d, w.order, do})
}

// step carries out what comes next, until the given time. It returns false if
// there is nothing.
func (w *world) step(until packets.Time) bool {
	next := -1
	for i, j := range w.jobs {
		if next < 0 || j.at < w.jobs[next].at || j.at == w.jobs[next].at && j.order < w.jobs[next].order {
			next = i
		}
	}
	at := until + 1
	if next >= 0 {
		at = w.jobs[next].at
	}
	var ticked *node
	for _, n := range w.nodes {
		if n.wake != 0 && max(n.wake, w.now) < at {
			ticked, at = n, max(n.wake, w.now)
		}
	}
	if at > until {
		w.now = until
		return false
	}
	w.now = at
	if ticked != nil {
		before := ticked.wake
		ticked.Tick(w.now)
		require.NotEqual(w.t, before, ticked.wake, "wakes for ever")
		ticked.drain()
		return true
	}
	j := w.jobs[next]
	w.jobs = append(w.jobs[:next], w.jobs[next+1:]...)
	j.do()
	return true
}

// pass lets time pass.
func (w *world) pass(d packets.Time) {
	for until := w.now + d; w.step(until); {
	}
}

// passUntil lets time pass until done, at most for d, and returns how long it
// took.
func (w *world) passUntil(d packets.Time, done func() bool) packets.Time {
	w.t.Helper()
	start := w.now
	for !done() {
		if !w.step(start + d) {
			w.t.Fatalf("not done after %d ms", d)
		}
	}
	return w.now - start
}

// both tells whether a and b are online for each other.
func both(a, b *node) func() bool {
	return func() bool { return a.online[b.real] && b.online[a.real] }
}

// neither tells whether a and b are offline for each other.
func neither(a, b *node) func() bool {
	return func() bool { return !a.online[b.real] && !b.online[a.real] }
}
