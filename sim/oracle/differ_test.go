//go:build oracle && linux && amd64

package oracle

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	soloSeeds = flag.Int("solo", 2000, "how many seeds of one pair among made-up neighbours")
	soloSize  = flag.Int("inputs", 400, "inputs of one such run")
	firstSeed = flag.Uint64("seed", 1, "first seed")
)

// TestSoloDifferential is random and hostile input for one node.
func TestSoloDifferential(t *testing.T) {
	for seed := *firstSeed; seed < *firstSeed+uint64(*soloSeeds); seed++ {
		note(t, seed)
		if p, d := soloRun(t, seed, true); d != nil {
			report(t, seed, p, d)
		}
	}
}

// soloRun plays a seed. A save that neither of the two loads is no difference.
func soloRun(t *testing.T, seed uint64, reference bool) (*Pair, *Difference) {
	s, err := newSolo(seed, reference)
	if err == nil {
		err = s.run(*soloSize)
	}
	d := (*Difference)(nil)
	if !errors.As(err, &d) && s.pair != nil {
		require.NoError(t, err, "seed %d", seed)
	}
	return s.pair, d
}

// TestSharp is the comparison with an engine that is known to differ: product
// mode has to be told from c-toxcore in nearly every run.
func TestSharp(t *testing.T) {
	const seeds = 60
	found := 0
	for seed := range uint64(seeds) {
		if _, d := soloRun(t, seed, false); d != nil {
			found++
		}
	}
	require.Greater(t, found, seeds*2/3)
	t.Logf("%d of %d", found, seeds)
}

// note leaves the seed where it can be found if c-toxcore aborts the process.
func note(t *testing.T, seed uint64) {
	if name := os.Getenv("ORACLE_SEED_FILE"); name != "" {
		if err := os.WriteFile(name, []byte(fmt.Sprintf("%s -seed %d\n", t.Name(), seed)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// report prints a difference and the shortest inputs that still show it.
func report(t *testing.T, seed uint64, p *Pair, d *Difference) {
	t.Helper()
	if p == nil {
		t.Errorf("seed %d: %v", seed, d)
		return
	}
	inputs, d := shrink(p, d)
	var b strings.Builder
	for i, in := range inputs {
		fmt.Fprintf(&b, "  %3d %v\n", i, in)
	}
	t.Errorf("seed %d, go test -tags oracle ./sim/oracle -run %s -seed %d: self %v, %d friends, %d saved; after\n%s%v",
		seed, t.Name(), seed, p.begin.cfg.Self, len(p.begin.cfg.Friends), len(p.begin.saved), b.String(), d)
}

// replay makes a new pair and the inputs again.
func replay(like *Pair, inputs []input) *Difference {
	b := like.begin
	cfg := b.cfg
	cfg.Rand = again{b.random.drawn, rand.New(rand.NewPCG(7, 7)), new(int)}
	p, err := newPair(cfg, b.saved, b.now)
	if err != nil {
		d := (*Difference)(nil)
		errors.As(err, &d)
		return d
	}
	p.lazy = like.lazy
	for _, in := range inputs {
		if p.do(in); p.diff != nil {
			return p.diff
		}
	}
	return nil
}

// again repeats what was drawn and goes on with something else.
type again struct {
	drawn []byte
	r     *rand.Rand
	at    *int
}

func (a again) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(a.r.Uint32())
		if *a.at < len(a.drawn) {
			b[i] = a.drawn[*a.at]
		}
		*a.at++
	}
	return len(b), nil
}

// shrink leaves out inputs, in ever smaller pieces, while some difference of
// the same sort remains.
func shrink(p *Pair, d *Difference) ([]input, *Difference) {
	inputs := p.inputs[:p.count]
	for size := len(inputs) / 2; size > 0; {
		smaller := false
		for at := 0; at+size <= len(inputs); {
			less := append(append([]input(nil), inputs[:at]...), inputs[at+size:]...)
			if x := replay(p, less); x != nil && x.What == d.What {
				inputs, d, smaller = less[:x.Input+1], x, true
				continue
			}
			at += size
		}
		if !smaller || size > len(inputs) {
			size /= 2
		}
	}
	return inputs, d
}
