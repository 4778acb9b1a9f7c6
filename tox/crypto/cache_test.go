package crypto_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/crypto"
)

// The cache against the plainest model of one: a list in order of use.
// SPEC T-6
func TestCacheIsLeastRecentlyUsed(t *testing.T) {
	type use struct {
		peer int
		at   packets.Time
	}
	const limit = 4
	r := source(5)
	pair := crypto.NewKeyPair(r)
	var peers []packets.PublicKey
	var want []crypto.SharedKey
	for range 9 {
		p := crypto.NewKeyPair(r).Public
		k, err := pair.Shared(p)
		require.NoError(t, err)
		peers, want = append(peers, p), append(want, k)
	}
	cache := crypto.NewCache(pair, limit)
	require.Equal(t, pair.Public, cache.Pair().Public)
	var model []use
	now := packets.Time(1000)
	for range 500 {
		now += packets.Time(r.Uint64() % uint64(crypto.CacheIdle/2))
		p := int(r.Uint64() % uint64(len(peers)))
		model = slices.DeleteFunc(model, func(u use) bool { return u.at+crypto.CacheIdle <= now || u.peer == p })
		model = append(model, use{p, now})
		if len(model) > limit {
			model = model[1:]
		}
		k, err := cache.Shared(now, peers[p])
		require.NoError(t, err)
		require.Equal(t, want[p], k)
		require.Equal(t, len(model), cache.Len())
	}
	cache.Forget()
	require.Zero(t, cache.Len())
	_, err := cache.Shared(now, peers[0])
	require.NoError(t, err)
	require.Equal(t, 1, cache.Len())
}

// A key that is in use stays, however many strangers come by.
func TestCacheKeepsWhatIsUsed(t *testing.T) {
	r := source(6)
	cache := crypto.NewCache(crypto.NewKeyPair(r), 3)
	friend := crypto.NewKeyPair(r).Public
	_, err := cache.Shared(0, friend)
	require.NoError(t, err)
	for i := range packets.Time(20) {
		_, err = cache.Shared(i, crypto.NewKeyPair(r).Public)
		require.NoError(t, err)
		require.Zero(t, testing.AllocsPerRun(1, func() { _, err = cache.Shared(i, friend) }), "a hit computes nothing")
		require.NoError(t, err)
		require.LessOrEqual(t, cache.Len(), 3)
	}
}

// A cache without a limit of its own has the usual one.
// SPEC T-6
func TestCacheLimit(t *testing.T) {
	r := source(7)
	cache := crypto.NewCache(crypto.NewKeyPair(r), 0)
	require.Equal(t, 1024, crypto.MaxCached)
	require.Equal(t, 600*packets.Second, crypto.CacheIdle)
	for i := range crypto.MaxCached + 5 {
		_, err := cache.Shared(0, packets.PublicKey{9, byte(i), byte(i >> 8)})
		require.NoError(t, err)
		require.Equal(t, min(i+1, crypto.MaxCached), cache.Len())
	}
}
