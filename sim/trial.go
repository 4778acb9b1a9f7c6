package sim

import (
	"fmt"
	"runtime/debug"
	"strconv"

	"github.com/tox-rejoin/rejoin/packets"
)

// Limits of a trial.
const (
	MinTrialPeers     = 3
	DefaultTrialPeers = 12
	MaxTrialPeers     = 100
)

// Trial is one world full of random faults, all of them decided by a seed. It
// is to end whole, if it can.
type Trial struct {
	Seed      uint64
	Peers     int     // at most so many at the start, at least MinTrialPeers; 0 means DefaultTrialPeers
	NewNode   NewNode // nil means NewEngine
	Reference bool
	Log       func(at packets.Time, line string)
}

// Result is how a trial ended. The same Trial has the same Result.
type Result struct {
	Seed    uint64
	Peers   int // at the start
	Hash    uint64
	Stats   Stats
	Virtual packets.Time
	Verdict Verdict
	Err     error // the engines did something wrong
}

// Failed tells whether the engines are to blame: they did something wrong, or
// did not become whole although they could.
func (r *Result) Failed() bool { return r.Err != nil || r.Verdict.Recoverable && !r.Verdict.Converged }

// Reason says in one line why a trial failed.
func (r *Result) Reason() string {
	switch {
	case r.Err != nil:
		return r.Err.Error()
	case !r.Failed():
		return ""
	case len(r.Verdict.Why) == 0:
		return "recoverable, but not whole"
	}
	why := r.Verdict.Why[0]
	if more := len(r.Verdict.Why) - 1; more > 0 {
		why += fmt.Sprintf(" (and %d more)", more)
	}
	return why
}

// Run plays the trial.
func (t Trial) Run() (r Result) {
	r.Seed = t.Seed
	p := trial{draw: newStream(t.Seed, streamPlan, 0)}
	defer func() {
		if v := recover(); v != nil {
			r.Err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
	}()
	peers := t.Peers
	if peers == 0 {
		peers = DefaultTrialPeers
	}
	r.Peers = p.draw.Between(min(MinTrialPeers, peers), peers)
	cfg := Config{
		Seed: t.Seed, NewNode: t.NewNode, Reference: t.Reference,
		Laws: p.laws(), Check: true, Audit: true, Log: t.Log,
	}
	if p.draw.Chance(0.3) {
		cfg.MaxFrozen = p.draw.Between(1, 3)
	}
	p.w = New(cfg)
	r.Err = p.run(r.Peers, &r.Verdict)
	r.Hash, r.Stats, r.Virtual = p.w.Hash(), p.w.Stats(), p.w.Since()
	return r
}

// trial plays one Trial.
type trial struct {
	w     *World
	draw  Stream
	words int
}

// laws draws a network: quick or slow links, a third of them with loss.
func (p *trial) laws() Laws {
	l := DefaultLaws()
	l.Delay = p.draw.within(10, 120)
	l.Spread = l.Delay * packets.Time(p.draw.Below(9)) / 10
	if p.draw.Chance(1. / 3) {
		l.Loss = float64(p.draw.Between(1, 100)) / 1000
	}
	return l
}

func (p *trial) run(n int, v *Verdict) error {
	if err := p.w.Gather(n); err != nil {
		return err
	}
	p.befriend(n)
	for range p.draw.Between(2, 5) {
		if err := p.step(); err != nil {
			return err
		}
	}
	if err := p.clearUp(); err != nil {
		return err
	}
	var err error
	*v, err = p.w.Settle(nil)
	return err
}

// befriend adds friendships to those of the invitations, and ends some.
func (p *trial) befriend(n int) {
	for range p.draw.Below(n + 1) {
		if a, b := p.draw.Below(n), p.draw.Below(n); a != b {
			p.w.Befriend(a, b)
		}
	}
	if p.draw.Chance(0.25) {
		a := p.draw.Below(n - 1)
		p.w.Unfriend(a, a+1)
	}
}

// step is one fault and what happens during it.
func (p *trial) step() error {
	w := p.w
	switch p.draw.Below(10) {
	case 0, 1, 2:
		p.split()
		if err := p.spend(p.long()); err != nil {
			return err
		}
		w.Heal()
	case 3:
		return p.away(w.Crash)
	case 4:
		return p.away(w.Quit)
	case 5:
		return p.latePath()
	case 6:
		return p.stall()
	case 7:
		return p.comeAndGo()
	case 8:
		if a, ok := p.live(); ok {
			if err := p.bad(w.SetMaxFrozen(a, p.draw.Between(0, 4))); err != nil {
				return err
			}
		}
	}
	return p.spend(p.draw.within(1, 40) * packets.Second)
}

// bad is err if it is a failure of the world; that a user's wish cannot be
// fulfilled at the moment is none.
func (p *trial) bad(error) error { return p.w.err }

// live draws a live node.
func (p *trial) live() (int, bool) {
	var live []int
	for i := range p.w.nodes {
		if p.w.Running(i) && p.w.belongs(i) {
			live = append(live, i)
		}
	}
	if len(live) == 0 {
		return 0, false
	}
	return live[p.draw.Below(len(live))], true
}

// long draws how long a fault lasts: too short to be noticed, about as long as
// noticing and freezing take, or long enough for both.
func (p *trial) long() packets.Time {
	switch p.draw.Below(3) {
	case 0:
		return p.draw.within(500, 25_000)
	case 1:
		return p.draw.within(25_000, 65_000)
	}
	return p.draw.within(65_000, 150_000)
}

// spend lets time go by while users do this and that.
func (p *trial) spend(d packets.Time) error {
	w := p.w
	until := w.now + d
	for n := p.draw.Below(6); n > 0 && w.now < until; n-- {
		if err := w.Run(w.now + p.draw.within(0, until-w.now)); err != nil {
			return err
		}
		a, ok := p.live()
		if !ok {
			break
		}
		p.words++
		word := strconv.Itoa(p.words)
		var err error
		switch p.draw.Below(8) {
		case 0:
			err = w.Rename(a, "name"+word)
		case 1:
			err = w.Retitle(a, "title"+word)
		case 2:
			w.Crash(a)
		case 3:
			err = p.wakeOne()
		case 4:
			err = p.burst(a, p.draw.Between(2, 10))
		default:
			err = w.Say(a, "text"+word)
		}
		if err = p.bad(err); err != nil {
			return err
		}
	}
	return w.Run(until)
}

// burst makes a node say much at once.
func (p *trial) burst(a, n int) error {
	for range n {
		if !p.w.Running(a) {
			return nil
		}
		p.words++
		_ = p.w.Say(a, "text"+strconv.Itoa(p.words))
		if err := p.w.Run(p.w.now + p.draw.within(1, 20)); err != nil {
			return err
		}
	}
	return nil
}

// wakeOne starts one of those that are down.
func (p *trial) wakeOne() error {
	for i := range p.w.nodes {
		if !p.w.Running(i) && p.draw.Chance(0.5) {
			return p.w.Restart(i)
		}
	}
	return nil
}

// Mixed is the trace hash mixed with the seed, so that the sum over many seeds
// says whether each had the same trace.
func (r *Result) Mixed() uint64 { return Mix(r.Hash, r.Seed) }
