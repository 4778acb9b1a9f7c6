package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestModule: SPEC.md, code, scenarios and tests of this module belong together.
func TestModule(t *testing.T) {
	root, err := moduleRoot()
	require.NoError(t, err)
	m, err := load(root)
	require.NoError(t, err)
	require.Empty(t, m.problems())
}

// TestNumbers: the rules of SPEC.md are numbered one after the other; letters
// divide a number.
func TestNumbers(t *testing.T) {
	root, err := moduleRoot()
	require.NoError(t, err)
	m, err := load(root)
	require.NoError(t, err)
	parts := regexp.MustCompile(`^([CIT])-(\d+)([a-z]?)$`)
	last, letter := map[string]int{}, ""
	for _, r := range m.rules {
		require.NotEmpty(t, r.text, r.name)
		p := parts.FindStringSubmatch(r.name)
		require.NotNil(t, p, r.name)
		n, err := strconv.Atoi(p[2])
		require.NoError(t, err)
		if n == last[p[1]] {
			require.NotEmpty(t, letter, r.name)
			require.Equal(t, string(letter[0]+1), p[3], r.name)
		} else {
			require.Equal(t, last[p[1]]+1, n, r.name)
			require.Contains(t, []string{"", "a"}, p[3], r.name)
		}
		last[p[1]], letter = n, p[3]
	}
	require.GreaterOrEqual(t, last["C"], 136)
	require.GreaterOrEqual(t, last["I"], 11)
	require.GreaterOrEqual(t, last["T"], 151)
}

// small is a module with rules that belong together with their code, scenarios
// and tests.
func small(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	write(t, root, "go.mod", "module small\n")
	write(t, root, "SPEC.md", "- **C-1** `engine` One.\n- **C-2** `transport` Two.\n- **I-4a** `engine, host` Four\n  a.\n"+
		"- **T-1** `dht, node` Five.\n")
	write(t, root, "conference/a.go", "package conference\n\n// A does it (SPEC C-1 and\n// I-4a).\n")
	write(t, root, "tox/dht/a.go", "package dht\n\nvar a int // SPEC T-1\n")
	write(t, root, "tox/dht/a_test.go", toxTest)
	write(t, root, "tox/node.go", "package tox\n\n// B does it (SPEC T-1).\n")
	for _, dir := range []string{"packets", "peers", "persist"} {
		require.NoError(t, os.MkdirAll(filepath.Join(root, dir), 0o755))
	}
	write(t, root, "sim/scenario/testdata/C-001-create.txt", sound)
	write(t, root, "sim/scenario/testdata/I-004a-create.txt", "rule I-4a t"+sound[len("rule C-1 t"):])
	return root
}

const sound = `rule C-1 t
when
  we create
then
  nothing
  peer-number 0000
`

const toxTest = `package dht

// Five is.
// SPEC T-1
func TestFive(t *testing.T) {}
`

func write(t *testing.T, root, name, text string) {
	t.Helper()
	path := filepath.Join(root, filepath.FromSlash(name))
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
}

func TestSmall(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(small(t), &out), out.String())
	require.Contains(t, out.String(), "conference/a.go:3")
	require.Contains(t, out.String(), "tox/dht/a.go:3 tox/node.go:3  tox/dht:TestFive")
	require.Contains(t, out.String(), "0 problems")
}

