package conference

import (
	"fmt"
	"slices"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/peers"
)

// sendOnline tells a neighbour our group number.
func (e *Engine) sendOnline(g *group, l *link) {
	start := len(e.arena)
	e.arena = packets.Online{Group: g.number, ID: g.id}.Append(e.arena)
	e.write(l, false, start)
	if at := g.entry(l); at >= 0 {
		g.conns[at].again = e.now + onlineRetry
	}
}

// sendDirect sends a packet 0x62 without data.
func (e *Engine) sendDirect(l *link, group uint16, kind packets.DirectKind) {
	start := len(e.arena)
	e.arena = packets.Direct{Group: group, Kind: kind}.Append(e.arena)
	e.write(l, false, start)
}

// receiveOnline makes a neighbour's entry online (SPEC C-6, C-42 to C-48).
func (e *Engine) receiveOnline(l *link, b []byte) error {
	p, err := packets.ParseOnline(b)
	if err != nil {
		return err
	}
	g := e.byID(p.ID)
	if g == nil {
		return fmt.Errorf("%w: %v", ErrNoConference, p.ID)
	}
	at := g.entry(l)
	if at < 0 {
		return fmt.Errorf("%w: %v in %v", ErrNoEntry, l.key, p.ID)
	}
	if g.conns[at].state == online {
		e.drop(DropOnline)
		return nil
	}
	reasons := g.conns[at].reasons
	ask := g.online == 0 || reasons&ReasonIntroducer != 0
	if ask && !e.better.onlineFirst {
		e.sendDirect(l, p.Group, packets.PeerQuery)
	}
	g.conns[at].group = p.Group
	g.setState(at, online)
	e.sendOnline(g, l)
	if ask && e.better.onlineFirst {
		e.sendDirect(l, p.Group, packets.PeerQuery)
	}
	if reasons&ReasonIntroducing != 0 {
		if p := g.peers.ActiveByKey(&l.key); p != nil {
			e.sendNewPeer(g, p.Number, &l.key, &l.dht)
		}
		g.sendName = true
	}
	e.ping(g)
	return nil
}

// sendRejoin tells a peer over its friend connection that we have it in our
// list, and makes an entry for it (SPEC C-87, C-88).
func (e *Engine) sendRejoin(g *group, key *packets.PublicKey) {
	l := e.links[*key]
	if l == nil {
		return
	}
	start := len(e.arena)
	e.arena = packets.Rejoin{ID: g.id}.Append(e.arena)
	if e.write(l, false, start) {
		e.addConn(g, l, ReasonIntroducer)
	}
}

// receiveRejoin thaws the sender and answers with Online (SPEC C-7, C-90, C-91).
func (e *Engine) receiveRejoin(l *link, b []byte) error {
	p, err := packets.ParseRejoin(b)
	if err != nil {
		return err
	}
	g := e.byID(p.ID)
	if g == nil {
		return fmt.Errorf("%w: %v", ErrNoConference, p.ID)
	}
	known := g.peers.ByKey(&l.key)
	if known == nil {
		return fmt.Errorf("%w: %v", ErrUnknownPeer, l.key)
	}
	e.addPeer(g, &l.key, &l.dht, known.Number, ownNews)
	if e.addConn(g, l, ReasonIntroducing) >= 0 {
		e.sendOnline(g, l)
	}
	return nil
}

// receiveDirect handles packet 0x62 (SPEC C-8 to C-14).
func (e *Engine) receiveDirect(l *link, b []byte) error {
	p, err := packets.ParseDirect(b)
	if err != nil {
		return err
	}
	g, at, err := e.byNumberAndLink(p.Group, l)
	if err != nil {
		return err
	}
	switch p.Kind {
	case packets.PeerIntroduced:
		e.removeReason(g, at, ReasonIntroducing) // SPEC C-51
	case packets.PeerQuery:
		if g.conns[at].state != online {
			e.drop(DropQuery) // SPEC C-10
			return nil
		}
		e.answer(g, at)
	case packets.PeerResponse:
		e.receivePeers(g, l, p.Data)
	case packets.TitleResponse:
		if g.titleFresh || !e.receiveTitle(g, nil, p.Data) {
			e.drop(DropTitle) // SPEC C-108
		}
	default:
		e.drop(DropKind) // SPEC C-9
	}
	return nil
}

// sendPeers answers a Peer Query with the active peers in list order, in as
// few packets as they fit, and the title (SPEC C-11 to C-14).
func (e *Engine) sendPeers(g *group, l *link, group uint16) {
	header := packets.Direct{Group: group, Kind: packets.PeerResponse}
	start := len(e.arena)
	e.arena = header.Append(e.arena)
	for i := range g.peers.Active() {
		p := g.peers.At(i)
		if len(e.arena)-start+packets.PeerEntryMin+len(p.Name()) > packets.MaxPacket {
			if !e.write(l, false, start) {
				return
			}
			start = len(e.arena)
			e.arena = header.Append(e.arena)
		}
		e.arena = packets.AppendPeer(e.arena, p.Number, &p.Key, &p.DHT, p.Name())
	}
	if !e.write(l, false, start) || len(g.title) == 0 {
		return
	}
	start = len(e.arena)
	e.arena = packets.Direct{Group: group, Kind: packets.TitleResponse, Data: g.title}.Append(e.arena)
	e.write(l, false, start)
}

