//go:build oracle && linux && amd64

package main

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestSimReportTheirs is c-toxcore beside our engine, in the same worlds: the
// minimum is that of the world.
func TestSimReportTheirs(t *testing.T) {
	code, out, progress := runSim("report", "--sizes", "4,8,9", "--theirs-up-to", "8", "--seeds", "1-2", "--json")
	require.Equal(t, exitGood, code, progress)
	var rep fullReport
	require.NoError(t, json.Unmarshal([]byte(out), &rep))
	assert.True(t, rep.Oracle)
	require.Len(t, rep.Heals, 5)
	for i := 0; i < 4; i += 2 {
		ours, theirs := rep.Heals[i], rep.Heals[i+1]
		assert.Equal(t, []string{"ours", "c-toxcore"}, []string{ours.Code, theirs.Code})
		assert.Equal(t, ours.Peers, theirs.Peers)
		assert.Equal(t, ours.Least, theirs.Least)
		assert.NotEqual(t, ours.TraceHash, theirs.TraceHash, "they draw their numbers in other ways")
		assert.LessOrEqual(t, *theirs.Least.P50, *theirs.Heal.P50)
	}
	assert.Equal(t, 9, rep.Heals[4].Peers)
	assert.Equal(t, "ours", rep.Heals[4].Code)
	for i := 0; i < len(rep.Messages); i += 2 {
		ours, theirs := rep.Messages[i], rep.Messages[i+1]
		assert.Equal(t, ours.Fault, theirs.Fault)
		assert.Equal(t, "c-toxcore", theirs.Code)
		assert.Zero(t, theirs.Merged.Lost, theirs.Fault)
	}
}
