package dht_test

import (
	"bytes"
	"container/heap"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/crypto"
	"github.com/tox-rejoin/rejoin/tox/dht"
)

// world is a network of DHT nodes in virtual time. All chance comes from one
// seed, so that a run can be repeated.
type world struct {
	t     testing.TB
	rand  *rand.Rand
	now   packets.Time
	loss  float64
	cut   [2]netip.AddrPort // nothing passes between these two
	nodes []*node
	queue events
	count int // of events so far: their order at one moment
	trace hash.Hash
	boxes map[crypto.Nonce][]byte // every nonce on the wire, and what went with it
}

// node is one participant; a restart gives it a new machine with a new key.
type node struct {
	*dht.DHT
	addr  netip.AddrPort
	up    bool
	wake  packets.Time // of the tick that is queued
	found map[packets.PublicKey]netip.AddrPort
	paths map[packets.PublicKey]bool
	got   [][]byte // routed data
}

// occasion is a datagram that arrives, or a tick.
type occasion struct {
	at    packets.Time
	order int
	node  *node
	from  netip.AddrPort
	data  []byte // nil: a tick
}

type events []occasion

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at < e[j].at || e[i].at == e[j].at && e[i].order < e[j].order
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(occasion)) }
func (e *events) Pop() any {
	last := len(*e) - 1
	x := (*e)[last]
	*e = (*e)[:last]
	return x
}

func newWorld(t testing.TB, seed byte, loss float64, count int) *world {
	w := &world{
		t: t, rand: rand.New(source(seed)), now: 1_700_000_000_000, loss: loss,
		trace: sha256.New(), boxes: map[crypto.Nonce][]byte{},
	}
	for i := range count {
		w.nodes = append(w.nodes, &node{addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{8, 8, byte(i), 1}), 33445)})
		w.start(w.nodes[i])
	}
	return w
}

// start gives n a new machine and introduces it to the first node.
func (w *world) start(n *node) {
	var seed [32]byte
	binary.LittleEndian.PutUint64(seed[:], w.rand.Uint64())
	r := rand.NewChaCha8(seed)
	n.DHT = dht.New(dht.Config{Keys: crypto.NewCache(crypto.NewKeyPair(r), 0), Rand: r})
	n.up, n.wake, n.got = true, 0, nil
	n.found, n.paths = map[packets.PublicKey]netip.AddrPort{}, map[packets.PublicKey]bool{}
	if first := w.nodes[0]; n != first {
		n.Bootstrap(w.now, first.addr, first.Key())
	}
	w.drain(n)
}

// drain does what n's Output says.
func (w *world) drain(n *node) {
	out := n.Poll()
	for _, s := range out.Sends {
		w.seal(s.Data)
		w.record(n.addr, s.To, s.Data)
		if w.rand.Float64() < w.loss || w.cut == [2]netip.AddrPort{n.addr, s.To} || w.cut == [2]netip.AddrPort{s.To, n.addr} {
			continue
		}
		for _, to := range w.nodes {
			if to.addr == s.To {
				w.push(occasion{at: w.now + 5 + packets.Time(w.rand.IntN(100)), node: to, from: n.addr, data: bytes.Clone(s.Data)})
			}
		}
	}
	for _, e := range out.Events {
		switch e.Kind {
		case dht.Found:
			n.found[e.Key] = e.Addr
		case dht.PathNode:
			n.paths[e.Key] = true
		case dht.Routed:
			n.got = append(n.got, append([]byte{e.SubID}, e.Data...))
		}
	}
	if out.Wake != 0 && out.Wake != n.wake {
		n.wake = out.Wake
		w.push(occasion{at: max(w.now, out.Wake), node: n})
	}
}

func (w *world) push(o occasion) {
	w.count++
	o.order = w.count
	heap.Push(&w.queue, o)
}

// seal asserts that no nonce seals two packets.
func (w *world) seal(p []byte) {
	at := 33
	if p[0] == dht.RoutedRequest {
		at = 65
	}
	n := crypto.Nonce(p[at:])
	if before, ok := w.boxes[n]; ok {
		require.Equal(w.t, before, p, "a nonce used for two packets")
	}
	w.boxes[n] = bytes.Clone(p)
}

func (w *world) record(from, to netip.AddrPort, p []byte) {
	var head [8]byte
	binary.LittleEndian.PutUint64(head[:], uint64(w.now))
	w.trace.Write(head[:])
	w.trace.Write([]byte(from.String() + to.String()))
	w.trace.Write(p)
}

// run lets time pass.
func (w *world) run(d packets.Time) {
	end := w.now + d
	for len(w.queue) > 0 && w.queue[0].at <= end {
		o := heap.Pop(&w.queue).(occasion)
		w.now = o.at
		n := o.node
		switch {
		case !n.up:
			continue
		case o.data != nil:
			// A packet for the machine that was there before is refused.
			_ = n.Receive(w.now, o.from, o.data)
		case n.wake != o.at && n.wake > w.now:
			continue // a tick of the machine that was there before
		default:
			n.wake = 0
			n.Tick(w.now)
		}
		if w.count%16 == 0 {
			require.NoError(w.t, n.Check())
		}
		w.drain(n)
	}
	w.now = end
}

