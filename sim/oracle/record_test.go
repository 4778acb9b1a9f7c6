//go:build oracle && linux && amd64

package oracle

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// recorded is a line of differential.txt.
type recorded struct {
	first, last uint64
	hash        uint64
}

// record reads differential.txt: its ranges and the line for all of them.
func record(t *testing.T) (ranges []recorded, all recorded) {
	f, err := os.Open("differential.txt")
	require.NoError(t, err)
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line, total := strings.CutPrefix(lines.Text(), "all ")
		if line == "" || line[0] == '#' {
			continue
		}
		var r recorded
		var drivers string
		_, err := fmt.Sscanf(strings.Replace(line, "-", " ", 1), "%d %d %s %x", &r.first, &r.last, &drivers, &r.hash)
		require.NoError(t, err, "%q", line)
		require.Equal(t, "mesh,solo", drivers)
		if total {
			all = r
		} else {
			ranges = append(ranges, r)
		}
	}
	require.NoError(t, lines.Err())
	return ranges, all
}

// TestRecord checks that the ranges of differential.txt are without a gap and add up,
// and plays the first and the last of them again.
func TestRecord(t *testing.T) {
	ranges, all := record(t)
	require.NotEmpty(t, ranges)
	next, sum := all.first, uint64(0)
	for _, r := range ranges {
		require.Equal(t, next, r.first)
		next = r.last + 1
		sum += r.hash
	}
	require.Equal(t, all.last+1, next)
	require.Equal(t, fmt.Sprintf("%016x", all.hash), fmt.Sprintf("%016x", sum))

	for _, r := range []recorded{ranges[0], ranges[len(ranges)-1]} {
		sum := uint64(0)
		for seed := r.first; seed <= r.last; seed++ {
			o := Differ(seed, DefaultDrivers())
			require.Empty(t, o.Difference)
			sum += o.Combined()
		}
		require.Equal(t, fmt.Sprintf("%016x", r.hash), fmt.Sprintf("%016x", sum), "seeds %d to %d", r.first, r.last)
	}
}
