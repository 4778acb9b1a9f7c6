package conference

import (
	"slices"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/peers"
)

// View is a snapshot of one conference.
func (e *Engine) View(id packets.ID) (View, bool) {
	g := e.byID(id)
	if g == nil {
		return View{}, false
	}
	return g.view(), true
}

// Views is a snapshot of all conferences, joining or connected, in order of
// group number (SPEC C-133).
func (e *Engine) Views() []View {
	var all []View
	for _, s := range e.groups {
		if s.group != nil {
			all = append(all, s.view())
		}
	}
	return all
}

func (g *group) view() View {
	v := View{
		ID: g.id, Group: g.number, Connected: g.connected,
		Title: slices.Clone(g.title), TitleFresh: g.titleFresh,
		PeerNumber: g.self, Number: g.messages, LossyNumber: g.lossy, MaxFrozen: g.maxFrozen,
	}
	for i := range g.peers.Active() {
		v.Peers = append(v.Peers, viewPeer(g.peers.At(i)))
	}
	for i := range g.peers.Frozen() {
		v.Frozen = append(v.Frozen, viewPeer(g.peers.FrozenAt(i)))
	}
	for i, s := range g.closest.Slots {
		if s.Used {
			v.Closest[i] = Closest(s)
		}
	}
	for i := range g.conns {
		if c := &g.conns[i]; c.state != free {
			v.Neighbours = append(v.Neighbours, Neighbour{
				Slot: i, Key: c.link.key, Online: c.state == online, Reasons: c.reasons, Group: c.group,
			})
		}
	}
	return v
}

func viewPeer(p *peers.Peer) Peer {
	return Peer{
		Key: p.Key, DHT: p.DHT, Number: p.Number, Name: []byte(p.Name()),
		LastActive: int64(p.LastActive), Friend: p.Friend,
	}
}
