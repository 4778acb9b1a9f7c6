//go:build oracle && linux && amd64

package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/sim/oracle"
)

func TestRanges(t *testing.T) {
	var out, progress bytes.Buffer
	require.Zero(t, run([]string{"--seeds", "3-5", "--range", "2", "--drivers", "solo", "--each"}, &out, &progress))
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	require.Len(t, lines, 3)
	one := func(seed uint64) uint64 {
		o := oracle.Differ(seed, []oracle.Driver{oracle.Solo})
		return o.Combined()
	}
	require.Equal(t, fmt.Sprintf("3-4 solo %016x", one(3)+one(4)), lines[0])
	require.Equal(t, fmt.Sprintf("5-5 solo %016x", one(5)), lines[1])
	require.Contains(t, lines[2], fmt.Sprintf("all 3-5 solo %016x, ", one(3)+one(4)+one(5)))
	require.Contains(t, progress.String(), "seed 5\n")
	require.Contains(t, progress.String(), "3 of 3 seeds")
}

func TestMisuse(t *testing.T) {
	for _, args := range [][]string{
		{"--seeds", "5"}, {"--seeds", "5-3"}, {"--seeds", "a-b"}, {"--drivers", "none"}, {"--jobs", "0"}, {"--range", "0"}, {"1-3"},
	} {
		var out, progress bytes.Buffer
		require.Equal(t, 2, run(args, &out, &progress), args)
		require.Empty(t, out.String())
		require.NotEmpty(t, progress.String())
	}
	var out, progress bytes.Buffer
	require.Zero(t, run([]string{"--help"}, &out, &progress))
}