// receivePeers enters the peers of a Peer Response; ours among them completes
// a join (SPEC C-25, C-96, C-102 to C-106).
func (e *Engine) receivePeers(g *group, l *link, list packets.PeerList) {
	for {
		entry, rest, more, err := list.Next()
		if !more {
			return
		}
		if !g.connected && *entry.Key == e.self {
			if slices.Contains(e.former, former{g.id, entry.Number}) {
				list = rest // from before we left: our number counts anew (SPEC I-6)
				continue
			}
			e.connected(g, entry.Number)
		}
		of := listed
		if *entry.Key == l.key {
			of = listedSelf
		}
		p, skip := e.addPeer(g, entry.Key, entry.DHT, entry.Number, of)
		if err != nil || p == nil && !skip {
			e.drop(DropEntry)
			return
		}
		if p != nil && !p.Named {
			e.receiveName(g, p, entry.Name)
		}
		list = rest
	}
}

// connected completes a join: the inviter's list tells our peer number.
func (e *Engine) connected(g *group, number uint16) {
	g.self = number
	g.connected = true
	e.emit(g, Connected, nil, -1, nil)
	g.sendName = true
	e.out.Dirty = true
	if p := g.peers.ByNumber(number); p != nil && p.Key != e.self && e.better.guardSelf {
		e.drop(DropSelf) // nobody else has our number (SPEC I-8)
		if p.Frozen() {
			g.peers.Remove(p)
		} else {
			e.remove(g, p)
		}
	}
}

// guarded tells whether our own entry is in order and stays as it is.
func (e *Engine) guarded(g *group) bool {
	if !e.better.guardSelf || !g.connected {
		return false
	}
	p := e.own(g)
	return p != nil && p.Number == g.self
}

// news is how we hear of a peer.
type news uint8

const (
	listed     news = iota // in a Peer Response
	listedSelf             // in its own Peer Response
	freshNews              // by a New Peer
	ownNews                // by its Rejoin, Accept or Member
)

// addPeer enters a peer or updates its DHT key. Fresh news (New Peer, Rejoin,
// Accept) is activity and always brings the current DHT key; a Peer Response is
// not. It returns nil if the number belongs to another key or the peer is
// frozen; skip tells that a Peer Response may be read on all the same.
// (SPEC C-31, C-76, C-77, C-102 to C-104)
func (e *Engine) addPeer(g *group, key, dht *packets.PublicKey, number uint16, how news) (p *peers.Peer, skip bool) {
	fresh := how >= freshNews
	if *key == e.self && e.guarded(g) {
		e.drop(DropSelf) // SPEC I-8
		return nil, true
	}
	p = g.activeByNumber(number)
	if fresh {
		p = e.noteActive(g, number)
	}
	if p != nil {
		if p.Key != *key {
			return nil, false
		}
		if how == ownNews || how == listedSelf {
			p.LeaveAt = 0 // it is still here
		}
		if fresh || !p.DHTFresh {
			e.setDHT(g, p, dht)
			p.DHTFresh = true
		}
		return p, false
	}
	if !fresh {
		if f := g.peers.ByNumber(number); f != nil {
			if f.Key != *key {
				return nil, false
			}
			e.setDHT(g, f, dht)
			return nil, e.better.parseOn // SPEC I-3
		}
	}
	old := g.peers.ActiveByKey(key)
	if old == nil && e.better.capPeers && g.peers.Active() >= MaxPeers {
		e.drop(DropLimit) // SPEC I-11
		return nil, true
	}
	// A Kill that waits says that it has left: then this is how it came again. We
	// ourselves have the number of the list that completes the join.
	if old != nil && old.LeaveAt == 0 && *key != e.self && e.better.ownWord && (how == listed || how == freshNews) {
		e.drop(DropWord) // SPEC I-13
		return nil, true
	}
	switch {
	case old == nil:
	case how == listedSelf && e.better.keepEntry:
		e.renumber(g, old)
	default:
		e.remove(g, old)
	}
	if old := g.peers.FrozenByKey(key); old != nil {
		g.peers.Remove(old)
	}
	return e.newPeer(g, key, dht, number), false
}

// newPeer appends a peer to the active list. It returns nil if the set is full.
func (e *Engine) newPeer(g *group, key, dht *packets.PublicKey, number uint16) *peers.Peer {
	p, err := g.peers.Add(key, dht, number)
	if err != nil {
		e.drop(DropLimit)
		return nil
	}
	p.DHTFresh = true
	p.LastActive = e.sec
	p.Friend = e.isFriend(key)
	if *key == e.self && e.better.nameAtOnce {
		p.SetName(e.name) // SPEC I-7
	}
	if !g.connected || number != g.self { // our own number never times out
		g.mayFreeze(e.sec + freezeTimeout)
	}
	g.closest.Insert(&e.self, key, dht)
	e.emit(g, PeerJoined, p, p.Index(), nil)
	e.out.Dirty = true
	return p
}

func (e *Engine) setDHT(g *group, p *peers.Peer, dht *packets.PublicKey) {
	if p.DHT == *dht {
		return
	}
	p.DHT = *dht
	e.out.Dirty = true
	if s := g.closest.Find(&p.Key); s != nil && e.better.freshClosest {
		s.DHT = *dht // SPEC I-4a
	}
}

func (e *Engine) isFriend(key *packets.PublicKey) bool {
	l := e.links[*key]
	return l != nil && l.friend
}
