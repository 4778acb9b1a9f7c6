//go:build oracle && linux && amd64

package oracle

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/sim"
	"github.com/tox-rejoin/rejoin/sim/trace"
)

// TestTrialDifferential is whole networks of pairs under faults.
func TestTrialDifferential(t *testing.T) {
	whole := 0
	for seed := uint64(1); seed <= 24; seed++ {
		var pairs []*Pair
		r := sim.Trial{Seed: seed, Peers: 3 + int(seed%8), Reference: true,
			NewNode: func(cfg conference.Config, saved []packets.SavedConference, now packets.Time) (sim.Node, error) {
				p, n, err := newAuditedPair(cfg, saved, now)
				if err == nil {
					pairs = append(pairs, p)
				}
				return n, err
			}}.Run()
		for _, p := range pairs {
			if p.diff != nil {
				t.Fatal(describeDifference(fmt.Sprintf("sim.Trial{Seed: %d}", seed), p))
			}
		}
		require.NoError(t, r.Err, "seed %d", seed)
		if r.Verdict.Converged {
			whole++
		}
	}
	require.Greater(t, whole, 16)
}

// TestRecordings replays what c-toxcore 0.2.23 did on 0.2.18 and, at the same
// time, on our engine.
func TestRecordings(t *testing.T) {
	files, err := filepath.Glob("../../testdata/vectors/wire/*.jsonl.gz")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			f, err := os.Open(name)
			require.NoError(t, err)
			defer f.Close()
			_, err = trace.Check(f, trace.Options{New: NewPair, EveryTick: true, Invariants: true})
			require.NoError(t, err)
		})
	}
}
