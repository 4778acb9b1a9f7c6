package dht

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/crypto"
)

// Requests for a neighbour are passed on unchanged.
// SPEC T-43
func TestForward(t *testing.T) {
	b := newBench(t)
	r, to := b.remote("8.8.8.8:1"), b.remote("9.9.9.9:1")
	p := append(append([]byte{RoutedRequest}, to.Public[:]...), r.Public[:]...)
	p = append(p, bytes.Repeat([]byte{0xee}, 60)...)
	r.refused(ErrNotNeighbour, p, "unknown")
	to.meet()
	require.NoError(t, r.send(p))
	require.Equal(t, [][]byte{p}, to.sent())
	to.refused(ErrNotNeighbour, p, "not back to where it came from")

	long := append(p, make([]byte, maxRouted-len(p))...)
	require.NoError(t, r.send(long))
	require.Equal(t, [][]byte{long}, to.sent())
	r.refused(ErrLength, append(long, 0), "long")
	r.refused(ErrLength, p[:routedExtra-1], "short")

	b.now += (deadAfter - 1) * packets.Second
	require.NoError(t, r.send(p))
	b.now += packets.Second
	r.refused(ErrNotNeighbour, p, "dead")
}

// SPEC T-44
func TestRoutedToUs(t *testing.T) {
	b := newBench(t)
	r := b.remote("8.8.8.8:1")
	for _, data := range []string{"", "x", string(make([]byte, MaxRoutedData))} {
		require.NoError(t, r.send(r.routed(append([]byte{SubDHTKey}, data...))))
		events := b.Poll().Events
		require.Len(t, events, 1)
		require.Equal(t, Routed, events[0].Kind)
		require.Equal(t, r.Public, events[0].Key)
		require.Equal(t, byte(SubDHTKey), events[0].SubID)
		require.Equal(t, data, string(events[0].Data))
	}
	// Two before a Poll keep their data apart.
	require.NoError(t, r.send(r.routed([]byte{SubDHTKey, 1})))
	require.NoError(t, r.send(r.routed([]byte{SubDHTKey, 2})))
	events := b.Poll().Events
	require.Equal(t, []byte{1}, events[0].Data)
	require.Equal(t, []byte{2}, events[1].Data)

	r.refused(ErrSubID, r.routed([]byte{32, 1}), "friend requests of old")
	p := r.routed([]byte{SubDHTKey, 1})
	p[len(p)-1] ^= 1
	r.refused(crypto.ErrOpen, p, "box")
	clear(p[1+keySize : routedHead])
	r.refused(crypto.ErrLowOrder, p, "low order")
	self := b.remoteWith(b.keys.Pair(), r.addr)
	self.refused(ErrOwnKey, self.routed([]byte{SubDHTKey, 1}), "own key")
}

// NAT pings of keys that we search are answered, by one of the ways to them.
// SPEC T-46
func TestNATPing(t *testing.T) {
	b := newBench(t)
	friend := b.remote("7.7.7.7:1")
	p := friend.routed(natPing{natRequest, 5}.append(nil))
	friend.refused(ErrStranger, p, "not searched")
	require.NoError(t, b.Search(b.now, friend.Public))
	require.NoError(t, friend.send(p))
	require.Empty(t, b.Poll().Sends, "no way is known")

	var via []netip.AddrPort
	for i := range 3 {
		r := b.remote(host(i))
		r.meet(friend.node())
		via = append(via, r.addr)
	}
	require.NoError(t, friend.send(p))
	sends := b.Poll().Sends
	require.Len(t, sends, 1)
	require.Contains(t, via, sends[0].To)
	id, plain := friend.open(sends[0].Data)
	require.Equal(t, byte(RoutedRequest), id)
	require.Equal(t, natPing{natResponse, 5}.append(nil), plain)

	friend.refused(ErrUnasked, friend.routed(natPing{natResponse, 5}.append(nil)), "we send none")
	friend.refused(ErrPlain, friend.routed([]byte{SubNATPing, 2, 0, 0, 0, 0, 0, 0, 0, 0}), "kind")
	friend.refused(ErrPlain, friend.routed([]byte{SubNATPing, 0, 0}), "short")
}

// SPEC T-45
func TestRoute(t *testing.T) {
	b := newBench(t)
	friend := b.remote("7.7.7.7:1")
	route := func(want ...netip.AddrPort) {
		t.Helper()
		n, err := b.Route(b.now, friend.Public, SubDHTKey, []byte("data"))
		require.NoError(t, err)
		require.Equal(t, len(want), n)
		var to []netip.AddrPort
		for _, s := range b.Poll().Sends {
			to = append(to, s.To)
			_, plain := friend.open(s.Data)
			require.Equal(t, append([]byte{SubDHTKey}, "data"...), plain)
			require.Equal(t, b.out.sends[0].Data, s.Data, "sealed once")
		}
		require.ElementsMatch(t, want, to)
	}
	route()
	require.NoError(t, b.Search(b.now, friend.Public))
	route()
	x, y := b.remote(host(1)), b.remote(host(2))
	x.meet(friend.node())
	y.meet(friend.node())
	b.remote(host(3)).meet()
	route(x.addr, y.addr)
	friend.meet()
	route(friend.addr)
	b.now += (badAfter - 1) * packets.Second
	route(friend.addr)
	x.meet(friend.node())
	b.now += packets.Second
	route(x.addr)

	_, err := b.Route(b.now, friend.Public, SubDHTKey, make([]byte, MaxRoutedData+1))
	require.ErrorIs(t, err, ErrTooLong)
	n, err := b.Route(b.now, friend.Public, SubDHTKey, make([]byte, MaxRoutedData))
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.Len(t, x.sent()[0], maxRouted)
}

// Only the random searches feed the onion.
// SPEC T-38
func TestPathNodes(t *testing.T) {
	b := newBench(t)
	r := b.remote(host(0))
	require.NoError(t, b.Search(b.now, r.Public))
	r.answer(func() [][]byte { b.Ask(b.now, r.node(), b.self); return r.sent() }())
	events := b.Poll().Events
	require.Equal(t, []Event{{Kind: Found, Key: r.Public, Addr: r.addr}, {Kind: PathNode, Key: r.Public, Addr: r.addr}}, events)
	for i := range 60 {
		b.remote(host(i + 1)).meet()
	}
	inFakes := map[packets.PublicKey]bool{}
	for _, s := range b.searches[:fakes] {
		require.Len(t, s.nodes, searchSize)
		for _, e := range s.nodes {
			inFakes[e.key] = true
		}
	}
	path := b.PathNodes(b.now, make([]Node, 1))[1:]
	require.Len(t, path, len(inFakes))
	for _, n := range path {
		require.True(t, inFakes[n.Key])
	}
	require.Empty(t, b.PathNodes(b.now+badAfter*packets.Second, nil))

	// A node that only the search of a real key holds is not for paths.
	near := b.remote("9.9.9.9:1")
	fits := func(i int) bool { return b.searches[i].fits(b.now.Seconds(), near.Public) }
	for fits(0) || fits(1) || !fits(fakes) {
		near = b.remote("9.9.9.9:1")
	}
	b.Poll()
	near.answer(func() [][]byte { b.Ask(b.now, near.node(), b.self); return near.sent() }())
	require.Empty(t, b.Poll().Events)
}
