package conference

import (
	"math"

	"github.com/tox-rejoin/rejoin/peers"
)

// noteActive finds the peer with a number and notes that it is active; a
// frozen one is thawed (SPEC C-82, C-91 to C-95). It returns nil if the number
// is in neither list.
func (e *Engine) noteActive(g *group, number uint16) *peers.Peer {
	p := g.peers.ByNumber(number)
	if p == nil {
		return nil
	}
	p.LastActive = e.sec
	if p.Frozen() {
		g.closest.Insert(&e.self, &p.Key, &p.DHT)
		g.peers.Thaw(p)
		p.LeaveAt = 0
		g.mayFreeze(e.sec + freezeTimeout)
		e.emit(g, PeerThawed, p, p.Index(), nil)
		g.sendName = true
		e.out.Dirty = true
	}
	return p
}

// activeByNumber is the active peer with a number, or nil.
func (g *group) activeByNumber(number uint16) *peers.Peer {
	if p := g.peers.ByNumber(number); p != nil && !p.Frozen() {
		return p
	}
	return nil
}

// freeze moves an active peer to the frozen list. Its entry goes; if a friend
// connection to it is still up, it gets a Rejoin (SPEC C-83, C-87).
func (e *Engine) freeze(g *group, p *peers.Peer) {
	e.disconnect(g, p)
	index := p.Index()
	ev := e.emit(g, PeerFrozen, p, index, nil)
	ev.Active-- // the list is shorter already, the frozen one not yet longer (SPEC C-136)
	g.peers.Freeze(p)
	e.sendRejoin(g, &p.Key)
	g.peers.Trim(g.maxFrozen)
	e.out.Dirty = true
}

// remove takes a peer out of the active list for good (SPEC C-73).
func (e *Engine) remove(g *group, p *peers.Peer) {
	e.disconnect(g, p)
	e.delist(g, p)
}

// renumber takes a neighbour out of the active list that has told us its new
// number. Its entry stays: for the neighbour it is online, so another Online of
// ours would have no answer (SPEC I-17).
func (e *Engine) renumber(g *group, p *peers.Peer) {
	g.closest.Remove(&p.Key)
	if i := g.onlineEntry(e.links[p.Key]); i >= 0 {
		g.conns[i].leaving = 0
	}
	e.delist(g, p)
}

// delist takes a peer out of the active list and says so.
func (e *Engine) delist(g *group, p *peers.Peer) {
	ev := e.emit(g, PeerLeft, p, p.Index(), nil)
	ev.Active--
	g.peers.Remove(p)
	e.out.Dirty = true
}

// disconnect takes a peer out of the closest peers and the connection table.
func (e *Engine) disconnect(g *group, p *peers.Peer) {
	g.closest.Remove(&p.Key)
	if l := e.links[p.Key]; l != nil {
		if i := g.entry(l); i >= 0 {
			e.removeConn(g, i)
		}
	}
}

// freezeIfAlone freezes everybody else once no neighbour is online (SPEC C-85).
func (e *Engine) freezeIfAlone(g *group) {
	if g.online > 0 { // SPEC C-86
		return
	}
	for i := 0; i < g.peers.Active(); i++ {
		for i < g.peers.Active() && g.peers.At(i).Key != e.self {
			e.freeze(g, g.peers.At(i))
		}
	}
}

// freezeTimedOut freezes who was silent for 60 seconds (SPEC C-80). The peer
// that moves into the place of a frozen one is looked at in the next tick only.
func (e *Engine) freezeTimedOut(g *group) {
	if g.freezeAt <= e.sec {
		for i := 0; i < g.peers.Active(); i++ {
			p := g.peers.At(i)
			switch {
			case p.Number == g.self:
			case p.LeaveAt != 0 && uint64(p.LeaveAt) <= e.sec:
				e.remove(g, p) // SPEC I-16
			case p.LastActive+freezeTimeout <= e.sec:
				e.freeze(g, p)
			}
		}
		g.freezeAt = math.MaxUint64
		for i := range g.peers.Active() {
			if p := g.peers.At(i); p.Number != g.self {
				g.mayFreeze(p.LastActive + freezeTimeout)
				if p.LeaveAt != 0 {
					g.mayFreeze(uint64(p.LeaveAt))
				}
			}
		}
	}
	if g.peers.Active() <= 1 {
		g.titleFresh = false // SPEC C-112
	}
}

// mayFreeze notes that somebody may time out at a second, not before.
func (g *group) mayFreeze(at uint64) { g.freezeAt = min(g.freezeAt, at) }
