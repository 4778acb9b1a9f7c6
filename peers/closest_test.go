package peers

import (
	"math/rand"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
)

// With five or more others the slots hold the two nearest on each side,
// whatever the order of insertion and removal (SPEC C-37, C-38).
func TestClosestAreTheNearestTwoOnEachSide(t *testing.T) {
	r := rand.New(rand.NewSource(3))
	for round := range 300 {
		self := randomKey(r)
		var set Set
		var c Closest
		add := func() {
			key := randomKey(r)
			_, err := set.Add(&key, &key, uint16(r.Uint32()))
			require.NoError(t, err)
			c.Insert(&self, &key, &key)
		}
		for range 5 + r.Intn(30) {
			add()
		}
		requireNearest(t, self, &set, &c, round)
		for set.Active() > 6 {
			p := set.At(r.Intn(set.Active()))
			c.Remove(&p.Key)
			set.Remove(p)
			c.Refill(&self, &set)
			c.Change = Unchanged
			if r.Intn(4) == 0 {
				add()
			}
			requireNearest(t, self, &set, &c, round)
			if r.Intn(50) == 0 {
				break
			}
		}
	}
}

func requireNearest(t *testing.T, self packets.PublicKey, set *Set, c *Closest, round int) {
	t.Helper()
	var keys []packets.PublicKey
	for i := range set.Active() {
		keys = append(keys, set.At(i).Key)
	}
	nearest := func(distance func(*packets.PublicKey) uint64) []packets.PublicKey {
		slices.SortFunc(keys, func(a, b packets.PublicKey) int {
			if distance(&a) < distance(&b) {
				return -1
			}
			return 1
		})
		return slices.Clone(keys[:2])
	}
	below := nearest(func(k *packets.PublicKey) uint64 { return Distance(&self, k) })
	above := nearest(func(k *packets.PublicKey) uint64 { return Distance(k, &self) })
	require.ElementsMatch(t, below, []packets.PublicKey{c.Slots[0].Key, c.Slots[1].Key}, "round %d", round)
	require.ElementsMatch(t, above, []packets.PublicKey{c.Slots[2].Key, c.Slots[3].Key}, "round %d", round)
}

func TestClosestNeverHoldsUsOrAPeerTwice(t *testing.T) {
	self, other := packets.PublicKey{1}, packets.PublicKey{2}
	var c Closest
	c.Insert(&self, &self, &self)
	require.Equal(t, Unchanged, c.Change)
	c.Insert(&self, &other, &other)
	c.Insert(&self, &other, &other)
	require.Equal(t, Added, c.Change)
	require.False(t, c.Slots[1].Used)
	c.Remove(&other)
	require.Equal(t, Removed, c.Change)
	require.Nil(t, c.Find(&other))
}

func randomKey(r *rand.Rand) (k packets.PublicKey) {
	r.Read(k[:])
	return k
}
