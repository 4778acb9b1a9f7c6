//go:build oracle && linux && amd64

package trace_test

import (
	"testing"

	"github.com/tox-rejoin/rejoin/sim/oracle"
	"github.com/tox-rejoin/rejoin/sim/trace"
)

// Recordings of c-toxcore's own conference code, with audio and the packets to
// slot 0, replay through our engine.
func TestRecorderOracle(t *testing.T) {
	quirks := 0
	for seed := range uint64(12) {
		r := newRecorder(oracle.New, seed, "A", "B", "C", "D", "E", "F", "G")
		r.audio = true
		quirks += checkRecorded(t, seed, r.run(5000), trace.Options{Invariants: true}).Quirks
	}
	if quirks == 0 {
		t.Error("no packet to slot 0 in any of the recordings")
	}
}
