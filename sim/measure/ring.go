package measure

import (
	"sort"

	"github.com/tox-rejoin/rejoin/packets"
)

// FreezeAfter is how long a peer may be silent until it is frozen (SPEC C-80).
const FreezeAfter = 60 * packets.Second

// Ring is the topology of a group of n without shortcuts: each is connected to
// the two next below it and the two next above on the ring of keys. That is what
// the four closest slots of everybody make of any n keys.
func Ring(n int) [][]int {
	g := make([][]int, n)
	for i := range g {
		for _, step := range []int{-2, -1, 1, 2} {
			if k := ((i+step)%n + n) % n; k != i && n > 1 {
				g[i] = append(g[i], k)
			}
		}
	}
	return g
}

// LargestRing searches for the largest group in which a ping reaches everybody
// before the time is over, each hop taking so long; at most most. It returns the
// size and how many hops the farthest peer is away.
func LargestRing(hop, within packets.Time, most int) (peers, hops int) {
	crosses := func(n int) bool { return packets.Time(depth(Ring(n)))*hop < within }
	n := sort.Search(most, func(k int) bool { return !crosses(k + 1) }) // n peers still do
	if n == 0 {
		return 0, 0
	}
	return n, depth(Ring(n))
}
