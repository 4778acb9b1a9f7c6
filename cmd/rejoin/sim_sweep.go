package main

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/sim"
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
		Flags: append(seedFlags("1-1000"), []cli.Flag{
			&cli.IntFlag{
				Name: "peers", Value: sim.DefaultTrialPeers,
				Usage: fmt.Sprintf("at most `N` peers, at least %d; each seed draws how many", sim.MinTrialPeers),
			},
			&cli.BoolFlag{Name: "twice", Value: true, Usage: "run each seed twice and compare the trace hashes"},
			&cli.BoolFlag{Name: "reference", Usage: "engines do exactly what c-toxcore 0.2.23 does, without our improvements"},
			&cli.BoolFlag{Name: "verbose", Aliases: []string{"v"}, Usage: "tell everything that happens, seed by seed"},
			&cli.BoolFlag{Name: "json", Usage: "standard output is one JSON object"},
		}...),
		OnUsageError: usageError,
		Action:       simSweep,
	}
}

// sweep runs trials of many seeds.
type sweep struct {
	*seeds
	trial  sim.Trial // all but the seed
	twice  bool
	log    io.Writer // for what happens; nil: nobody
	report sweepReport
}

// sweepReport is what --json writes.
type sweepReport struct {
	From          uint64     `json:"from"`
	To            uint64     `json:"to"`
	Peers         int        `json:"peers"`
	Seeds         uint64     `json:"seeds"` // that have been run
	Twice         bool       `json:"twice"`
	Failed        []seedFail `json:"failed"`
	Unrecoverable uint64     `json:"unrecoverable"`
	Deliveries    uint64     `json:"deliveries"`
	Ledger        sim.Ledger `json:"ledger"`
	TraceHash     string     `json:"trace_hash"` // of all seeds, in any order
	VirtualMS     int64      `json:"virtual_ms"`
	WallMS        int64      `json:"wall_ms"`
}

func simSweep(c *cli.Context) error {
	s, err := readSweep(c)
	if err != nil {
		return err
	}
	s.run(s.one)
	r := &s.report
	r.Seeds, r.Failed = s.done, s.failed
	r.TraceHash, r.WallMS = s.hash(), time.Since(s.start).Milliseconds()
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
	peers := c.Int("peers")
	if peers < sim.MinTrialPeers || peers > sim.MaxTrialPeers {
		return nil, misusef("--peers %d: want %d to %d", peers, sim.MinTrialPeers, sim.MaxTrialPeers)
	}
	all, err := readSeeds(c)
	if err != nil {
		return nil, err
	}
	s := &sweep{seeds: all, twice: c.Bool("twice"), trial: sim.Trial{Peers: peers, Reference: c.Bool("reference")}}
	if c.Bool("verbose") {
		s.jobs, s.log = 1, c.App.ErrWriter
	}
	s.report = sweepReport{From: s.from, To: s.to, Peers: peers, Twice: s.twice}
	return s, nil
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
	s.add(&r, reason)
}

// add adds up what came of one seed.
func (s *sweep) add(r *sim.Result, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := &s.report
	p.Deliveries += r.Stats.Deliveries
	p.VirtualMS += int64(r.Virtual)
	p.Ledger.Add(&r.Verdict.Ledger)
	var fail *seedFail
	if reason != "" {
		fail = &seedFail{Seed: r.Seed, Reason: reason, Again: s.again(r.Seed)}
	} else if !r.Verdict.Recoverable {
		p.Unrecoverable++
	}
	s.count(r.Seed, r.Mixed(), fail)
}

// again is the command that runs a seed again.
func (s *sweep) again(seed uint64) string {
	line := fmt.Sprintf("rejoin sim sweep --seeds %d-%d --peers %d", seed, seed, s.trial.Peers)
	if s.trial.Reference {
		line += " --reference"
	}
	return line + " -v"
}

// tell writes the result.
func (s *sweep) tell(w io.Writer) {
	r := &s.report
	s.tellFailed(func(format string, args ...any) { fmt.Fprintf(w, format, args...) })
	twice := ""
	if r.Twice {
		twice = ", each run twice"
	}
	failed := uint64(len(s.failed))
	fmt.Fprintf(w, "%s%s: %s whole, %s unrecoverable, %s failed\n", plural(int(s.done), "seed"), twice,
		commas(s.done-r.Unrecoverable-failed), commas(r.Unrecoverable), commas(failed))
	fmt.Fprintf(w, "known differences: %s\n", differences(&r.Ledger))
	fmt.Fprintf(w, "%s deliveries, %.1f days of virtual time in %s, trace %s\n", commas(r.Deliveries),
		float64(r.VirtualMS)/86_400_000, wall(time.Since(s.start)), s.hash())
}

// differences writes the counts of the ledger.
func differences(l *sim.Ledger) string {
	return fmt.Sprintf("%d titles, %d names, %d DHT keys", l.Titles, l.Names, l.DHTKeys)
}
