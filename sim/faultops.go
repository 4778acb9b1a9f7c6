package sim

import (
	"errors"
	"fmt"

	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
)

// ErrPaused is returned for what a paused node is to do.
var ErrPaused = errors.New("sim: the node is paused")

// fault is what is wrong with a node.
type fault struct {
	paused bool
	slow   packets.Time // it looks at its socket and its clock only so often; 0: at once
	wall   packets.Time // how far its wall clock is ahead
	calmAt packets.Time // until when its timers may be late
	saves  [][]packets.SavedConference
	shy    bool // it leaves invitations open
}

const (
	// savesKept is how many older saves of a node are kept.
	savesKept = 8
	// pauseStep is how often what waits for a paused node looks whether it goes on.
	pauseStep packets.Time = 100
	// lateAfter is how long a node that goes on may take to freeze everybody.
	lateAfter = 3 * packets.Second
	// MostWall is how far a wall clock may be off.
	MostWall = 10 * 365 * 24 * 3600 * packets.Second
	// MostSlow is the longest time between two looks of a slow node.
	MostSlow = 5 * packets.Second
)

// pairs is a set of ordered pairs of nodes.
type pairs struct {
	rows [][]uint64 // bits, a row for each receiver
	n    int
}

func (p *pairs) has(from, to uint32) bool {
	return p.n > 0 && int(to) < len(p.rows) && int(from/64) < len(p.rows[to]) && p.rows[to][from/64]>>(from%64)&1 != 0
}

func (p *pairs) set(from, to uint32, on bool) {
	if p.has(from, to) == on {
		return
	}
	for int(to) >= len(p.rows) {
		p.rows = append(p.rows, nil)
	}
	row := &p.rows[to]
	for int(from/64) >= len(*row) {
		*row = append(*row, 0)
	}
	(*row)[from/64] ^= 1 << (from % 64)
	if on {
		p.n++
	} else {
		p.n--
	}
}

// Cut lets nothing pass between nodes of different groups, or with oneWay
// nothing from a group to a later one. Cuts add up; who is in no group is not
// concerned.
func (w *World) Cut(oneWay bool, groups ...[]int) {
	w.disturb()
	w.logf("cut %v%s", groups, map[bool]string{true: ", one way"}[oneWay])
	w.between(&w.walls, true, oneWay, groups)
}

// Mend takes cuts between groups back; without groups all cuts.
func (w *World) Mend(oneWay bool, groups ...[]int) {
	w.logf("mend %v%s", groups, map[bool]string{true: ", one way"}[oneWay])
	w.between(&w.walls, false, oneWay, groups)
}

// Jam holds everything up that passes between groups, lossy packets as well,
// until Unjam lets it through in one burst. Who hears nothing for too long gives
// the link up, as in a cut.
func (w *World) Jam(oneWay bool, groups ...[]int) {
	w.disturb()
	w.logf("jam %v%s", groups, map[bool]string{true: ", one way"}[oneWay])
	w.between(&w.jams, true, oneWay, groups)
}

// Unjam takes jams between groups back; without groups all jams.
func (w *World) Unjam(oneWay bool, groups ...[]int) {
	w.logf("unjam %v%s", groups, map[bool]string{true: ", one way"}[oneWay])
	w.between(&w.jams, false, oneWay, groups)
}

// between sets or clears the pairs between groups and reviews their links.
func (w *World) between(p *pairs, on, oneWay bool, groups [][]int) {
	w.op('/', len(groups), 0)
	if len(groups) == 0 {
		*p = pairs{}
	}
	for g, from := range groups {
		for h, to := range groups {
			if g == h || oneWay && g > h {
				continue
			}
			for _, a := range from {
				for _, b := range to {
					if a != b {
						w.op('/', a, b)
						p.set(uint32(a), uint32(b), on)
					}
				}
			}
		}
	}
	w.reviewAll()
}

