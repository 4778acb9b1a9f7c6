package onion_test

import (
	"cmp"
	"container/heap"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/crypto"
	"github.com/tox-rejoin/rejoin/tox/onion"
)

const start = packets.Time(1_700_000_000_000)

// world is a network of onion nodes in virtual time over a DHT that knows
// everything. All chance comes from one seed, so that a run can be repeated.
type world struct {
	t     testing.TB
	rand  *rand.Rand
	now   packets.Time
	loss  float64
	harm  float64 // part of the datagrams that arrive with a wrong bit
	nodes []*node
	queue occasions
	count int
	trace hash.Hash
	sent  map[byte]int // datagrams by first byte
	seals map[seal]bool
	tap   func(to *node, from netip.AddrPort, p []byte) // sees what arrives and is taken
	onion map[netip.AddrPort]*node
}

// seal is a nonce on the wire and what it was used for.
type seal struct {
	kind  byte
	nonce crypto.Nonce
}

// node is one participant with the three machines; a restart gives it new ones.
type node struct {
	relay  *onion.Relay
	store  *onion.Store
	client *onion.Client
	real   crypto.KeyPair
	dht    crypto.KeyPair
	addr   netip.AddrPort
	up     bool
	wake   packets.Time

	keys     map[packets.PublicKey]packets.PublicKey // DHT keys of friends, as they told
	nodes    map[packets.PublicKey]int
	requests []string
	online   []bool
}

type occasion struct {
	at    packets.Time
	order int
	do    func()
}

type occasions []occasion

func (o occasions) Len() int { return len(o) }
func (o occasions) Less(i, j int) bool {
	return o[i].at < o[j].at || o[i].at == o[j].at && o[i].order < o[j].order
}
func (o occasions) Swap(i, j int) { o[i], o[j] = o[j], o[i] }
func (o *occasions) Push(x any)   { *o = append(*o, x.(occasion)) }
func (o *occasions) Pop() any {
	last := (*o)[len(*o)-1]
	*o = (*o)[:len(*o)-1]
	return last
}

func newWorld(t testing.TB, seed byte, n int, loss float64) *world {
	w := &world{
		t: t, rand: rand.New(rand.NewChaCha8([32]byte{seed})), now: start, loss: loss,
		trace: sha256.New(), sent: map[byte]int{}, seals: map[seal]bool{}, onion: map[netip.AddrPort]*node{},
	}
	for i := range n {
		w.add(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 33445))
	}
	w.feed()
	return w
}

// source is a random source of its own for each machine.
func (w *world) source() *rand.ChaCha8 {
	var seed [32]byte
	for i := range 4 {
		binary.LittleEndian.PutUint64(seed[8*i:], w.rand.Uint64())
	}
	return rand.NewChaCha8(seed)
}

func (w *world) add(addr netip.AddrPort) *node {
	n := &node{real: crypto.NewKeyPair(w.source()), addr: addr}
	w.nodes = append(w.nodes, n)
	w.onion[addr] = n
	w.boot(n)
	return n
}

// boot starts a node, or starts it anew.
func (w *world) boot(n *node) {
	source := w.source()
	n.dht = crypto.NewKeyPair(source)
	cfg := onion.Config{Real: n.real, DHT: n.dht, Rand: source, IPv4Only: true}
	n.relay, n.store, n.client = onion.NewRelay(cfg), onion.NewStore(cfg), onion.NewClient(cfg)
	n.up, n.wake = true, 0
	n.keys, n.nodes, n.requests, n.online = map[packets.PublicKey]packets.PublicKey{}, map[packets.PublicKey]int{}, nil, nil
}

// at plans something.
func (w *world) at(t packets.Time, do func()) {
	w.count++
	heap.Push(&w.queue, occasion{t, w.count, do})
}

