package main

import (
	"bytes"
	"encoding/json"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/sim"
	"github.com/tox-rejoin/rejoin/sim/measure"
)

func TestSimReport(t *testing.T) {
	code, out, progress := runSim("report", "--sizes", "6,3", "--seeds", "2-4", "--friends", "ring")
	require.Equal(t, exitGood, code, progress)
	assert.Contains(t, out, "HEAL: two halves, apart for 2m, friends ring;")
	assert.Regexp(t, `(?m)^    3  ours           3 .* none$`, out, "sizes in order")
	assert.Regexp(t, `(?m)^    6  ours           3 .* none$`, out)
	assert.Regexp(t, `(?m)^none +ours +none +none +none$`, out)
	assert.Regexp(t, `(?m)^cut in halves for 2 min +ours +[45]\d\.\d % +\d+\.\d % +none$`, out)
	assert.Regexp(t, `up to 4,797 peers at 50 ms a hop, 1,199 hops; our engine lists 4,096 at most\n`, out)
	assert.Equal(t, len(reportOthers()) == 0, regexp.MustCompile(`-tags oracle`).MatchString(out), "how to get c-toxcore")
	assert.NotContains(t, progress, "\r", "no terminal")

	_, again, _ := runSim("report", "--sizes", "3,6", "--seeds", "2-4", "--friends", "ring", "--jobs", "1")
	assert.Equal(t, out, again, "on any number of cores")
}

func TestSimReportJSON(t *testing.T) {
	code, out, progress := runSim("report", "--sizes", "4,8", "--seeds", "1-6", "--json")
	require.Equal(t, exitGood, code, progress)
	o := object(t, out)
	for _, key := range []string{"cut_ms", "hop_ms", "friends", "oracle", "heals", "message_peers", "messages", "rings", "wall_ms"} {
		assert.Contains(t, o, key)
	}
	var rep fullReport
	d := json.NewDecoder(bytes.NewBufferString(out))
	d.DisallowUnknownFields()
	require.NoError(t, d.Decode(&rep))
	codes := 1 + len(reportOthers())
	require.Len(t, rep.Heals, 2*codes)
	for _, h := range rep.Heals {
		assert.Equal(t, 6, h.Whole, h.Code)
		assert.Empty(t, h.Trouble)
		assert.NotNil(t, h.Trouble)
		assert.EqualValues(t, 6, h.To-h.From+1)
		ordered(t, h.Heal)
		ordered(t, h.Least)
		ordered(t, h.Over)
		assert.LessOrEqual(t, *h.Least.P50, *h.Heal.P50)
		assert.LessOrEqual(t, *h.Least.Worst, *h.Heal.Worst)
		assert.GreaterOrEqual(t, *h.Over.P50, packets.Time(0))
		assert.Positive(t, *h.Packets.P50)
		assert.LessOrEqual(t, *h.Packets.P50, *h.Packets.Worst)
		assert.LessOrEqual(t, h.Hops, h.RingHops)
	}
	require.Len(t, rep.Messages, codes*len(measure.Faults(8)))
	for _, m := range rep.Messages {
		assert.Zero(t, m.Merged.Lost, m.Fault)
		assert.Equal(t, reportLossSeeds, m.Seeds)
	}
	for i, ring := range rep.Rings[1:] {
		assert.Less(t, ring.Peers, rep.Rings[i].Peers, "slower hops, smaller groups")
	}
}

func ordered(t *testing.T, s timeSpread) {
	t.Helper()
	assert.LessOrEqual(t, *s.P50, *s.P99)
	assert.LessOrEqual(t, *s.P99, *s.Worst)
}

// A group that cannot merge is told of, and is no failure: nobody said it could.
func TestSimReportApart(t *testing.T) {
	code, out, _ := runSim("report", "--sizes", "4", "--seeds", "1", "--friends", "cross:0")
	assert.Equal(t, exitGood, code)
	assert.Regexp(t, `(?m)^    4  ours           1   never   never   never     never   never   never .* never  1 no-friendship$`, out)
}

// A failing engine ends the report.
func TestSimReportFailure(t *testing.T) {
	plan := reportPlan{sizes: []int{4}, from: 1, to: 1, friends: sim.Friends{K: 1}, jobs: 2}
	broken := func(cfg conference.Config, saved []packets.SavedConference, now packets.Time) (sim.Node, error) {
		cfg.Name = make([]byte, packets.MaxName+1)
		return sim.NewEngine(cfg, saved, now)
	}
	r := newReporter(plan, []reportCode{{"broken", broken, broken, false}}, newLiveLine(&bytes.Buffer{}))
	assert.ErrorContains(t, r.run(), ", seed 1: ")
}

func TestSimReportMisuse(t *testing.T) {
	for _, args := range [][]string{
		{"--sizes", "1"}, {"--sizes", "2001"}, {"--sizes", "8,8"}, {"--sizes", "8,x"}, {"--sizes", ""}, {"--full", "--sizes", "8"},
		{"--seeds", "3-1"}, {"--friends", "star"}, {"--sizes", "2"}, {"--jobs", "-1"}, {"now"},
	} {
		code, out, problem := runSim(append([]string{"report"}, args...)...)
		assert.Equal(t, exitMisuse, code, args)
		assert.Empty(t, out, args)
		assert.NotEmpty(t, problem, args)
	}
}

// Large groups take fewer seeds unless seeds are asked for.
func TestSimReportSeeds(t *testing.T) {
	for _, c := range []struct {
		plan reportPlan
		want []uint64
	}{
		{reportPlan{from: 1, to: 20, few: true}, []uint64{20, 20, 2, 1}},
		{reportPlan{from: 1, to: 100, few: true}, []uint64{100, 100, 10, 1}},
		{reportPlan{from: 7, to: 20}, []uint64{20, 20, 20, 20}},
	} {
		p := &c.plan
		assert.Equal(t, c.want, []uint64{p.last(8), p.last(100), p.last(300), p.last(1000)})
	}
}