// Passes tells whether packets pass from a to b, as far as the network goes.
func (w *World) Passes(a, b int) bool {
	return w.nodes[a].part == w.nodes[b].part &&
		!w.walls.has(uint32(a), uint32(b)) && !w.jams.has(uint32(a), uint32(b))
}

// SetNetwork changes what all links do to packets from now on.
func (w *World) SetNetwork(n Network) {
	w.op('~', int(n.Delay.Law), len(n.Delay.Recorded))
	w.disturb()
	w.logf("network %+v", n)
	w.network, w.laws.Loss = n, n.Loss
	if n.Delay.Law == FixedDelay { // sessions that came up in worse times
		for i := range w.links {
			w.links[i].delay = w.laws.Delay
		}
	}
}

// Paused tells whether node a is paused.
func (w *World) Paused(a int) bool { return w.nodes[a].paused }

// Pause stops node a in the middle of what it does, as when a computer sleeps:
// it takes nothing and sends nothing until Resume.
func (w *World) Pause(a int) error {
	n := &w.nodes[a]
	if n.engine == nil {
		return ErrDown
	}
	w.op('p', a, 0)
	w.disturb()
	w.logf("peer %d is paused", a)
	n.paused = true
	w.version++
	w.reviewOf(a)
	return nil
}

// Resume lets a paused node go on. It learns at once which links are closed.
func (w *World) Resume(a int) {
	n := &w.nodes[a]
	if !n.paused {
		return
	}
	w.op('P', a, 0)
	w.disturb()
	w.logf("peer %d goes on", a)
	n.paused = false
	n.calmAt = w.now + lateAfter + 8*n.slow
	w.version++
	w.reviewOf(a)
	for _, k := range n.links {
		l := &w.links[k]
		side := l.side(uint32(a))
		switch {
		case !l.up[side], l.up[1-side] && !l.deaf[side]:
		case !l.up[1-side] && w.reaches(l, side):
			w.hit(ProbePaused)
			w.down(k, side)
		default:
			l.cut[side]++
			w.doom(k, side)
		}
	}
	w.setWake(a, n.wake)
}

func (w *World) reviewOf(a int) {
	for _, k := range w.nodes[a].links {
		w.review(k)
	}
}

// Slow makes node a look at its socket and its clock only so often, as a phone
// does that saves power; 0: at once, as others do.
func (w *World) Slow(a int, every packets.Time) {
	w.op('w', a, int(every))
	w.disturb()
	w.logf("peer %d looks every %d ms", a, every)
	n := &w.nodes[a]
	n.slow = min(max(every, 0), MostSlow)
	n.calmAt = max(n.calmAt, w.now+lateAfter)
	w.setWake(a, n.wake)
}

// turn is when node i does what is due at a time.
func (w *World) turn(i uint32, at packets.Time) packets.Time {
	s := w.nodes[i].slow
	if s == 0 {
		return at
	}
	return (at + s - 1) / s * s
}

// Clock sets the wall clock of node a forward or back by a time. Its engine
// sees it at the next start only.
func (w *World) Clock(a int, by packets.Time) {
	w.op('k', a, int(by/packets.Second))
	w.logf("the wall clock of peer %d jumps by %d s", a, by/packets.Second)
	n := &w.nodes[a]
	n.wall = min(max(n.wall+by, -MostWall), MostWall)
}

// Saved is what node a has saved: the newest save for 0, the one before for 1,
// and so on; the oldest that is kept for more than there are.
func (w *World) Saved(a, back int) []packets.SavedConference {
	n := &w.nodes[a]
	if back == 0 || len(n.saves) == 0 {
		return n.saved
	}
	return n.saves[max(0, len(n.saves)-back)]
}

// keepSave keeps the save that a newer one replaces.
func (n *node) keepSave() {
	if len(n.saves) == savesKept {
		n.saves = append(n.saves[:0], n.saves[1:]...)
	}
	n.saves = append(n.saves, n.saved)
}

