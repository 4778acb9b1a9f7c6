package dht

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/crypto"
)

// start is when the tests of this package begin.
const start = 1_700_000_000 * packets.Second

// bench is a machine under test and the clock.
type bench struct {
	*DHT
	t    testing.TB
	now  packets.Time
	rand io.Reader
}

func newBench(t testing.TB, change ...func(*Config)) *bench {
	t.Helper()
	r := rand.NewChaCha8([32]byte{42})
	cfg := Config{Keys: crypto.NewCache(crypto.NewKeyPair(r), 0), Rand: r}
	for _, f := range change {
		f(&cfg)
	}
	return &bench{DHT: New(cfg), t: t, now: start, rand: rand.NewChaCha8([32]byte{43})}
}

// remote is another node as the tests play it.
type remote struct {
	crypto.KeyPair
	addr netip.AddrPort
	b    *bench
	key  crypto.SharedKey
}

func (b *bench) remote(addr string) *remote {
	return b.remoteWith(crypto.NewKeyPair(b.rand), netip.MustParseAddrPort(addr))
}

func (b *bench) remoteWith(pair crypto.KeyPair, addr netip.AddrPort) *remote {
	key, err := pair.Shared(b.self)
	require.NoError(b.t, err)
	return &remote{pair, addr, b, key}
}

// near is a remote whose key falls into the given bucket, or deeper for the
// last one asked for.
func (b *bench) near(bucket int, addr string) *remote {
	for {
		if r := b.remote(addr); bucketOf(b.self, r.Public) == bucket {
			return r
		}
	}
}

func (r *remote) node() Node { return Node{Key: r.Public, Addr: r.addr} }

// seal makes a packet of the common form from r.
func (r *remote) seal(id byte, plain []byte) []byte {
	return r.key.SealRandom(append([]byte{id}, r.Public[:]...), r.b.rand, plain)
}

// routed makes a routed request from r to us.
func (r *remote) routed(plain []byte) []byte {
	head := append(append([]byte{RoutedRequest}, r.b.self[:]...), r.Public[:]...)
	return r.key.SealRandom(head, r.b.rand, plain)
}

// open reads a packet of ours to r, of either form.
func (r *remote) open(p []byte) (id byte, plain []byte) {
	at := 1 + keySize
	if p[0] == RoutedRequest {
		require.Equal(r.b.t, r.Public[:], p[1:at])
		at = routedHead
	}
	require.Equal(r.b.t, r.b.self[:], p[at-keySize:at])
	plain, err := r.key.OpenPrefixed(nil, p[at:])
	require.NoError(r.b.t, err)
	return p[0], plain
}

// send gives the machine a packet of r.
func (r *remote) send(p []byte) error {
	err := r.b.Receive(r.b.now, r.addr, p)
	require.NoError(r.b.t, r.b.Check())
	return err
}

// sent are the datagrams to r since the last Poll; all others are forgotten.
func (r *remote) sent() (list [][]byte) {
	for _, s := range r.b.Poll().Sends {
		if s.To == r.addr {
			list = append(list, append([]byte(nil), s.Data...))
		}
	}
	return list
}

// answer answers each of our questions in list with one node, itself unless
// told otherwise.
func (r *remote) answer(list [][]byte, nodes ...Node) {
	if len(nodes) == 0 {
		nodes = []Node{r.node()}
	}
	for _, p := range list {
		switch id, plain := r.open(p); id {
		case PingRequest:
			require.NoError(r.b.t, r.send(r.seal(PingResponse, append([]byte{PingResponse}, plain[1:]...))))
		case NodesRequest:
			x, err := parseRequest(plain)
			require.NoError(r.b.t, err)
			require.NoError(r.b.t, r.send(r.seal(NodesResponse, nodesPlain(x.id, nodes...))))
		}
	}
}

func nodesPlain(id uint64, nodes ...Node) []byte {
	x := response{id: id, count: len(nodes)}
	for i, n := range nodes {
		x.nodes[i] = n.Pack()
	}
	return x.append(nil)
}

// meet lets us know r: we ask, it answers.
func (r *remote) meet(nodes ...Node) {
	r.b.DHT.Ask(r.b.now, r.node(), r.b.self)
	list := r.sent()
	require.Len(r.b.t, list, 1)
	r.answer(list, nodes...)
}

// tick moves the clock by whole seconds, ticking at each, and returns what r
// was sent.
func (b *bench) tick(seconds int, r *remote) (list [][]byte) {
	for range seconds {
		b.now += packets.Second
		b.Tick(b.now)
		require.NoError(b.t, b.Check())
		if r != nil {
			list = append(list, r.sent()...)
		}
		b.Poll()
	}
	return list
}

// asks counts the nodes requests of list for a key.
func (r *remote) asks(list [][]byte, wanted packets.PublicKey) (count int) {
	for _, p := range list {
		if id, plain := r.open(p); id == NodesRequest && packets.PublicKey(plain) == wanted {
			count++
		}
	}
	return count
}

// state is all that a refused packet must leave alone.
func (d *DHT) state() string {
	var s strings.Builder
	fmt.Fprintf(&s, "%+v %+v %v %v %v %v %v %v", d.close, d.maybe, d.maybeAt, d.boots, d.bootAt, d.restored, d.ticked, len(d.byKey))
	for _, x := range d.searches {
		fmt.Fprintf(&s, "\n%+v", *x)
	}
	for _, p := range []*pending{&d.pings, &d.asked} {
		fmt.Fprintf(&s, "\n%d %d %v", p.first, p.next, p.at)
		for i := p.first; i < p.next; i++ {
			fmt.Fprintf(&s, " %v", p.ring[i%outstanding])
		}
	}
	fmt.Fprintf(&s, "\n%d %d %d", len(d.out.sends), len(d.out.events), len(d.out.buf))
	return s.String()
}

// refused gives the machine a packet and asserts that it is refused with err
// and changes nothing.
func (r *remote) refused(err error, p []byte, about string) {
	r.b.begin(r.b.now)
	before := r.b.state()
	require.ErrorIs(r.b.t, r.send(p), err, about)
	require.Equal(r.b.t, before, r.b.state(), about)
}
