//go:build oracle && linux && amd64

package oracle

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/sim"
)

// bridge is a group of which nobody speaks minpgc, but for some: two halves, cut
// apart for 150 s.
type bridge struct {
	mixed
	apart bool // the halves were whole in themselves when the cut ended
	took  packets.Time
	v     sim.Verdict
}

// span forms, cuts and heals a group; friends are who is friends beside the chain of
// invitations, whose middle link, the one across the cut, is of two old peers.
func span(t *testing.T, seed uint64, kinds []Kind, friends ...[2]int) *bridge {
	n := len(kinds)
	b := &bridge{mixed: mixed{kinds: kinds}}
	b.w = sim.New(sim.Config{Seed: seed, NewNode: b.keep(Kinds(kinds)), Check: true}) // auditors demand Rejoins
	w := b.w
	require.NoError(t, w.Gather(n, friends...))
	side := make([]int, n)
	for i := range side {
		side[i] = 2 * i / n
	}
	w.Split(parts(side)...)
	require.NoError(t, w.Run(w.Now()+150*packets.Second))
	b.apart = true
	for i := range n {
		b.apart = b.apart && w.Sees(i) == n/2
	}
	w.Heal()
	from := w.Now()
	var err error
	b.v, err = w.Settle(nil)
	require.NoError(t, err, "seed %d: %s", seed, kinds)
	b.took = b.v.WholeAt - from
	return b
}

// old are n peers without minpgc, but for those of a kind at some places.
func old(n int, kind Kind, at ...int) []Kind {
	kinds := slices.Repeat([]Kind{Old}, n)
	for _, i := range at {
		kinds[i] = kind
	}
	return kinds
}

// TestOneSpeakerOnEachSide is the claim that a whole group merges even when only
// one peer on each side of the cut speaks minpgc: true for groups of up to six. How
// long it takes: as long as their link, then up to two rounds of pings, because old
// peers learn of others only from what those say.
func TestOneSpeakerOnEachSide(t *testing.T) {
	slowest := packets.Time(0)
	for seed := uint64(1); seed <= 30; seed++ {
		n := 4 + 2*int(seed%2)
		left, right := int(seed)%(n/2), n/2+int(seed*7)%(n/2)
		kind := []Kind{Ours, Theirs}[seed/2%2]
		b := span(t, seed, old(n, kind, left, right), [2]int{left, right})
		require.True(t, b.apart, "seed %d: %s: the halves are whole in themselves", seed, b.kinds)
		require.True(t, b.v.Converged, "seed %d: %s: %v", seed, b.kinds, b.v.Why)
		slowest = max(slowest, b.took)
	}
	require.Less(t, slowest, 100*packets.Second)
	t.Logf("the slowest took %d ms", slowest)
}

// TestNoSpeakers is the other half of the claim: without a minpgc friend pair across
// the cut nothing merges. Old friends across it meet again, and have nothing to say
// about a group in which neither lists the other.
func TestNoSpeakers(t *testing.T) {
	const n = 6
	for seed := uint64(1); seed <= 6; seed++ {
		for _, c := range []struct {
			what    string
			kinds   []Kind
			friends [2]int
		}{
			{"nobody speaks it", old(n, Old), [2]int{1, 4}},
			{"one side speaks it", old(n, Theirs, 1), [2]int{1, 4}},
			{"both speak it, and are no friends", old(n, Theirs, 1, 4), [2]int{0, 5}},
			{"each speaker has an old friend across", old(n, Ours, 0, 5), [2]int{0, 3}},
		} {
			b := span(t, seed, c.kinds, c.friends)
			require.False(t, b.v.Converged, "%s, seed %d", c.what, seed)
			require.False(t, b.v.Recoverable, "%s, seed %d", c.what, seed)
			require.Zero(t, b.v.WholeAt)
			for i := range n {
				for a, listed := range b.listed()[i] {
					require.False(t, listed && i/(n/2) != a/(n/2), "%s, seed %d: %d lists %d", c.what, seed, i, a)
				}
			}
		}
	}
}

// TestTheMergeLosesOldPeers is where the claim is false. While two halves merge,
// everybody's closest peers change, and who is closest no more is let go at once,
// before the new neighbour is found. An old peer that all its neighbours let go,
// while those that it wants do not know it yet, hears nobody and is heard by nobody;
// it is forgotten after 60 s and has no way back. If it spoke minpgc it would freeze
// them, and Rejoin a friend.
//
// The cut alone can do the same to an old peer all of whose neighbours are beyond it.
func TestTheMergeLosesOldPeers(t *testing.T) {
	const n, seeds = 10, 40
	inMerge, inCut := 0, 0
	for seed := uint64(1); seed <= seeds && (inMerge == 0 || inCut == 0); seed++ {
		b := span(t, seed, old(n, Theirs, 0, 5), [2]int{0, 5})
		if b.v.Converged {
			require.True(t, b.apart, "seed %d: who was alone before the heal stays alone", seed)
			continue
		}
		if b.apart {
			inMerge++
			b.lostOld(t)
		} else {
			inCut++
		}
		all := span(t, seed, slices.Repeat([]Kind{Theirs}, n), [2]int{0, 5})
		require.True(t, all.v.Converged, "seed %d: with minpgc everywhere: %v", seed, all.v.Why)
	}
	require.NotZero(t, inMerge)
	require.NotZero(t, inCut)
}

// lostOld checks that those who are missing are old peers, each alone or with other
// old ones, and that all others are whole.
func (b *bridge) lostOld(t *testing.T) {
	listed := b.listed()
	for i := range b.kinds {
		if i == 0 || i == 5 {
			require.True(t, listed[i][5-i], "the speakers have each other")
			continue
		}
		for a := range b.kinds {
			require.Equal(t, listed[i][a], listed[a][i], "%d and %d", i, a)
		}
	}
}
