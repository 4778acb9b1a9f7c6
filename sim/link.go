package sim

import (
	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
)

// link is everything between two nodes: at most one session at a time, as each
// side sees it. Side 0 is the node with the lower index.
type link struct {
	peer    [2]uint32
	session uint32          // counts sessions; a packet of a former one never arrives
	cut     [2]uint32       // counts the times that a side stopped or began again to hear the other
	attempt uint32          // counts attempts to connect; an evConnect of a former one is void
	trying  bool            // an evConnect is on the way
	friend  bool            // the users are friends: both hosts keep a reference
	stalled bool            // nothing passes, whatever else does
	open    bool            // packets pass both ways, so a session can come up
	deaf    [2]bool         // that side hears nothing of the other
	up      [2]bool         // that side has the session
	wants   [2]bool         // that side's engine holds a reference
	delay   packets.Time    // one way
	sample  uint32          // counts what was taken of a recorded delay
	last    [2]packets.Time // when the last lossless packet for that side arrives
	held    [2]list         // lossless packets for that side that a cut holds up
	rand    Stream

	dht               [2]packets.PublicKey // of each side's run that made the session
	rejoined, greeted [2]packets.Time      // when that side sent the last Rejoin, the last Online
}

// linkTable finds the link to a peer: open addressing, no deletion.
type linkTable struct {
	keys []uint32 // peer + 1; 0: free
	vals []uint32
	n    int
}

func (t *linkTable) get(peer uint32) (uint32, bool) {
	if len(t.keys) == 0 {
		return 0, false
	}
	mask := uint32(len(t.keys) - 1)
	for i := peer * 0x9e3779b1 & mask; ; i = (i + 1) & mask {
		switch t.keys[i] {
		case peer + 1:
			return t.vals[i], true
		case 0:
			return 0, false
		}
	}
}

func (t *linkTable) put(peer, link uint32) {
	if 2*(t.n+1) > len(t.keys) {
		old := *t
		size := max(16, 2*len(old.keys))
		t.keys, t.vals, t.n = make([]uint32, size), make([]uint32, size), 0
		for i, k := range old.keys {
			if k != 0 {
				t.put(k-1, old.vals[i])
			}
		}
	}
	mask := uint32(len(t.keys) - 1)
	i := peer * 0x9e3779b1 & mask
	for t.keys[i] != 0 {
		i = (i + 1) & mask
	}
	t.keys[i], t.vals[i] = peer+1, link
	t.n++
}

// link returns the link between two nodes and the side of the first.
func (w *World) link(a, b uint32) (uint32, int) {
	side := 0
	if a > b {
		side = 1
	}
	if l, ok := w.nodes[a].table.get(b); ok {
		return l, side
	}
	lo, hi := min(a, b), max(a, b)
	i := uint32(len(w.links))
	w.links = append(w.links, link{
		peer: [2]uint32{lo, hi},
		rand: newStream(w.cfg.Seed, streamLink, uint64(lo)<<28|uint64(hi)),
	})
	for k, p := range w.links[i].peer {
		n := &w.nodes[p]
		n.table.put(w.links[i].peer[1-k], i)
		n.links = append(n.links, i)
	}
	w.look(&w.links[i])
	return i, side
}

// look finds out what passes over l.
func (w *World) look(l *link) {
	for side := range l.deaf {
		l.deaf[side] = !w.hears(l, side)
	}
	l.open = !l.deaf[0] && !l.deaf[1]
}

// hears tells whether a side of l hears the other: both run, and packets pass.
func (w *World) hears(l *link, side int) bool {
	self, other := &w.nodes[l.peer[side]], &w.nodes[l.peer[1-side]]
	return self.engine != nil && other.engine != nil && !other.paused && w.reaches(l, side)
}

// reaches tells whether what is on its way over l to a side arrives, even if
// who sent it runs no more.
func (w *World) reaches(l *link, side int) bool {
	to, from := &w.nodes[l.peer[side]], &w.nodes[l.peer[1-side]]
	return !l.stalled && to.part == from.part && !to.paused &&
		!w.walls.has(l.peer[1-side], l.peer[side]) && !w.jams.has(l.peer[1-side], l.peer[side])
}

