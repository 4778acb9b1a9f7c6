package measure

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/sim/fault"
)

// TestTalkUnder is what each kind of fault does to messages, and that none are
// lost once all list all again.
func TestTalkUnder(t *testing.T) {
	const peers = 9
	sums := map[string]*Lost{}
	for _, f := range Faults(peers) {
		sum := &Lost{}
		for seed := uint64(1); seed <= 3; seed++ {
			l, err := Talk{Seed: seed, Peers: peers}.Under(&f)
			require.NoError(t, err, f.Name)
			for p, c := range l.Counts {
				require.LessOrEqual(t, c.Lost, c.Due, "%s, %d", f.Name, p)
			}
			sum.Add(&l)
		}
		assert.Zero(t, sum.Apart, f.Name)
		assert.Zero(t, sum.Counts[Merged].Lost, f.Name)
		assert.Positive(t, sum.Counts[During].Due, f.Name)
		assert.Positive(t, sum.Counts[After].Due, f.Name)
		if !f.Audio {
			assert.Equal(t, 3*peers*(peers-1), sum.Counts[Merged].Due, f.Name)
		}
		sums[f.Name] = sum
	}
	during := func(name string) float64 {
		c := sums[name].Counts[During]
		return float64(c.Lost) / float64(c.Due)
	}
	for _, f := range []string{
		"none", "5 % of packets lost, doubled, overtaken", "cut in halves for 20 s, unnoticed", "held up between halves for 20 s",
	} {
		assert.Zero(t, during(f), f)
	}
	assert.Positive(t, during("the same, sound in lossy packets"))
	assert.Greater(t, during("cut in halves for 2 min"), 0.4, "nobody hears those beyond the cut")
	assert.Less(t, during("cut in halves for 2 min"), 0.7, "each half goes on hearing itself")
	for _, f := range []string{"one sleeps for 2 min", "one crashes, back after 2 min", "one quits, back after 2 min"} {
		assert.InDelta(t, 1./(peers-1), during(f), 0.03, "who is away hears nothing: %s", f)
	}
}

// TestTalkReasons is that what cannot be played is an error.
func TestTalkReasons(t *testing.T) {
	_, err := Talk{Seed: 1, Peers: 1}.Under(&Fault{Name: "nobody to talk to"})
	assert.ErrorIs(t, err, fault.ErrScenario)
}
