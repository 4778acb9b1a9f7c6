package fault

import (
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/sim"
)

// Limits of a scenario.
const (
	MostPeers   = 2000
	MostOthers  = 200
	MostOps     = 100_000
	MostTime    = 30 * 24 * 3600 * packets.Second
	MostRecords = 10_000 // delays of a recorded law
)

// ErrScenario is wrapped by every error about the form of a scenario.
var ErrScenario = errors.New("fault: no scenario")

// Scenario is a group, its network, and what happens to them.
type Scenario struct {
	Note      string // what it shows
	Seed      uint64 // of what no operation decides: keys, delays, who backs off
	Peers     int    // nodes 0 to Peers-1 form the conference
	Others    int    // the nodes behind them run and are in no conference
	Friends   Friends
	Audio     bool // an audio conference; else a text conference
	Reference bool // the engines do exactly what c-toxcore does
	MaxFrozen int  // as in conference.Config
	Network   sim.Network
	// Expect is how it has to end. Empty: in any way for which the engines are not
	// to blame.
	Expect string
	Ops    []Op // in order of time
}

// Friends is the friend graph among the peers: a shape, or a list.
type Friends struct {
	Shape string // "chain", "ring", "pairs" or "all"; empty: Edges
	Edges [][2]int
}

// edges are the friendships among n peers.
func (f *Friends) edges(n int) [][2]int {
	kind := sim.All
	switch f.Shape {
	case "":
		return f.Edges
	case "chain":
		kind = sim.Cross
	case "ring":
		kind = sim.Ring
	case "pairs":
		kind = sim.Pairs
	}
	edges, err := sim.Friends{Kind: kind}.Edges([]int{n})
	if err != nil {
		panic(err) // these shapes exist for any n
	}
	return edges
}

// Error says what is wrong with a scenario, and where.
type Error struct {
	Line  int    // from 1 on, the header
	Field string // as it is called in the file; empty: the line as a whole
	What  string
}

// Error names line, field and fault.
func (e *Error) Error() string {
	where := ""
	if e.Field != "" {
		where = fmt.Sprintf(", %q", e.Field)
	}
	return fmt.Sprintf("%v: line %d%s: %s", ErrScenario, e.Line, where, e.What)
}

// Unwrap is ErrScenario.
func (e *Error) Unwrap() error { return ErrScenario }

// Nodes is the number of all nodes.
func (s *Scenario) Nodes() int { return s.Peers + s.Others }

// Check returns the first thing that is wrong with a scenario, as an *Error.
func (s *Scenario) Check() error {
	if e := s.checkHeader(); e != nil {
		e.Line = 1
		return e
	}
	if len(s.Ops) > MostOps {
		return &Error{Line: MostOps + 2, What: fmt.Sprintf("more than %d operations", MostOps)}
	}
	last := packets.Time(0)
	for i := range s.Ops {
		o := &s.Ops[i]
		e := s.checkOp(o)
		switch {
		case e != nil:
		case o.T < last:
			e = wrong("t", "%d is before the line above, at %d", o.T, last)
		case o.Kind == Settle && i != len(s.Ops)-1:
			e = wrong("op", "settle is not the last")
		}
		if e != nil {
			e.Line = i + 2
			return e
		}
		last = o.T
	}
	return nil
}

func wrong(field, format string, args ...any) *Error {
	return &Error{Field: field, What: fmt.Sprintf(format, args...)}
}

