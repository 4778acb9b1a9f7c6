package dht

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/dhtnode"
)

func host(i int) string { return fmt.Sprintf("8.8.%d.%d:1", i/256, i%256) }

// SPEC T-24
func TestBuckets(t *testing.T) {
	var self packets.PublicKey
	for bit := range 256 {
		key := self
		key[bit/8] ^= 0x80 >> (bit % 8)
		key[31] |= 1 // bits behind the first do not count
		require.Equal(t, min(bit, buckets-1), bucketOf(self, key), "bit %d", bit)
	}
	require.Equal(t, buckets-1, bucketOf(self, self))
}

func TestDistance(t *testing.T) {
	base := packets.PublicKey{0x0f, 7}
	near, far := packets.PublicKey{0x0e, 7}, packets.PublicKey{0x1f, 7}
	require.True(t, dhtnode.Closer(base, near, far))
	require.False(t, dhtnode.Closer(base, far, near))
	require.False(t, dhtnode.Closer(base, near, near))
	require.True(t, dhtnode.Closer(base, base, near))
	require.Equal(t, []int{-1, 1, 0}, []int{dhtnode.Compare(base, near, far), dhtnode.Compare(base, far, near), dhtnode.Compare(base, far, far)})
}

// A full bucket of good nodes takes nobody; one silent for 122 s makes room.
// SPEC T-24, T-25
func TestBucketIsConservative(t *testing.T) {
	b := newBench(t)
	var members []*remote
	for i := range bucketSize {
		members = append(members, b.near(0, host(i)))
		members[i].meet()
		b.now += packets.Second
	}
	late := b.near(0, "9.9.9.9:1")
	late.meet()
	require.Nil(t, b.close.find(late.Public))
	require.False(t, b.close.fits(b.now.Seconds(), late.Public))
	require.True(t, b.close.fits(start.Seconds()+badAfter, late.Public), "the first makes room")

	b.now = start + (badAfter-1)*packets.Second
	late.meet()
	require.Nil(t, b.close.find(late.Public))
	b.now = start + badAfter*packets.Second
	late.meet()
	require.NotNil(t, b.close.find(late.Public))
	require.Nil(t, b.close.find(members[0].Public), "the one that was silent longest ago")
	for _, m := range members[1:] {
		require.NotNil(t, b.close.find(m.Public))
	}
}

// Same key, new address: it has moved. Same address, new key: it started anew.
// SPEC T-27, T-28
func TestNodesMoveAndRestart(t *testing.T) {
	b := newBench(t)
	r := b.remote("8.8.8.8:1")
	require.NoError(t, b.Search(b.now, r.Public))
	r.meet()
	moved := b.remoteWith(r.KeyPair, netip.MustParseAddrPort("8.8.8.8:2"))
	moved.meet()
	at, ok := b.Lookup(b.now, r.Public)
	require.True(t, ok)
	require.Equal(t, moved.addr, at)

	anew := b.remote("8.8.8.8:2")
	anew.meet()
	_, ok = b.Lookup(b.now, r.Public)
	require.False(t, ok)
	require.Nil(t, b.close.find(r.Public))
	require.Equal(t, []Node{anew.node()}, b.Known(b.now, nil))
}

// An address in a private network is kept while it works.
// SPEC T-27
func TestPrivateAddressIsKept(t *testing.T) {
	b := newBench(t)
	inside := b.remote("192.168.1.2:1")
	outside := b.remoteWith(inside.KeyPair, netip.MustParseAddrPort("8.8.8.8:1"))
	inside.meet()
	outside.meet()
	require.Equal(t, []Node{inside.node()}, b.Known(b.now, nil))
	b.now += badAfter * packets.Second
	outside.meet()
	require.Equal(t, []Node{outside.node()}, b.Known(b.now, nil))
	inside.meet()
	require.Equal(t, []Node{inside.node()}, b.Known(b.now, nil))
}