// wanted tells whether a session on l should exist: between friends, or when
// both engines want it (SPEC C-55).
func (l *link) wanted() bool { return l.friend || l.wants[0] && l.wants[1] }

// review brings a link up to date after something changed that decides whether
// packets pass.
func (w *World) review(i uint32) {
	l := &w.links[i]
	before, open := l.deaf, l.open
	w.look(l)
	for side, deaf := range l.deaf {
		if deaf == before[side] || !l.up[0] || !l.up[1] { // one that is up alone has been doomed before
			continue
		}
		l.cut[side]++
		if deaf {
			w.doom(i, side)
		} else if l.held[side].head != 0 { // in time: it has not noticed
			w.schedule(w.now+l.delay, evFlush, i, side, l.session)
		}
	}
	if l.open && !open && !l.up[0] && !l.up[1] && !l.trying {
		wait := w.laws.Reconnect
		if l.rand.Chance(w.laws.BackedOff) {
			wait = l.rand.within(w.laws.BackOffMin, w.laws.BackOffMax)
		}
		w.attempt(i, wait)
	}
}

// doom makes a side notice that packets have stopped.
func (w *World) doom(i uint32, side int) {
	l := &w.links[i]
	w.schedule(w.now+l.rand.within(w.laws.DeadMin, w.laws.DeadMax), evDead, i, side, l.cut[side])
}

// dead is the moment when a side notices. It closes the session; the other side
// may be able to hear that. A paused node notices when it goes on.
func (w *World) dead(i uint32, side int, cut uint32) {
	l := &w.links[i]
	if l.cut[side] != cut || !l.up[side] || w.nodes[l.peer[side]].paused {
		return
	}
	session := l.session
	w.hit(ProbeDeadLink)
	w.down(i, side)
	if l = &w.links[i]; l.session == session && l.up[1-side] && w.reaches(l, 1-side) {
		w.hit(ProbeOneSided)
		w.schedule(w.now+l.delay, evClose, i, 1-side, session)
	}
}

// down ends a side's session and tells its engine.
func (w *World) down(i uint32, side int) {
	w.drop(i, side)
	l := &w.links[i]
	if n := &w.nodes[l.peer[side]]; n.engine != nil {
		w.logf("peer %d loses its link to peer %d", l.peer[side], l.peer[1-side])
		n.engine.Offline(w.now-n.skew, w.nodes[l.peer[1-side]].key)
		w.in = input{kind: inOffline, from: l.peer[1-side]}
		w.poll(int(l.peer[side]))
	}
	w.retry(i)
}

// drop ends a side's session without a word. What waits on either way is lost.
func (w *World) drop(i uint32, side int) {
	l := &w.links[i]
	l.up[side] = false
	w.disturb()
	for s := range l.held {
		for e := l.held[s].head; e != 0; {
			next := w.queue.slab[e].next
			w.lose(e)
			e = next
		}
		l.held[s] = list{}
	}
}

// retry connects again after both sides have lost a session, if they should.
func (w *World) retry(i uint32) {
	l := &w.links[i]
	if l.up[0] || l.up[1] || !l.open || l.trying {
		return
	}
	wait := w.laws.Reconnect
	if !l.friend {
		wait = l.rand.within(w.laws.ConnectMin, w.laws.ConnectMax)
	}
	w.attempt(i, wait)
}

// attempt lets a session come up after a while, unless one is on the way.
func (w *World) attempt(i uint32, wait packets.Time) {
	l := &w.links[i]
	if !l.wanted() || !l.open {
		return
	}
	l.attempt++
	l.trying = true
	w.schedule(w.now+wait, evConnect, i, 0, l.attempt)
}

// connect is the moment when a session comes up.
func (w *World) connect(i uint32, attempt uint32) {
	l := &w.links[i]
	if l.attempt != attempt {
		return
	}
	l.trying = false
	if !l.open || !l.wanted() || l.up[0] && l.up[1] {
		return
	}
	if l.up[0] || l.up[1] {
		// One side restarted before the other noticed. A friend learns the new DHT
		// key and drops the old session; others have to wait for its end.
		if !l.friend {
			return
		}
		side := 0
		if l.up[1] {
			side = 1
		}
		l.trying = true // so that down does not try as well
		w.down(i, side)
		w.attempt(i, w.laws.Renew)
		return
	}
	w.up(i)
}

