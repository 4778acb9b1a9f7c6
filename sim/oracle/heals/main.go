//go:build oracle && linux && amd64

// Command heals measures how long groups of c-toxcore peers take from a heal until
// everybody lists everybody, and counts what delayed them:
//
//	go run -tags oracle ./sim/oracle/heals --peers 50 --seeds 1-50 --prompt
//
// It prints a line for each seed and a summary.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/sim"
	"github.com/tox-rejoin/rejoin/sim/measure"
	"github.com/tox-rejoin/rejoin/sim/oracle"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

var errSeeds = errors.New("seeds are given as FIRST-LAST")

func run(args []string, out, problems io.Writer) int {
	heal, first, last, err := parse(args, problems)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(problems, "heals:", err)
		return 2
	}
	s := summary{}
	for seed := first; seed <= last; seed++ {
		heal.Seed = seed
		h, err := heal.Run()
		if err != nil {
			fmt.Fprintln(problems, "heals:", err)
			return 1
		}
		s.add(out, seed, &h, heal.Causes)
	}
	s.print(out)
	return 0
}

func parse(args []string, problems io.Writer) (heal measure.Heal, first, last uint64, err error) {
	f := flag.NewFlagSet("heals", flag.ContinueOnError)
	f.SetOutput(problems)
	peers := f.Int("peers", 50, "how many `peers`, half of them on each side of the cut")
	seeds := f.String("seeds", "1-10", "`first-last` seed")
	friends := f.String("friends", "cross:2", "`shape` of the friend graph, as in rejoin sim run")
	prompt := f.Bool("prompt", false, "friends are back at once: no side has backed off")
	ours := f.Bool("ours", false, "our engine in product mode instead of c-toxcore")
	if err = f.Parse(args); err != nil {
		return heal, 0, 0, err
	}
	a, b, _ := strings.Cut(*seeds, "-")
	first, err = strconv.ParseUint(a, 10, 64)
	if err == nil {
		last, err = strconv.ParseUint(b, 10, 64)
	}
	if err != nil || last < first || f.NArg() > 0 || *peers < 2 {
		return heal, 0, 0, fmt.Errorf("%w, peers are two or more: %q", errSeeds, args)
	}
	heal = measure.Heal{Peers: *peers, Laws: sim.DefaultLaws(), NewNode: oracle.New, Reference: true, Causes: new(measure.Causes)}
	if *prompt {
		heal.Laws.BackedOff = 0
	}
	if *ours {
		heal.NewNode, heal.Reference = nil, false
	}
	heal.Friends, err = sim.ParseFriends(*friends)
	return heal, first, last, err
}

// summary is what all seeds together show.
type summary struct {
	took                           []packets.Time
	apart, severed, alone, timeout int
	pinged                         int // whole only when the last pings had come
}

func (s *summary) add(out io.Writer, seed uint64, h *measure.Healed, c *measure.Causes) {
	time := fmt.Sprint(h.Took, " ms")
	if !h.Whole {
		time = "apart"
		s.apart++
	} else {
		s.took = append(s.took, h.Took)
		if c.Latest == packets.Ping {
			s.pinged++
		}
	}
	count := func(to *int, yes bool) {
		if yes {
			*to++
		}
	}
	count(&s.severed, c.Severed > 0)
	count(&s.alone, c.Alone > 0)
	count(&s.timeout, c.TimedOut > 0)
	fmt.Fprintf(out, "seed %d: %s, %d rejoins, severed %d, alone %d, timed out %d, thawed by name %d, by ping %d\n",
		seed, time, h.Rejoins, c.Severed, c.Alone, c.TimedOut, c.ByName, c.ByPing)
}

func (s *summary) print(out io.Writer) {
	fmt.Fprintf(out, "%d seeds whole, %d stay apart; seeds with: bridges severed %d, somebody alone %d, silence of 60 s %d, pings last %d\n",
		len(s.took), s.apart, s.severed, s.alone, s.timeout, s.pinged)
	if n := len(s.took); n > 0 {
		slices.Sort(s.took)
		fmt.Fprintf(out, "ms from the heal: least %d, p50 %d, p90 %d, p99 %d, worst %d\n",
			s.took[0], s.took[n/2], s.took[n*9/10], s.took[n*99/100], s.took[n-1])
	}
}
