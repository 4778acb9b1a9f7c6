package trace_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/tox-rejoin/rejoin/internal/testdata"
	"github.com/tox-rejoin/rejoin/sim/trace"
)

// Every recording of real c-toxcore replays exactly, whether the engine is
// ticked when it asks or in each iteration.
func TestRecordings(t *testing.T) {
	files, err := testdata.Recordings()
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
