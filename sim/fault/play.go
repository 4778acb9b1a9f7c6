package fault

import (
	"fmt"
	"runtime/debug"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/sim"
)

// Player says how scenarios are played. Its zero value will do.
type Player struct {
	NewNode sim.NewNode // nil means sim.NewEngine
	// Tell takes a line for each operation, Log a line for everything that happens.
	// Their times count from when the group has formed, and before that from the
	// beginning of the world.
	Tell, Log func(at packets.Time, line string)
	// Watch is called every WatchEvery, once the group has formed.
	Watch      func(at packets.Time, w *sim.World)
	WatchEvery packets.Time
}

// Result is what came of a scenario. The same scenario has the same Result.
type Result struct {
	Seed     uint64
	Peers    int
	Ops      int          // operations that were played
	Idle     int          // of those, how many could not be done: by who was down, for example
	Formed   packets.Time // when the group had formed, since the world began
	Settled  packets.Time // when the faults were over, since the world began; 0: never
	Hash     uint64
	Stats    sim.Stats
	Virtual  packets.Time
	Verdict  sim.Verdict
	Reason   sim.Reason
	Coverage sim.Coverage
	Expect   string // of the scenario
	Err      error  // the engines did something wrong
}

// Failed tells whether the engines are to blame, or it ended in another way than
// the scenario expects.
func (r *Result) Failed() bool {
	if r.Expect != "" {
		return r.Reason.String() != r.Expect
	}
	return r.Reason.Blamed()
}

// Why says in one line why it did not become whole; empty if it did.
func (r *Result) Why() string {
	switch {
	case r.Err != nil:
		return fmt.Sprintf("%v: %v", r.Reason, r.Err)
	case r.Reason == sim.Whole:
		return ""
	case len(r.Verdict.Why) == 0:
		return r.Reason.String()
	}
	why := fmt.Sprintf("%v: %s", r.Reason, r.Verdict.Why[0])
	if more := len(r.Verdict.Why) - 1; more > 0 {
		why += fmt.Sprintf(" (and %d more)", more)
	}
	return why
}

// player plays one scenario.
type player struct {
	Player
	s    *Scenario
	w    *sim.World
	r    *Result
	from packets.Time // when the group had formed; 0: not yet
}

// Play plays a scenario that Check finds nothing wrong with. Whatever its nodes
// do wrong, a panic included, is in the Result.
func (p Player) Play(s *Scenario) (r Result) {
	r.Seed, r.Peers, r.Expect = s.Seed, s.Peers, s.Expect
	defer func() {
		if v := recover(); v != nil {
			r.Err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
			r.Reason = sim.WrongAct
		}
	}()
	one := &player{Player: p, s: s, r: &r}
	cfg := sim.Config{
		Seed: s.Seed, NewNode: p.NewNode, Reference: s.Reference, MaxFrozen: s.MaxFrozen,
		Check: true, Sparse: true, Audit: true, KeepSaves: true, WatchEvery: p.WatchEvery,
	}
	if p.Watch != nil {
		cfg.Watch = one.watch
	}
	if p.Log != nil {
		cfg.Log = func(at packets.Time, line string) { p.Log(at-r.Formed, line) }
	}
	one.w = sim.New(cfg)
	r.Err = one.play()
	r.Reason = r.Verdict.Reason
	if r.Err != nil {
		r.Reason = sim.WrongAct
	}
	r.Hash, r.Stats, r.Virtual, r.Coverage = one.w.Hash(), one.w.Stats(), one.w.Since(), one.w.Coverage()
	return r
}

func (p *player) watch() {
	if p.from != 0 {
		p.Watch(p.w.Now()-p.from, p.w)
	}
}

