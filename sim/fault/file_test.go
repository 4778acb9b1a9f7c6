package fault

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/sim"
)

// everyOp is a scenario with each operation and each field.
func everyOp() Scenario {
	s := Scenario{
		Note: "<each> \"operation\"", Seed: 1 << 63, Peers: 4, Others: 1, Friends: Friends{Edges: [][2]int{{0, 1}, {3, 2}}},
		Audio: true, Reference: true, MaxFrozen: -1, Expect: "no-friendship",
		Network: sim.Network{Loss: 0.125, Delay: sim.Delay{Law: sim.RecordedDelay, Recorded: []packets.Time{1, 10_000}}},
	}
	halves := [][]int{{0, 1}, {2}, {4, 3}}
	s.Ops = []Op{
		{Kind: Cut, Groups: halves}, {Kind: Cut, Groups: halves, OneWay: true}, {Kind: Heal}, {Kind: Heal, Groups: halves},
		{Kind: Jam, Groups: halves}, {Kind: Unjam}, {Kind: Unjam, Groups: halves, OneWay: true},
		{Kind: Net},
		{Kind: Net, Network: sim.Network{Duplicate: 0.5, Reorder: 0.25, Delay: sim.Delay{Law: sim.ParetoDelay, Least: 3, Shape: 1.5}}},
		{Kind: Reset, Node: 0, Peer: 4}, {Kind: Slow, Node: 1, MS: 400}, {Kind: Slow, Node: 1}, {Kind: Pause}, {Kind: Resume},
		{Kind: Clock, MS: -12345}, {Kind: Crash}, {Kind: Quit, Node: 3}, {Kind: Delete, Node: 2},
		{Kind: Restart, Save: Newest}, {Kind: Restart, Node: 1, Save: Older, Back: 2}, {Kind: Restart, Save: Torn},
		{Kind: Restart, Save: Torn, Left: 65535}, {Kind: Restart, Node: 1, Save: Copy}, {Kind: Leave, Node: 1},
		{Kind: Befriend, Peer: 1}, {Kind: Unfriend, Node: 4, Peer: 1}, {Kind: Invite, Peer: 1}, {Kind: Invite, Peer: 1, Late: true},
		{Kind: Join, Node: 1}, {Kind: Talk, Text: "a & b"}, {Kind: Talk}, {Kind: Rename, Text: ""}, {Kind: Retitle, Text: "é"},
		{Kind: Lossy, Text: "x"}, {Kind: Frozen, Most: 0}, {Kind: Frozen, Node: 2, Most: 5}, {Kind: Settle, Core: []int{3, 1}},
	}
	for i := range s.Ops {
		s.Ops[i].T = packets.Time(i * i)
	}
	return s
}

func TestRoundTrip(t *testing.T) {
	s := everyOp()
	kinds := map[Kind]bool{}
	for i := range s.Ops {
		kinds[s.Ops[i].Kind] = true
		assert.NotEmpty(t, s.Ops[i].String())
	}
	assert.Len(t, kinds, 25, "all of them")
	b := s.Append(nil)
	got, err := Read(bytes.NewReader(b))
	require.NoError(t, err)
	assert.Equal(t, s, got)
	assert.Equal(t, string(b), string(got.Append(nil)))
}

// What Swarm draws is a scenario, and its file says all of it.
func TestRoundTripSwarm(t *testing.T) {
	for seed := range uint64(300) {
		s := Swarm(seed, 20+int(seed%3)*60)
		require.NoError(t, s.Check(), "seed %d", seed)
		got, err := Read(bytes.NewReader(s.Append(nil)))
		require.NoError(t, err)
		require.Equal(t, s, got)
	}
}

