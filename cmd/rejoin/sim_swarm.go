package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/sim"
	"github.com/tox-rejoin/rejoin/sim/fault"
)

// Defaults of rejoin sim swarm.
const (
	swarmSeeds   = "1-1000"
	swarmWrite   = "failed-seeds"
	swarmGarbage = 400 // percent: worlds are small and make much garbage
)

func simSwarmCommand() *cli.Command {
	return &cli.Command{
		Name:  "swarm",
		Usage: "many seeds of drawn faults, on all cores; what can merge must merge",
		Description: "Each seed draws a scenario: how many peers, mostly about 4, 8, 16 or 128; who are friends;\n" +
			"what the links do; and faults of many kinds, mostly of about 20, 32 or 60 s, which overlap or\n" +
			"are left in the middle. Every engine is checked, and auditors judge what it sends. Then the\n" +
			"faults end, for all or for some, and whoever can become whole has to.\n\n" +
			"A seed that did not become whole has a reason. Those for which the protocol has no cure are\n" +
			"counted; the others are failures: the seed is listed with the line that runs it again, and\n" +
			"its scenario is written, for rejoin sim play. The report ends with what never happened, and\n" +
			"with a hash of each range of seeds, so that any range can be checked again.",
		Flags: append(seedFlags(swarmSeeds), []cli.Flag{
			&cli.IntFlag{
				Name: "peers", Value: fault.SwarmDefault,
				Usage: fmt.Sprintf("at most `N` peers, %d to %d; each seed draws how many", fault.SwarmLeast, fault.SwarmMost),
			},
			&cli.StringFlag{Name: "write", Value: swarmWrite, Usage: "`DIR` for the scenarios of failing seeds"},
			&cli.BoolFlag{Name: "twice", Usage: "run each seed twice and compare the trace hashes"},
			&cli.BoolFlag{Name: "reference", Usage: "engines do exactly what c-toxcore 0.2.23 does, without our improvements"},
			&cli.BoolFlag{Name: "missed", Usage: "list every packet, receiver and sender that never met"},
			&cli.BoolFlag{Name: "verbose", Aliases: []string{"v"}, Usage: "tell everything that happens, seed by seed"},
			&cli.BoolFlag{Name: "json", Usage: "standard output is one JSON object"},
		}...),
		OnUsageError: usageError,
		Action:       simSwarm,
	}
}

// swarm plays the scenarios of many seeds.
type swarm struct {
	*seeds
	peers     int
	reference bool
	twice     bool
	missed    bool
	dir       string
	log       io.Writer // for what happens; nil: nobody
	report    swarmReport
	ends      [sim.NumReasons]uint64
	coverage  sim.Coverage
}

// swarmReport is what --json writes.
type swarmReport struct {
	From         uint64            `json:"from"`
	To           uint64            `json:"to"`
	Peers        int               `json:"peers"`
	Reference    bool              `json:"reference"`
	Seeds        uint64            `json:"seeds"` // that have been run
	Failed       []seedFail        `json:"failed"`
	Ends         map[string]uint64 `json:"ends"` // how many seeds ended in each way
	Ledger       sim.Ledger        `json:"ledger"`
	Cells        int               `json:"cells"`         // of packet, receiver and sender that can meet
	MissedCells  []string          `json:"missed_cells"`  // that never did
	MissedProbes []string          `json:"missed_probes"` // what never happened
	Operations   uint64            `json:"operations"`
	Idle         uint64            `json:"idle"` // operations that could not be done
	Deliveries   uint64            `json:"deliveries"`
	VirtualMS    int64             `json:"virtual_ms"`
	TraceHash    string            `json:"trace_hash"` // of all seeds, in any order
	Ranges       []seedRange       `json:"ranges"`
	WallMS       int64             `json:"wall_ms"`
}

func simSwarm(c *cli.Context) error {
	s, err := readSwarm(c)
	if err != nil {
		return err
	}
	defer debug.SetGCPercent(debug.SetGCPercent(swarmGarbage))
	s.run(s.one)
	s.sumUp()
	if c.Bool("json") {
		if err := json.NewEncoder(c.App.Writer).Encode(&s.report); err != nil {
			return err
		}
	} else {
		s.tell(c.App.Writer)
	}
	if len(s.failed) > 0 {
		return errBad
	}
	return nil
}

func readSwarm(c *cli.Context) (*swarm, error) {
	if c.Args().Present() {
		return nil, misusef("sim swarm takes no arguments, got %q", c.Args().First())
	}
	peers, err := swarmPeers(c)
	if err != nil {
		return nil, err
	}
	all, err := readSeeds(c)
	if err != nil {
		return nil, err
	}
	s := &swarm{
		seeds: all, peers: peers, reference: c.Bool("reference"), twice: c.Bool("twice"),
		missed: c.Bool("missed"), dir: c.String("write"),
	}
	if c.Bool("verbose") {
		s.jobs, s.log = 1, c.App.ErrWriter
	}
	return s, nil
}

// swarmPeers reads --peers.
func swarmPeers(c *cli.Context) (int, error) {
	peers := c.Int("peers")
	if peers < fault.SwarmLeast || peers > fault.SwarmMost {
		return 0, misusef("--peers %d: want %d to %d", peers, fault.SwarmLeast, fault.SwarmMost)
	}
	return peers, nil
}

