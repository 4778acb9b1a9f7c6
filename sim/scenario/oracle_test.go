//go:build oracle && linux && amd64

package scenario_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/sim/oracle"
	"github.com/tox-rejoin/rejoin/sim/scenario"
)

// TestOracle plays what the files say about Reference mode on c-toxcore's own
// code: so the rules are its rules, and not what we think they are.
func TestOracle(t *testing.T) {
	for name, s := range files(t) {
		for _, m := range s.Modes() {
			if m != scenario.Reference {
				continue
			}
			t.Run(name, func(t *testing.T) {
				opt := scenario.Options{Mode: m, EveryFrame: true, Mute: true}
				require.NoError(t, scenario.Play(s, oracle.New, opt))
			})
		}
	}
}