// An error says where it is.
func TestErrors(t *testing.T) {
	const head = `{"fault":1,"seed":1,"peers":4,"friends":"ring"}` + "\n"
	for in, want := range map[string]string{
		"":                                    `line 1: no header`,
		"{}":                                  `line 1, "fault": 0: not a scenario of version 1`,
		`{"fault":1,"peers":1}`:               `line 1, "peers": 1, want 2 to 2000`,
		`{"fault":1,"peers":"x"}`:             `line 1, "peers": string, want int`,
		`{"fault":1,"peers":2,"x":1}`:         `line 1: unknown field "x"`,
		`{"fault":1,"peers":2} {}`:            `line 1: something behind the object`,
		`{"fault":1,"peers":2,"friends":"y"}`: `line 1, "friends": "y" is none of chain, ring, pairs and all`,
		`{"fault":1,"peers":2,"friends":[[0,2]]}`:                 `line 1, "friends": 0 and 2 are no two peers`,
		`{"fault":1,"peers":2,"friends":[[0]]}`:                   `line 1: friends: [0] is no pair`,
		`{"fault":1,"peers":2,"expect":"z"}`:                      `line 1, "expect": "z" is no way to end`,
		`{"fault":1,"peers":2,"loss":1}`:                          `line 1, "loss": 1, want 0 or more and less than 1`,
		`{"fault":1,"peers":2,"delay":{"law":"wild"}}`:            `line 1, "delay": "wild" is none of constant`,
		`{"fault":1,"peers":2,"delay":{"law":"pareto","ms":5}}`:   `line 1, "shape": 0, want 0.1 to 10`,
		`{"fault":1,"peers":2,"delay":{"law":"constant","ms":0}}`: `line 1, "ms": 0, want 1 to 10000`,
		`{"fault":1,"peers":2,"delay":{"law":"recorded"}}`:        `line 1, "recorded": 0 delays`,
		head + "{}":                                                     `line 2, "op": "" is no operation`,
		head + `{"op":"heal"}`:                                          `line 2, "t": missing`,
		head + `{"t":1,"op":"cut"}`:                                     `line 2, "groups": missing`,
		head + `{"t":1,"op":"cut","groups":[[0,1]]}`:                    `line 2, "groups": 1, want 2 or more`,
		head + `{"t":1,"op":"cut","groups":[[0],[]]}`:                   `line 2, "groups": an empty one`,
		head + `{"t":1,"op":"cut","groups":[[0],[0]]}`:                  `line 2, "groups": 0 twice`,
		head + `{"t":1,"op":"cut","groups":[[0],[4]]}`:                  `line 2, "groups": 4, want 0 to 3`,
		head + `{"t":1,"op":"talk","node":1}`:                           `line 2, "text": missing`,
		head + `{"t":1,"op":"crash","node":1,"peer":2}`:                 `line 2, "peer": crash does not have it`,
		head + `{"t":1,"op":"crash","node":4}`:                          `line 2, "node": 4, want 0 to 3`,
		head + `{"t":1,"op":"reset","node":1,"peer":1}`:                 `line 2, "peer": 1, want another node, 0 to 3`,
		head + `{"t":1,"op":"lossy","node":1,"text":"x"}`:               `line 2, "op": lossy needs an audio conference`,
		head + `{"t":1,"op":"retitle","node":1,"text":""}`:              `line 2, "text": 0 bytes, want 1 to 128`,
		head + `{"t":1,"op":"slow","node":1,"ms":-1}`:                   `line 2, "ms": -1, want 0 to 5000`,
		head + `{"t":1,"op":"restart","node":1,"save":"old"}`:           `line 2, "save": "old" is none of newest, older, torn and copy`,
		head + `{"t":1,"op":"restart","node":1,"save":"older"}`:         `line 2, "back": missing`,
		head + `{"t":1,"op":"restart","node":1,"save":"newest","of":2}`: `line 2, "of": restart does not have it`,
		head + `{"t":2,"op":"heal"}` + "\n" + `{"t":1,"op":"heal"}`:     `line 3, "t": 1 is before the line above, at 2`,
		head + `{"t":2,"op":"settle"}` + "\n" + `{"t":2,"op":"heal"}`:   `line 2, "op": settle is not the last`,
	} {
		_, err := Read(strings.NewReader(in))
		require.ErrorIs(t, err, ErrScenario, in)
		var e *Error
		require.ErrorAs(t, err, &e, in)
		assert.Contains(t, err.Error(), want, in)
	}
}

// FuzzScenario reads what it is given. What can be read is written in one form,
// and that form is read as the same scenario.
func FuzzScenario(f *testing.F) {
	s := everyOp()
	f.Add(s.Append(nil))
	for seed := range uint64(4) {
		s := Swarm(seed, 0)
		f.Add(s.Append(nil))
	}
	files, err := filepath.Glob("testdata/*.jsonl")
	require.NoError(f, err)
	for _, name := range files {
		b, err := os.ReadFile(name)
		require.NoError(f, err)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		s, err := Read(bytes.NewReader(in))
		if err != nil {
			require.ErrorIs(t, err, ErrScenario)
			return
		}
		b := s.Append(nil)
		again, err := Read(bytes.NewReader(b))
		require.NoError(t, err, "%s", b)
		require.Equal(t, string(b), string(again.Append(nil)))
	})
}