func (s *Scenario) checkHeader() *Error {
	switch {
	case s.Peers < 2 || s.Peers > MostPeers:
		return wrong("peers", "%d, want 2 to %d", s.Peers, MostPeers)
	case s.Others < 0 || s.Others > MostOthers:
		return wrong("others", "%d, want 0 to %d", s.Others, MostOthers)
	case s.MaxFrozen < -1 || s.MaxFrozen > packets.MaxPeerNumber:
		return wrong("max_frozen", "%d, want -1 to %d", s.MaxFrozen, packets.MaxPeerNumber)
	case !utf8.ValidString(s.Note):
		return wrong("note", "no UTF-8")
	}
	if _, ok := sim.ParseReason(s.Expect); s.Expect != "" && !ok {
		return wrong("expect", "%q is no way to end", s.Expect)
	}
	if !slices.Contains([]string{"", "chain", "ring", "pairs", "all"}, s.Friends.Shape) {
		return wrong("friends", "%q is none of chain, ring, pairs and all", s.Friends.Shape)
	}
	if s.Friends.Shape != "" && s.Friends.Edges != nil {
		return wrong("friends", "both a shape and a list")
	}
	for _, f := range s.Friends.Edges {
		if a, b := f[0], f[1]; a < 0 || b < 0 || a >= s.Peers || b >= s.Peers || a == b {
			return wrong("friends", "%d and %d are no two peers", a, b)
		}
	}
	return checkNetwork(&s.Network)
}

func checkNetwork(n *sim.Network) *Error {
	for _, p := range []struct {
		field string
		p     float64
	}{{"loss", n.Loss}, {"duplicate", n.Duplicate}, {"reorder", n.Reorder}} {
		if !(p.p >= 0 && p.p < 1) {
			return wrong(p.field, "%v, want 0 or more and less than 1", p.p)
		}
	}
	return checkDelay(&n.Delay)
}

// checkDelay checks that a law has its parameters and no others.
func checkDelay(d *sim.Delay) *Error {
	type use struct{ least, scale, shape, recorded bool }
	uses := map[sim.DelayLaw]use{
		sim.FixedDelay: {}, sim.ConstantDelay: {least: true}, sim.UniformDelay: {least: true, scale: true},
		sim.ExponentialDelay: {least: true, scale: true}, sim.LognormalDelay: {scale: true, shape: true},
		sim.ParetoDelay: {least: true, shape: true}, sim.RecordedDelay: {recorded: true},
	}
	u, ok := uses[d.Law]
	if !ok {
		return wrong("delay", "law %d", d.Law)
	}
	for _, x := range []struct {
		field string
		used  bool
		ms    packets.Time
	}{{"ms", u.least, d.Least}, {"scale", u.scale, d.Scale}} {
		if e := checkMS(x.field, x.used, x.ms); e != nil {
			return e
		}
	}
	switch {
	case !u.shape && d.Shape != 0, !u.recorded && d.Recorded != nil:
		return wrong("delay", "a parameter that %s does not have", lawName(d.Law))
	case u.shape && !(d.Shape >= 0.1 && d.Shape <= 10):
		return wrong("shape", "%v, want 0.1 to 10", d.Shape)
	case d.Law == sim.UniformDelay && d.Scale < d.Least:
		return wrong("scale", "%d is less than ms, %d", d.Scale, d.Least)
	case u.recorded && (len(d.Recorded) == 0 || len(d.Recorded) > MostRecords):
		return wrong("recorded", "%d delays, want 1 to %d", len(d.Recorded), MostRecords)
	}
	for _, ms := range d.Recorded {
		if e := checkMS("recorded", true, ms); e != nil {
			return e
		}
	}
	return nil
}

func checkMS(field string, used bool, ms packets.Time) *Error {
	switch {
	case !used && ms != 0:
		return wrong(field, "the law does not have it")
	case used && (ms < 1 || ms > sim.MostDelay):
		return wrong(field, "%d, want 1 to %d", ms, sim.MostDelay)
	}
	return nil
}

