package trace_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/tox-rejoin/rejoin/internal/vectors"
	"github.com/tox-rejoin/rejoin/sim"
	"github.com/tox-rejoin/rejoin/sim/trace"
)

// Every recording of real c-toxcore replays exactly, whether the engine is
// ticked when it asks or in each iteration.
func TestRecordings(t *testing.T) {
	files, err := vectors.Recordings()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		for _, every := range []bool{false, true} {
			name := filepath.Base(path)
			if every {
				name += "/every tick"
			}
			t.Run(name, func(t *testing.T) {
				f, err := os.Open(path)
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				res, err := trace.Check(f, trace.Options{EveryTick: every, Invariants: true})
				if err != nil {
					t.Fatalf("%v\nafter %v", err, res)
				}
				t.Log(res)
			})
		}
	}
}

// What our own engine does when driven at random replays, too. This goes where
// no recording of c-toxcore goes: see recorder.
func TestRecorder(t *testing.T) {
	seeds := uint64(5)
	if testing.Short() {
		seeds = 2
	}
	for seed := range seeds {
		r := newRecorder(sim.NewEngine, seed, "A", "B", "C", "D", "E")
		checkRecorded(t, seed, r.run(3000), trace.Options{Invariants: true, EveryTick: seed%2 == 0})
	}
}

// checkRecorded checks what a recorder with that seed has written.
func checkRecorded(t *testing.T, seed uint64, recording []byte, o trace.Options) trace.Result {
	t.Helper()
	res, err := trace.Check(bytes.NewReader(recording), o)
	if err != nil {
		path := filepath.Join(t.ArtifactDir(), fmt.Sprintf("seed%d.jsonl", seed))
		if err := os.WriteFile(path, recording, 0o600); err != nil {
			t.Error(err)
		}
		t.Fatalf("seed %d: %v (in %s)", seed, err, path)
	}
	return res
}
