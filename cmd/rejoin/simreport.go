package main

import (
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/sim"
)

// Limits and defaults of rejoin sim report.
const (
	reportSizes     = "8,50,100"
	reportFullSizes = "8,50,100,300,1000"
	reportSeeds     = "1-20"
	reportFullSeeds = "1-100"
	reportMost      = 2000 // peers
	reportTheirs    = 300  // peers; c-toxcore searches its lists from the front, and 1,000 peers take it a quarter of an hour
	reportLossPeers = 16
	reportLossSeeds = 5                     // at most
	reportRing      = packets.MaxPeerNumber // peers; the search for the largest ring ends there
)

func simReportCommand() *cli.Command {
	return &cli.Command{
		Name:  "report",
		Usage: "measure heals, the loss of messages, and how far a ping gets",
		Description: "Groups of several sizes form, are cut into halves for two minutes, and heal. The report says how\n" +
			"long that takes, beside the least that the graph of each world allows, and how many packets it\n" +
			"costs; which messages are not shown to whom under which fault; and how large a group may be\n" +
			"before a ping comes too late. The same seeds give the same figures, on any machine.\n\n" +
			"Built with -tags oracle (on linux/amd64, with libtoxcore-dev) it measures c-toxcore's own group\n" +
			"code beside ours. --full takes some four minutes of one core, half of them for the group of 1,000,\n" +
			"and 1.2 GB of memory; with c-toxcore ten minutes and 4.5 GB.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "sizes", Value: reportSizes, Usage: "peers in the groups, `N,N...`"},
			&cli.StringFlag{
				Name: "seeds", DefaultText: reportSeeds + ", with --full " + reportFullSeeds,
				Usage: "from `A-B`, or one seed; by default groups of more than 100 peers take a tenth of them, of more than 500 a hundredth",
			},
			&cli.BoolFlag{Name: "full", Usage: "sizes " + reportFullSizes},
			&cli.StringFlag{Name: "friends", Value: "cross:2", Usage: "`SHAPE` of the friend graph, as of sim run"},
			&cli.IntFlag{Name: "theirs-up-to", Value: reportTheirs, Usage: "c-toxcore in groups of up to `N` peers only; with -tags oracle"},
			&cli.IntFlag{Name: "jobs", Usage: "run `N` worlds at a time; default: one for each core"},
			&cli.BoolFlag{Name: "json", Usage: "standard output is one JSON object"},
		},
		OnUsageError: usageError,
		Action:       simReport,
	}
}

// reportPlan is what the command line of sim report asks for.
type reportPlan struct {
	sizes    []int
	from, to uint64
	few      bool // large groups take fewer seeds
	friends  sim.Friends
	theirs   int // the largest group that c-toxcore runs in
	jobs     int
}

// reportCode is somebody's code for the peers of a group.
type reportCode struct {
	name      string
	heal      sim.NewNode // in worlds without auditors
	audit     sim.NewNode // in worlds with auditors
	reference bool        // it is c-toxcore's
}

// reportCodes are ours, in product mode, and what this program is built with.
func reportCodes() []reportCode {
	return append([]reportCode{{"ours", sim.NewEngine, sim.NewEngine, false}}, reportOthers()...)
}

func simReport(c *cli.Context) error {
	plan, err := readReportPlan(c)
	if err != nil {
		return err
	}
	r := newReporter(plan, reportCodes(), newLiveLine(c.App.ErrWriter))
	if err := r.run(); err != nil {
		return err
	}
	rep := r.report()
	if c.Bool("json") {
		return encodeReport(c.App.Writer, &rep)
	}
	return tellReport(c.App.Writer, &rep)
}

func readReportPlan(c *cli.Context) (reportPlan, error) {
	var p reportPlan
	if c.Args().Present() {
		return p, misusef("sim report takes no arguments, got %q", c.Args().First())
	}
	sizes := c.String("sizes")
	if c.Bool("full") {
		if c.IsSet("sizes") {
			return p, misusef("--full has sizes of its own, drop --sizes")
		}
		sizes = reportFullSizes
	}
	for _, s := range strings.Split(sizes, ",") {
		n, err := strconv.Atoi(s)
		if err != nil || n < 2 || n > reportMost || slices.Contains(p.sizes, n) {
			return p, misusef("--sizes %q: want different numbers from 2 to %d", sizes, reportMost)
		}
		p.sizes = append(p.sizes, n)
	}
	slices.Sort(p.sizes)
	if err := p.readSeeds(c); err != nil {
		return p, err
	}
	var err error
	if p.friends, err = sim.ParseFriends(c.String("friends")); err != nil {
		return p, misuse{err}
	}
	for _, n := range p.sizes {
		if _, err := p.friends.Edges([]int{n - n/2, n / 2}); err != nil {
			return p, misuse{err}
		}
	}
	p.theirs = c.Int("theirs-up-to")
	return p, nil
}

// readSeeds reads which seeds are to run, and how many at a time.
func (p *reportPlan) readSeeds(c *cli.Context) error {
	if p.few = !c.IsSet("seeds"); p.few {
		standard := reportSeeds
		if c.Bool("full") {
			standard = reportFullSeeds
		}
		if err := c.Set("seeds", standard); err != nil {
			return err
		}
	}
	all, err := readSeeds(c)
	if err != nil {
		return err
	}
	p.from, p.to, p.jobs = all.from, all.to, all.jobs
	return nil
}

// last is the last seed for groups of a size.
func (p *reportPlan) last(size int) uint64 {
	part := uint64(1)
	switch {
	case p.few && size > 500:
		part = 100
	case p.few && size > 100:
		part = 10
	}
	return p.from + max(1, (p.to-p.from+1)/part) - 1
}
