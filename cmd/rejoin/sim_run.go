package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/sim"
)

// Limits and defaults of rejoin sim run.
const (
	runPeers   = 50
	runMost    = 2000
	runCut     = 2 * time.Minute
	runMostCut = 24 * time.Hour
	runChecked = 100 // up to so many peers are checked by default
	runWatch   = packets.Second
	runSparse  = 10 * packets.Second // between lines that are no terminal's
	runRest    = 10 * packets.Second // between forming and the cut
	runLines   = 3                   // texts of each part during the cut
	// runPace is how long a virtual second takes on a terminal at least, so that
	// there is something to see.
	runPace = 12 * time.Millisecond
)

func simRunCommand() *cli.Command {
	return &cli.Command{
		Name:  "run",
		Usage: "form a group, split it, heal it, and watch it merge",
		Description: "Forms a group of real engines in a virtual network, splits the network, lets both sides\n" +
			"talk, heals it, and shows how many peers see how many as it goes. In the end everybody\n" +
			"lists everybody, and what anybody says reaches everybody once; then it exits with 0.\n\n" +
			"Frozen peers are not searched for: halves find each other only over friendships that\n" +
			"cross the cut. --friends decides them:\n\n" +
			"   cross:K  friends are those who invited each other, within a group, and K pairs across\n" +
			"            the cut; with cross:0 the halves cannot merge, and it exits with 1\n" +
			"   ring     everybody and the next\n" +
			"   pairs    everybody and the one half way round\n" +
			"   all      everybody and everybody\n\n" +
			"The same seed gives the same trace hash, on any machine.",
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "peers", Value: runPeers, Usage: "`N` peers, 2 to " + strconv.Itoa(runMost)},
			&cli.StringFlag{Name: "groups", Usage: "sizes of the parts, `A/B[/C...]`; default: halves"},
			&cli.StringFlag{Name: "friends", Value: "cross:2", Usage: "`SHAPE` of the friend graph: ring, pairs, all or cross:K"},
			&cli.DurationFlag{Name: "cut", Value: runCut, Usage: "how long the network is split, `TIME` such as 90s or 5m"},
			&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "what everything at random comes from, `S`"},
			&cli.BoolFlag{Name: "reference", Usage: "engines do exactly what c-toxcore 0.2.23 does, without our improvements"},
			&cli.BoolFlag{Name: "check", Usage: "check every engine after everything that happens; default: up to " + strconv.Itoa(runChecked) + " peers"},
			&cli.BoolFlag{Name: "verbose", Aliases: []string{"v"}, Usage: "tell everything that happens"},
			&cli.BoolFlag{Name: "json", Usage: "standard output is one JSON object"},
		},
		OnUsageError: usageError,
		Action:       simRun,
	}
}

// runPlan is what the command line of sim run asks for.
type runPlan struct {
	peers   int
	groups  []int
	friends sim.Friends
	edges   [][2]int
	cut     packets.Time
	config  sim.Config
}

func simRun(c *cli.Context) error {
	plan, err := readRunPlan(c)
	if err != nil {
		return err
	}
	r := &runner{plan: plan, live: newLiveLine(c.App.ErrWriter), json: c.Bool("json"), out: c.App.Writer, start: time.Now()}
	r.plan.config.Watch, r.plan.config.WatchEvery = r.watch, runWatch
	if c.Bool("verbose") {
		r.plan.config.Log = func(at packets.Time, line string) { r.live.keep(fmt.Sprintf("%9.3f  %s", float64(at)/1000, line)) }
	}
	r.world = sim.New(r.plan.config)
	return r.run()
}

func readRunPlan(c *cli.Context) (runPlan, error) {
	p := runPlan{peers: c.Int("peers")}
	if c.Args().Present() {
		return p, misusef("sim run takes no arguments, got %q", c.Args().First())
	}
	var err error
	if p.groups, err = parseGroups(c.String("groups"), p.peers, c.IsSet("peers")); err != nil {
		return p, err
	}
	p.peers = 0
	for _, n := range p.groups {
		p.peers += n
	}
	if p.peers < 2 || p.peers > runMost {
		return p, misusef("%d peers: want 2 to %d", p.peers, runMost)
	}
	if p.friends, err = sim.ParseFriends(c.String("friends")); err != nil {
		return p, misuse{err}
	}
	if !c.IsSet("friends") && slices.Max(p.groups) == 1 {
		p.friends.K = 1 // there is no second pair
	}
	if p.edges, err = p.friends.Edges(p.groups); err != nil {
		return p, misuse{err}
	}
	cut := c.Duration("cut")
	if cut <= 0 || cut > runMostCut {
		return p, misusef("a cut of %v: want more than 0 and at most %v", cut, runMostCut)
	}
	p.cut = packets.Time(cut.Milliseconds())
	check := p.peers <= runChecked
	if c.IsSet("check") {
		check = c.Bool("check")
	}
	p.config = sim.Config{Seed: c.Uint64("seed"), Reference: c.Bool("reference"), Check: check, Audit: check}
	return p, nil
}

// parseGroups reads "25/25"; empty means halves of peers.
func parseGroups(s string, peers int, peersSet bool) ([]int, error) {
	if s == "" {
		if peers < 2 {
			return nil, misusef("%d peers: want 2 to %d", peers, runMost)
		}
		return []int{peers - peers/2, peers / 2}, nil
	}
	var groups []int
	sum := 0
	for _, part := range strings.Split(s, "/") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 1 || n > runMost {
			return nil, misusef("--groups %q: %q is no size of a group", s, part)
		}
		groups = append(groups, n)
		sum += n
	}
	if len(groups) < 2 {
		return nil, misusef("--groups %q: one group is no split", s)
	}
	if peersSet && sum != peers {
		return nil, misusef("--groups %q has %d peers, --peers is %d", s, sum, peers)
	}
	return groups, nil
}

