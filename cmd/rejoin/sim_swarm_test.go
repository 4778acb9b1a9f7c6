package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/sim"
	"github.com/tox-rejoin/rejoin/sim/fault"
)

// scenario is a file of sim/fault/testdata.
func scenario(name string) string {
	return filepath.Join("..", "..", "sim", "fault", "testdata", name+".jsonl")
}

func TestSimSwarm(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "failed")
	code, out, _ := runSim("swarm", "--seeds", "1-60", "--peers", "8", "--write", dir)
	assert.Equal(t, exitGood, code, out)
	assert.Regexp(t, `(?m)^60 seeds of up to 8 peers: \d+ whole, .*, 0 failed$`, out)
	assert.Contains(t, out, "known differences: ")
	assert.Regexp(t, `(?m)^never met: \d+ of \d+ kinds of packet, receiver and sender; --missed lists them$`, out)
	assert.NoDirExists(t, dir)

	var hashes []any
	for _, jobs := range []string{"1", "3"} {
		code, out, _ = runSim("swarm", "--seeds", "1-60", "--peers", "8", "--jobs", jobs, "--twice", "--json")
		assert.Equal(t, exitGood, code)
		o := object(t, out)
		assert.EqualValues(t, 60, o["seeds"])
		assert.Empty(t, o["failed"])
		hashes = append(hashes, o["trace_hash"])
	}
	assert.Equal(t, hashes[0], hashes[1], "on any number of cores")
	_, out, _ = runSim("swarm", "--seeds", "1-60", "--peers", "8", "--reference", "--json", "--write", dir)
	assert.NotEqual(t, hashes[0], object(t, out)["trace_hash"])
}

// Each range has a hash of its own, which that range alone has as well.
func TestSimSwarmRanges(t *testing.T) {
	s := swarm{seeds: newSeeds(5, 2404, 1, newLiveLine(&bytes.Buffer{})), peers: 8}
	for seed := s.from; seed <= s.to; seed++ {
		s.add(&fault.Result{Seed: seed, Hash: seed * seed}, nil)
	}
	s.sumUp()
	require.Len(t, s.report.Ranges, 3)
	assert.Equal(t, uint64(2005), s.report.Ranges[2].From)
	assert.Equal(t, uint64(2404), s.report.Ranges[2].To)
	slice := swarm{seeds: newSeeds(1005, 2004, 1, newLiveLine(&bytes.Buffer{})), peers: 8}
	for seed := slice.to; seed >= slice.from; seed-- {
		slice.add(&fault.Result{Seed: seed, Hash: seed * seed}, nil)
	}
	assert.Equal(t, s.report.Ranges[1].Hash, slice.hash())
	var out bytes.Buffer
	s.tell(&out)
	assert.Contains(t, out.String(), "     trace "+slice.hash()+"  seeds 1005-2004\n")
	assert.Equal(t, uint64(10_000), newSeeds(1, 300_000, 1, nil).step())
}

// A failing seed is listed with the command that runs it again and the file of
// its scenario.
func TestSimSwarmReport(t *testing.T) {
	s := swarm{seeds: newSeeds(17, 17, 1, newLiveLine(&bytes.Buffer{})), peers: 8, reference: true, dir: t.TempDir(), missed: true}
	drawn := fault.Swarm(17, 8)
	file, err := s.write(&drawn)
	require.NoError(t, err)
	r := fault.Result{Seed: 17, Reason: sim.RejoinUnanswered}
	s.add(&r, &seedFail{Seed: 17, Reason: r.Why(), Again: s.again(17), File: file})
	s.sumUp()
	var out bytes.Buffer
	s.tell(&out)
	assert.Contains(t, out.String(), "FAIL seed 17: rejoin-unanswered\n"+
		"     rejoin sim swarm --seeds 17-17 --peers 8 --reference -v\n"+
		"     rejoin sim play "+file+"\n")
	assert.Contains(t, out.String(), "\nto blame: 1 rejoin-unanswered\n")
	assert.Contains(t, out.String(), "\n     invite to absent from stranger\n")
	assert.Contains(t, out.String(), "frozen after silence")

	_, want, _ := runSim("draw", "17", "--peers", "8")
	assert.Equal(t, want, string(readFile(t, file)))
}

func TestSimPlay(t *testing.T) {
	code, out, account := runSim("play", scenario("bridge"))
	assert.Equal(t, exitGood, code)
	assert.Contains(t, out, "ends whole, ")
	assert.Contains(t, account, "Peer 4 alone reaches both sides, for two minutes.\n9 peers, friends: all, 3 operations, seed 1\n")
	assert.Contains(t, account, "   0:00.000  cut 0-3 | 5-8\n")
	assert.Contains(t, account, "   1:20.000  talk 0 \"over the bridge\"\n")
	assert.Contains(t, account, "9 see 9\n")

	code, out, account = runSim("play", scenario("no-friendship"), "-v")
	assert.Equal(t, exitGood, code, "as it expects")
	assert.Contains(t, out, "ends no-friendship\n     peer 0 does not list 2, 3\n")
	assert.Contains(t, account, "peer 0 freezes peer 2")
	assert.Contains(t, account, "4 see 2\n")
}

func TestSimPlayJSON(t *testing.T) {
	code, out, _ := runSim("play", "--json", scenario("core"))
	assert.Equal(t, exitGood, code)
	o := object(t, out)
	assert.Equal(t, "whole", o["end"])
	assert.Equal(t, false, o["failed"])
	assert.Positive(t, o["heal_ms"])
	code, out, _ = runSim("play", "--json", "--reference", scenario("core"))
	assert.Equal(t, exitGood, code)
	assert.NotEqual(t, o["trace_hash"], object(t, out)["trace_hash"])
}

// A scenario that ends in another way than it expects has failed.
func TestSimPlayFails(t *testing.T) {
	file := filepath.Join(t.TempDir(), "wrong.jsonl")
	changed := strings.Replace(string(readFile(t, scenario("no-friendship"))), `"expect":"no-friendship"`, `"expect":"whole"`, 1)
	require.NoError(t, os.WriteFile(file, []byte(changed), 0o600))
	code, out, _ := runSim("play", file)
	assert.Equal(t, exitBad, code)
	assert.Contains(t, out, "FAILED: expected whole, ends no-friendship\n")

	require.NoError(t, os.WriteFile(file, []byte(changed+"{\"t\":1}\n"), 0o600))
	code, _, stderr := runSim("play", file)
	assert.Equal(t, exitBad, code)
	assert.Contains(t, stderr, file+`: fault: no scenario: line 5, "op": "" is no operation`)
	code, _, _ = runSim("play", file+".not")
	assert.Equal(t, exitBad, code)
}

// What draw writes, play plays.
func TestSimDraw(t *testing.T) {
	_, drawn, _ := runSim("draw", "3", "--peers", "6")
	var out, errs bytes.Buffer
	code := run([]string{"rejoin", "sim", "play", "-"}, strings.NewReader(drawn), &out, &errs)
	assert.Equal(t, exitGood, code, out.String())
	for _, line := range []string{
		"draw", "draw x", "draw 1 2", "draw 1 --peers 2", "play", "play a b", "swarm x", "swarm --peers 301", "swarm --seeds 2-1",
		"swarm --jobs -1",
	} {
		code, _, stderr := runSim(strings.Fields(line)...)
		assert.Equal(t, exitMisuse, code, line)
		assert.Contains(t, stderr, "rejoin: ", line)
	}
}
