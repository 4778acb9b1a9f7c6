package netcrypto

import (
	"bytes"
	"container/heap"
	"crypto/sha512"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/crypto"
)

// begin is the time at which the virtual networks of the tests start.
const begin packets.Time = 1_700_000_000_000

// faults is what a virtual network does to datagrams.
type faults struct {
	loss, dup float64
	delay     packets.Time // shortest way
	jitter    packets.Time // added at random: packets overtake each other
}

// network carries datagrams between machines in virtual time and watches the
// wire: see audit.
type network struct {
	t      testing.TB
	rand   *rand.Rand
	faults faults
	now    packets.Time
	nodes  []*node
	queue  deliveries
	order  int
	steps  int
	cut    func(from, to netip.AddrPort) bool // datagrams that get lost
	tap    func(d delivery)                   // sees all that is sent

	nonces  map[crypto.Nonce][]byte // random nonce -> the packet or cookie that shows it
	streams map[stream]*counter
	packets int
}

// node is a machine on the network.
type node struct {
	*Machine
	net    *network
	addr   netip.AddrPort
	real   crypto.KeyPair
	dht    crypto.KeyPair
	dead   bool
	events []Event                   // but payloads, which go to onData
	onData func(n *node, e Event)    // also called for Acked
	count  map[packets.PublicKey]int // lossless payloads by sender
}

type delivery struct {
	at       packets.Time
	order    int
	from, to netip.AddrPort
	data     []byte
}

type deliveries []delivery

func (q deliveries) Len() int { return len(q) }
func (q deliveries) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].order < q[j].order
}
func (q deliveries) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *deliveries) Push(x any)   { *q = append(*q, x.(delivery)) }
func (q *deliveries) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

// stream is the data packets of one node to an address; counter what its
// sender may do next.
type stream struct{ from, to netip.AddrPort }

type counter struct {
	last       uint16
	bytes      []byte
	begun      bool
	sessions   int // different handshakes sent
	breaks     int // jumps of the counter
	handshakes map[crypto.Nonce]bool
}

func newNetwork(t testing.TB, seed uint64, f faults) *network {
	return &network{
		t: t, rand: rand.New(rand.NewPCG(seed, 1)), faults: f, now: begin,
		nonces: map[crypto.Nonce][]byte{}, streams: map[stream]*counter{},
	}
}

// seeded is a reproducible random source for one machine.
func seeded(seed uint64) *rand.ChaCha8 {
	var s [32]byte
	binary.LittleEndian.PutUint64(s[:], seed)
	return rand.NewChaCha8(s)
}

// add starts a machine at 10.0.x.y.
func (w *network) add() *node {
	n := &node{net: w, addr: w.address(len(w.nodes) + 1)}
	n.real = crypto.NewKeyPair(seeded(w.rand.Uint64()))
	w.nodes = append(w.nodes, n)
	n.restart()
	return n
}

// address is that of node i.
func (*network) address(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 33445)
}

// restart replaces the machine by a new one with the same long-term key.
func (n *node) restart() {
	r := seeded(n.net.rand.Uint64())
	n.dht = crypto.NewKeyPair(r)
	n.Machine = New(Config{Real: n.real, DHT: n.dht, Rand: r})
	n.events, n.count = nil, map[packets.PublicKey]int{}
}

// dial makes n expect and dial o.
func (n *node) dial(o *node) {
	require.NoError(n.net.t, n.Expect(o.real.Public, true))
	require.NoError(n.net.t, n.Dial(n.net.now, o.real.Public, o.dht.Public, o.addr))
	n.drain()
}

// expect makes n accept handshakes of o.
func (n *node) expect(o *node) { require.NoError(n.net.t, n.Expect(o.real.Public, true)) }

// drain does what the machine's output says.
func (n *node) drain() {
	w := n.net
	out := n.Poll()
	for _, d := range out.Sends {
		w.audit(n, d)
		w.send(n.addr, d.To, d.Data)
	}
	for _, e := range out.Events {
		if e.Kind == Payload && !e.Lossy {
			n.count[e.RealKey]++
		}
		if e.Kind != Payload && e.Kind != Acked {
			n.events = append(n.events, e)
		}
	}
	if n.onData != nil {
		for _, e := range out.Events {
			if e.Kind == Payload || e.Kind == Acked {
				e.Data = bytes.Clone(e.Data)
				n.onData(n, e)
			}
		}
	}
	if w.steps++; w.steps%97 == 0 {
		require.NoError(w.t, n.Check())
	}
}

