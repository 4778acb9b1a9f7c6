package sim

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
)

// onceFailed are seeds that showed something about the simulator or an engine
// when they were new.
func onceFailed() []uint64 {
	return []uint64{1184, 1650, 3878, 4152, 6267, 9719, 15375, 16024}
}

func TestTrials(t *testing.T) {
	whole := 0
	for _, seed := range append(onceFailed(), firstSeeds(60)...) {
		r := Trial{Seed: seed}.Run()
		require.False(t, r.Failed(), "seed %d: %s", seed, r.Reason())
		assert.Empty(t, r.Reason())
		if r.Verdict.Converged {
			whole++
		}
	}
	assert.Greater(t, whole, 50, "most trials end whole")
}

// c-toxcore's own behaviour, without our improvements, ends whole as well.
func TestTrialsReference(t *testing.T) {
	whole := 0
	for _, seed := range firstSeeds(40) {
		r := Trial{Seed: seed, Reference: true}.Run()
		require.NoError(t, r.Err, "seed %d", seed)
		if r.Verdict.Converged {
			whole++
		}
	}
	assert.Greater(t, whole, 30)
}

func firstSeeds(n int) []uint64 {
	list := make([]uint64, n)
	for i := range list {
		list[i] = uint64(i)
	}
	return list
}

// The same seed gives the same trace, alone and beside others; another seed
// gives another.
func TestTraceHash(t *testing.T) {
	const n = 24
	var alone, beside [n]Result
	for i := range alone {
		alone[i] = Trial{Seed: uint64(i)}.Run()
	}
	var all sync.WaitGroup
	for i := range beside {
		all.Go(func() { beside[i] = Trial{Seed: uint64(i)}.Run() })
	}
	all.Wait()
	assert.Equal(t, alone, beside)
	hashes := map[uint64]bool{}
	for _, r := range alone {
		hashes[r.Hash] = true
	}
	assert.Len(t, hashes, n)
}

// The hash of a world of fakes is the same on every machine, with every number
// of cores, with and without the race detector. It changes when the simulator's
// network changes, and with nothing else.
func TestTraceHashOfTheNetwork(t *testing.T) {
	laws := DefaultLaws()
	laws.Loss, laws.Spread = 0.1, 40
	fs := newFakes(4, Config{Seed: 42, Laws: laws})
	for i := range 3 {
		fs.Befriend(i, i+1)
	}
	fs.want(0, 3)
	fs.want(3, 0)
	fs.seconds(12)
	for round := range 20 {
		for i := range 3 {
			if fs.links[i].up[0] {
				fs.write(i, i+1, strings.Repeat("x", 1+round*60))
			}
		}
		switch round {
		case 5:
			fs.Split([]int{0, 1}, []int{2, 3})
		case 11:
			fs.Heal()
		case 13:
			fs.Crash(3)
		case 14:
			require.NoError(t, fs.Restart(3))
		}
		fs.seconds(8)
	}
	require.NoError(t, fs.Run(fs.Now()))
	assert.Equal(t, "9f2d4ffdb1e06049", fmt.Sprintf("%016x", fs.Hash()))
}

// A failing trial says why, a panic included.
func TestTrialFails(t *testing.T) {
	r := Trial{Seed: 1, NewNode: func(conference.Config, []packets.SavedConference, packets.Time) (Node, error) {
		panic("engine on fire")
	}}.Run()
	assert.True(t, r.Failed())
	assert.Contains(t, r.Reason(), "engine on fire")

	r = Trial{Seed: 1, NewNode: func(c conference.Config, s []packets.SavedConference, now packets.Time) (Node, error) {
		e, err := conference.New(c, s, now)
		return mute{e}, err
	}}.Run()
	assert.True(t, r.Failed())
	assert.NotEmpty(t, r.Reason())
}

// mute is an engine that never says anything on its own.
type mute struct{ *conference.Engine }

func (m mute) Tick(packets.Time) {}

func TestGather(t *testing.T) {
	for _, n := range []int{1, 2, 5, 17, 40} {
		w := New(Config{Seed: uint64(n), Check: true, Audit: true})
		require.NoError(t, w.Gather(n))
		assert.Equal(t, []Sight{{n, n}}, w.Sights())
		why, ledger := w.Disagreements(5)
		assert.Empty(t, why)
		assert.Zero(t, ledger)
	}
}

// A split with a friendship across merges, one without says that it cannot.
func TestSplitAndHeal(t *testing.T) {
	for _, friends := range []string{"cross:0", "cross:1", "cross:5", "ring", "pairs", "all"} {
		f, err := ParseFriends(friends)
		require.NoError(t, err)
		assert.Equal(t, friends, f.String())
		edges, err := f.Edges([]int{4, 5, 3})
		if f.Kind == Cross {
			edges, err = f.Edges([]int{6, 6})
		}
		require.NoError(t, err)
		w := New(Config{Seed: 7, Check: true, Audit: true})
		require.NoError(t, w.Gather(12, edges...))
		w.KeepFriends(edges)
		for i := range 12 {
			for j := range i {
				assert.Equal(t, slices.Contains(edges, [2]int{j, i}) || slices.Contains(edges, [2]int{i, j}), w.Friends(i, j))
			}
		}
		require.NoError(t, w.Run(w.Now()+10*packets.Second))
		w.Split([]int{0, 1, 2, 3, 4, 5}, []int{6, 7, 8, 9, 10, 11})
		require.NoError(t, w.Run(w.Now()+120*packets.Second))
		assert.Equal(t, 6, w.Sights()[0].See, "nobody sees across the cut; without friends a side may break further")
		w.Heal()
		v, err := w.Settle(nil)
		require.NoError(t, err)
		if friends == "cross:0" {
			assert.False(t, v.Recoverable)
			assert.Equal(t, [][]int{{0, 1, 2, 3, 4, 5}, {6, 7, 8, 9, 10, 11}}, v.Parts)
			assert.Contains(t, v.Why, "peer 0 does not list 6, 7, 8, 9, 10, 11")
			continue
		}
		assert.True(t, v.Converged, "%s: %v", friends, v.Why)
		assert.Zero(t, v.Ledger, friends)
	}
}

func TestFriendGraphs(t *testing.T) {
	f := Friends{Kind: Cross, K: 3}
	edges, err := f.Edges([]int{2, 2, 2})
	require.NoError(t, err)
	assert.Equal(t, [][2]int{{0, 1}, {2, 3}, {4, 5}, {0, 2}, {2, 4}, {1, 3}}, edges)
	edges, err = Friends{Kind: Cross, K: 6}.Edges([]int{2, 3})
	require.NoError(t, err)
	across := map[[2]int]bool{}
	for _, e := range edges[3:] {
		across[e] = true
	}
	assert.Len(t, across, 6, "all different")
	_, err = Friends{Kind: Cross, K: 7}.Edges([]int{2, 3})
	assert.ErrorIs(t, err, ErrFriends)
	edges, err = Friends{Kind: Ring}.Edges([]int{1, 1})
	require.NoError(t, err)
	assert.Equal(t, [][2]int{{0, 1}}, edges)
	edges, err = Friends{Kind: All}.Edges([]int{2, 2})
	require.NoError(t, err)
	assert.Len(t, edges, 6)
	for _, wrong := range []string{"", "cross", "cross:", "cross:-1", "cross:x", "star"} {
		_, err := ParseFriends(wrong)
		assert.ErrorIs(t, err, ErrFriends, wrong)
	}
}
