package conference

import "github.com/tox-rejoin/rejoin/peers"

// emit adds an event about a peer at index (nil, -1: about nobody) with the
// list lengths of the moment. Text is copied.
func (e *Engine) emit(g *group, kind EventKind, p *peers.Peer, index int, text []byte) *Event {
	ev := Event{
		Kind: kind, ID: g.id, Index: index,
		Active: g.peers.Active(), Frozen: g.peers.Frozen(), Text: e.keep(text),
	}
	if p != nil {
		ev.Peer = p.Key
	}
	e.out.Events = append(e.out.Events, ev)
	return &e.out.Events[len(e.out.Events)-1]
}

// keep copies bytes of the host's into the output.
func (e *Engine) keep(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	start := len(e.arena)
	e.arena = append(e.arena, b...)
	return e.arena[start:len(e.arena):len(e.arena)]
}