// send puts a datagram on its way.
func (w *network) send(from, to netip.AddrPort, data []byte) {
	d := delivery{from: from, to: to, data: bytes.Clone(data)}
	if w.tap != nil {
		d.at = w.now
		w.tap(d)
	}
	copies := 1
	if w.rand.Float64() < w.faults.dup {
		copies = 2
	}
	for range copies {
		if w.rand.Float64() < w.faults.loss || w.cut != nil && w.cut(from, to) {
			continue
		}
		d.at = w.now + w.faults.delay
		if w.faults.jitter > 0 {
			d.at += packets.Time(w.rand.Int64N(int64(w.faults.jitter)))
		}
		w.order++
		d.order = w.order
		heap.Push(&w.queue, d)
	}
}

// step carries out what comes next, until the given time. It returns false if
// there is nothing.
func (w *network) step(until packets.Time) bool {
	var next *node
	at := until + 1
	if len(w.queue) > 0 {
		at = min(at, w.queue[0].at)
	}
	for _, n := range w.nodes {
		if wake := n.wake; !n.dead && wake != 0 && max(wake, w.now) < at {
			next, at = n, max(wake, w.now)
		}
	}
	if at > until {
		w.now = until
		return false
	}
	w.now = at
	if next != nil {
		next.Tick(w.now)
		next.drain()
		return true
	}
	d := heap.Pop(&w.queue).(delivery)
	for _, n := range w.nodes {
		if n.addr == d.to && !n.dead {
			_ = n.Receive(w.now, d.from, d.data) // what is refused is tested elsewhere
			n.drain()
		}
	}
	return true
}

// run lets time pass.
func (w *network) run(d packets.Time) {
	for until := w.now + d; w.step(until); {
	}
}

// runUntil lets time pass until done, at most for d.
func (w *network) runUntil(d packets.Time, done func() bool) {
	w.t.Helper()
	for until := w.now + d; !done(); {
		if !w.step(until) {
			w.t.Fatalf("not done after %d ms", d)
		}
	}
}

// up tells whether n has an established session with o.
func (n *node) up(o *node) bool {
	i, ok := n.Session(o.real.Public)
	return ok && i.State == Up
}

// audit asserts, from the bytes on the wire alone, that no nonce is used twice:
// random nonces differ unless the whole packet is sent again, and the 16 bits
// of a data packet's nonce count up by one with each packet of a session. The
// counter may jump only once for each new handshake.
func (w *network) audit(n *node, d Datagram) {
	w.packets++
	random := func(nonce, all []byte) {
		k := crypto.Nonce(nonce)
		if old, ok := w.nonces[k]; ok {
			require.True(w.t, bytes.Equal(old, all), "a nonce is used for two boxes")
			return
		}
		w.nonces[k] = bytes.Clone(all)
	}
	key := stream{n.addr, d.To}
	c := w.streams[key]
	if c == nil {
		c = &counter{handshakes: map[crypto.Nonce]bool{}}
		w.streams[key] = c
	}
	switch p := d.Data; p[0] {
	case idCookieRequest:
		require.Len(w.t, p, cookieRequestSize)
		random(p[1+keySize:][:crypto.NonceSize], p)
	case idCookieResponse:
		require.Len(w.t, p, cookieResponseSize)
		random(p[1:][:crypto.NonceSize], p)
	case idHandshake:
		require.Len(w.t, p, handshakeSize)
		nonce := crypto.Nonce(p[1+cookieSize:])
		random(nonce[:], p)
		if !c.handshakes[nonce] {
			c.handshakes[nonce] = true
			c.sessions++
		}
	case idData:
		require.LessOrEqual(w.t, len(p), MaxDatagram)
		require.GreaterOrEqual(w.t, len(p), minData)
		require.Zero(w.t, (len(p)-dataHead-crypto.Overhead-bodyHead-MaxPayload%padTo)%padTo, "padding")
		low := binary.BigEndian.Uint16(p[1:])
		switch {
		case bytes.Equal(p, c.bytes): // the same to another address of the peer
		case !c.begun && c.sessions == 0: // a session that moved to another address
		case !c.begun || low != c.last+1:
			c.breaks++
			require.LessOrEqual(w.t, c.breaks, c.sessions, "the counter of %v jumps within a session", key)
		}
		c.begun, c.last, c.bytes = true, low, bytes.Clone(p)
	default:
		w.t.Fatalf("sent packet id %#x", p[0])
	}
}

// hashOf is the hash that binds a handshake to a cookie.
func hashOf(cookie []byte) [hashSize]byte { return sha512.Sum512(cookie) }
