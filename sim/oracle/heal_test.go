//go:build oracle && linux && amd64

package oracle

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/sim"
)

// prompt are laws under which friends are back at once, so that only the
// protocol takes its time.
func prompt() sim.Laws {
	laws := sim.DefaultLaws()
	laws.BackedOff = 0
	return laws
}

func cross(pairs int) sim.Friends { return sim.Friends{Kind: sim.Cross, K: pairs} }

// TestHealOfEight is small groups of c-toxcore: with everybody close to everybody
// a heal takes no longer than the links do.
func TestHealOfEight(t *testing.T) {
	for seed := uint64(1); seed <= 10; seed++ {
		h, err := Heal{Seed: seed, Peers: 8, Friends: cross(2), Laws: prompt()}.Run()
		require.NoError(t, err)
		require.Less(t, h.Took, packets.Second, "seed %d", seed)
		require.NotZero(t, h.Packets)
		require.GreaterOrEqual(t, h.Rejoins, uint64(4), "two friendships, both ways")
		require.Zero(t, h.Causes.Severed+h.Causes.Alone+h.Causes.TimedOut, "seed %d", seed)

		backed, err := Heal{Seed: seed, Peers: 8, Friends: cross(2)}.Run()
		require.NoError(t, err)
		require.Less(t, backed.Took, sim.DefaultBackOffMax+packets.Second, "seed %d", seed)
	}
	_, err := Heal{Seed: 1, Peers: 8}.Run()
	require.ErrorIs(t, err, ErrApart, "nobody is a friend across the cut")
}

// TestHealWaitsForPings is where the short part of the tail comes from: who has no
// path at the moment when Names are said thaws their authors by their Pings.
func TestHealWaitsForPings(t *testing.T) {
	waited := false
	for seed := uint64(1); seed <= 12; seed++ {
		h, err := Heal{Seed: seed, Peers: 24, Friends: cross(1), Laws: prompt()}.Run()
		require.NoError(t, err)
		require.Zero(t, h.Causes.TimedOut, "seed %d", seed)
		require.Less(t, h.Took, 25*packets.Second, "seed %d: a round of pings", seed)
		if h.Took > 10*packets.Second {
			waited = true
			require.NotZero(t, h.Causes.ByPing)
			require.Equal(t, packets.Ping, h.Causes.Latest, "seed %d", seed)
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
		h, err := Heal{Seed: seed, Peers: 50, Friends: cross(2), Laws: prompt()}.Run()
		if h.Causes.Severed == 0 {
			require.NoError(t, err)
			continue
		}
		require.Less(t, h.Causes.SeveredAt, 2*packets.Second, "before the new neighbours are connected")
		require.NotZero(t, h.Causes.TimedOut)
		if !errors.Is(err, ErrApart) {
			require.NoError(t, err)
			require.Greater(t, h.Took, 50*packets.Second)
		}
		return
	}
	t.Fatal("no seed shows it")
}

// TestHealLog logs from the heal on, in its time.
func TestHealLog(t *testing.T) {
	var lines []string
	last := packets.Time(0)
	_, err := Heal{Seed: 3, Peers: 4, Friends: cross(1), Laws: prompt(), NewNode: sim.NewEngine, Cut: 90 * packets.Second,
		Log: func(at packets.Time, line string) {
			require.GreaterOrEqual(t, at, last)
			lines, last = append(lines, line), at
		}}.Run()
	require.NoError(t, err)
	require.Equal(t, "heal", lines[0])
	require.Greater(t, len(lines), 5)
}
