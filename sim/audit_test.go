package sim

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/peers"
)

// Two models of the duplicate window that know nothing of each other agree.
func TestWindowModel(t *testing.T) {
	draw := newStream(1, streamPlan, 2)
	kinds := []packets.MessageKind{packets.Ping, packets.Name, packets.Title, packets.NormalMessage}
	for round := range 300 {
		var ours window
		var theirs peers.Window
		base := []uint32{5, 1<<32 - 4, 1 << 31}[round%3]
		accepted := 0
		for range 200 {
			number := base + uint32(draw.Below(24))
			if draw.Chance(0.02) {
				number = uint32(draw.next())
			}
			if draw.Chance(0.2) {
				base += uint32(draw.Below(4))
			}
			kind := kinds[draw.Below(len(kinds))]
			got := ours.take(number, kind)
			require.Equal(t, theirs.Accept(number, kind), got, "%d, kind %d", number, kind)
			if got {
				accepted++
			}
		}
		require.Positive(t, accepted)
	}
}

// The ledger takes a rename that a short cut hid, and nothing else.
func TestLedger(t *testing.T) {
	w := New(Config{Seed: 5, Check: true, Audit: true})
	require.NoError(t, w.Gather(4))
	w.Split([]int{0, 1}, []int{2, 3})
	require.NoError(t, w.Run(w.Now()+40*packets.Second)) // noticed, not frozen
	require.NoError(t, w.Rename(0, "hidden"))
	require.NoError(t, w.Retitle(2, "ours"))
	require.NoError(t, w.Run(w.Now()+packets.Second))
	w.Heal()
	v, err := w.Settle(nil)
	require.NoError(t, err)
	assert.True(t, v.Converged, "%v", v.Why)
	assert.NotZero(t, v.Ledger.Names+v.Ledger.Titles)

	// While the group is whole a rename and a title have to reach everybody.
	require.NoError(t, w.Rename(0, "known"))
	require.NoError(t, w.Run(w.Now()+packets.Second))
	_, ledger := w.Disagreements(5)
	assert.Zero(t, ledger.Names)
}
