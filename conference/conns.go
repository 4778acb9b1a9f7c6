package conference

import (
	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/peers"
)

type connState uint8

const (
	free       connState = iota
	connecting           // we have an entry for the neighbour
	online               // and it has one for us; its group number is known
)

// conn is one entry of a conference's connection table. A freed entry keeps
// its old values, and so does one that is used anew until its neighbour says
// its group number: c-toxcore's snapshots show it.
type conn struct {
	link    *link
	queried packets.Time // when a message of an unknown author last caused a Peer Query
	group   uint16       // the neighbour's group number
	state   connState
	reasons Reason
	query   bool                // a Peer Query is held back (SPEC I-5)
	asked   bool                // an answer to a Peer Query is held back (SPEC I-15)
	leaving packets.MessageKind // a goodbye in the neighbour's name that others passed on (SPEC I-13)
	answers packets.Time        // when all answers so far would have been due, one each answerInterval
	began   packets.Time        // when the introduction by the neighbour began
	keep    packets.Time        // until when it is kept as a former closest peer if there are others
	again   packets.Time        // when it is asked for another Online, if it does not answer ours
}

// entry is the slot of a link, or -1.
func (g *group) entry(l *link) int {
	for i := range g.conns {
		if g.conns[i].link == l && g.conns[i].state != free {
			return i
		}
	}
	return -1
}

func (g *group) setState(i int, to connState) {
	c := &g.conns[i]
	if c.state == online {
		g.online--
	}
	if to == online {
		g.online++
	}
	c.state = to
}

// addConn gives a link's entry one more reason, making the entry if there is
// none. It returns the slot, -1 if the table is full (SPEC C-53).
func (e *Engine) addConn(g *group, l *link, why Reason) int {
	at := g.entry(l)
	if at < 0 {
		for i := range g.conns { // the last free one, as new entries are moved to the front later
			if g.conns[i].state == free {
				at = i
			}
		}
		if at < 0 {
			return -1
		}
		c := &g.conns[at]
		c.link, c.reasons, c.queried, c.query = l, 0, 0, false
		c.asked, c.leaving, c.answers = false, 0, l.answers
		g.setState(at, connecting)
		g.used++
		g.gaps = true
		l.heard = true
		e.hold(l)
	}
	c := &g.conns[at]
	switch why {
	case ReasonIntroducer:
		if c.reasons&why == 0 {
			g.introducers++
		}
		c.began = e.now
	case ReasonClosest:
		c.reasons &^= ReasonFormer
	}
	c.reasons |= why
	return at
}

// removeReason takes a reason back; an introducer is told so, and an entry
// without reasons goes (SPEC C-40, C-49, C-51).
func (e *Engine) removeReason(g *group, i int, why Reason) {
	c := &g.conns[i]
	if c.reasons&why == 0 {
		return
	}
	c.reasons &^= why
	if why == ReasonIntroducer {
		g.introducers--
		if c.state == online {
			e.sendDirect(c.link, c.group, packets.PeerIntroduced)
		}
	}
	if c.reasons == 0 {
		e.freeConn(g, i)
	}
}

// removeConn drops an entry with all its reasons.
func (e *Engine) removeConn(g *group, i int) {
	if g.conns[i].reasons&ReasonIntroducer != 0 {
		g.introducers--
	}
	e.freeConn(g, i)
}

func (e *Engine) freeConn(g *group, i int) {
	g.setState(i, free)
	g.used--
	g.gaps = true
	e.release(g.conns[i].link)
}

// hold takes a reference to a link; the first one is the engine's Want.
func (e *Engine) hold(l *link) {
	if l.refs == 0 {
		e.out.Conns = append(e.out.Conns, Conn{Op: Want, Peer: l.key, DHT: l.dht})
	}
	l.refs++
}

// release lets a reference go. The link of a non-friend ends with the last one
// (SPEC C-54).
func (e *Engine) release(l *link) {
	l.refs--
	if l.refs > 0 {
		return
	}
	e.out.Conns = append(e.out.Conns, Conn{Op: Release, Peer: l.key})
	if !l.friend {
		l.online = false
		delete(e.links, l.key)
	}
}

