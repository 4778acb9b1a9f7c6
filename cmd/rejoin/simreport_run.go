package main

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/sim"
	"github.com/tox-rejoin/rejoin/sim/measure"
)

// reporter plays all worlds of a report, several at a time.
type reporter struct {
	plan   reportPlan
	heals  []*healRow
	losses []*lossRow
	tasks  []reportTask
	live   *liveLine
	start  time.Time

	mu     sync.Mutex
	next   int
	done   int // tasks
	weight float64
	err    error
	lastAt time.Time // of the last line on what is no terminal
}

// healRow is groups of one size that run one code.
type healRow struct {
	code  string
	peers int
	from  uint64
	seeds []measure.Healed // by seed, from on
}

// lossRow is one fault in groups that run one code.
type lossRow struct {
	code  string
	fault string
	seeds []measure.Lost
}

// reportTask is one world. Its weight is about how long it takes.
type reportTask struct {
	name   string
	weight float64
	do     func(watch func(phase string, since packets.Time)) error
}

func newReporter(plan reportPlan, codes []reportCode, live *liveLine) *reporter {
	r := &reporter{plan: plan, live: live, start: time.Now()}
	r.lastAt = r.start
	for _, size := range plan.sizes {
		for i, c := range codes {
			if i == 0 || size <= plan.theirs {
				r.addHeals(size, c)
			}
		}
	}
	for _, f := range measure.Faults(reportLossPeers) {
		for _, c := range codes {
			r.addLosses(f, c)
		}
	}
	// The longest first, so that no core has to wait for another in the end.
	slices.SortStableFunc(r.tasks, func(a, b reportTask) int { return cmp.Compare(b.weight, a.weight) })
	return r
}

func (r *reporter) addHeals(size int, c reportCode) {
	row := &healRow{code: c.name, peers: size, from: r.plan.from}
	row.seeds = make([]measure.Healed, r.plan.last(size)-r.plan.from+1)
	r.heals = append(r.heals, row)
	for i := range row.seeds {
		h := measure.Heal{Seed: row.from + uint64(i), Peers: size, Friends: r.plan.friends, NewNode: c.heal, Reference: c.reference}
		r.tasks = append(r.tasks, reportTask{
			name:   fmt.Sprintf("%s, %s, seed %d", plural(size, "peer"), c.name, h.Seed),
			weight: float64(size) * float64(size) * float64(size),
			do: func(watch func(string, packets.Time)) (err error) {
				h.Watch = watch
				row.seeds[i], err = h.Run()
				return err
			},
		})
	}
}

func (r *reporter) addLosses(f measure.Fault, c reportCode) {
	row := &lossRow{code: c.name, fault: f.Name}
	row.seeds = make([]measure.Lost, min(reportLossSeeds, r.plan.to-r.plan.from+1))
	r.losses = append(r.losses, row)
	for i := range row.seeds {
		seed := r.plan.from + uint64(i)
		r.tasks = append(r.tasks, reportTask{
			name: fmt.Sprintf("messages, %s, %s, seed %d", c.name, f.Name, seed), weight: 100_000,
			do: func(func(string, packets.Time)) (err error) {
				talk := measure.Talk{Seed: seed, Peers: reportLossPeers, NewNode: c.audit, Reference: c.reference}
				row.seeds[i], err = talk.Under(&f)
				return err
			},
		})
	}
}

// run does all tasks. It returns the first failure.
func (r *reporter) run() error {
	var group sync.WaitGroup
	for range r.plan.jobs {
		group.Go(func() {
			for {
				t, more := r.take()
				if !more {
					return
				}
				err := t.do(func(phase string, since packets.Time) {
					r.progress(fmt.Sprintf("%s: %s, %s", t.name, phase, clock(since)))
				})
				r.finish(t, err)
			}
		})
	}
	group.Wait()
	r.live.clear()
	return r.err
}

// take hands out the next task.
func (r *reporter) take() (*reportTask, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.next == len(r.tasks) || r.err != nil {
		return nil, false
	}
	r.next++
	return &r.tasks[r.next-1], true
}