// missing counts the pairs of which the first does not know the second's address.
func (w *world) missing() (count int) {
	for _, a := range w.nodes {
		for _, b := range w.nodes {
			if a == b || !a.up || !b.up {
				continue
			}
			if at, ok := a.Lookup(w.now, b.Key()); !ok || at != b.addr || a.found[b.Key()] != b.addr {
				count++
			}
		}
	}
	return count
}

// searchAll makes everybody search everybody else.
func (w *world) searchAll() {
	for _, a := range w.nodes {
		for _, b := range w.nodes {
			if a != b {
				require.NoError(w.t, a.Search(w.now, b.Key()))
			}
		}
		w.drain(a)
	}
}

func (w *world) hash() string { return hex.EncodeToString(w.trace.Sum(nil)) }

func source(seed byte) *rand.ChaCha8 { return rand.NewChaCha8([32]byte{seed}) }

// story: 30 nodes, a tenth of all packets lost, everybody searches everybody.
// Then a third of them start anew with new keys and are searched again.
func story(t *testing.T, seed byte) *world {
	w := newWorld(t, seed, 0.1, 30)
	w.run(20 * packets.Second)
	w.searchAll()
	w.run(40 * packets.Second)
	require.Zero(t, w.missing(), "seed %d: everybody finds everybody", seed)

	for i := 1; i < 30; i += 3 {
		n := w.nodes[i]
		old := n.Key()
		n.up = false
		w.run(3 * packets.Second)
		w.start(n)
		for _, other := range w.nodes {
			if other == n {
				continue
			}
			other.StopSearch(old)
			require.NoError(t, other.Search(w.now, n.Key()))
			require.NoError(t, n.Search(w.now, other.Key()))
			w.drain(other)
		}
		w.drain(n)
	}
	w.run(60 * packets.Second)
	require.Zero(t, w.missing(), "seed %d: also those with new keys", seed)
	return w
}

func TestEverybodyFindsEverybody(t *testing.T) {
	hashes := map[string]bool{}
	for seed := range byte(2) {
		w := story(t, seed)
		hashes[w.hash()] = true
		for i, n := range w.nodes {
			require.True(t, n.ConnectedPublic(w.now), "node %d", i)
			at, ok := n.OwnAddress(w.now, false)
			require.True(t, ok, "node %d", i)
			require.Equal(t, n.addr, at, "node %d learns its own address", i)
			path := n.PathNodes(w.now, nil)
			require.GreaterOrEqual(t, len(path), 8)
			for _, p := range path {
				require.True(t, n.paths[p.Key], "a path node was announced")
			}
		}
	}
	require.Len(t, hashes, 2, "seeds differ")
	require.Contains(t, hashes, story(t, 1).hash(), "the same seed makes the same network, byte for byte")
}

// Two nodes that get no packet of each other talk through those between them.
func TestRoutedThroughOthers(t *testing.T) {
	w := newWorld(t, 9, 0, 12)
	w.run(30 * packets.Second)
	a, b := w.nodes[3], w.nodes[7]
	require.NoError(t, a.Search(w.now, b.Key()))
	require.NoError(t, b.Search(w.now, a.Key()))
	w.drain(a)
	w.drain(b)
	w.run(10 * packets.Second)
	n, err := a.Route(w.now, b.Key(), dht.SubDHTKey, []byte("straight"))
	require.NoError(t, err)
	require.Equal(t, 1, n, "whoever answers us gets it directly")
	w.drain(a)
	w.run(packets.Second)
	require.Equal(t, [][]byte{append([]byte{dht.SubDHTKey}, "straight"...)}, b.got)

	// From now on nothing gets from one to the other.
	b.got = nil
	w.cut = [2]netip.AddrPort{a.addr, b.addr}
	w.run(130 * packets.Second)
	_, ok := a.Lookup(w.now, b.Key())
	require.False(t, ok)
	n, err = a.Route(w.now, b.Key(), dht.SubDHTKey, []byte("around"))
	require.NoError(t, err)
	require.Greater(t, n, 1)
	w.drain(a)
	w.run(packets.Second)
	require.NotEmpty(t, b.got)
	for _, got := range b.got {
		require.Equal(t, append([]byte{dht.SubDHTKey}, "around"...), got)
	}
}

// A network that was gone for long comes back by itself.
// SPEC T-32
func TestNetworkComesBack(t *testing.T) {
	w := newWorld(t, 4, 0, 10)
	w.run(60 * packets.Second)
	w.loss = 1
	w.run(1000 * packets.Second)
	for _, n := range w.nodes {
		require.False(t, n.Connected(w.now))
	}
	w.loss = 0
	w.run(130 * packets.Second)
	for _, n := range w.nodes {
		require.True(t, n.Connected(w.now))
	}
}

// A node finds its neighbours again by what it saved, without a bootstrap node.
// SPEC T-42
func TestRestore(t *testing.T) {
	w := newWorld(t, 5, 0, 10)
	w.run(60 * packets.Second)
	n := w.nodes[6]
	saved := n.Known(w.now, nil)
	require.NotEmpty(t, saved)
	r := source(99)
	n.DHT = dht.New(dht.Config{Keys: crypto.NewCache(crypto.NewKeyPair(r), 0), Rand: r})
	n.wake = 0
	n.Restore(w.now, saved)
	w.drain(n)
	w.run(5 * packets.Second)
	require.True(t, n.Connected(w.now))
}
