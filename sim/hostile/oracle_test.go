//go:build oracle && linux && amd64

package hostile

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/sim/oracle"
)

// TestOracle puts what the attacks do to us beside what they do to c-toxcore.
// go test -tags oracle -v -run TestOracle ./sim/hostile shows it.
func TestOracle(t *testing.T) {
	ours := Survey(Trial{Honest: 6}, 2)
	theirs := Survey(Trial{Honest: 6, NewNode: oracle.New, Reference: true}, 2)
	var table strings.Builder
	require.NoError(t, Print(&table, ours, theirs))
	t.Log("\n" + table.String())

	for _, a := range []Attack{Mute, Garbage} { // packets that go round for ever
		assert.Positive(t, theirs[a].Storms, "%v", a)
		assert.Zero(t, ours[a].Storms, "%v", a)
	}
	for _, a := range []Attack{Kill, Renumber} { // who is put out stays out
		assert.Positive(t, theirs[a].Own, "%v", a)
		assert.Greater(t, theirs[a].Lost, 0.5, "%v", a)
		assert.Zero(t, ours[a].Lost, "%v", a)
	}
	for _, a := range []Attack{Texts, Names, Titles} { // others' next messages are old
		assert.Greater(t, theirs[a].Deaf, 0.9, "%v", a)
		assert.Zero(t, ours[a].Deaf, "%v", a)
	}
	assert.Greater(t, theirs[Queries].Bytes, 5*ours[Queries].Bytes)
	for i := range ours {
		assert.NoError(t, ours[i].Err, "%v", ours[i].Attack)
		assert.LessOrEqual(t, ours[i].Lost, theirs[i].Lost+0.2, "%v", ours[i].Attack)
	}
}
