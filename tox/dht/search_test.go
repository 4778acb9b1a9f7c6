package dht

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/crypto"
	"github.com/tox-rejoin/rejoin/tox/dhtnode"
)

// SPEC T-37 to T-39
func TestSearchCounts(t *testing.T) {
	b := newBench(t)
	r := b.remote("8.8.8.8:1")
	require.ErrorIs(t, b.Search(b.now, b.self), ErrSearchSelf)
	require.NoError(t, b.Search(b.now, r.Public))
	require.NoError(t, b.Search(b.now, r.Public))
	r.answer(func() [][]byte { b.Ask(b.now, r.node(), b.self); return r.sent() }())
	require.Equal(t, Event{Kind: Found, Key: r.Public, Addr: r.addr}, b.Poll().Events[0])
	stranger := b.remote("8.8.8.9:1")
	stranger.answer(func() [][]byte { b.Ask(b.now, stranger.node(), b.self); return stranger.sent() }())
	for _, e := range b.Poll().Events {
		require.NotEqual(t, Found, e.Kind, "nobody searches it")
	}
	b.StopSearch(r.Public)
	_, ok := b.Lookup(b.now, r.Public)
	require.True(t, ok, "one user is left")
	b.StopSearch(r.Public)
	_, ok = b.Lookup(b.now, r.Public)
	require.False(t, ok)
	b.StopSearch(r.Public)
	b.StopSearch(b.searches[0].key)
	require.Len(t, b.searches, fakes, "random searches do not stop")
	require.NoError(t, b.Check())

	for i := range MaxSearches {
		require.NoError(t, b.Search(b.now, packets.PublicKey{1, byte(i), byte(i >> 8)}))
	}
	require.ErrorIs(t, b.Search(b.now, r.Public), ErrTooMany)
	require.NoError(t, b.Search(b.now, packets.PublicKey{1}), "a second user of a key")
	require.NoError(t, b.Check())
}

// A new search begins with the known nodes that are closest to the key.
// SPEC T-36
func TestSearchStarts(t *testing.T) {
	b := newBench(t)
	for i := range 6 {
		b.near(i, host(i)).meet()
	}
	b.tick(10, nil)
	key := b.remote("1.1.1.1:1").Public
	want := b.Closest(b.now, nil, key, maxNamed, true)
	require.NoError(t, b.Search(b.now, key))
	b.now += packets.Second
	b.Tick(b.now)
	var asked []netip.AddrPort
	for _, s := range b.Poll().Sends {
		asked = append(asked, s.To)
	}
	for _, n := range want {
		require.Contains(t, asked, n.Addr)
	}
}

// The list of a searched key is the 8 closest that answered; a bad one goes first.
// SPEC T-35
func TestSearchListKeepsTheClosest(t *testing.T) {
	b := newBench(t)
	var key packets.PublicKey
	crypto.Random(b.rand, key[:])
	require.NoError(t, b.Search(b.now, key))
	s := b.byKey[key]
	var all []packets.PublicKey
	for i := range 30 {
		r := b.remote(host(i))
		all = append(all, r.Public)
		r.meet()
	}
	slices.SortFunc(all, func(p, q packets.PublicKey) int { return dhtnode.Compare(key, p, q) })
	keys := func() (list []packets.PublicKey) {
		for _, e := range s.nodes {
			list = append(list, e.key)
		}
		return list
	}
	require.Equal(t, all[:searchSize], keys())

	s.nodes[2].at[0].heard = b.now.Seconds() - badAfter
	far := b.remote("9.9.9.9:1")
	for dhtnode.Closer(key, far.Public, all[searchSize-1]) {
		far = b.remote("9.9.9.9:1")
	}
	events := func() (list []EventKind) {
		for _, e := range b.Poll().Events {
			list = append(list, e.Kind)
		}
		return list
	}
	far.meet()
	require.Equal(t, slices.Concat(all[:2], all[3:searchSize], []packets.PublicKey{far.Public}), keys())

	// The first one, too, and a full list of good nodes stays as it is.
	s.nodes[0].at[0].heard = b.now.Seconds() - badAfter
	further := b.remote("9.9.9.8:1")
	for dhtnode.Closer(key, further.Public, far.Public) {
		further = b.remote("9.9.9.8:1")
	}
	require.True(t, s.fits(b.now.Seconds(), further.Public))
	further.meet()
	want := slices.Concat(all[1:2], all[3:searchSize], []packets.PublicKey{far.Public, further.Public})
	require.Equal(t, want, keys())
	furthest := b.remote("9.9.9.7:1")
	for dhtnode.Closer(key, furthest.Public, further.Public) || b.searches[0].fits(b.now.Seconds(), furthest.Public) || b.searches[1].fits(b.now.Seconds(), furthest.Public) {
		furthest = b.remote("9.9.9.7:1")
	}
	events()
	furthest.meet()
	require.Equal(t, want, keys())
	require.Empty(t, events(), "it is in no list of a random key")
}

// A search that knows nobody but a silent node still has work.
func TestWakeForSearch(t *testing.T) {
	b := newBench(t)
	r := b.remote("8.8.8.8:1")
	r.meet()
	b.close.buckets[bucketOf(b.self, r.Public)] = nil
	b.asked.expire(b.now + answerIn + 1)
	require.NotZero(t, b.Poll().Wake)
}