func TestProblems(t *testing.T) {
	for name, test := range map[string]struct{ file, text, want string }{
		"no citation": {
			"conference/a.go", "package conference\n\n// SPEC I-4a\n", "C-1 is cited nowhere",
		},
		"no scenario": {
			"SPEC.md", "- **C-1** `engine` One.\n- **I-4a** `engine` A.\n- **I-5** `codec` B.\n", "I-5 has no scenario",
		},
		"citation of nothing": {
			"peers/b.go", "package peers\n\n// SPEC C-77\n", "peers/b.go:3 cites C-77",
		},
		"citation of nothing in a range": {
			"peers/b.go", "package peers\n\nvar x int // SPEC C-1 to C-3\n", "peers/b.go:3 cites C-3",
		},
		"scenario for nothing": {
			"sim/scenario/testdata/C-009-x.txt", "rule C-9 t" + sound[len("rule C-1 t"):], "C-009-x is for C-9",
		},
		"misnamed": {
			"sim/scenario/testdata/C-002-x.txt", sound, "C-002-x is named after C-2, but for C-1",
		},
		"fails": {
			"sim/scenario/testdata/C-001-x.txt", sound[:len(sound)-2] + "1\n", "peer-number is",
		},
		"fails to parse": {
			"sim/scenario/testdata/C-001-x.txt", "rule C-1 t\nthen\n  unheard of\n", "unknown expectation",
		},
		"not a rule": {"SPEC.md", "- **C-1** One.\n", "SPEC.md:1: not a rule"},
		"twice": {
			"SPEC.md", "- **C-1** `engine` One.\n- **C-1** `engine` One.\n", "SPEC.md:2: C-1 for the second time",
		},
		"unknown place": {"SPEC.md", "- **C-1** `attic` One.\n", `unknown place "attic"`},
		"bad range":     {"conference/a.go", "package conference\n\n// SPEC C-5 to C-1\n", "bad range"},
		"not cited in one package": {
			"tox/node.go", "package tox\n", "T-1 is cited nowhere in tox",
		},
		"not cited in the other": {
			"tox/dht/a.go", "package dht\n", "T-1 is cited nowhere in tox/dht",
		},
		"cited elsewhere": {
			"SPEC.md", "- **T-1** `onion` Five.\n", "T-1 is cited nowhere in tox/onion",
		},
		"no test": {
			"tox/dht/a_test.go", "package dht\n", "T-1 has no test",
		},
		"cited by no test": {
			"tox/dht/a_test.go", "package dht\n\n// SPEC T-1\nfunc help() {}\n\nfunc TestFive() {\n\t// SPEC T-1\n}\n", "T-1 has no test",
		},
		"citation of nothing in the transport": {
			"tox/x/b.go", "package x\n\n// SPEC T-2, T-3\n", "tox/x/b.go:3 cites T-3",
		},
		"citation of nothing in a test": {
			"tox/x/b_test.go", "package x\n\nvar x int // SPEC T-4\n", "tox/x/b_test.go:3 cites T-4",
		},
		"place of another kind":    {"SPEC.md", "- **T-1** `engine` One.\n", `unknown place "engine"`},
		"place of the transport":   {"SPEC.md", "- **C-1** `onion` One.\n", `unknown place "onion"`},
		"test that does not parse": {"tox/dht/a_test.go", "// SPEC T-1\n", "expected 'package'"},
	} {
		t.Run(name, func(t *testing.T) {
			root := small(t)
			write(t, root, test.file, test.text)
			var out bytes.Buffer
			err := run(root, &out)
			require.Error(t, err)
			require.Contains(t, out.String()+err.Error(), test.want)
		})
	}
}

// A rule of the engine is not kept by a citation in the transport.
func TestCitedInTransport(t *testing.T) {
	root := small(t)
	write(t, root, "conference/a.go", "package conference\n\n// SPEC I-4a\n")
	write(t, root, "tox/node.go", "package tox\n\n// SPEC C-1, T-1\n")
	m, err := load(root)
	require.NoError(t, err)
	require.Equal(t, []string{"C-1 is cited nowhere"}, m.problems())
}

func TestExpand(t *testing.T) {
	got, err := expand("C-1, C-3 to C-5 and I-4b")
	require.NoError(t, err)
	require.Equal(t, []string{"C-1", "C-3", "C-4", "C-5", "I-4b"}, got)
	got, err = expand("T-9 to T-11")
	require.NoError(t, err)
	require.Equal(t, []string{"T-9", "T-10", "T-11"}, got)
}