// A node has an address of each family; the one heard last is told.
// SPEC T-10, T-28, T-29
func TestTwoFamilies(t *testing.T) {
	b := newBench(t)
	four := b.remote("8.8.8.8:1")
	six := b.remoteWith(four.KeyPair, netip.MustParseAddrPort("[2001:db8::1]:1"))
	four.meet()
	b.now += packets.Second
	six.meet()
	require.Equal(t, []Node{six.node()}, b.Known(b.now, nil))
	b.now += packets.Second
	four.meet()
	require.Equal(t, []Node{four.node()}, b.Known(b.now, nil))

	// Another key at one of the addresses leaves the other one.
	b.remote("8.8.8.8:1").meet()
	require.Contains(t, b.Known(b.now, nil), six.node())

	mapped := b.remoteWith(four.KeyPair, netip.MustParseAddrPort("[::ffff:8.8.8.8]:1"))
	require.NoError(t, mapped.send(mapped.seal(PingRequest, ping{PingRequest, 1}.append(nil))))
	require.Len(t, four.sent(), 1, "mapped addresses are IPv4")

	only4 := newBench(t, func(c *Config) { c.IPv4Only = true })
	only4.Ask(only4.now, six.node(), only4.self)
	only4.Bootstrap(only4.now, six.addr, six.Public)
	require.Empty(t, only4.Poll().Sends)
}

// The timetable of one node that never answers again, second by second.
// SPEC T-26, T-30, T-32
func TestTimetable(t *testing.T) {
	b := newBench(t)
	r := b.remote("8.8.8.8:1")
	r.meet()
	var asked []int // seconds at which it was asked for our key
	for sec := 1; sec <= 400; sec++ {
		for range r.asks(b.tick(1, r), b.self) {
			asked = append(asked, sec)
		}
	}
	// Its due request and the random one; four quick ones; every 20 s while it is
	// good, every 60 s until it is dead, then, since nobody else is left, on and on.
	require.Equal(t, []int{1, 1, 2, 3, 4, 5, 25, 45, 61, 65, 85, 105, 121, 181, 241, 301, 361}, asked)
	require.False(t, b.Connected(b.now))
	r.meet()
	require.True(t, b.Connected(b.now))
}

// Who is dead while others live is asked no more.
// SPEC T-26
func TestDeadNodesAreLeftAlone(t *testing.T) {
	b := newBench(t)
	r, other := b.near(0, "8.8.8.8:1"), b.near(1, "8.8.8.9:1")
	r.meet()
	asked := 0
	for sec := 1; sec <= 400; sec++ {
		if sec%50 == 0 {
			other.meet()
		}
		n := len(b.tick(1, r))
		asked += n
		if sec > deadAfter {
			require.Zero(t, n, "second %d", sec)
		}
	}
	require.Positive(t, asked)
}

// Nodes that others name are asked in the next second, if they would help.
// SPEC T-33
func TestNamedNodesAreAsked(t *testing.T) {
	b := newBench(t)
	r, named := b.remote("8.8.8.8:1"), b.remote("8.8.8.9:1")
	wanted := b.remote("8.8.8.10:1")
	require.NoError(t, b.Search(b.now, wanted.Public))
	r.meet(named.node())
	list := b.tick(1, named)
	require.Equal(t, 1, named.asks(list, b.self))
	require.Equal(t, 1, named.asks(list, wanted.Public))
	require.Len(t, list, 2+fakes)
	require.Empty(t, b.tick(1, named), "once; it did not answer")

	// One that is known already is not asked again.
	named.meet()
	b.tick(10, nil)
	r.meet(named.node())
	require.Empty(t, b.close.named.nodes)
	for _, s := range b.searches {
		require.Empty(t, s.named.nodes)
	}
}

// SPEC T-33, T-34
func TestNamedNodesAreChosen(t *testing.T) {
	b := newBench(t, func(c *Config) { c.IPv4Only = true })
	r := b.remote("8.8.8.8:1")
	for _, addr := range []string{"192.168.1.1:1", "127.0.0.1:1", "0.0.0.0:1", "8.8.8.8:0", "224.0.0.1:1", "[2001:db8::1]:1"} {
		r.meet(b.remote(addr).node())
		require.Empty(t, b.close.named.nodes, addr)
		for _, s := range b.searches {
			require.Empty(t, s.named.nodes, addr)
		}
	}
	inside := b.remote("10.0.0.1:1")
	inside.meet(b.remote("192.168.1.1:1").node())
	require.Len(t, b.close.named.nodes, 1, "neighbours in our network may name others of it")

	for i := range 40 {
		r.meet(b.remote(host(i)).node())
	}
	require.Len(t, b.close.named.nodes, maxClose)
	require.Len(t, b.searches[0].named.nodes, maxNamed)
}

