package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/internal/vectors"
)

// runTrace runs rejoin trace check with these arguments.
func runTrace(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = run(append([]string{"rejoin", "trace", "check"}, args...), strings.NewReader(""), &out, &errs)
	return code, out.String(), errs.String()
}

// unzipped is a recording, as it was before it was gzipped.
func unzipped(t *testing.T, name string) string {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(readFile(t, name)))
	require.NoError(t, err)
	b, err := io.ReadAll(r)
	require.NoError(t, err)
	return string(b)
}

// All recordings at hand, one line each, and nothing on standard error.
func TestTraceCheckAll(t *testing.T) {
	files, err := vectors.Recordings()
	require.NoError(t, err)
	code, stdout, stderr := runTrace(files...)
	assert.Equal(t, exitGood, code)
	assert.Empty(t, stderr)
	got := strings.Split(strings.TrimSuffix(stdout, "\n"), "\n")
	require.Len(t, got, len(files))
	for i, file := range files {
		assert.Regexp(t, `^ok \S+ nodes=\d+ packets=\d+ states=\d+ events=\d+ saves=\d+ quirks=\d+$`, got[i])
		assert.True(t, strings.HasPrefix(got[i], "ok "+file+" "), got[i])
	}
}

// A plain file, a changed one and one that is not there, in this order.
func TestTraceCheckMixed(t *testing.T) {
	dir := t.TempDir()
	recording := unzipped(t, vectors.Path("vectors", "wire", "s1_two_peers.jsonl.gz"))
	plain, changed, missing := filepath.Join(dir, "plain"), filepath.Join(dir, "changed"), filepath.Join(dir, "missing")
	require.NoError(t, os.WriteFile(plain, []byte(recording), 0o600))
	// The first packet is an invitation; its last digit is one of the id.
	at := strings.Index(recording, `"hex": "60`)
	at += strings.Index(recording[at:], `"}`) - 1
	digit := "1"
	if recording[at] == '1' {
		digit = "2"
	}
	require.NoError(t, os.WriteFile(changed, []byte(recording[:at]+digit+recording[at+1:]), 0o600))

	code, stdout, stderr := runTrace("--json", plain, changed, missing)
	assert.Equal(t, exitBad, code)
	assert.Empty(t, stderr)
	got := strings.Split(strings.TrimSuffix(stdout, "\n"), "\n")
	require.Len(t, got, 4)
	assert.Equal(t, "ok "+plain+" nodes=2 packets=57 states=7 events=35 saves=0 quirks=0", got[0])
	assert.Regexp(t, `^FAIL \S+/changed line \d+: want packet A->B lossless 60\w+ got packet A->B lossless 60\w+$`, got[1])
	assert.Regexp(t, `^FAIL \S+/missing: `, got[2])

	var all struct {
		OK    bool
		Files []struct {
			File             string
			OK               bool
			Packets, Line    int
			Want, Got, Error string
		}
	}
	require.NoError(t, json.Unmarshal([]byte(got[3]), &all))
	assert.False(t, all.OK)
	require.Len(t, all.Files, 3)
	assert.True(t, all.Files[0].OK)
	assert.Equal(t, 57, all.Files[0].Packets)
	assert.Equal(t, strings.Count(recording[:at], "\n")+1, all.Files[1].Line)
	assert.NotEqual(t, all.Files[1].Want, all.Files[1].Got)
	assert.Contains(t, all.Files[2].Error, "missing")

	code, again, _ := runTrace(plain, changed, missing, "--json")
	assert.Equal(t, exitBad, code)
	assert.Equal(t, stdout, again, "--json behind the files")
}

func TestTraceMisuse(t *testing.T) {
	for _, args := range [][]string{{"trace", "check"}, {"trace", "check", "--json"}, {"trace", "check", "--bogus"}, {"trace", "bogus"}} {
		var out, errs bytes.Buffer
		code := run(append([]string{"rejoin"}, args...), strings.NewReader(""), &out, &errs)
		assert.Equal(t, exitMisuse, code, "%v", args)
		assert.Contains(t, errs.String(), "rejoin: ", "%v", args)
	}
}

func TestTraceHelp(t *testing.T) {
	code, stdout, _ := runTrace("--help")
	assert.Equal(t, exitGood, code)
	assert.Contains(t, stdout, "FAIL FILE line N: want … got …")
	var out bytes.Buffer
	assert.Equal(t, exitGood, run([]string{"rejoin", "trace"}, strings.NewReader(""), &out, io.Discard))
	assert.Contains(t, out.String(), "check")
}