// up makes a new session and tells both engines.
func (w *World) up(i uint32) {
	l := &w.links[i]
	l.session++
	l.cut[0]++
	l.cut[1]++
	l.last = [2]packets.Time{}
	l.delay = w.laws.Delay
	if s := w.laws.Spread; s > 0 {
		l.delay = l.rand.within(l.delay-s, l.delay+s)
	}
	if w.network.Delay.Law != FixedDelay {
		l.delay = w.network.Delay.draw(&l.rand, &l.sample)
	}
	session, friend, delay, peer := l.session, l.friend, l.delay, l.peer
	l.up = [2]bool{true, true}
	l.dht = [2]packets.PublicKey{w.nodes[peer[0]].dht, w.nodes[peer[1]].dht}
	w.stats.Links++
	w.disturb()
	w.logf("link between peers %d and %d is up", peer[0], peer[1])
	for side := range peer {
		l = &w.links[i]
		if l.session != session || !l.up[side] {
			return // the first side let go at once
		}
		n, p := &w.nodes[peer[side]], &w.nodes[peer[1-side]]
		n.engine.Online(w.now-n.skew, p.key, p.dht)
		w.in = input{kind: inOnline, from: peer[1-side]}
		w.poll(int(peer[side]))
	}
	if friend {
		for side := range peer {
			w.schedule(w.now+delay, evReady, i, side, session)
		}
	}
}

// ready: the friend's messenger has said that it is online.
func (w *World) ready(i uint32, side int, session uint32) {
	l := &w.links[i]
	if l.session != session || !l.up[side] || !l.friend {
		return
	}
	n := &w.nodes[l.peer[side]]
	if n.paused {
		w.schedule(w.now+pauseStep, evReady, i, side, session)
		return
	}
	n.engine.FriendReady(w.now-n.skew, w.nodes[l.peer[1-side]].key)
	w.in = input{kind: inReady, from: l.peer[1-side]}
	w.poll(int(l.peer[side]))
}

// conn carries out one operation of the engine of node i.
func (w *World) conn(i int, c *conference.Conn) {
	p, ok := w.indexOf(&c.Peer)
	if !ok || int(p) == i {
		w.fail(i, "wants or releases %s, which is nobody", c.Peer)
		return
	}
	w.trace.add(uint64(i)<<32|uint64(p), uint64(c.Op))
	k, side := w.link(uint32(i), p)
	l := &w.links[k]
	switch c.Op {
	case conference.Want:
		if l.wants[side] {
			w.fail(i, "wants peer %d twice", p)
		}
		l.wants[side] = true
		if !l.trying && !l.up[0] && !l.up[1] {
			w.attempt(k, l.rand.within(w.laws.ConnectMin, w.laws.ConnectMax))
		}
	case conference.Release:
		if !l.wants[side] {
			w.fail(i, "releases peer %d without wanting it", p)
		}
		l.wants[side] = false
		if !l.friend {
			w.hangUp(k, side)
		}
	}
}

// hangUp ends the session of one side, which knows; the other is told behind
// what is still on the way to it.
func (w *World) hangUp(i uint32, side int) {
	l := &w.links[i]
	l.attempt++ // whatever was coming up
	l.trying = false
	if !l.up[side] {
		return
	}
	w.drop(i, side)
	if other := 1 - side; l.up[other] {
		w.schedule(max(w.now+l.delay, l.last[other]), evClose, i, other, l.session)
	}
}

// closed is the moment when a side hears that the other has closed the session.
// In a cut it does not hear it and has to notice.
func (w *World) closed(i uint32, side int, session uint32) {
	l := &w.links[i]
	switch {
	case l.session != session || !l.up[side]:
	case w.reaches(l, side):
		w.down(i, side)
	default:
		l.cut[side]++
		w.doom(i, side)
	}
}
