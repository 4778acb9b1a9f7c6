package main

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/sim"
)

// Limits and defaults of rejoin sim sweep.
const (
	sweepSeeds    = "1-1000"
	sweepListed   = 20 // failing seeds that are listed
	sweepProgress = 100 * time.Millisecond
	sweepSparse   = 15 * time.Second // between lines that are no terminal's
)

func simSweepCommand() *cli.Command {
	return &cli.Command{
		Name:  "sweep",
		Usage: "many seeds with random faults, on all cores",
		Description: "Each seed is a network of its own, with slow or lossy links, in which a group forms and\n" +
			"suffers splits, stalls, crashes, restarts, leaving and joining, while its members talk and\n" +
			"rename themselves. Every engine is checked after everything that happens, and independent\n" +
			"auditors judge what it sends. In the end the group has to be whole, if it can be: if not\n" +
			"everybody could be reached through friends, the seed counts as unrecoverable, not as failed.\n\n" +
			"A seed fails if an engine does something wrong, if the group could become whole and does not,\n" +
			"or if two runs of it differ. It is listed with the line that runs it again. With --reference\n" +
			"a group in which c-toxcore's weakness I-8 (SPEC.md) struck counts as unrecoverable.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "seeds", Value: sweepSeeds, Usage: "from `A-B`, or one seed"},
			&cli.IntFlag{
				Name: "peers", Value: sim.DefaultTrialPeers,
				Usage: fmt.Sprintf("at most `N` peers, at least %d; each seed draws how many", sim.MinTrialPeers),
			},
			&cli.BoolFlag{Name: "twice", Value: true, Usage: "run each seed twice and compare the trace hashes"},
			&cli.BoolFlag{Name: "reference", Usage: "engines do exactly what c-toxcore 0.2.23 does, without our improvements"},
			&cli.IntFlag{Name: "jobs", Usage: "run `N` seeds at a time; default: one for each core"},
			&cli.BoolFlag{Name: "verbose", Aliases: []string{"v"}, Usage: "tell everything that happens, seed by seed"},
			&cli.BoolFlag{Name: "json", Usage: "standard output is one JSON object"},
		},
		OnUsageError: usageError,
		Action:       simSweep,
	}
}

// sweep runs trials of many seeds.
type sweep struct {
	from, to uint64
	trial    sim.Trial // all but the seed
	twice    bool
	jobs     int
	live     *liveLine
	log      io.Writer // for what happens; nil: nobody
	start    time.Time

	mu     sync.Mutex
	next   uint64
	report sweepReport
	hash   uint64
	lastAt time.Time // of the last sparse line
}

// sweepReport is what --json writes.
type sweepReport struct {
	From          uint64      `json:"from"`
	To            uint64      `json:"to"`
	Peers         int         `json:"peers"`
	Seeds         uint64      `json:"seeds"` // that have been run
	Twice         bool        `json:"twice"`
	Failed        []sweepFail `json:"failed"`
	Unrecoverable uint64      `json:"unrecoverable"`
	Deliveries    uint64      `json:"deliveries"`
	Ledger        sim.Ledger  `json:"ledger"`
	TraceHash     string      `json:"trace_hash"` // of all seeds, in any order
	VirtualMS     int64       `json:"virtual_ms"`
	WallMS        int64       `json:"wall_ms"`
}

// sweepFail is a seed that failed.
type sweepFail struct {
	Seed   uint64 `json:"seed"`
	Reason string `json:"reason"`
	Again  string `json:"again"` // the command that runs it again
}

func simSweep(c *cli.Context) error {
	s, err := readSweep(c)
	if err != nil {
		return err
	}
	s.run()
	s.live.clear()
	r := &s.report
	slices.SortFunc(r.Failed, func(a, b sweepFail) int {
		if a.Seed < b.Seed {
			return -1
		}
		return 1
	})
	r.TraceHash, r.WallMS = fmt.Sprintf("%016x", s.hash), time.Since(s.start).Milliseconds()
	if c.Bool("json") {
		if err := json.NewEncoder(c.App.Writer).Encode(r); err != nil {
			return err
		}
	} else {
		s.tell(c.App.Writer)
	}
	if len(r.Failed) > 0 {
		return errBad
	}
	return nil
}

func readSweep(c *cli.Context) (*sweep, error) {
	if c.Args().Present() {
		return nil, misusef("sim sweep takes no arguments, got %q", c.Args().First())
	}
	from, to, err := parseSeeds(c.String("seeds"))
	if err != nil {
		return nil, err
	}
	peers := c.Int("peers")
	if peers < sim.MinTrialPeers || peers > sim.MaxTrialPeers {
		return nil, misusef("--peers %d: want %d to %d", peers, sim.MinTrialPeers, sim.MaxTrialPeers)
	}
	jobs := c.Int("jobs")
	if jobs < 0 {
		return nil, misusef("--jobs %d", jobs)
	}
	if jobs == 0 {
		jobs = runtime.GOMAXPROCS(0)
	}
	s := &sweep{
		from: from, to: to, next: from, twice: c.Bool("twice"), jobs: jobs,
		trial: sim.Trial{Peers: peers, Reference: c.Bool("reference")},
		live:  newLiveLine(c.App.ErrWriter), start: time.Now(),
	}
	s.lastAt = s.start
	if c.Bool("verbose") {
		s.jobs, s.log = 1, c.App.ErrWriter
	}
	s.report = sweepReport{From: from, To: to, Peers: peers, Twice: s.twice, Failed: []sweepFail{}}
	return s, nil
}