// feed does what a DHT does: each node hears of some others that are up.
func (w *world) feed() {
	up := slices.DeleteFunc(slices.Clone(w.nodes), func(n *node) bool { return !n.up })
	for _, n := range up {
		for range 8 {
			x := up[w.rand.IntN(len(up))]
			n.client.AddPathNode(w.now, onion.Node{Key: x.dht.Public, Addr: x.addr})
		}
		var near []packets.Node
		for _, x := range w.closest(n.dht.Public, 5) {
			b := x.Addr.Addr().As4()
			p := packets.Node{Family: packets.UDP4, Port: x.Addr.Port(), Key: x.Key}
			copy(p.IP[:], b[:])
			near = append(near, p)
		}
		n.client.SetNodes(near)
		w.flush(n)
	}
	w.at(w.now+20*packets.Second, w.feed)
}

// closest is the nodes that a perfect DHT names.
func (w *world) closest(key packets.PublicKey, most int) (near []onion.Node) {
	for _, n := range w.nodes {
		if n.up {
			near = append(near, onion.Node{Key: n.dht.Public, Addr: n.addr})
		}
	}
	distance := func(n onion.Node) string {
		for i := range key {
			n.Key[i] ^= key[i]
		}
		return string(n.Key[:])
	}
	slices.SortFunc(near, func(a, b onion.Node) int { return cmp.Compare(distance(a), distance(b)) })
	return near[:min(most, len(near))]
}

// receive gives a packet to the machine that it is for.
func (n *node) receive(now packets.Time, from netip.AddrPort, p []byte) error {
	switch p[0] {
	case onion.AnnounceRequest, onion.DataRequest:
		return n.store.Receive(now, from, p)
	case onion.AnnounceResponse, onion.DataResponse, onion.GroupAnnounceResponse:
		return n.client.Receive(now, from, p)
	}
	return n.relay.Receive(now, from, p)
}

// flush does what the machines of a node say.
func (w *world) flush(n *node) {
	wake := packets.Time(0)
	soonest := func(t packets.Time) {
		if t != 0 && (wake == 0 || t < wake) {
			wake = t
		}
	}
	for _, q := range w.carry(n, n.store.Poll(), soonest).Queries {
		n.store.Answer(w.now, q, w.closest(q.Key, 4))
	}
	w.carry(n, n.store.Poll(), soonest)
	w.carry(n, n.relay.Poll(), soonest)
	out := w.carry(n, n.client.Poll(), soonest)
	for _, r := range out.Routed {
		w.route(n, r)
	}
	for _, e := range out.Events {
		switch e.Kind {
		case onion.DHTKey:
			n.keys[e.Real] = e.DHTKey
			n.nodes[e.Real] = len(e.Nodes)
			require.NoError(w.t, n.client.SetDHTKeyOf(w.now, e.Real, e.DHTKey))
		case onion.FriendRequest:
			n.requests = append(n.requests, e.Real.String()+string(e.NoSpam[:])+string(e.Text))
		case onion.SelfOnline:
			require.Equal(w.t, n.client.Connected(), e.Online)
			n.online = append(n.online, e.Online)
		}
	}
	require.NoError(w.t, n.relay.Check())
	require.NoError(w.t, n.store.Check())
	require.NoError(w.t, n.client.Check())
	if wake != 0 && (n.wake == 0 || wake < n.wake) {
		n.wake = max(wake, w.now)
		relay := n.relay // of this run
		w.at(n.wake, func() {
			if n.relay != relay || !n.up {
				return
			}
			n.wake = 0
			n.relay.Tick(w.now)
			n.store.Tick(w.now)
			n.client.Tick(w.now)
			w.flush(n)
		})
	}
}

