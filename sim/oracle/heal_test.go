//go:build oracle && linux && amd64

package oracle

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/sim"
	"github.com/tox-rejoin/rejoin/sim/measure"
)

// prompt are laws under which friends are back at once, so that only the
// protocol takes its time.
func prompt() sim.Laws {
	laws := sim.DefaultLaws()
	laws.BackedOff = 0
	return laws
}

// theirs is a heal of c-toxcore peers.
func theirs(t *testing.T, seed uint64, peers, friends int, laws sim.Laws) (measure.Healed, measure.Causes) {
	t.Helper()
	var causes measure.Causes
	h, err := measure.Heal{
		Seed: seed, Peers: peers, Friends: sim.Friends{Kind: sim.Cross, K: friends}, Laws: laws,
		NewNode: New, Reference: true, Causes: &causes,
	}.Run()
	require.NoError(t, err)
	return h, causes
}

// TestHealOfEight is small groups of c-toxcore: with everybody close to everybody
// a heal takes no longer than the links do.
func TestHealOfEight(t *testing.T) {
	for seed := uint64(1); seed <= 10; seed++ {
		h, causes := theirs(t, seed, 8, 2, prompt())
		require.True(t, h.Whole, "seed %d", seed)
		require.Less(t, h.Took, packets.Second, "seed %d", seed)
		require.NotZero(t, h.Packets)
		require.GreaterOrEqual(t, h.Rejoins, uint64(4), "two friendships, both ways")
		require.Zero(t, causes.Severed+causes.Alone+causes.TimedOut, "seed %d", seed)

		backed, _ := theirs(t, seed, 8, 2, sim.DefaultLaws())
		require.True(t, backed.Whole, "seed %d", seed)
		require.Less(t, backed.Took, sim.DefaultBackOffMax+packets.Second, "seed %d", seed)
	}
	h, _ := theirs(t, 1, 8, 0, sim.DefaultLaws())
	require.False(t, h.Whole, "nobody is a friend across the cut")
}

// TestHealWaitsForPings is where the short part of the tail comes from: who has no
// path at the moment when Names are said thaws their authors by their Pings.
func TestHealWaitsForPings(t *testing.T) {
	waited := false
	for seed := uint64(1); seed <= 12; seed++ {
		h, causes := theirs(t, seed, 24, 1, prompt())
		require.True(t, h.Whole, "seed %d", seed)
		require.Zero(t, causes.TimedOut, "seed %d", seed)
		require.Less(t, h.Took, 25*packets.Second, "seed %d: a round of pings", seed)
		if h.Took > 10*packets.Second {
			waited = true
			require.NotZero(t, causes.ByPing)
			require.Equal(t, packets.Ping, causes.Latest, "seed %d", seed)
		}
	}
	require.True(t, waited)
}

// TestBridgesSever is where the long part comes from: each of two friendships
// across takes the other for the proof that it is needed no more, both let go, and
// the halves are apart again until they freeze each other after 60 s.
func TestBridgesSever(t *testing.T) {
	seeds := []uint64{16, 21, 24} // those that showed it when they were new
	for seed := range uint64(30) {
		seeds = append(seeds, seed)
	}
	for _, seed := range seeds {
		h, causes := theirs(t, seed, 50, 2, prompt())
		if causes.Severed == 0 {
			require.True(t, h.Whole, "seed %d", seed)
			continue
		}
		require.Less(t, causes.SeveredAt, 2*packets.Second, "before the new neighbours are connected")
		require.NotZero(t, causes.TimedOut)
		if h.Whole {
			require.Greater(t, h.Took, 50*packets.Second)
		}
		return
	}
	t.Fatal("no seed shows it")
}