// play forms the group and plays the operations.
func (p *player) play() error {
	kind := packets.Text
	if p.s.Audio {
		kind = packets.AV
	}
	edges := p.s.Friends.edges(p.s.Peers)
	if err := p.w.GatherAs(kind, p.s.Peers, edges...); err != nil {
		return err
	}
	p.w.KeepFriends(edges)
	for i := range p.s.Others {
		p.w.Start(fmt.Sprintf("other%d", i))
	}
	if p.s.Network.Delay.Law != sim.FixedDelay || p.s.Network.Loss+p.s.Network.Duplicate+p.s.Network.Reorder > 0 {
		p.w.SetNetwork(p.s.Network)
	}
	if p.Log != nil {
		p.Log(p.w.Since(), "the group has formed; times count from here")
	}
	p.from = p.w.Now()
	p.r.Formed = p.w.Since()
	for i := range p.s.Ops {
		o := &p.s.Ops[i]
		if err := p.w.Run(max(p.w.Now(), p.from+o.T)); err != nil {
			return err
		}
		if p.Tell != nil {
			p.Tell(o.T, o.String())
		}
		p.r.Ops++
		err := p.do(o)
		if p.w.Err() != nil {
			return p.w.Err()
		}
		if err != nil {
			p.r.Idle++
			if p.Tell != nil {
				p.Tell(o.T, fmt.Sprintf("  not done: %v", err))
			}
		}
	}
	return p.w.CheckAll()
}

// do carries out one operation. The error is that of a wish that cannot be
// fulfilled at the moment.
func (p *player) do(o *Op) error {
	w := p.w
	switch o.Kind {
	case Cut:
		w.Cut(o.OneWay, o.Groups...)
	case Heal:
		w.Mend(o.OneWay, o.Groups...)
	case Jam:
		w.Jam(o.OneWay, o.Groups...)
	case Unjam:
		w.Unjam(o.OneWay, o.Groups...)
	case Net:
		w.SetNetwork(o.Network)
	case Reset:
		w.Reset(o.Node, o.Peer)
	case Slow:
		w.Slow(o.Node, o.MS)
	case Pause:
		return w.Pause(o.Node)
	case Resume:
		w.Resume(o.Node)
	case Clock:
		w.Clock(o.Node, o.MS)
	case Crash:
		w.Crash(o.Node)
	case Quit:
		w.Quit(o.Node)
	case Restart:
		return p.restart(o)
	case Delete:
		w.Delete(o.Node)
	case Leave:
		return w.Leave(o.Node)
	case Settle:
		return p.settle(o)
	default:
		return p.use(o)
	}
	return nil
}

// use carries out what a user does.
func (p *player) use(o *Op) error {
	w := p.w
	switch o.Kind {
	case Befriend:
		w.Befriend(o.Node, o.Peer)
	case Unfriend:
		w.Unfriend(o.Node, o.Peer)
	case Invite:
		w.Hesitate(o.Peer, o.Late)
		return w.Invite(o.Node, o.Peer)
	case Join:
		return w.Join(o.Node)
	case Talk:
		return w.Say(o.Node, o.Text)
	case Rename:
		return w.Rename(o.Node, o.Text)
	case Retitle:
		return w.Retitle(o.Node, o.Text)
	case Lossy:
		return w.Lossy(o.Node, []byte(o.Text))
	case Frozen:
		return w.SetMaxFrozen(o.Node, o.Most)
	default:
		panic("fault: operation " + string(o.Kind))
	}
	return nil
}

func (p *player) restart(o *Op) error {
	switch o.Save {
	case Older:
		return p.w.RestartOlder(o.Node, o.Back)
	case Torn:
		return p.w.RestartTorn(o.Node, o.Left)
	case Copy:
		return p.w.RestartCopy(o.Node, o.Of)
	case Newest:
	}
	return p.w.Restart(o.Node)
}

// settle ends the faults of a core, or all, and waits for what becomes of it.
func (p *player) settle(o *Op) error {
	w, core := p.w, o.Core
	if len(core) == 0 {
		w.Mend(false)
		w.Unjam(false)
		for i := range p.s.Nodes() {
			core = append(core, i)
		}
	} else {
		each := make([][]int, len(core))
		for k, i := range core {
			each[k] = []int{i}
		}
		w.Mend(false, each...)
		w.Unjam(false, each...)
	}
	for _, i := range core {
		w.Resume(i)
		w.Slow(i, 0)
		if !w.Running(i) {
			if _ = w.Restart(i); w.Err() != nil {
				return w.Err()
			}
		}
	}
	if err := w.CheckAll(); err != nil {
		return err
	}
	p.r.Settled = w.Since()
	var err error
	p.r.Verdict, err = w.Settle(nil)
	return err
}
