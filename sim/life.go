package sim

import (
	"errors"

	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
)

// Start adds a node that runs and returns its index. It knows nobody yet.
func (w *World) Start(name string) int {
	i := len(w.nodes)
	w.nodes = append(w.nodes, node{key: w.drawKey(streamKey, uint64(i), i), name: []byte(name)})
	if w.audit != nil {
		w.audit.grow()
	}
	w.op('n', i, 0)
	if err := w.boot(i); err != nil {
		w.fail(i, "does not start: %v", err)
	}
	return i
}

// boot gives node i an engine made from its saved state.
func (w *World) boot(i int) error {
	n := &w.nodes[i]
	n.runs++
	id := uint64(i)<<24 | n.runs
	n.dht = w.drawKey(streamDHT, id, i)
	n.rand = newStream(w.cfg.Seed, streamNode, id)
	n.skew = w.now%packets.Second - n.wall/packets.Second*packets.Second // the clock starts at a whole second
	if n.wall != 0 {
		w.hit(ProbeClock)
	}
	n.wake, n.sched = 0, 0
	n.invited = n.invited[:0]
	var friends []packets.PublicKey
	for _, k := range n.links {
		if l := &w.links[k]; l.friend {
			friends = append(friends, w.nodes[l.other(uint32(i))].key)
		}
	}
	e, err := w.cfg.NewNode(conference.Config{
		Self:      n.key,
		DHTKey:    n.dht,
		Name:      n.name,
		Rand:      &n.rand,
		Friends:   friends,
		MaxFrozen: w.cfg.MaxFrozen,
		Frame:     frame,
		Reference: w.cfg.Reference,
	}, n.saved, w.now-n.skew)
	if err != nil {
		return err
	}
	n.engine = e
	w.version++
	n.sees, n.member, n.renamed = 0, false, false
	for _, s := range n.saved {
		if w.found && s.ID == w.group {
			n.sees, n.member = 1, true
			if w.usedBefore(s.PeerNumber, s.Number+1) {
				w.hit(ProbeBehind)
			}
		}
	}
	n.belongs = n.member
	if w.audit != nil {
		w.audit.reset(i)
		w.audit.mirror(w, i)
	}
	w.called(i)
	for _, k := range n.links {
		l := &w.links[k]
		w.look(l)
		l.attempt++
		l.trying = false
		if l.friend {
			w.attempt(k, l.rand.within(w.laws.FindMin, w.laws.FindMax))
		}
	}
	return nil
}

// Crash makes node a vanish without a word. What it saved last stays.
func (w *World) Crash(a int) {
	n := &w.nodes[a]
	if n.engine == nil {
		return
	}
	w.op('x', a, 0)
	w.disturb()
	w.logf("peer %d crashes", a)
	w.counted(a)
	for _, k := range n.links {
		l := &w.links[k]
		if side := l.side(uint32(a)); l.up[side] {
			if !l.deaf[1-side] && l.up[1-side] { // else the other has been doomed before
				l.cut[0]++
				l.cut[1]++
				w.doom(k, 1-side)
			}
			w.drop(k, side)
		}
	}
	w.stop(a)
}

// Quit makes node a say goodbye until next time and stop.
func (w *World) Quit(a int) {
	n := &w.nodes[a]
	if n.engine == nil || n.paused {
		return
	}
	w.op('q', a, 0)
	w.disturb()
	w.logf("peer %d quits", a)
	w.counted(a)
	n.engine.Quit(w.now - n.skew)
	w.called(a)
	for _, k := range n.links {
		w.hangUp(k, w.links[k].side(uint32(a)))
	}
	w.stop(a)
}

// stop takes the engine of node a away.
func (w *World) stop(a int) {
	n := &w.nodes[a]
	w.probeDrops(a)
	n.engine = nil
	w.version++
	n.wake, n.sees, n.member, n.joining, n.paused = 0, 0, false, false, false
	for _, k := range n.links {
		l := &w.links[k]
		l.wants[l.side(uint32(a))] = false
		l.attempt++
		l.trying = false
		l.open, l.deaf = false, [2]bool{true, true}
	}
}

// Restart starts node a again from what it saved last, with a new DHT key. In
// Reference it returns packets.ErrOwnNumber for a save that cannot be loaded.
func (w *World) Restart(a int) error {
	if w.nodes[a].engine != nil {
		return ErrRunning
	}
	w.op('r', a, 0)
	w.disturb()
	w.logf("peer %d starts again", a)
	if err := w.boot(a); err != nil {
		if w.cfg.Reference && errors.Is(err, packets.ErrOwnNumber) {
			w.logf("peer %d cannot load what it saved: %v", a, err)
			return err // c-toxcore's weakness (SPEC I-10)
		}
		w.fail(a, "does not start again: %v", err)
	}
	return w.err
}