// runner plays one sim run.
type runner struct {
	plan   runPlan
	world  *sim.World
	live   *liveLine
	json   bool
	out    io.Writer
	start  time.Time
	phase  string
	healed packets.Time // when the network was healed; 0: not yet
	said   int          // texts during the cut
	near   int          // how often they were shown in the part of their author
	far    int          // and elsewhere
	last   string       // the sights that were last shown
	lastAt packets.Time
}

func (r *runner) run() error {
	p, w := &r.plan, r.world
	r.live.keep(fmt.Sprintf("%s, split %s for %v, friends %v, seed %d%s",
		plural(p.peers, "peer"), sizes(p.groups), span(p.cut), p.friends, p.config.Seed,
		map[bool]string{true: ", as c-toxcore 0.2.23"}[p.config.Reference]))

	r.phase = "forming"
	if err := w.Gather(p.peers, p.edges...); err != nil {
		return r.broken(err)
	}
	w.KeepFriends(p.edges)
	if err := w.Run(w.Now() + runRest); err != nil {
		return r.broken(err)
	}
	r.phase = "formed"
	r.line(true)

	r.phase = "split"
	w.Split(parts(p.groups)...)
	if err := r.talk(); err != nil {
		return r.broken(err)
	}
	r.line(true)
	r.live.keep(fmt.Sprintf("%18s%s while apart, shown %s among their own and %s beyond the cut", "",
		plural(r.said, "text"), times(r.near), times(r.far)))

	r.phase = "healed"
	r.healed = w.Now()
	w.Heal()
	v, err := w.Settle(nil)
	if err != nil {
		return r.broken(err)
	}
	if v.WholeAt == 0 {
		r.phase = "apart"
		r.line(true)
	}
	return r.report(&v)
}

// talk has some of each side say something while the network is split.
func (r *runner) talk() error {
	w, from := r.world, r.world.Now()
	for n := range runLines {
		if err := w.Run(from + r.plan.cut*packets.Time(n+1)/(runLines+1)); err != nil {
			return err
		}
		for g, part := range parts(r.plan.groups) {
			// Somebody who is alone cannot say anything: nobody would hear it.
			if w.Say(part[n%len(part)], fmt.Sprintf("line %d of part %d", n+1, g+1)) == nil {
				r.said++
			}
		}
	}
	if err := w.Run(from + r.plan.cut); err != nil {
		return err
	}
	for _, part := range parts(r.plan.groups) {
		first, last := part[0], part[len(part)-1]
		for _, i := range part {
			near := w.Shown(i, first, last+1)
			r.near += near
			r.far += w.Shown(i, 0, r.plan.peers) - near
		}
	}
	return nil
}

// span writes a length of time without its zero parts.
func span(t packets.Time) string {
	s := (time.Duration(t) * time.Millisecond).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// parts are the nodes of groups of these sizes.
func parts(groups []int) [][]int {
	list := make([][]int, len(groups))
	next := 0
	for g, n := range groups {
		for range n {
			list[g] = append(list[g], next)
			next++
		}
	}
	return list
}

func sizes(groups []int) string {
	s := make([]string, len(groups))
	for i, n := range groups {
		s[i] = strconv.Itoa(n)
	}
	return strings.Join(s, "/")
}

// times writes how often something happened.
func times(n int) string {
	if n == 0 {
		return "never"
	}
	return plural(n, "time")
}

// watch is called every virtual second.
func (r *runner) watch() {
	switch whole := r.world.Whole(); {
	case r.phase == "healed" && whole:
		r.phase = "whole"
		r.line(true)
	case r.phase == "whole" && !whole:
		r.phase = "healed"
	}
	r.line(false)
	if r.live.terminal {
		time.Sleep(runPace)
	}
}

// line shows how many peers see how many: for good, or until the next one.
func (r *runner) line(keep bool) {
	now := r.world.Since()
	sights, seen := sightsText(r.world), len(r.world.Sights()) > 0
	at := clock(now)
	if r.healed != 0 {
		at = fmt.Sprintf("+%s", clock(r.world.Now()-r.healed))
	}
	line := fmt.Sprintf("%7s  %-8s %s  %s", at, r.phase, r.bar(), sights)
	switch {
	case keep, !r.live.terminal && seen && sights != r.last && now >= r.lastAt+runSparse:
		r.live.keep(line)
		r.last, r.lastAt = sights, now
	default:
		r.live.show(line)
	}
}

// bar is how much of everybody everybody sees.
func (r *runner) bar() string {
	seen, n := 0, r.plan.peers
	for _, s := range r.world.Sights() {
		seen += s.Nodes * s.See
	}
	return bar(seen, n*n, 20)
}

// sightsText says how many peers see how many, for the most common ones.
func sightsText(w *sim.World) string {
	const most = 4
	list := w.Sights()
	if len(list) == 0 {
		return "nobody sees anybody"
	}
	var s []string
	rest := 0
	for i, v := range list {
		if i < most {
			s = append(s, fmt.Sprintf("%d see %d", v.Nodes, v.See))
		} else {
			rest += v.Nodes
		}
	}
	if rest > 0 {
		s = append(s, fmt.Sprintf("%d fewer", rest))
	}
	return strings.Join(s, " · ")
}

// broken reports that an engine did something wrong.
func (r *runner) broken(err error) error {
	r.live.clear()
	var wrong *sim.EngineError
	if !errors.As(err, &wrong) {
		return err
	}
	v := sim.Verdict{Recoverable: true, Why: []string{err.Error()}}
	return r.report(&v)
}