// checkOp checks the fields that an operation has; Write writes no others.
func (s *Scenario) checkOp(o *Op) *Error {
	needs, may, ok := o.Kind.fields()
	has := needs | may
	node := func(i int) bool { return i >= 0 && i < s.Nodes() }
	switch {
	case !ok:
		return wrong("op", "%q is no operation", o.Kind)
	case o.T < 0 || o.T > MostTime:
		return wrong("t", "%d, want 0 to %d", o.T, MostTime)
	case has&fieldNode != 0 && !node(o.Node):
		return wrong("node", "%d, want 0 to %d", o.Node, s.Nodes()-1)
	case has&fieldPeer != 0 && (!node(o.Peer) || o.Peer == o.Node):
		return wrong("peer", "%d, want another node, 0 to %d", o.Peer, s.Nodes()-1)
	case o.OneWay && len(o.Groups) == 0:
		return wrong("one_way", "without groups")
	case o.Kind == Slow && (o.MS < 0 || o.MS > sim.MostSlow):
		return wrong("ms", "%d, want 0 to %d", o.MS, sim.MostSlow)
	case o.Kind == Clock && (o.MS < -sim.MostWall || o.MS > sim.MostWall):
		return wrong("ms", "%d, want at most %d either way", o.MS, sim.MostWall)
	case has&fieldMost != 0 && (o.Most < 0 || o.Most > packets.MaxPeerNumber):
		return wrong("most", "%d, want 0 to %d", o.Most, packets.MaxPeerNumber)
	case o.Kind == Lossy && !s.Audio:
		return wrong("op", "lossy needs an audio conference")
	}
	if e := s.checkGroups(o, needs); e != nil {
		return e
	}
	if e := checkText(o, has); e != nil {
		return e
	}
	if e := s.checkSave(o, has); e != nil {
		return e
	}
	if e := s.checkSet("core", o.Core, map[int]bool{}); e != nil {
		return e
	}
	return checkNetwork(&o.Network)
}

func (s *Scenario) checkGroups(o *Op, needs field) *Error {
	if n := len(o.Groups); n == 1 || n == 0 && needs&fieldGroups != 0 {
		return wrong("groups", "%d, want 2 or more", n)
	}
	seen := map[int]bool{}
	for _, g := range o.Groups {
		if len(g) == 0 {
			return wrong("groups", "an empty one")
		}
		if e := s.checkSet("groups", g, seen); e != nil {
			return e
		}
	}
	return nil
}

// checkSet checks that nodes are nodes and none of them seen before.
func (s *Scenario) checkSet(field string, nodes []int, seen map[int]bool) *Error {
	for _, i := range nodes {
		switch {
		case i < 0 || i >= s.Nodes():
			return wrong(field, "%d, want 0 to %d", i, s.Nodes()-1)
		case seen[i]:
			return wrong(field, "%d twice", i)
		}
		seen[i] = true
	}
	return nil
}

func checkText(o *Op, has field) *Error {
	most, least := packets.MaxText, 0
	switch o.Kind {
	case Rename:
		most = packets.MaxName
	case Retitle:
		most, least = packets.MaxName, 1
	case Lossy:
		most = 1000
	}
	switch {
	case has&fieldText == 0:
		return nil
	case !utf8.ValidString(o.Text):
		return wrong("text", "no UTF-8")
	case len(o.Text) < least || len(o.Text) > most:
		return wrong("text", "%d bytes, want %d to %d", len(o.Text), least, most)
	}
	return nil
}

func (s *Scenario) checkSave(o *Op, has field) *Error {
	if has&fieldSave == 0 {
		return nil
	}
	switch {
	case !slices.Contains([]Save{Newest, Older, Torn, Copy}, o.Save):
		return wrong("save", "%q is none of newest, older, torn and copy", o.Save)
	case o.Save == Older && o.Back < 1:
		return wrong("back", "%d, want 1 or more", o.Back)
	case o.Save == Copy && (o.Of < 0 || o.Of >= s.Nodes() || o.Of == o.Node):
		return wrong("of", "%d, want another node, 0 to %d", o.Of, s.Nodes()-1)
	case o.Save != Older && o.Back != 0, o.Save != Torn && o.Left != 0, o.Save != Copy && o.Of != 0:
		return wrong("save", "%s has another save's field", o.Save)
	}
	return nil
}
