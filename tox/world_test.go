package tox_test

import (
	"container/heap"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox"
	"github.com/tox-rejoin/rejoin/tox/crypto"
	"github.com/tox-rejoin/rejoin/tox/messenger"
)

const start = packets.Time(1_700_000_000_000)

// world is a network of whole nodes in virtual time. All chance comes from one
// seed, so that a run can be repeated.
type world struct {
	t      testing.TB
	rand   *rand.Rand
	now    packets.Time
	loss   float64
	nodes  []*node
	at     map[netip.AddrPort]*node
	queue  occasions
	count  int
	trace  hash.Hash
	sent   map[byte]int // datagrams by first byte
	nonces map[sealed]string
	errors map[string]int // what was refused, and how often
	tap    func(to *node, p []byte)
}

// sealed is a nonce on the wire and the kind of packet that it came in.
type sealed struct {
	kind  byte
	nonce crypto.Nonce
}

// node is one participant; a restart gives it a new Node.
type node struct {
	*tox.Node
	w        *world
	real     crypto.KeyPair
	addr     netip.AddrPort
	up       bool
	wake     packets.Time
	online   map[packets.PublicKey]bool
	ready    map[packets.PublicKey]bool
	got      map[packets.PublicKey][]string // lossless packets of conferences
	lossy    map[packets.PublicKey]int
	said     map[packets.PublicKey][]string // names and messages
	received int                            // receipts
	requests []string
	saved    []packets.SavedFriend
	dirty    bool
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

// newWorld makes n nodes, which all enter the network by the first.
func newWorld(t testing.TB, seed byte, n int, loss float64) *world {
	w := &world{
		t: t, rand: rand.New(rand.NewChaCha8([32]byte{seed})), now: start, loss: loss,
		at: map[netip.AddrPort]*node{}, trace: sha256.New(), sent: map[byte]int{},
		nonces: map[sealed]string{}, errors: map[string]int{},
	}
	for i := range n {
		x := &node{w: w, real: crypto.NewKeyPair(w.source())}
		x.addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{93, 184, 0, byte(i + 1)}), 33445)
		w.nodes = append(w.nodes, x)
		w.at[x.addr] = x
		x.boot()
	}
	return w
}

// source is a random source of its own for each node and run.
func (w *world) source() *rand.ChaCha8 {
	var seed [32]byte
	for i := range 4 {
		binary.LittleEndian.PutUint64(seed[8*i:], w.rand.Uint64())
	}
	return rand.NewChaCha8(seed)
}

// boot starts a node, or starts it anew without friends.
func (x *node) boot() {
	name := fmt.Sprintf("node %d", x.addr.Addr().As4()[3])
	var err error
	x.Node, err = tox.New(x.w.now, tox.Config{
		Real: x.real, Rand: x.w.source(), IPv4Only: true, Name: []byte(name), NoSpam: [packets.NoSpamSize]byte{1, 2, 3, 4}, Friends: x.saved,
	})
	require.NoError(x.w.t, err)
	x.up, x.wake = true, 0
	x.online, x.got, x.requests = map[packets.PublicKey]bool{}, map[packets.PublicKey][]string{}, nil
	x.lossy, x.ready = map[packets.PublicKey]int{}, map[packets.PublicKey]bool{}
	x.said, x.received = map[packets.PublicKey][]string{}, 0
	for _, other := range x.w.nodes {
		if other != x && other.up {
			x.Bootstrap(x.w.now, other.addr, other.DHTKey())
			break
		}
	}
	x.flush()
}

func (w *world) plan(at packets.Time, do func()) {
	w.count++
	heap.Push(&w.queue, occasion{at, w.count, do})
}

// flush does what the node says.
func (x *node) flush() {
	w := x.w
	require.NoError(w.t, x.Check())
	out := x.Poll()
	x.dirty = x.dirty || out.Dirty
	for _, s := range out.Sends {
		p := slices.Clone(s.Data)
		w.note(x, s.To, p)
		if w.rand.Float64() < w.loss {
			continue
		}
		from, to := x.addr, s.To
		w.plan(w.now+packets.Time(10+w.rand.IntN(50)), func() {
			y := w.at[to]
			if y == nil || !y.up {
				return
			}
			if w.tap != nil {
				w.tap(y, p)
			}
			if err := y.Receive(w.now, from, p); err != nil {
				w.errors[err.Error()]++
			}
			y.flush()
		})
	}
	for _, e := range out.Events {
		x.take(e)
	}
	if out.Wake != 0 && (x.wake == 0 || out.Wake < x.wake) {
		x.wake = out.Wake
		run := x.Node
		w.plan(x.wake, func() {
			if x.Node != run || !x.up || x.wake > w.now {
				return
			}
			x.wake = 0
			x.Tick(w.now)
			x.flush()
		})
	}
}

