package main

import (
	"encoding/json"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/sim/hostile"
)

func TestSimAttack(t *testing.T) {
	code, out, progress := runSim("attack", "--seeds", "1", "--peers", "4")
	require.Equal(t, exitGood, code, progress)
	for _, a := range hostile.Attacks() {
		assert.Regexp(t, `(?m)^`+a.String()+` +\d+ % `, out)
	}
	assert.Equal(t, len(reportOthers()) == 0, regexp.MustCompile(`-tags oracle`).MatchString(out), "how to get c-toxcore")
	assert.Empty(t, progress, "no terminal")

	code, out, progress = runSim("attack", "--seeds", "1", "--peers", "4", "--json")
	require.Equal(t, exitGood, code, progress)
	var o struct {
		Attacks []attackJSON `json:"attacks"`
	}
	require.NoError(t, json.Unmarshal([]byte(out), &o))
	require.Len(t, o.Attacks, (len(hostile.Attacks())+1)*(1+len(reportOthers())))
	for _, a := range o.Attacks[:len(hostile.Attacks())] {
		assert.Equal(t, "ours", a.Code)
		assert.Equal(t, 1, a.Worlds)
		assert.Zero(t, a.Own)
		assert.Zero(t, a.Storms)
	}
}

func TestSimAttackMisuse(t *testing.T) {
	for _, args := range [][]string{{"--seeds", "0"}, {"--peers", "1"}, {"--peers", "51"}, {"now"}, {"--json", "x"}} {
		code, out, message := runSim(append([]string{"attack"}, args...)...)
		assert.Equal(t, exitMisuse, code, "%v: %s", args, message)
		assert.Empty(t, out)
	}
}
