package measure

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/sim"
)

func cross(pairs int) sim.Friends { return sim.Friends{Kind: sim.Cross, K: pairs} }

// TestHeal is the relations between the figures, in worlds of several sizes.
func TestHeal(t *testing.T) {
	for _, peers := range []int{2, 5, 8, 24, 50} {
		whole := 0
		for seed := uint64(1); seed <= 5; seed++ {
			h, err := Heal{Seed: seed, Peers: peers, Friends: cross(1)}.Run()
			require.NoError(t, err)
			require.GreaterOrEqual(t, h.Least, sim.DefaultReconnect+sim.DefaultDelay, "%d peers, seed %d", peers, seed)
			if h.Whole {
				whole++
				require.LessOrEqual(t, h.Least, h.Took, "%d peers, seed %d", peers, seed)
				require.Less(t, h.Pings, h.Packets)
				require.GreaterOrEqual(t, h.Rejoins, uint64(2), "one each way")
			} else {
				require.NotEqual(t, sim.Whole, h.Reason)
			}
			require.Equal(t, packets.Time(h.Hops)*sim.DefaultDelay, h.Crossing, "a ping waits nowhere: %d peers, seed %d", peers, seed)
			require.Equal(t, depth(Ring(peers)), h.RingHops, "what forms is the ring: %d peers, seed %d", peers, seed)
			require.LessOrEqual(t, h.Hops, h.RingHops)
		}
		require.GreaterOrEqual(t, whole, 3, "%d peers", peers)
	}
}

// TestHealOfShapes is that no group of any friend graph is whole before the
// minimum.
func TestHealOfShapes(t *testing.T) {
	for _, friends := range []sim.Friends{{Kind: sim.Ring}, {Kind: sim.Pairs}, {Kind: sim.All}, cross(5)} {
		for seed := uint64(1); seed <= 8; seed++ {
			h, err := Heal{Seed: seed, Peers: 5 + 3*int(seed), Friends: friends}.Run()
			require.NoError(t, err)
			require.True(t, h.Whole, "%v, seed %d: %v", friends, seed, h.Reason)
			require.GreaterOrEqual(t, h.Least, sim.DefaultReconnect+sim.DefaultDelay, "%v, seed %d", friends, seed)
			require.LessOrEqual(t, h.Least, h.Took, "%v, seed %d", friends, seed)
		}
	}
}

// TestHealTwice is that one seed decides everything.
func TestHealTwice(t *testing.T) {
	one := Heal{Seed: 9, Peers: 8, Friends: cross(2)}
	a, err := one.Run()
	require.NoError(t, err)
	phases := map[string]bool{}
	one.Watch = func(phase string, _ packets.Time) { phases[phase] = true }
	b, err := one.Run()
	require.NoError(t, err)
	assert.Equal(t, a, b, "watched or not")
	for _, phase := range []string{"forming", "resting", "cut", "whole"} {
		assert.Contains(t, phases, phase)
	}
	one.Seed++
	c, err := one.Run()
	require.NoError(t, err)
	assert.NotEqual(t, a.Hash, c.Hash)
}

// TestSlowLinksRaiseAll is that slowness of the network is seen.
func TestSlowLinksRaiseAll(t *testing.T) {
	quick := sim.DefaultLaws()
	quick.BackedOff = 0
	slow := quick
	slow.Delay *= 6
	a, err := Heal{Seed: 3, Peers: 12, Friends: cross(2), Laws: quick}.Run()
	require.NoError(t, err)
	b, err := Heal{Seed: 3, Peers: 12, Friends: cross(2), Laws: slow}.Run()
	require.NoError(t, err)
	require.True(t, a.Whole && b.Whole)
	assert.Greater(t, b.Took, a.Took)
	assert.Greater(t, b.Least, a.Least)
	assert.Greater(t, b.Crossing, a.Crossing)
	assert.Less(t, a.Took, 2*packets.Second)
}

// lazy is a node that takes in nothing for a while after each Rejoin.
type lazy struct {
	sim.Node
	until packets.Time
}

func (x *lazy) Receive(now packets.Time, from packets.PublicKey, p []byte) error {
	switch {
	case p[0] == packets.PacketRejoin && x.until == 0:
		x.until = now + 30*packets.Second
	case p[0] == packets.PacketMessage && now < x.until:
		return nil
	}
	return x.Node.Receive(now, from, p)
}

// TestSlowEngineRaisesHeal is that slowness of an engine is seen, and counts as
// such: the minimum stays what it was.
func TestSlowEngineRaisesHeal(t *testing.T) {
	laws := sim.DefaultLaws()
	laws.BackedOff = 0
	good := Heal{Seed: 3, Peers: 8, Friends: cross(1), Laws: laws}
	bad := good
	bad.NewNode = func(cfg conference.Config, saved []packets.SavedConference, now packets.Time) (sim.Node, error) {
		n, err := sim.NewEngine(cfg, saved, now)
		return &lazy{Node: n}, err
	}
	a, err := good.Run()
	require.NoError(t, err)
	b, err := bad.Run()
	require.NoError(t, err)
	require.True(t, a.Whole && b.Whole)
	assert.Greater(t, b.Took, a.Took+10*packets.Second)
	assert.Equal(t, a.Least, b.Least)
}

// TestHealApart is a group that cannot merge, and one that cannot be.
func TestHealApart(t *testing.T) {
	h, err := Heal{Seed: 1, Peers: 6}.Run()
	require.NoError(t, err)
	assert.False(t, h.Whole)
	assert.Equal(t, sim.NoFriendship, h.Reason)
	assert.Negative(t, h.Least, "no news gets across")

	_, err = Heal{Seed: 1, Peers: 4, Friends: cross(5)}.Run()
	assert.ErrorIs(t, err, sim.ErrFriends)
}

// TestHealLog logs from the heal on, in its time.
func TestHealLog(t *testing.T) {
	var lines []string
	last := packets.Time(0)
	_, err := Heal{Seed: 3, Peers: 4, Friends: cross(1), Log: func(at packets.Time, line string) {
		require.GreaterOrEqual(t, at, last)
		lines, last = append(lines, line), at
	}}.Run()
	require.NoError(t, err)
	require.Equal(t, "heal", lines[0])
	require.Greater(t, len(lines), 5)
}

// TestNoTail is that our engines wait for nothing but links where c-toxcore waits
// for pings, severs its bridges or never becomes whole (SPEC I-18): within a second
// of the least that the graph allows.
func TestNoTail(t *testing.T) {
	laws := sim.DefaultLaws()
	laws.BackedOff = 0
	tail := 0
	for _, friends := range []sim.Friends{cross(1), cross(2)} {
		for seed := uint64(1); seed <= 4; seed++ {
			var causes Causes
			ours := Heal{Seed: seed, Peers: 50, Friends: friends, Laws: laws, Causes: &causes}
			h, err := ours.Run()
			require.NoError(t, err)
			require.True(t, h.Whole, "%v, seed %d: %v", friends, seed, h.Reason)
			assert.Less(t, h.Took-h.Least, packets.Second, "%v, seed %d", friends, seed)
			assert.Zero(t, causes.Severed+causes.Alone+causes.TimedOut, "%v, seed %d: %+v", friends, seed, causes)

			theirs := ours
			theirs.Reference, theirs.Causes = true, nil
			r, err := theirs.Run()
			require.NoError(t, err)
			if !r.Whole || r.Took-r.Least > 10*packets.Second {
				tail++
			}
		}
	}
	assert.GreaterOrEqual(t, tail, 3, "of 8 groups of the reference")
}