// The nearest of many are kept, each once.
func TestNearest(t *testing.T) {
	b := newBench(t)
	x := nearest{base: b.self, limit: 4}
	var all []Node
	for i := range 20 {
		n := b.remote(host(i)).node()
		all = append(all, n)
		x.add(n)
		x.add(n)
	}
	slices.SortFunc(all, func(p, q Node) int { return dhtnode.Compare(b.self, p.Key, q.Key) })
	require.ElementsMatch(t, all[:4], x.take())
	require.Empty(t, x.nodes)
}

// Strangers are pinged every 2 s, at most 32, the nearest; a searched one at once.
// SPEC T-21, T-22
func TestStrangersArePinged(t *testing.T) {
	b := newBench(t)
	b.tick(1, nil)
	ask := func(r *remote) {
		require.NoError(t, r.send(r.seal(PingRequest, ping{PingRequest, 1}.append(nil))))
	}
	pings := func(sends []Datagram) (count int) {
		for _, s := range sends {
			if s.Data[0] == PingRequest {
				count++
			}
		}
		return count
	}
	b.near(0, "9.9.9.9:1").meet()
	for i := range 50 {
		ask(b.remote(host(i)))
	}
	require.Len(t, b.maybe.nodes, maxMaybe)
	b.Poll()
	sent := 0
	for range 2 {
		b.now += packets.Second
		b.Tick(b.now)
		sent += pings(b.Poll().Sends)
	}
	require.Equal(t, maxMaybe, sent)
	friend := b.remote("7.7.7.7:1")
	require.NoError(t, b.Search(b.now, friend.Public))
	ask(friend)
	require.Equal(t, 1, pings(b.Poll().Sends), "whom we search is pinged at once")
	friend.meet()
	b.Poll()
	ask(friend)
	require.Zero(t, pings(b.Poll().Sends), "known already")
}

// A node of the close list that was silent for long and then asks us something
// is pinged; one that is good is not.
// SPEC T-21
func TestSilentNodeIsPinged(t *testing.T) {
	b := newBench(t)
	r := b.near(0, "8.8.8.8:1")
	r.meet()
	ask := func() (pinged bool) {
		require.NoError(t, r.send(r.seal(PingRequest, ping{PingRequest, 1}.append(nil))))
		b.Poll()
		for _, p := range b.tick(maybeEvery+1, r) {
			pinged = pinged || p[0] == PingRequest
		}
		return pinged
	}
	b.now += 100 * packets.Second
	require.False(t, ask())
	b.now += (badAfter - 100) * packets.Second
	require.True(t, ask())
}

// Bootstrap nodes are asked again while nobody answers, and only then.
// SPEC T-41
func TestBootstrapAgain(t *testing.T) {
	b := newBench(t)
	r := b.remote("8.8.8.8:1")
	b.Bootstrap(b.now, r.addr, r.Public)
	require.Equal(t, 1, r.asks(r.sent(), b.self))
	require.Equal(t, 2, r.asks(b.tick(10, r), b.self))
	r.meet()
	b.tick(6, nil)
	require.Empty(t, b.tick(4, r))
	for i := range 2 * MaxBootstraps {
		x := b.remote(host(i))
		b.Bootstrap(b.now, x.addr, x.Public)
		b.Bootstrap(b.now, x.addr, x.Public)
	}
	require.Len(t, b.boots, MaxBootstraps)
	b.Bootstrap(b.now, r.addr, b.self)
	require.NotContains(t, b.boots, Node{Key: b.self, Addr: r.addr})
}

// SPEC T-42
func TestRestoreAsksEight(t *testing.T) {
	b := newBench(t)
	var saved []Node
	for i := range MaxRestored + 50 {
		saved = append(saved, Node{Key: packets.PublicKey{9, byte(i), byte(i >> 8)}, Addr: netip.MustParseAddrPort(host(i))})
	}
	b.Restore(b.now, append([]Node{{Key: b.self, Addr: netip.MustParseAddrPort("8.8.8.8:1")}, {Key: saved[0].Key}}, saved...))
	require.Len(t, b.restored, MaxRestored)
	b.now += packets.Second
	b.Tick(b.now)
	require.Len(t, b.Poll().Sends, restorePerTick)
	inside := b.remote("192.168.1.1:1")
	inside.meet()
	b.tick(1, nil)
	require.Len(t, b.restored, MaxRestored-2*restorePerTick)
	b.remote("8.8.4.4:1").meet()
	b.tick(1, nil)
	require.Empty(t, b.restored, "connected")
}

