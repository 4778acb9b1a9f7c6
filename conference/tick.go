package conference

import (
	"math"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/peers"
)

// Tick does what c-toxcore does once per iteration, after its packets. The
// host calls it when Output.Wake has come, after all other inputs of the frame.
func (e *Engine) Tick(now packets.Time) {
	e.begin(now)
	if e.quit {
		return
	}
	e.lastTick = e.now
	for _, s := range e.groups {
		switch {
		case s.group == nil:
		case s.connected:
			e.tickGroup(s.group)
		default:
			e.tickJoining(s.group)
		}
	}
}

func (e *Engine) tickGroup(g *group) {
	e.connectClosest(g)
	e.letFormerGo(g)
	e.askAgain(g)
	e.ping(g)
	e.freezeTimedOut(g)
	e.clean(g)
	e.sendHeld(g)
	if g.sendName {
		e.sayName(g)
	}
}

// never is a due time that does not come.
const never = packets.Time(math.MaxInt64)

// wake is the first frame after the last tick in which something is due.
func (e *Engine) wake() packets.Time {
	due := never
	if !e.quit {
		for _, s := range e.groups {
			if s.group != nil {
				due = min(due, e.due(s.group))
			}
		}
	}
	if due == never {
		return 0
	}
	due = max(due, e.now, e.lastTick+1)
	return e.start + (due-e.start+e.frame-1)/e.frame*e.frame
}

// due is when Tick has something to do for a conference.
func (e *Engine) due(g *group) packets.Time {
	switch {
	case !g.connected && !e.better.retryJoin:
		return never
	case g.unclean():
		return e.now
	case !g.connected:
		return g.retryAt
	}
	if g.closest.Change != peers.Unchanged || g.sendName || g.titleFresh && g.peers.Active() <= 1 {
		return e.now
	}
	due := never
	if g.online > 0 {
		due = packets.Time(g.lastPing+pingInterval) * packets.Second
	}
	if g.freezeAt != math.MaxUint64 {
		due = min(due, packets.Time(g.freezeAt)*packets.Second)
	}
	for i := range g.conns {
		if c := &g.conns[i]; c.state != free {
			due = min(due, e.dueConn(g, c))
		}
	}
	return due
}

// dueConn is when Tick has something to do for one neighbour.
func (e *Engine) dueConn(g *group, c *conn) packets.Time {
	due := never
	if c.query && c.state == online {
		due = c.queried + queryInterval
	}
	if c.asked && c.state == online {
		due = min(due, c.mayAnswer())
	}
	if c.reasons&ReasonFormer != 0 {
		due = min(due, e.dueFormer(g, c))
	}
	if e.unanswered(c) {
		due = min(due, c.again)
	}
	return due
}
