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

// look finds the address of a searched key again and again.
func (n *node) look(dht packets.PublicKey, run int) {
	w := n.w
	w.after(packets.Second/2, func() { n.found(dht, run) })
}

func (n *node) found(dht packets.PublicKey, run int) {
	w := n.w
	if n.run != run || n.searches[dht] == 0 {
		return
	}
	next := packets.Second
	if o := w.byDHT(dht); o != nil && !w.isCut(n, o) && !w.lost() {
		next = foundEvery
		require.NoError(w.t, n.AddressFound(w.now, dht, o.addr))
		n.drain()
	}
	w.after(next, func() { n.found(dht, run) })
}

// ask tells o's DHT key to n if both look for each other.
func (n *node) ask(real packets.PublicKey, l *lookup) {
	w := n.w
	if n.onions[real] != l {
		return
	}
	if o := w.byReal(real); w.onion && !l.online && o.onions[n.real] != nil && !w.isCut(n, o) {
		require.NoError(w.t, n.DHTKeyKnown(w.now, real, o.dht, Told))
		n.drain()
	}
	w.after(onionEvery, func() { n.ask(real, l) })
}

// dial begins an attempt or gives the one that there is addresses.
func (n *node) dial(c Command) bool {
	w := n.w
	n.dialed++
	require.NotEmpty(w.t, c.Addrs)
	if s := n.sessions[c.Real]; s != nil {
		require.Equal(w.t, s.dht, c.DHT, "dials another DHT key than that of the session")
		return true
	}
	if a := n.dials[c.Real]; a != nil {
		require.Equal(w.t, a.dht, c.DHT, "dials another DHT key than before")
		a.addrs = append(a.addrs[:0], c.Addrs...)
		return true
	}
	a := &attempt{dht: c.DHT, addrs: append([]netip.AddrPort(nil), c.Addrs...)}
	n.dials[c.Real] = a
	w.after(0, func() { n.try(c.Real, a, tries) })
	return true
}

// try is one cookie request with all that follows.
func (n *node) try(real packets.PublicKey, a *attempt, left int) {
	w := n.w
	if a.over || n.dials[real] != a {
		return
	}
	if left == 0 {
		delete(n.dials, real)
		a.over = true
		require.NoError(w.t, n.SessionDown(w.now, real, false))
		n.drain()
		return
	}
	o := w.byDHT(a.dht)
	if o != nil && o.real == real && a.addrs[0] == o.addr && !w.isCut(n, o) && !w.lost() {
		if _, ok := o.expected[n.real]; ok {
			w.after(handshake, func() { n.meet(o, a) })
			return
		}
	}
	w.after(packets.Second, func() { n.try(real, a, left-1) })
}

// meet establishes a session that n began.
func (n *node) meet(o *node, a *attempt) {
	w := n.w
	_, wanted := o.expected[n.real]
	if a.over || n.dials[o.real] != a || !wanted || w.isCut(n, o) || o.dht != a.dht {
		if !a.over && n.dials[o.real] == a {
			n.try(o.real, a, 1)
		}
		return
	}
	delete(n.dials, o.real)
	if old := o.sessions[n.real]; old != nil {
		old.over = true
		delete(o.sessions, n.real)
		require.NoError(w.t, o.SessionDown(w.now, n.real, true))
		o.drain()
		if old.dht != n.dht {
			require.NoError(w.t, o.SessionDHTKeyChanged(w.now, n.real, n.dht))
			o.drain()
		}
	} else if theirs := o.dials[n.real]; theirs != nil {
		theirs.over = true
		delete(o.dials, n.real)
		if theirs.dht != n.dht {
			require.NoError(w.t, o.SessionDHTKeyChanged(w.now, n.real, n.dht))
			o.drain()
		}
	} else {
		require.NoError(w.t, o.SessionDHTKeyChanged(w.now, n.real, n.dht))
		o.drain()
	}
	mine, its := &session{peer: o, dht: o.dht}, &session{peer: n, dht: n.dht}
	mine.other, its.other = its, mine
	n.sessions[o.real], o.sessions[n.real] = mine, its
	for _, end := range []*session{its, mine} {
		self := end.other.peer
		require.NoError(w.t, self.SessionUp(w.now, end.peer.real, end.dht, end.peer.addr))
		self.drain()
	}
}

// closeSession ends what n has with a peer, who hears of it unless cut off.
func (n *node) closeSession(real packets.PublicKey) {
	w := n.w
	if a := n.dials[real]; a != nil {
		a.over = true
		delete(n.dials, real)
	}
	s := n.sessions[real]
	if s == nil {
		return
	}
	s.over = true
	delete(n.sessions, real)
	w.after(delay, func() {
		o, theirs := s.peer, s.other
		if theirs.over || w.isCut(n, o) {
			return
		}
		theirs.over = true
		delete(o.sessions, n.real)
		require.NoError(w.t, o.SessionDown(w.now, n.real, false))
		o.drain()
	})
}

// send carries a packet over a session: lossless ones in order, again and
// again while the way is cut.
func (n *node) send(s *session, p []byte, lossy bool) {
	w := n.w
	o, theirs := s.peer, s.other
	at := w.now + delay
	if !lossy {
		theirs.next = max(theirs.next, at)
		at = theirs.next
	}
	var arrive func()
	arrive = func() {
		switch {
		case theirs.over || s.over:
		case !w.isCut(n, o):
			require.NoError(w.t, o.Receive(w.now, n.real, lossy, p))
			o.drain()
		case !lossy:
			w.after(delay, arrive)
		}
	}
	w.after(at-w.now, arrive)
}

// write sends an application's packet.
func (n *node) write(o *node, lossy bool, p []byte) {
	s := n.sessions[o.real]
	require.NotNil(n.w.t, s)
	n.send(s, p, lossy)
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
