//go:build oracle && linux && amd64

package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSummary(t *testing.T) {
	var out, problems bytes.Buffer
	require.Zero(t, run([]string{"--peers", "6", "--seeds", "1-3", "--prompt"}, &out, &problems))
	require.Contains(t, out.String(), "seed 2: ")
	require.Contains(t, out.String(), "3 seeds whole, 0 stay apart; ")
	require.Contains(t, out.String(), "ms from the heal: least ")

	out.Reset()
	require.Zero(t, run([]string{"--peers", "4", "--seeds", "1-1", "--friends", "cross:0", "--ours"}, &out, &problems))
	require.Contains(t, out.String(), "seed 1: apart, ")
	require.Contains(t, out.String(), "0 seeds whole, 1 stay apart; ")
	require.Empty(t, problems.String())
}

func TestMisuse(t *testing.T) {
	for _, args := range [][]string{{"--seeds", "5"}, {"--peers", "1"}, {"--friends", "star"}, {"--friends", "cross:99", "--peers", "4"}, {"6"}} {
		var out, problems bytes.Buffer
		require.NotZero(t, run(args, &out, &problems), args)
		require.NotEmpty(t, problems.String())
	}
}
