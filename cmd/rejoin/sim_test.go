package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/sim"
)

// runSim runs rejoin sim with these arguments.
func runSim(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = run(append([]string{"rejoin", "sim"}, args...), strings.NewReader(""), &out, &errs)
	return code, out.String(), errs.String()
}

func TestSimRun(t *testing.T) {
	code, out, progress := runSim("run", "--peers", "16", "--groups", "8/8", "--cut", "100s", "--seed", "4")
	assert.Equal(t, exitGood, code)
	assert.Contains(t, out, "whole again")
	assert.Regexp(t, `[\d,]+ packets, \d+:\d\d of virtual time in .*, trace [0-9a-f]{16}\n$`, out)
	assert.Contains(t, progress, "16 peers, split 8/8 for 1m40s, friends cross:2, seed 4\n")
	assert.Contains(t, progress, "16 see 16\n")
	assert.Contains(t, progress, "16 see 8\n")
	assert.Regexp(t, `6 texts while apart, shown \d+ times among their own and never beyond the cut\n`, progress)
	assert.NotContains(t, progress, "\r", "no terminal")
}

func TestSimRunJSON(t *testing.T) {
	args := []string{"run", "--groups", "5/4/3", "--friends", "all", "--cut", "90s", "--seed", "9", "--json"}
	code, out, _ := runSim(args...)
	assert.Equal(t, exitGood, code)
	o := object(t, out)
	for _, key := range []string{"seed", "peers", "deliveries", "heal_ms", "converged", "recoverable", "trace_hash", "virtual_ms", "wall_ms"} {
		assert.Contains(t, o, key)
	}
	assert.EqualValues(t, 9, o["seed"])
	assert.EqualValues(t, 12, o["peers"])
	assert.Equal(t, true, o["converged"])
	assert.Equal(t, true, o["recoverable"])
	assert.Positive(t, o["heal_ms"])

	_, again, _ := runSim(args...)
	assert.Equal(t, o["trace_hash"], object(t, again)["trace_hash"], "one seed decides everything")
	_, unchecked, _ := runSim(append(args, "--check=false")...)
	assert.Equal(t, o["trace_hash"], object(t, unchecked)["trace_hash"], "checks change nothing")
	_, other, _ := runSim(append(args, "--seed", "10")...)
	assert.NotEqual(t, o["trace_hash"], object(t, other)["trace_hash"])
	code, reference, _ := runSim(append(args, "--reference")...)
	assert.Equal(t, exitGood, code)
	assert.Equal(t, true, object(t, reference)["converged"])
}

func TestSimRunCannotMerge(t *testing.T) {
	code, out, _ := runSim("run", "--peers", "8", "--friends", "cross:0")
	assert.Equal(t, exitBad, code)
	assert.Contains(t, out, "cannot merge: no friendship joins the parts of 4 and 4")

	code, out, _ = runSim("run", "--peers", "8", "--friends", "cross:0", "--json")
	assert.Equal(t, exitBad, code)
	o := object(t, out)
	assert.Equal(t, false, o["converged"])
	assert.Equal(t, false, o["recoverable"])
	assert.Nil(t, o["heal_ms"])
}

func TestSimRunVerbose(t *testing.T) {
	code, _, log := runSim("run", "--peers", "2", "--cut", "70s", "--friends", "ring", "-v")
	assert.Equal(t, exitGood, code)
	assert.Contains(t, log, "peer 0 freezes peer 1")
	assert.Contains(t, log, "peer 1 thaws peer 0")
}

func TestSimSweep(t *testing.T) {
	code, out, _ := runSim("sweep", "--seeds", "20-39", "--peers", "6")
	assert.Equal(t, exitGood, code)
	assert.Contains(t, out, "20 seeds, each run twice: ")
	assert.Contains(t, out, ", 0 failed\n")

	var hashes []any
	for _, jobs := range []string{"1", "3"} {
		code, out, _ = runSim("sweep", "--seeds", "20-39", "--peers", "6", "--twice=false", "--jobs", jobs, "--json")
		assert.Equal(t, exitGood, code)
		o := object(t, out)
		assert.EqualValues(t, 20, o["seeds"])
		assert.Empty(t, o["failed"])
		assert.NotNil(t, o["failed"])
		assert.Equal(t, false, o["twice"])
		hashes = append(hashes, o["trace_hash"])
	}
	assert.Equal(t, hashes[0], hashes[1], "on any number of cores")

	code, _, log := runSim("sweep", "--seeds", "20", "--peers", "6", "-v")
	assert.Equal(t, exitGood, code)
	assert.Contains(t, log, "seed 20\n")
	assert.Contains(t, log, "peer 0 founds conference")
}

