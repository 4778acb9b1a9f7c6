package hostile

import (
	"fmt"
	"io"
	"slices"

	"github.com/tox-rejoin/rejoin/packets"
)

// Row is what one attack did in many trials.
type Row struct {
	Attack  Attack
	Trials  int
	Peers   int     // honest peers in each
	Apart   float64 // Harm.Apart, mean
	Wrong   float64 // Harm.Wrong, mean
	Own     int     // Harm.Own, in all trials
	Sends   float64 // Harm.Sends, mean
	Bytes   float64 // Harm.Bytes, mean
	Burst   int     // Harm.Burst, greatest
	Hurried uint64  // Harm.Hurried, in all trials
	Storms  int     // trials that had to be broken off
	Whole   int     // trials that became whole again
	Median  packets.Time
	Worst   packets.Time // until they were whole, after the attacker had gone
	Lost    float64      // share of ordered honest pairs of which one does not list the other at the end; 1 in a storm
	Deaf    float64      // the same for pairs of which one is not shown what the other says; 1 in a storm
	Ghost   float64      // wrong entries per honest peer at the end
	Err     error        // the first bound that was broken
}

// Survey plays each attack, and mixtures of them, with the seeds 1 to seeds;
// all else is as in t.
func Survey(t Trial, seeds uint64) []Row {
	rows := make([]Row, 0, Mixture+1)
	for a := range Mixture + 1 {
		t.Attack = a
		rows = append(rows, Measure(t, seeds))
	}
	return rows
}

// Measure plays one attack with the seeds 1 to seeds.
func Measure(t Trial, seeds uint64) Row {
	r := Row{Attack: t.Attack, Trials: int(seeds)}
	var times []packets.Time
	for t.Seed = 1; t.Seed <= seeds; t.Seed++ {
		res := t.Run()
		if r.Err == nil && res.Err != nil {
			r.Err = fmt.Errorf("seed %d: %w", t.Seed, res.Err)
		}
		h := &res.Harm
		r.Peers = res.Members
		pairs := float64(res.Members * (res.Members - 1) * int(seeds))
		r.Apart += h.Apart / float64(seeds)
		r.Wrong += h.Wrong / float64(seeds)
		r.Own += h.Own
		r.Sends += h.Sends / float64(seeds)
		r.Bytes += h.Bytes / float64(seeds)
		r.Burst = max(r.Burst, h.Burst)
		r.Hurried += h.Hurried
		r.Ghost += float64(h.Ghost) / float64(res.Members*int(seeds))
		if h.Storm {
			r.Storms++
			r.Lost += 1 / float64(seeds)
			r.Deaf += 1 / float64(seeds)
			continue
		}
		r.Lost += float64(h.Lost) / pairs
		r.Deaf += float64(h.Deaf) / pairs
		if h.Whole >= 0 {
			times = append(times, h.Whole)
		}
	}
	if r.Whole = len(times); r.Whole > 0 {
		slices.Sort(times)
		r.Median, r.Worst = times[(r.Whole-1)/2], times[r.Whole-1]
	}
	return r
}

// Print writes what the attacks did to us, and below each line what they did to
// others; either may be empty.
func Print(w io.Writer, ours, others []Row) error {
	_, err := fmt.Fprintln(w, "attack         apart  wrong  own   sends   bytes  storms   whole  median  worst   lost   deaf  ghosts")
	for i := range max(len(ours), len(others)) {
		for k, rows := range [2][]Row{ours, others} {
			if i >= len(rows) || err != nil {
				continue
			}
			r := &rows[i]
			name := r.Attack.String()
			if k == 1 && len(ours) > 0 {
				name = "  c-toxcore"
			}
			median, worst := "-", "-"
			if r.Whole > 0 {
				median = fmt.Sprintf("%d s", r.Median/packets.Second)
				worst = fmt.Sprintf("%d s", r.Worst/packets.Second)
			}
			_, err = fmt.Fprintf(w, "%-12s %5.0f %% %6.1f %4d %7.1f %7.1f %7d %3d/%-3d %7s %6s %4.0f %% %4.0f %% %7.1f\n",
				name, 100*r.Apart, r.Wrong, r.Own, r.Sends, r.Bytes, r.Storms, r.Whole, r.Trials, median, worst,
				100*r.Lost, 100*r.Deaf, r.Ghost)
		}
	}
	return err
}
