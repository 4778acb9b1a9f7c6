package scenario_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/sim"
	"github.com/tox-rejoin/rejoin/sim/scenario"
)

// files parses every scenario.
func files(t *testing.T) map[string]*scenario.Scenario {
	t.Helper()
	names, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, names)
	all := map[string]*scenario.Scenario{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		s, err := scenario.Parse(string(text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		all[strings.TrimSuffix(filepath.Base(name), ".txt")] = s
	}
	return all
}

func TestScenarios(t *testing.T) {
	for name, s := range files(t) {
		for _, m := range s.Modes() {
			t.Run(name+"/"+m.String(), func(t *testing.T) {
				for _, every := range []bool{true, false} {
					err := scenario.Play(s, sim.NewEngine, scenario.Options{Mode: m, EveryFrame: every})
					require.NoError(t, err, "tick in every frame: %v", every)
				}
			})
		}
	}
}

// TestFlips: a scenario that does not notice a wrong expectation proves nothing.
func TestFlips(t *testing.T) {
	total := 0
	for name, s := range files(t) {
		for _, f := range s.Flips() {
			total++
			if err := scenario.Play(f.Scenario, sim.NewEngine, scenario.Options{Mode: f.Mode}); err == nil {
				t.Errorf("%s passes all the same: %s", name, f.What)
			}
		}
	}
	t.Logf("%d wrong expectations were noticed", total)
}