func (r *reporter) finish(t *reportTask, err error) {
	r.mu.Lock()
	r.done++
	r.weight += t.weight
	if err != nil && r.err == nil {
		r.err = fmt.Errorf("%s: %w", t.name, err)
	}
	r.mu.Unlock()
	r.progress(t.name)
}

// progress shows how far it is, and what is going on.
func (r *reporter) progress(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	every := seedsSparse
	if r.live.terminal {
		every = seedsProgress
	}
	now := time.Now()
	if now.Sub(r.lastAt) < every {
		return
	}
	r.lastAt = now
	all := 0.0
	for i := range r.tasks {
		all += r.tasks[i].weight
	}
	line := fmt.Sprintf("%s %d of %d worlds, %s", bar(int(1000*r.weight/all), 1000, 20), r.done, len(r.tasks), what)
	if r.live.terminal {
		r.live.show(line)
	} else {
		r.live.keep(line)
	}
}

// report sums everything up.
func (r *reporter) report() fullReport {
	rep := fullReport{
		CutMS: measure.Cut, HopMS: sim.DefaultDelay, Friends: r.plan.friends.String(),
		Peers: reportLossPeers, Oracle: len(reportOthers()) > 0,
	}
	for _, row := range r.heals {
		rep.Heals = append(rep.Heals, row.report())
	}
	for _, row := range r.losses {
		l := lossReport{Code: row.code, Fault: row.fault, Seeds: len(row.seeds)}
		var sum measure.Lost
		for i := range row.seeds {
			sum.Add(&row.seeds[i])
		}
		l.During, l.After, l.Merged = sum.Counts[measure.During], sum.Counts[measure.After], sum.Counts[measure.Merged]
		l.Apart = sum.Apart
		rep.Messages = append(rep.Messages, l)
	}
	for _, hop := range []packets.Time{sim.DefaultDelay, 100, 200} {
		peers, hops := measure.LargestRing(hop, measure.FreezeAfter, reportRing)
		rep.Rings = append(rep.Rings, ringReport{HopMS: hop, Peers: peers, Hops: hops})
	}
	rep.WallMS = time.Since(r.start).Milliseconds()
	return rep
}

// report sums up one row.
func (row *healRow) report() healReport {
	h := healReport{Code: row.code, Peers: row.peers, From: row.from, To: row.from + uint64(len(row.seeds)) - 1, Trouble: map[string]int{}}
	var took, least, over, crossing []packets.Time
	var sent, pings []uint64
	sum := uint64(0)
	for i := range row.seeds {
		s := &row.seeds[i]
		sum += sim.Mix(s.Hash, row.from+uint64(i))
		h.VirtualMS += s.Virtual
		h.Deliveries += s.Deliveries
		h.Hops, h.RingHops = max(h.Hops, s.Hops), max(h.RingHops, s.RingHops)
		crossing = append(crossing, s.Crossing)
		if s.Least >= 0 {
			least = append(least, s.Least)
		}
		if s.Reason != sim.Whole {
			h.Trouble[s.Reason.String()]++
		}
		if !s.Whole {
			continue
		}
		h.Whole++
		took, over = append(took, s.Took), append(over, s.Took-s.Least)
		sent, pings = append(sent, s.Packets-s.Pings), append(pings, s.Pings)
	}
	n := len(row.seeds)
	h.Heal, h.Least, h.Over = times3(took, n), times3(least, n), times3(over, n)
	h.Crossing = times3(crossing, n)
	h.Packets, h.Pings = counts3(sent, n), counts3(pings, n)
	h.TraceHash = fmt.Sprintf("%016x", sum)
	return h
}

func times3(list []packets.Time, of int) timeSpread {
	s := measure.SpreadOf(list, of)
	return timeSpread{s.P50, s.P99, s.Worst}
}

func counts3(list []uint64, of int) countSpread {
	s := measure.SpreadOf(list, of)
	return countSpread{s.P50, s.P99, s.Worst}
}
