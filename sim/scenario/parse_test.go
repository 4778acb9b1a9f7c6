package scenario_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/sim"
	"github.com/tox-rejoin/rejoin/sim/scenario"
)

// TestParseErrors: what is not understood is an error that names the line.
func TestParseErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                                    "no rule line",
		"rule C-1":                            "line 1",
		"rule C-1 t\ngiven\n  tick":           "ends with then",
		"rule C-1 t\nwhen\n  tick":            "ends with then",
		"rule C-1 t\nwhen\nthen\n  nothing":   "the block before is empty",
		"rule C-1 t\nthen\n":                  "the last block is empty",
		"rule C-1 t\nmode fast":               "unknown mode",
		"rule C-1 t\nwhen product\n  tick":    "only then blocks",
		"rule C-1 t\n  tick":                  "outside",
		"rule C-1 t\npeer a":                  "not a peer",
		"rule C-1 t\npeer A key=zz":           "bad key",
		"rule C-1 t\nconference x":            "conferences are",
		"rule C-1 t\nthen\n  nothing\npeer A": "declarations stand before",
		"rule C-1 t\nwhen\n  tick\ngiven\n  tick\nthen\n  nothing": "needs a then",
		"rule C-1 t\nwhen\n  dance\nthen\n  nothing":               "unknown step",
		"rule C-1 t\nwhen\n  wait 10ms\nthen\n  nothing":           "whole number of frames",
		"rule C-1 t\nwhen\n  A sends dance\nthen\n  nothing":       "unknown packet",
		"rule C-1 t\nwhen\n  A sends 0000#x ping\nthen\n  nothing": "invalid syntax",
		"rule C-1 t\nwhen\n  A sends member\nthen\n  nothing":      "number of fields",
		"rule C-1 t\nwhen\n  A sends online @x\nthen\n  nothing":   "unknown conference",
		"rule C-1 t\nwhen\n  A sends 61 <zz>\nthen\n  nothing":     "unknown symbol",
		"rule C-1 t\nthen\n  to A online":                          "not a peer",
		"rule C-1 t\nthen\n  to A:":                                "unknown packet",
		"rule C-1 t\nthen\n  error unheard-of":                     "unknown error",
		"rule C-1 t\nthen\n  event dance A":                        "unknown expectation",
		"rule C-1 t\nthen\n  event left":                           "number of fields",
		"rule C-1 t\nthen\n  active A":                             "peer=number",
		"rule C-1 t\nthen\n  neighbour A dancing":                  "unknown word",
		"rule C-1 t\nthen\n  title \"x":                            "quote is not closed",
	} {
		_, err := scenario.Parse(text)
		require.ErrorIs(t, err, scenario.ErrSyntax, text)
		require.ErrorContains(t, err, want, text)
	}
}

// TestExact: whatever is not mentioned, or is mentioned wrongly, is a mismatch.
func TestExact(t *testing.T) {
	const given = "rule C-1 t\nconference g av\ngiven\n  joined 17da A=0000\n"
	for name, test := range map[string]struct{ text, want string }{
		"packet":            {"when\n  A sends query\nthen\n  title \"\"", "unexpected packet"},
		"missing packet":    {"when\n  tick\nthen\n  to A: query", "nothing was sent"},
		"wrong packet":      {"when\n  A sends query\nthen\n  to A: query", "want to A: 62004108"},
		"event":             {"when\n  A sends 0000#1 name \"\"\n  A sends 0000#2 name \"n\"\nthen\n  to A: 0000#1 name \"\"\n  to A: 0000#2 name \"n\"", "unexpected event"},
		"missing event":     {"when\n  tick\nthen\n  event connected", "there was no event"},
		"connection":        {"when\n  we leave\nthen\n  to A: 17da#3 kill 17da", "unexpected connection"},
		"missing operation": {"when\n  tick\nthen\n  release A", "no connection was asked for"},
		"refused":           {"when\n  A sends 61 00\nthen\n  title \"\"", "unexpected error"},
		"refused in given":  {"given\n  A sends 61 00\nthen\n  nothing", "unexpected error"},
		"not refused":       {"when\n  tick\nthen\n  refused", "there was no error"},
		"wrong error":       {"when\n  A sends 61 00\nthen\n  refused no-link", "got error"},
		"draw left":         {"when\n  draw 0000\nthen\n  nothing", "were not drawn"},
		"dropped":           {"when\n  A sends query\nthen\n  dropped", "unexpected packet"},
		"list":              {"then\n  active me=17da A=0000", "it is A(A/0)=0000"},
		"dht":               {"then\n  active A/1=0000 me=17da", "it is A(A/0)=0000"},
		"neighbour":         {"then\n  neighbour A online closest", "it is online=true"},
		"no neighbour":      {"then\n  neighbour B online", "the neighbours are A"},
		"absent neighbour":  {"then\n  neighbour A none", "the neighbours are A"},
		"no conference":     {"then\n  title \"\" @g", "no conference g"},
		"saved":             {"then\n  saved 00", "it is"},
		"node is gone":      {"when\n  load 00 <66*45>\nthen\n  error cut\n  title \"\"", "there is no node"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := scenario.Parse(given + test.text)
			require.NoError(t, err)
			err = scenario.Play(s, sim.NewEngine, scenario.Options{Mode: scenario.Reference})
			require.ErrorIs(t, err, scenario.ErrMismatch)
			require.ErrorContains(t, err, test.want)
		})
	}
}

// TestComments: blanks and comments do not matter.
func TestComments(t *testing.T) {
	text := "# about\nrule C-1 t # so\n\nwhen\n\twe create # ours\n\nthen # this\n  title \"\" \n"
	s, err := scenario.Parse(text)
	require.NoError(t, err)
	require.Equal(t, "C-1", s.Rule)
	require.Equal(t, "t", s.Title)
	for _, m := range s.Modes() {
		require.NoError(t, scenario.Play(s, sim.NewEngine, scenario.Options{Mode: m}))
	}
	require.NotEmpty(t, s.Flips())
	require.True(t, strings.HasPrefix(s.Flips()[0].What, "reference line 8: "), s.Flips()[0].What)
}