// RestartOlder starts node a from an older save than the newest.
func (w *World) RestartOlder(a, back int) error {
	w.hit(ProbeOlderSave)
	return w.restartWith(a, w.Saved(a, max(1, back)))
}

// RestartCopy starts node a with a copy of the conferences that node b has
// saved. It then goes by the number of b.
func (w *World) RestartCopy(a, b int) error {
	w.hit(ProbeCopiedSave)
	w.copies++
	return w.restartWith(a, w.Saved(b, 0))
}

// RestartTorn starts node a after its newest save file was torn to so many of
// 65536 parts of its length. The file has to be refused, and the save before it
// counts.
func (w *World) RestartTorn(a int, left uint16) error {
	file := packets.AppendSave(nil, packets.Save{
		Sections: []packets.Section{{Type: packets.SectionName, Data: w.nodes[a].name}}, End: true,
	}.SetConferences(w.nodes[a].saved))
	torn := file[:len(file)*int(left)>>16]
	if s, err := packets.ParseSave(torn); err == nil && s.End {
		w.fail(a, "loads a save file of %d bytes that was torn to %d", len(file), len(torn))
		return w.err
	}
	w.hit(ProbeTorn)
	return w.restartWith(a, w.Saved(a, 1))
}

func (w *World) restartWith(a int, saved []packets.SavedConference) error {
	if w.nodes[a].engine != nil {
		return ErrRunning
	}
	w.nodes[a].saved = saved
	w.oddSaves++
	if w.audit != nil {
		w.audit.titles.apart = true // its title is old and not fresh: others may take it
	}
	return w.Restart(a)
}

// Delete stops node a without a word and deletes all it has saved.
func (w *World) Delete(a int) {
	w.Crash(a)
	w.op('d', a, 0)
	w.logf("peer %d loses its saves", a)
	n := &w.nodes[a]
	n.saved, n.saves = nil, nil
	n.belongs = false
	w.version++
}

// Lossy makes node a send a lossy packet, in an audio conference.
func (w *World) Lossy(a int, data []byte) error {
	w.op('y', a, len(data))
	return w.call(a, func(n *node, now packets.Time) error {
		return n.engine.SendLossy(now, w.group, packets.LossyAudio, data)
	})
}

// Hesitate makes node a leave invitations open from now on, until Join.
func (w *World) Hesitate(a int, open bool) {
	w.op('h', a, 0)
	w.nodes[a].shy = open
}

// Join makes node a accept its oldest open invitation.
func (w *World) Join(a int) error {
	n := &w.nodes[a]
	switch {
	case n.engine == nil:
		return ErrDown
	case n.paused:
		return ErrPaused
	case len(n.invited) == 0:
		return fmt.Errorf("%w: no invitation", ErrGroup)
	}
	w.op('j', a, 0)
	w.disturb()
	w.hit(ProbeJoinLate)
	w.join(a, n.runs)
	return w.err
}

// behind tells whether a node counts its messages from where another run has
// been already, so that others take what it says for duplicates.
func (w *World) behind(v *conference.View) bool {
	return w.usedBefore(v.PeerNumber, v.Number+1)
}

// counted notes how far node a has counted its messages. A later run that goes
// by the same peer number, from an older save or a copy, may not know.
func (w *World) counted(a int) {
	if !w.cfg.KeepSaves {
		return
	}
	v := w.view(a)
	if v == nil || !v.Connected || w.usedBefore(v.PeerNumber, v.Number) {
		return
	}
	if w.used == nil {
		w.used = map[uint16]uint32{}
	}
	w.used[v.PeerNumber] = v.Number + 1 // a goodbye has a number as well
}

// usedBefore tells whether a message number was used under a peer number by a
// run that has ended.
func (w *World) usedBefore(peer uint16, number uint32) bool {
	used, ok := w.used[peer]
	return ok && int32(number-used) <= 0
}
