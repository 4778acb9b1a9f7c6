package sim

import (
	"fmt"
	"strconv"

	"github.com/tox-rejoin/rejoin/packets"
)

// Times of Settle.
const (
	// settleTime is how long a conference that can become whole may take: a
	// session that had backed off (34 s), a stale entry that has to freeze before
	// a Rejoin is sent (60 s), another that has to freeze after it (60 s), the
	// pings that thaw the rest (20 s), and as much again.
	settleTime = 360 * packets.Second
	// calmTime is how long it has to stay whole: whoever is heard but hears
	// nobody freezes the others within 60 s, and everybody pings once more.
	calmTime = 80 * packets.Second
	// rollTime is how long a text may take to everybody.
	rollTime = 10 * packets.Second
	// lateTime is how much longer it may take on links that delay or lose packets:
	// six resends, each a round trip of MostDelay later.
	lateTime = 12 * MostDelay
)

// Verdict is how a world ended.
type Verdict struct {
	Recoverable bool         // it could become whole, as far as its protocol goes
	Parts       [][]int      // if not: who is with whom
	Converged   bool         // it did: members, delivery, and all the rest
	WholeAt     packets.Time // since when its members agreed, if they did
	Why         []string     // who disagrees with whom on what
	Ledger      Ledger
	Reason      Reason // why it did not converge; Whole: it did

	lost, twice int  // texts that were not shown to somebody, or more than once
	behind      bool // somebody counted from where another run had been, before the texts
}

// Settle lets a world whose faults are over go on until its conference is whole
// and stays whole, then has everybody say something, which must reach everybody
// once, and compares everything. stop, if not nil, is called after everything
// that happens and ends the wait early when it says so. The error is a failure
// of the engines on the way.
func (w *World) Settle(stop func() bool) (Verdict, error) {
	var v Verdict
	w.findZones()
	drops := w.listDrops()
	_, friends := w.components(byFriends)
	able := len(friends) <= w.zones() && !w.trims()
	limit := w.now + settleTime
	if err := w.becomeWhole(limit, stop, &v.WholeAt); err != nil {
		return v, err
	}
	if v.WholeAt == 0 {
		// What held it together may be gone since: lists may have been trimmed,
		// and neighbours who are no friends may have let each other go while they
		// counted on others who had restarted.
		_, v.Parts = w.Recoverable()
		v.Recoverable = len(v.Parts) <= w.zones() || able
		v.Why, v.Ledger = w.Disagreements(8)
		w.judge(&v, drops)
		return v, nil
	}
	v.Recoverable = true
	v.behind = w.anyBehind()
	if err := w.rollCall(&v); err != nil {
		return v, err
	}
	why, ledger := w.Disagreements(8)
	v.Why, v.Ledger = append(v.Why, why...), ledger
	v.Converged = len(v.Why) == 0
	if !v.Converged {
		w.judge(&v, drops)
	}
	return v, nil
}

// judge finds the reason of a conference that did not converge. What the
// protocol has no cure for is not the engines' fault.
func (w *World) judge(v *Verdict, drops uint64) {
	v.Reason = w.excuse(v)
	switch {
	case v.Reason != Whole:
		v.Recoverable = false
	case !v.Recoverable:
		v.Reason = w.apart(v.Parts)
	default:
		_, linked := w.components(byLinks)
		v.Reason = w.blame(v, linked, drops)
	}
}

// becomeWhole waits until the conference is whole and stays so for a while, but
// not beyond limit, and says since when; 0: it does not.
func (w *World) becomeWhole(limit packets.Time, stop func() bool, since *packets.Time) error {
	stopped := false
	halt := func() bool {
		stopped = stopped || stop != nil && stop()
		return stopped
	}
	for w.now < limit && !stopped {
		if !w.Whole() {
			if err := w.RunUntil(limit, func() bool { return halt() || w.Whole() }); err != nil {
				return err
			}
			continue
		}
		from := w.now
		if err := w.RunUntil(from+calmTime, func() bool { return halt() || !w.Whole() }); err != nil {
			return err
		}
		if stopped || !w.Whole() {
			continue
		}
		// Counts agree. A peer that was invited again while somebody was away may
		// still be known under two numbers; its pings settle that.
		if len(w.dispute(1).said) > 0 {
			continue
		}
		*since = from
		return nil
	}
	return nil
}

