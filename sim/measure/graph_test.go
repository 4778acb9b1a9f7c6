package measure

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
)

func TestLeast(t *testing.T) {
	// 0 - 1 - 2 - 3 beyond the cut from 4 - 5.
	g := graph{{1}, {0, 2}, {1, 3}, {2}, {5}, {4}}
	assert.EqualValues(t, 350+50+3*50, least(g, []contact{{0, 4, 350}}, 50), "to 3")
	assert.EqualValues(t, 350+50+2*50, least(g, []contact{{1, 5, 350}}, 50), "from the midst")
	assert.EqualValues(t, 350+50+2*50, least(g, []contact{{0, 4, 350}, {3, 5, 400}}, 50), "to 2 over the second")
	assert.EqualValues(t, 350+50+3*50, least(g, []contact{{0, 4, 350}, {3, 5, 33_000}}, 50), "the second comes late")
	assert.Negative(t, least(g, nil, 50))
	g[2] = nil
	assert.Negative(t, least(g, []contact{{0, 4, 350}}, 50), "3 cannot be reached")
	g[2] = []int{3}
	assert.Positive(t, least(g, []contact{{0, 4, 350}}, 50), "one way will do")
}

func TestRing(t *testing.T) {
	for n, want := range map[int]int{1: 0, 2: 1, 5: 1, 6: 2, 8: 2, 9: 2, 10: 3, 100: 25, 101: 25, 102: 26} {
		assert.Equal(t, want, depth(Ring(n)), "%d peers", n)
	}
}

func TestLargestRing(t *testing.T) {
	for _, hop := range []packets.Time{50, 333, 7000} {
		n, hops := LargestRing(hop, FreezeAfter, 100_000)
		require.Equal(t, hops, depth(Ring(n)))
		assert.Less(t, packets.Time(hops)*hop, FreezeAfter)
		assert.GreaterOrEqual(t, packets.Time(depth(Ring(n+1)))*hop, FreezeAfter, "one more is too many")
	}
	n, _ := LargestRing(50, FreezeAfter, 10)
	assert.Equal(t, 10, n)
	n, _ = LargestRing(FreezeAfter, FreezeAfter, 10)
	assert.Equal(t, 1, n, "nobody else hears it in time")
}

func TestSpread(t *testing.T) {
	s := SpreadOf([]int{9, 1, 5}, 3)
	assert.Equal(t, []int{5, 9, 9}, []int{*s.P50, *s.P99, *s.Worst})
	s = SpreadOf([]int{9, 1, 5}, 5)
	assert.Equal(t, 9, *s.P50)
	assert.Nil(t, s.P99, "two never did")
	assert.Nil(t, s.Worst)
	list := make([]int, 200)
	for i := range list {
		list[i] = 200 - i
	}
	s = SpreadOf(list, 200)
	assert.Equal(t, []int{100, 198, 200}, []int{*s.P50, *s.P99, *s.Worst})
	s = SpreadOf([]int{}, 0)
	assert.Nil(t, s.P50)
}