// one plays the scenario of one seed.
func (s *swarm) one(seed uint64) {
	scenario := fault.Swarm(seed, s.peers)
	scenario.Reference = s.reference
	var p fault.Player
	if s.log != nil {
		s.live.clear()
		fmt.Fprintf(s.log, "seed %d\n", seed)
		p.Log = func(at packets.Time, line string) { fmt.Fprintf(s.log, "%9.3f  %s\n", float64(at)/1000, line) }
	}
	r := p.Play(&scenario)
	var fail *seedFail
	if r.Failed() {
		fail = &seedFail{Reason: r.Why()}
	} else if s.twice {
		if again := (fault.Player{}).Play(&scenario); again.Hash != r.Hash {
			fail = &seedFail{Reason: fmt.Sprintf("two runs differ: trace %016x and %016x", r.Hash, again.Hash)}
		}
	}
	if fail != nil {
		fail.Seed, fail.Again = seed, s.again(seed)
		var err error
		if fail.File, err = s.write(&scenario); err != nil {
			fail.Reason += fmt.Sprintf(" (its scenario is not written: %v)", err)
		}
	}
	s.add(&r, fail)
}

// write writes the scenario of a failing seed and returns its name.
func (s *swarm) write(scenario *fault.Scenario) (string, error) {
	if err := os.MkdirAll(s.dir, 0o750); err != nil {
		return "", err
	}
	name := filepath.Join(s.dir, fmt.Sprintf("seed-%d.jsonl", scenario.Seed))
	if err := os.WriteFile(name, scenario.Append(nil), 0o600); err != nil {
		return "", err
	}
	return name, nil
}

// again is the command that runs a seed again.
func (s *swarm) again(seed uint64) string {
	line := fmt.Sprintf("rejoin sim swarm --seeds %d-%d --peers %d", seed, seed, s.peers)
	if s.reference {
		line += " --reference"
	}
	return line + " -v"
}

// add adds up what came of one seed.
func (s *swarm) add(r *fault.Result, fail *seedFail) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ends[r.Reason]++
	s.coverage.Add(&r.Coverage)
	p := &s.report
	p.Ledger.Add(&r.Verdict.Ledger)
	p.Operations += uint64(r.Ops)
	p.Idle += uint64(r.Idle)
	p.Deliveries += r.Stats.Deliveries
	p.VirtualMS += int64(r.Virtual)
	s.count(r.Seed, sim.Mix(r.Hash, r.Seed), fail)
}

// sumUp completes the report.
func (s *swarm) sumUp() {
	p := &s.report
	p.From, p.To, p.Peers, p.Reference, p.Seeds, p.Failed = s.from, s.to, s.peers, s.reference, s.done, s.failed
	p.Ends = map[string]uint64{}
	for r, n := range s.ends {
		if n > 0 {
			p.Ends[sim.Reason(r).String()] = n
		}
	}
	p.MissedCells, p.MissedProbes = s.coverage.Missed()
	_, p.Cells = s.coverage.Hit()
	p.TraceHash, p.Ranges, p.WallMS = s.hash(), s.ranges(), time.Since(s.start).Milliseconds()
}

// tell writes the result.
func (s *swarm) tell(w io.Writer) {
	say := func(format string, args ...any) { fmt.Fprintf(w, format, args...) }
	s.tellFailed(say)
	p := &s.report
	say("%s of up to %d peers: %s\n", plural(int(s.done), "seed"), s.peers, s.endings(false))
	if blamed := s.endings(true); blamed != "" {
		say("to blame: %s\n", blamed)
	}
	say("known differences: %s\n", differences(&p.Ledger))
	say("never met: %d of %d kinds of packet, receiver and sender%s\n", len(p.MissedCells), p.Cells,
		map[bool]string{true: "; --missed lists them"}[!s.missed && len(p.MissedCells) > 0])
	if s.missed {
		for _, cell := range p.MissedCells {
			say("     %s\n", cell)
		}
	}
	never := "nothing"
	if len(p.MissedProbes) > 0 {
		never = strings.Join(p.MissedProbes, ", ")
	}
	say("never happened, of %d things: %s\n", int(sim.NumProbes), never)
	if len(p.Ranges) > 1 {
		for _, r := range p.Ranges {
			say("     trace %s  seeds %d-%d\n", r.Hash, r.From, r.To)
		}
	}
	say("%s operations, %s deliveries, %.1f days of virtual time in %s, %.0f seeds/s, trace %s\n",
		commas(p.Operations), commas(p.Deliveries), float64(p.VirtualMS)/86_400_000, wall(time.Since(s.start)),
		float64(s.done)/time.Since(s.start).Seconds(), p.TraceHash)
}

// endings lists how many seeds ended in each way, those with the engines to
// blame or the others.
func (s *swarm) endings(blamed bool) string {
	var list []string
	for r := range sim.NumReasons {
		if n := s.ends[r]; n > 0 && r.Blamed() == blamed {
			list = append(list, commas(n)+" "+r.String())
		}
	}
	if !blamed {
		list = append(list, strconv.Itoa(len(s.failed))+" failed")
	}
	return strings.Join(list, ", ")
}