// trims tells whether some node's frozen list may be too short for everybody.
func (w *World) trims() bool {
	for i := range w.nodes {
		if v := w.view(i); v != nil && v.MaxFrozen < len(w.nodes)-1 {
			return true
		}
	}
	return false
}

// rollCall has every live node say something unique and counts who is shown it.
func (w *World) rollCall(v *Verdict) error {
	from := make([]int, len(w.nodes))
	var said []int
	for i := range w.nodes {
		from[i] = len(w.nodes[i].shown)
	}
	for i := range w.nodes {
		if !w.live(i) || w.company(i) == 0 {
			continue
		}
		if err := w.say(i, roll(i)); err != nil {
			if w.err != nil {
				return w.err
			}
			v.Why = append(v.Why, fmt.Sprintf("peer %d cannot say anything: %v", i, err))
			continue
		}
		said = append(said, i)
		if err := w.Run(w.now + 10); err != nil {
			return err
		}
	}
	limit := w.now + rollTime
	if err := w.Run(limit); err != nil {
		return err
	}
	if w.network.Delay.Law != FixedDelay || w.laws.Loss > 0 {
		limit += lateTime
	}
	lost, twice, why := w.count(from, said)
	for lost > 0 && w.now < limit {
		if err := w.Run(w.now + packets.Second); err != nil {
			return err
		}
		lost, twice, why = w.count(from, said)
	}
	v.lost, v.twice, v.Why = lost, twice, append(v.Why, why...)
	return nil
}

// count counts the texts of those who said one that were not shown to somebody,
// or more than once, and says which; from is how many each node had been shown
// before.
func (w *World) count(from, said []int) (lost, twice int, why []string) {
	times := make([]int, len(w.nodes))
	for i := range w.nodes {
		n := &w.nodes[i]
		if !w.live(i) {
			continue
		}
		clear(times)
		for _, s := range n.shown[from[i]:] {
			if s.text == roll(int(s.from)) {
				times[s.from]++
			}
		}
		for _, a := range said {
			switch {
			case w.zoneOf(a) != w.zoneOf(i):
				if times[a] == 0 {
					continue
				}
			case times[a] == 0:
				lost++
			case times[a] > 1:
				twice++
			}
			if times[a] != 1 {
				why = append(why, fmt.Sprintf("peer %d was shown the text of peer %d %d times", i, a, times[a]))
			}
		}
	}
	return lost, twice, why
}

// company counts the other live nodes that node i can reach.
func (w *World) company(i int) int {
	n := 0
	for j := range w.nodes {
		if j != i && w.live(j) && w.zoneOf(j) == w.zoneOf(i) {
			n++
		}
	}
	return n
}

func roll(i int) string { return "here is " + strconv.Itoa(i) }

// Gather starts n nodes and makes them one conference: node 0 founds it, and
// each invites the next. Who invited each other are friends then, and so are
// these pairs: peers remember who was a friend when they met.
func (w *World) Gather(n int, friends ...[2]int) error {
	return w.GatherAs(packets.Text, n, friends...)
}

// GatherAs is Gather for a conference of a type.
func (w *World) GatherAs(t packets.Type, n int, friends ...[2]int) error {
	for i := range n {
		w.Start(nodeName(i))
		if err := w.Run(w.now + 17); err != nil { // nobody's frames coincide
			return err
		}
		if i > 0 {
			w.Befriend(i-1, i)
		}
	}
	for _, f := range friends {
		w.Befriend(f[0], f[1])
	}
	if err := w.Run(w.now + w.laws.FindMax + 10*w.laws.Delay); err != nil {
		return err
	}
	if _, err := w.Create(0, t); err != nil {
		return err
	}
	for i := 1; i < n; i++ {
		if err := w.Invite(i-1, i); err != nil {
			return fmt.Errorf("peer %d cannot invite peer %d: %w", i-1, i, err)
		}
		if err := w.RunUntil(w.now+joinTime, func() bool { return w.Member(i) }); err != nil {
			return err
		}
		if !w.Member(i) {
			return fmt.Errorf("%w: peer %d has not joined after %d s", ErrNotJoined, i, joinTime/packets.Second)
		}
	}
	if err := w.RunUntil(w.now+joinTime, w.Whole); err != nil {
		return err
	}
	if !w.Whole() {
		return fmt.Errorf("%w: they are not whole after %d s", ErrNotJoined, joinTime/packets.Second)
	}
	return w.Run(w.now + w.laws.ConnectMax + packets.Second) // until the closest are connected
}

// joinTime is how long joining may take.
const joinTime = 60 * packets.Second