// SPEC T-19
func TestPendingIsBounded(t *testing.T) {
	b := newBench(t)
	p := newPending()
	var ids []uint64
	n := Node{Key: packets.PublicKey{1}, Addr: netip.MustParseAddrPort("8.8.8.8:1")}
	for range outstanding + 10 {
		ids = append(ids, p.add(b.now, n, b.rand))
		require.NoError(t, p.check())
	}
	require.Equal(t, outstanding, p.len())
	for i, id := range ids {
		require.NotZero(t, id)
		require.Equal(t, i >= 10, p.take(b.now, id, n), "the oldest made room")
		require.False(t, p.take(b.now, id, n))
		require.NoError(t, p.check())
	}
	require.False(t, p.expects(n.Addr))
	p.add(b.now, n, b.rand)
	p.expire(b.now + answerIn)
	require.True(t, p.expects(n.Addr))
	p.expire(b.now + answerIn + 1)
	require.False(t, p.expects(n.Addr))
	require.Zero(t, p.len())
}

// SPEC T-12
func TestPrivateNetworks(t *testing.T) {
	for addr, want := range map[string]bool{
		"127.0.0.1": true, "127.255.255.255": true, "::1": true,
		"10.1.2.3": true, "11.1.2.3": false, "172.15.0.1": false, "172.16.0.1": true, "172.31.0.1": true, "172.32.0.1": false,
		"192.168.0.1": true, "192.167.0.1": false, "169.254.1.0": true, "169.254.254.255": true, "169.254.0.1": false, "169.254.255.1": false,
		"100.63.0.1": false, "100.64.0.1": true, "100.127.0.1": true, "100.128.0.1": false,
		"fe80::1": true, "febf::1": true, "fec0::1": false, "2001:db8::1": false, "8.8.8.8": false,
	} {
		require.Equal(t, want, dhtnode.IsLAN(netip.MustParseAddr(addr)), addr)
	}
}

// Neighbours in private networks connect us, but not to the outside.
func TestConnected(t *testing.T) {
	b := newBench(t)
	r := b.remote("192.168.1.1:1")
	require.NoError(t, b.Search(b.now, r.Public))
	b.Bootstrap(b.now, r.addr, r.Public)
	r.answer(r.sent())
	require.True(t, b.Connected(b.now))
	require.False(t, b.ConnectedPublic(b.now))
	at, ok := b.Lookup(b.now, r.Public)
	require.True(t, ok)
	require.Equal(t, r.addr, at)
	b.tick(6, nil)
	require.Empty(t, b.tick(10, r), "the bootstrap node is not asked again")
	b.remote("8.8.8.8:1").meet()
	require.True(t, b.ConnectedPublic(b.now))
}

// Nothing is done twice in one second, and strangers wait for theirs.
// SPEC T-21, T-31
func TestTickOncePerSecond(t *testing.T) {
	b := newBench(t)
	b.remote("8.8.8.8:1").meet()
	b.now += packets.Second
	b.Tick(b.now)
	require.NotEmpty(t, b.Poll().Sends)
	b.Tick(b.now + packets.Second - 1)
	require.Empty(t, b.Poll().Sends)
	b.Tick(b.now - packets.Second)
	require.Empty(t, b.Poll().Sends, "a clock that goes back")

	b.tick(120, nil)
	r := b.remote("8.8.8.9:1")
	var at []int
	for sec := range 6 {
		require.NoError(t, r.send(r.seal(PingRequest, ping{PingRequest, 1}.append(nil))))
		b.Poll()
		if len(b.tick(1, r)) > 0 {
			at = append(at, sec)
		}
	}
	require.Equal(t, []int{0, 2, 4}, at)
}

func TestUnpackRelay(t *testing.T) {
	for _, f := range []packets.Family{packets.TCP4, packets.TCP6, 0} {
		_, ok := dhtnode.Unpack(packets.Node{Family: f})
		require.False(t, ok)
	}
}

func TestConfigIsRequired(t *testing.T) {
	b := newBench(t)
	require.Panics(t, func() { New(Config{Rand: b.rand}) })
	require.Panics(t, func() { New(Config{Keys: b.keys}) })
	require.Panics(t, func() { New(Config{Keys: b.keys, Rand: b.rand, MOTD: make([]byte, MaxMOTD+1)}) })
	require.NotPanics(t, func() { New(Config{Keys: b.keys, Rand: b.rand, MOTD: make([]byte, MaxMOTD)}) })
	require.Equal(t, b.keys.Pair().Public, b.Key())
}
