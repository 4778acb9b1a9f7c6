package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/sim"
	"github.com/tox-rejoin/rejoin/sim/fault"
)

func simPlayCommand() *cli.Command {
	return &cli.Command{
		Name:      "play",
		Usage:     "play one scenario of faults from a file, and tell what happens",
		ArgsUsage: "FILE",
		Description: "FILE is JSON lines, as sim/fault/testdata has them and rejoin sim swarm writes them: a header\n" +
			"with the peers and their friends, then one line for each operation with its time. - is\n" +
			"standard input. It exits with 1 if the engines are to blame for how it ends, or if it ends\n" +
			"in another way than the header expects.\n\n" +
			"   rejoin sim draw 17 | rejoin sim play -\n",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "reference", Usage: "engines do exactly what c-toxcore 0.2.23 does, without our improvements"},
			&cli.BoolFlag{Name: "verbose", Aliases: []string{"v"}, Usage: "tell everything that happens"},
			&cli.BoolFlag{Name: "json", Usage: "standard output is one JSON object"},
		},
		OnUsageError: usageError,
		Action:       withArguments(simPlay, "FILE"),
	}
}

func simDrawCommand() *cli.Command {
	return &cli.Command{
		Name:      "draw",
		Usage:     "write the scenario of a seed of sim swarm",
		ArgsUsage: "SEED",
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "peers", Value: fault.SwarmDefault, Usage: "at most `N` peers, as of sim swarm"},
		},
		OnUsageError: usageError,
		Action:       withArguments(simDraw, "SEED"),
	}
}

func simDraw(c *cli.Context, args []string) error {
	seed, err := strconv.ParseUint(args[0], 10, 63)
	if err != nil {
		return misusef("sim draw: %q is no seed", args[0])
	}
	peers, err := swarmPeers(c)
	if err != nil {
		return err
	}
	s := fault.Swarm(seed, peers)
	_, err = c.App.Writer.Write(s.Append(nil))
	return err
}

// playReport is what --json writes.
type playReport struct {
	File        string       `json:"file"`
	Peers       int          `json:"peers"`
	Operations  int          `json:"operations"`
	Idle        int          `json:"idle"` // operations that could not be done
	End         string       `json:"end"`
	Expect      string       `json:"expect,omitempty"`
	Failed      bool         `json:"failed"`
	Recoverable bool         `json:"recoverable"`
	HealMS      *int64       `json:"heal_ms"` // from the end of the faults until it was whole; null: never
	Why         []string     `json:"why"`     // what is wrong
	Ledger      sim.Ledger   `json:"ledger"`
	Packets     uint64       `json:"packets"`
	Deliveries  uint64       `json:"deliveries"`
	VirtualMS   packets.Time `json:"virtual_ms"`
	TraceHash   string       `json:"trace_hash"`
	WallMS      int64        `json:"wall_ms"`
}

// play plays one scenario and tells of it.
type play struct {
	scenario fault.Scenario
	live     *liveLine
	last     string // the sights that were last shown
}

func simPlay(c *cli.Context, args []string) error {
	scenario, err := readScenario(args[0], c.App.Reader)
	if err != nil {
		return err
	}
	scenario.Reference = scenario.Reference || c.Bool("reference")
	start := time.Now()
	p := &play{scenario: scenario, live: newLiveLine(c.App.ErrWriter)}
	p.introduce()
	player := fault.Player{Tell: p.tell, Watch: p.watch, WatchEvery: packets.Second}
	if c.Bool("verbose") {
		player.Log = func(at packets.Time, line string) { p.live.keep(fmt.Sprintf("%11s  %s", stamp(at), line)) }
	}
	r := player.Play(&p.scenario)
	p.live.clear()
	rep := report(args[0], &r)
	rep.WallMS = time.Since(start).Milliseconds()
	if c.Bool("json") {
		if err := json.NewEncoder(c.App.Writer).Encode(&rep); err != nil {
			return err
		}
	} else {
		tellPlay(c.App.Writer, &rep)
	}
	if rep.Failed {
		return errBad
	}
	return nil
}