// take checks that events come in an order that makes sense.
func (x *node) take(e tox.Event) {
	t := x.w.t
	switch e.Kind {
	case tox.Online:
		x.online[e.Peer] = true
	case tox.Offline:
		require.True(t, x.online[e.Peer])
		delete(x.online, e.Peer)
	case tox.Messenger:
		require.Equal(t, e.Peer, e.Messenger.Peer)
		x.hear(e.Messenger)
	case tox.SelfOnline:
	default:
		require.Fail(t, "unknown event", "%d", e.Kind)
	}
}

// hear takes what the messenger says.
func (x *node) hear(e messenger.Event) {
	t := x.w.t
	switch e.Kind {
	case messenger.Requested:
		x.requests = append(x.requests, fmt.Sprintf("%v %s", e.Peer, e.Data))
	case messenger.Ready:
		require.True(t, x.online[e.Peer])
		x.ready[e.Peer] = true
	case messenger.Gone:
		delete(x.ready, e.Peer)
	case messenger.Renamed, messenger.Message, messenger.Custom:
		require.True(t, x.ready[e.Peer] || e.Kind == messenger.Renamed)
		x.said[e.Peer] = append(x.said[e.Peer], string(e.Data))
	case messenger.Received:
		x.received++
	case messenger.Conference:
		require.True(t, x.online[e.Peer])
		if e.Lossy {
			x.lossy[e.Peer]++
		} else {
			x.got[e.Peer] = append(x.got[e.Peer], string(e.Data))
		}
	case messenger.StatusMessage, messenger.Status, messenger.Typing, messenger.Lost:
	default:
		require.Fail(t, "unknown event", "%d", e.Kind)
	}
}

// note keeps what was sent, and asserts that no nonce is used twice by whom it
// was made. Packets that are the same in every byte are one packet sent twice.
func (w *world) note(x *node, to netip.AddrPort, p []byte) {
	w.sent[p[0]]++
	b := binary.BigEndian.AppendUint64(nil, uint64(w.now))
	b = append(append(b, x.addr.String()...), to.String()...)
	w.trace.Write(append(b, p...))
	var at int
	switch p[0] {
	case 0x00, 0x01, 0x02, 0x04, 0x18:
		at = 33
	case 0x19, 0x80:
		at = 1
	case 0x1a:
		at = 113
	default:
		return
	}
	s := sealed{p[0], crypto.Nonce(p[at:])}
	old, used := w.nonces[s]
	require.True(w.t, !used || old == string(p), "nonce of %#x twice", p[0])
	w.nonces[s] = string(p)
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

// next is the neighbour of x in the ring of friends.
func (x *node) next(by int) *node {
	w, i := x.w, slices.Index(x.w.nodes, x)
	return w.nodes[(i+by+len(w.nodes))%len(w.nodes)]
}

func (x *node) befriend(y *node) {
	require.NoError(x.w.t, x.AcceptFriend(x.w.now, y.real.Public))
	x.flush()
}

// ring makes each node a friend of the next one and the one before, without
// requests.
func (w *world) ring() {
	for _, x := range w.nodes {
		x.befriend(x.next(1))
		x.befriend(x.next(-1))
	}
}

// closed tells whether all of the ring are ready.
func (w *world) closed() bool {
	return !slices.ContainsFunc(w.nodes, func(x *node) bool {
		return x.up && (x.next(1).up && !x.ready[x.next(1).real.Public] || x.next(-1).up && !x.ready[x.next(-1).real.Public])
	})
}

func (x *node) write(y *node, payload string, lossy bool) {
	x.w.t.Helper()
	require.NoError(x.w.t, x.Write(x.w.now, y.real.Public, []byte(payload), lossy))
	x.flush()
}

func (x *node) say(y *node, text string) {
	x.w.t.Helper()
	_, err := x.SendMessage(x.w.now, y.real.Public, messenger.Normal, []byte(text))
	require.NoError(x.w.t, err)
	x.flush()
}