// carry sends datagrams.
func (w *world) carry(n *node, out onion.Output, wake func(packets.Time)) onion.Output {
	wake(out.Wake)
	for _, s := range out.Sends {
		p := slices.Clone(s.Data)
		w.note(n, s.To, p)
		if w.rand.Float64() < w.loss {
			continue
		}
		if w.harm > 0 && w.rand.Float64() < w.harm {
			p[w.rand.IntN(len(p))] ^= 1 << w.rand.IntN(8)
		}
		w.at(w.now+packets.Time(10+w.rand.IntN(50)), func() { w.deliver(n.addr, s.To, p) })
	}
	return out
}

func (w *world) deliver(from, to netip.AddrPort, p []byte) {
	n := w.onion[to]
	if n == nil || !n.up {
		return
	}
	if err := n.receive(w.now, from, p); err == nil && w.tap != nil {
		w.tap(n, from, p)
	}
	w.flush(n)
}

// route carries a DHT key through the DHT.
func (w *world) route(n *node, r onion.Routed) {
	data, sender := slices.Clone(r.Data), n.dht.Public
	if w.rand.Float64() < w.loss {
		return
	}
	w.at(w.now+100, func() {
		for _, x := range w.nodes {
			if x.up && x.dht.Public == r.To {
				_ = x.client.ReceiveRouted(w.now, sender, data) // refused if it is no news
				w.flush(x)
			}
		}
	})
}

// note keeps what was sent, and asserts that no nonce is used twice by whom it
// was made.
func (w *world) note(n *node, to netip.AddrPort, p []byte) {
	w.sent[p[0]]++
	var b []byte
	b = binary.BigEndian.AppendUint64(b, uint64(w.now))
	b = append(append(b, n.addr.String()...), to.String()...)
	w.trace.Write(append(b, p...))
	fresh := func(kind byte, at int) {
		s := seal{kind, crypto.Nonce(p[at:])}
		require.False(w.t, w.seals[s], "nonce of %#x twice", kind)
		w.seals[s] = true
	}
	const back = 59
	switch p[0] {
	case onion.Forward1:
		fresh(p[0], 1)
	case onion.Forward2, onion.Forward3:
		fresh(p[0], 1)
		fresh(0, len(p)-back*int(p[0]-onion.Forward1))
	case onion.AnnounceRequest:
		fresh(p[0], 1)
		fresh(0, len(p)-3*back)
	case onion.DataRequest:
		fresh(p[0], 33)
		fresh(0, len(p)-3*back)
	case onion.Return3:
		if p[1+3*back] == onion.AnnounceResponse {
			fresh(p[1+3*back], 1+3*back+9)
		}
	}
}

// run lets time pass.
func (w *world) run(d packets.Time) {
	end := w.now + d
	for len(w.queue) > 0 && w.queue[0].at <= end {
		o := heap.Pop(&w.queue).(occasion)
		w.now = o.at
		o.do()
	}
	w.now = end
}

// until runs until ok, and tells after how many seconds; it fails after limit
// seconds.
func (w *world) until(limit int, what string, ok func() bool) int {
	w.t.Helper()
	for s := range limit + 1 {
		if ok() {
			return s
		}
		w.run(packets.Second)
	}
	require.Fail(w.t, what, "not within %d s", limit)
	return 0
}

// befriend makes each node a friend of the next one.
func (w *world) befriend() {
	for i, n := range w.nodes {
		next := w.nodes[(i+1)%len(w.nodes)]
		require.NoError(w.t, n.client.AddFriend(w.now, next.real.Public))
		require.NoError(w.t, next.client.AddFriend(w.now, n.real.Public))
	}
}

// met tells whether all nodes that are up know the DHT keys of both neighbours.
func (w *world) met() bool {
	for i, n := range w.nodes {
		next := w.nodes[(i+1)%len(w.nodes)]
		if n.up && next.up && (n.keys[next.real.Public] != next.dht.Public || next.keys[n.real.Public] != n.dht.Public) {
			return false
		}
	}
	return true
}

func (w *world) connected() bool {
	return !slices.ContainsFunc(w.nodes, func(n *node) bool { return n.up && !n.client.Connected() })
}