func readScenario(name string, stdin io.Reader) (fault.Scenario, error) {
	if name == "-" {
		return fault.Read(stdin)
	}
	f, err := os.Open(name)
	if err != nil {
		return fault.Scenario{}, err
	}
	defer f.Close()
	s, err := fault.Read(f)
	if errors.Is(err, fault.ErrScenario) {
		err = fmt.Errorf("%s: %w", name, err)
	}
	return s, err
}

// introduce says what is played.
func (p *play) introduce() {
	s := &p.scenario
	if s.Note != "" {
		p.live.keep(s.Note)
	}
	who := plural(s.Peers, "peer")
	if s.Others > 0 {
		who += fmt.Sprintf(" and %d more to come", s.Others)
	}
	friends := s.Friends.Shape
	if friends == "" {
		friends = plural(len(s.Friends.Edges), "pair")
	}
	line := fmt.Sprintf("%s, friends: %s, %s, seed %d", who, friends, plural(len(s.Ops), "operation"), s.Seed)
	if s.Reference {
		line += ", as c-toxcore 0.2.23"
	}
	p.live.keep(line)
}

// tell tells an operation.
func (p *play) tell(at packets.Time, line string) {
	p.live.keep(fmt.Sprintf("%11s  %s", stamp(at), line))
}

// watch shows who sees how many, when that has changed.
func (p *play) watch(at packets.Time, w *sim.World) {
	sights := sightsText(w)
	line := fmt.Sprintf("%11s  %s %s", stamp(at), fullness(w), sights)
	if sights == p.last {
		p.live.show(line)
		return
	}
	p.last = sights
	p.live.keep(line)
}

// stamp writes a virtual time with milliseconds.
func stamp(t packets.Time) string {
	return fmt.Sprintf("%s.%03d", clock(t), t%packets.Second)
}

// fullness is how much of all live peers they see.
func fullness(w *sim.World) string {
	seen, n := 0, w.Live()
	for _, s := range w.Sights() {
		seen += s.Nodes * s.See
	}
	return bar(seen, n*n, 10)
}

func report(file string, r *fault.Result) playReport {
	rep := playReport{
		File: file, Peers: r.Peers, Operations: r.Ops, Idle: r.Idle, End: r.Reason.String(), Expect: r.Expect,
		Failed: r.Failed(), Recoverable: r.Verdict.Recoverable, Why: r.Verdict.Why, Ledger: r.Verdict.Ledger,
		Packets: r.Stats.Packets, Deliveries: r.Stats.Deliveries, VirtualMS: r.Virtual,
		TraceHash: fmt.Sprintf("%016x", r.Hash),
	}
	if r.Err != nil {
		rep.Why = []string{r.Err.Error()}
	}
	if at := r.Verdict.WholeAt; at != 0 {
		ms := int64(at - sim.Epoch - r.Settled)
		rep.HealMS = &ms
	}
	return rep
}

// tellPlay writes how it ended.
func tellPlay(w io.Writer, r *playReport) {
	verdict := "ends " + r.End
	if r.HealMS != nil {
		verdict += fmt.Sprintf(", %s after the faults", seconds(packets.Time(*r.HealMS)))
	}
	switch {
	case r.Failed && r.Expect != "":
		verdict = "FAILED: expected " + r.Expect + ", " + verdict
	case r.Failed:
		verdict = "FAILED: " + verdict
	}
	if len(r.Why) > 0 {
		verdict += "\n     " + strings.Join(r.Why, "\n     ")
	}
	fmt.Fprintf(w, "\n%s\nknown differences: %s\n", verdict, differences(&r.Ledger))
	fmt.Fprintf(w, "%s packets, %s of virtual time, trace %s\n", commas(r.Packets), clock(r.VirtualMS), r.TraceHash)
}