// A failing seed is listed with the command that runs it again.
func TestSimSweepReport(t *testing.T) {
	s := sweep{seeds: newSeeds(1, 30, 1, newLiveLine(&bytes.Buffer{}))}
	s.trial.Peers = 8
	s.trial.Reference = true
	for seed := uint64(1); seed <= 25; seed++ {
		s.add(&sim.Result{Seed: seed}, "went wrong")
	}
	var out bytes.Buffer
	s.tell(&out)
	assert.Contains(t, out.String(),
		"FAIL seed 17: went wrong\n     rejoin sim sweep --seeds 17-17 --peers 8 --reference -v\n")
	assert.NotContains(t, out.String(), "seed 21")
	assert.Contains(t, out.String(), "and 5 more failing seeds\n")
	assert.Contains(t, out.String(), "0 whole, 0 unrecoverable, 25 failed\n")
}

func TestSimMisuse(t *testing.T) {
	for _, line := range []string{
		"run --peers 1", "run --peers 2001", "run --groups 5", "run --groups 5/x", "run --groups 0/5",
		"run --peers 9 --groups 5/5", "run --friends star", "run --friends cross:99 --peers 4", "run --cut 0s",
		"run --cut 25h", "run --seed -1", "run extra", "run --nonsense",
		"sweep --seeds 5-4", "sweep --seeds x", "sweep --seeds 1-", "sweep --peers 2", "sweep --peers 101",
		"sweep --jobs -1", "sweep extra", "walk",
	} {
		code, _, stderr := runSim(strings.Fields(line)...)
		assert.Equal(t, exitMisuse, code, line)
		assert.Contains(t, stderr, "rejoin: ", line)
	}
}

func TestSimHelp(t *testing.T) {
	code, out, _ := runSim("--help")
	assert.Equal(t, exitGood, code)
	assert.Contains(t, out, "sweep")
	code, out, _ = runSim("run", "--help")
	assert.Equal(t, exitGood, code)
	assert.Contains(t, out, "cross:K")
}

func TestSimFormats(t *testing.T) {
	assert.Equal(t, "1,234,567", commas(1234567))
	assert.Equal(t, "999", commas(999))
	assert.Equal(t, "2:05", clock(125_999))
	assert.Equal(t, "0.3 s", seconds(350))
	assert.Equal(t, "█████░░░░░", bar(5, 10, 10))
	assert.Equal(t, "░░", bar(0, 0, 2))
	for ms, want := range map[int64]string{120_000: "2m", 90_000: "1m30s", 7_200_000: "2h", 500: "500ms", 3_660_000: "1h1m"} {
		assert.Equal(t, want, span(packets.Time(ms)))
	}
}

// Why a group could not merge: nobody to merge it, or friends who were trimmed.
func TestSimRunReason(t *testing.T) {
	r := runner{plan: runPlan{peers: 4, edges: [][2]int{{0, 1}, {2, 3}}}}
	v := sim.Verdict{Parts: [][]int{{0, 1}, {2, 3}}}
	assert.Contains(t, r.reason(&v), "no friendship joins the parts of 2 and 2")
	r.plan.edges = [][2]int{{1, 2}}
	assert.Contains(t, r.reason(&v), "friends have forgotten each other")
	v = sim.Verdict{Recoverable: true, Why: []string{"peer 1 does not list 2", "more"}}
	assert.Equal(t, "peer 1 does not list 2", r.reason(&v))
}

func TestSimRunShortCut(t *testing.T) {
	code, out, _ := runSim("run", "--peers", "4", "--cut", "5s")
	assert.Equal(t, exitGood, code)
	assert.Contains(t, out, "still whole after so short a cut: ")
	code, out, _ = runSim("run", "--groups", "1/1/1")
	assert.Equal(t, exitBad, code, "one friendship does not join three")
	assert.Contains(t, out, "the parts of 2 and 1")
}

// On a terminal the line is written over; elsewhere it does not appear.
func TestLiveLine(t *testing.T) {
	var out bytes.Buffer
	l := newLiveLine(&out)
	l.show("passing")
	l.keep("staying")
	assert.Equal(t, "staying\n", out.String())
	out.Reset()
	l.terminal = true
	l.show("one")
	l.show("two")
	l.keep("three")
	assert.Equal(t, "\r\x1b[Kone\r\x1b[Ktwo\r\x1b[Kthree\n", out.String())
}

// The JSON of a sweep says what failed.
func TestSweepJSON(t *testing.T) {
	b, err := json.Marshal(sweepReport{Failed: []seedFail{{Seed: 1, Reason: "r", Again: "a"}}})
	require.NoError(t, err)
	assert.Contains(t, string(b), fmt.Sprintf(`"failed":[{"seed":%d,"reason":"r","again":"a"}]`, 1))
}