// connectClosest brings the connection table in line with the closest peers
// (SPEC C-38 to C-40). Frozen peers are never looked for (SPEC C-100).
func (e *Engine) connectClosest(g *group) {
	if g.closest.Change == peers.Unchanged {
		return
	}
	g.closest.Refill(&e.self, &g.peers)
	for i := range g.conns {
		c := &g.conns[i]
		if c.state == free || c.reasons&ReasonClosest == 0 || g.closest.Find(&c.link.key) != nil {
			continue
		}
		if e.better.keepFormer && c.state == online { // SPEC I-18
			c.reasons |= ReasonFormer
			c.keep = e.now + formerTimeout
		}
		e.removeReason(g, i, ReasonClosest)
	}
	for i := range g.closest.Slots {
		s := &g.closest.Slots[i]
		if !s.Used {
			continue
		}
		l := e.links[s.Key]
		if l == nil {
			l = &link{key: s.Key, dht: s.DHT}
			e.links[s.Key] = l
		}
		at := e.addConn(g, l, ReasonClosest)
		if at < 0 {
			if l.refs == 0 && !l.friend { // c-toxcore makes the connection first and then drops it
				e.hold(l)
				e.release(l)
			}
			continue
		}
		if l.online && g.conns[at].state == connecting {
			e.sendOnline(g, l)
		}
	}
	g.closest.Change = peers.Unchanged
}

// settled tells whether all closest peers are online.
func (e *Engine) settled(g *group) bool {
	for i := range g.closest.Slots {
		if s := &g.closest.Slots[i]; s.Used && g.onlineEntry(e.links[s.Key]) < 0 {
			return false
		}
	}
	return true
}

// letFormerGo lets former closest peers go (SPEC I-18).
func (e *Engine) letFormerGo(g *group) {
	for i := range g.conns {
		if c := &g.conns[i]; c.state != free && c.reasons&ReasonFormer != 0 && e.now >= e.dueFormer(g, c) {
			e.removeReason(g, i, ReasonFormer)
		}
	}
}

// dueFormer is when a former closest peer may go.
func (e *Engine) dueFormer(g *group, c *conn) packets.Time {
	switch {
	case e.settled(g):
		return e.now
	case g.online > fewNeighbours:
		return c.keep
	}
	return never
}

// askAgain sends a Rejoin to friends among the closest peers who have not
// answered our Online: they answer that one in any state (SPEC I-19).
func (e *Engine) askAgain(g *group) {
	for i := range g.conns {
		if c := &g.conns[i]; e.unanswered(c) && e.now >= c.again {
			c.again = e.now + onlineRetry
			e.sendRejoin(g, &c.link.key)
		}
	}
}

// unanswered tells whether a friend who is a closest peer should be online and is not.
func (e *Engine) unanswered(c *conn) bool {
	return c.state == connecting && c.reasons&ReasonClosest != 0 && c.link.friend && c.link.online && e.better.askAgain
}

// clean keeps two entries free: the first that is still connecting and not
// closest goes, else the first that is online and not closest. Then the
// entries move to the front, so low slots are old ones (SPEC C-52).
func (e *Engine) clean(g *group) {
	for n := freeNeighbours - (MaxNeighbours - g.used); n > 0; n-- {
		if i := g.victim(n); g.conns[i].state != free {
			e.removeConn(g, i)
		}
	}
	if !g.gaps {
		return
	}
	to := 0
	for i := range g.conns {
		if g.conns[i].state != free {
			g.conns[to] = g.conns[i]
			to++
		}
	}
	for i := to; i < len(g.conns); i++ {
		g.conns[i].state = free
	}
	g.gaps = false
}

// unclean tells whether clean has something to do.
func (g *group) unclean() bool { return g.gaps || g.used > MaxNeighbours-freeNeighbours }

// victim is the entry to go when n are still to be freed.
func (g *group) victim(n int) int {
	for i := range g.conns {
		if g.conns[i].state == connecting && g.conns[i].reasons&ReasonClosest == 0 {
			return i
		}
	}
	i := 0
	for i < MaxNeighbours-n && (g.conns[i].state != online || g.conns[i].reasons&ReasonClosest != 0) {
		i++
	}
	return i
}