// parseSeeds reads "A-B" or "A".
func parseSeeds(s string) (from, to uint64, err error) {
	a, b, ranged := strings.Cut(s, "-")
	if !ranged {
		b = a
	}
	if from, err = strconv.ParseUint(a, 10, 63); err == nil {
		to, err = strconv.ParseUint(b, 10, 63)
	}
	if err != nil || to < from {
		return 0, 0, misusef("--seeds %q: want A-B", s)
	}
	return from, to, nil
}

func (s *sweep) run() {
	var group sync.WaitGroup
	for range s.jobs {
		group.Go(func() {
			for {
				seed, more := s.take()
				if !more {
					return
				}
				s.one(seed)
			}
		})
	}
	group.Wait()
}

// take hands out the next seed.
func (s *sweep) take() (seed uint64, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next > s.to {
		return 0, false
	}
	s.next++
	return s.next - 1, true
}

// one runs one seed.
func (s *sweep) one(seed uint64) {
	t := s.trial
	t.Seed = seed
	if s.log != nil {
		s.live.clear()
		fmt.Fprintf(s.log, "seed %d\n", seed)
		t.Log = func(at packets.Time, line string) { fmt.Fprintf(s.log, "%9.3f  %s\n", float64(at)/1000, line) }
	}
	r := t.Run()
	reason := r.Reason()
	if s.twice && !r.Failed() {
		t.Log = nil
		if again := t.Run(); again.Hash != r.Hash {
			reason = fmt.Sprintf("two runs differ: trace %016x and %016x", r.Hash, again.Hash)
		}
	}
	s.done(&r, reason)
}

// done adds up what came of one seed.
func (s *sweep) done(r *sim.Result, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := &s.report
	p.Seeds++
	p.Deliveries += r.Stats.Deliveries
	p.VirtualMS += int64(r.Virtual)
	p.Ledger.Titles += r.Verdict.Ledger.Titles
	p.Ledger.Names += r.Verdict.Ledger.Names
	p.Ledger.DHTKeys += r.Verdict.Ledger.DHTKeys
	s.hash += r.Mixed() // a sum, so that the order does not matter
	if reason != "" {
		p.Failed = append(p.Failed, sweepFail{r.Seed, reason, s.again(r.Seed)})
	} else if !r.Verdict.Recoverable {
		p.Unrecoverable++
	}
	s.progress()
}

// again is the command that runs a seed again.
func (s *sweep) again(seed uint64) string {
	line := fmt.Sprintf("rejoin sim sweep --seeds %d-%d --peers %d", seed, seed, s.trial.Peers)
	if s.trial.Reference {
		line += " --reference"
	}
	return line + " -v"
}

// progress shows how far the sweep is.
func (s *sweep) progress() {
	now := time.Now()
	every := sweepSparse
	if s.live.terminal {
		every = sweepProgress
	}
	if now.Sub(s.lastAt) < every {
		return
	}
	s.lastAt = now
	spent := now.Sub(s.start).Seconds()
	done, all := s.report.Seeds, s.to-s.from+1
	rate := float64(done) / spent
	left := time.Duration(float64(all-done) / rate * float64(time.Second))
	line := fmt.Sprintf("%s %s of %s seeds, %.0f/s, %v left", bar(int(done), int(all), 20),
		commas(done), commas(all), rate, left.Round(time.Second))
	if n := len(s.report.Failed); n > 0 {
		line += fmt.Sprintf(", %d FAILED", n)
	}
	if s.live.terminal {
		s.live.show(line)
	} else {
		s.live.keep(line)
	}
}

// tell writes the result.
func (s *sweep) tell(w io.Writer) {
	r := &s.report
	for i, f := range r.Failed {
		if i == sweepListed {
			fmt.Fprintf(w, "and %s\n", plural(len(r.Failed)-i, "more failing seed"))
			break
		}
		fmt.Fprintf(w, "FAIL seed %d: %s\n     %s\n", f.Seed, f.Reason, f.Again)
	}
	twice := ""
	if r.Twice {
		twice = ", each run twice"
	}
	fmt.Fprintf(w, "%s%s: %s whole, %s unrecoverable, %s failed\n", plural(int(r.Seeds), "seed"), twice,
		commas(r.Seeds-r.Unrecoverable-uint64(len(r.Failed))), commas(r.Unrecoverable), commas(uint64(len(r.Failed))))
	fmt.Fprintf(w, "known differences: %d titles, %d names, %d DHT keys\n", r.Ledger.Titles, r.Ledger.Names, r.Ledger.DHTKeys)
	fmt.Fprintf(w, "%s deliveries, %.1f days of virtual time in %s, trace %s\n", commas(r.Deliveries),
		float64(r.VirtualMS)/86_400_000, wall(time.Since(s.start)), r.TraceHash)
}
