package conference

import (
	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/peers"
)

// receiveMessage handles a flooded message: who sent it is active, what is new
// takes effect, and what took effect is relayed, to its author as well if it
// came directly from there (SPEC C-60, C-61).
func (e *Engine) receiveMessage(l *link, b []byte) error {
	m, err := packets.ParseMessage(b)
	if err != nil {
		return err
	}
	g, at, err := e.byNumberAndLink(m.Group, l)
	if err != nil {
		return err
	}
	var author *peers.Peer
	if m.Kind == packets.FreezePeer {
		author = g.activeByNumber(m.PeerNumber) // a Freeze thaws nobody (SPEC C-68, C-84)
	} else {
		author = e.noteActive(g, m.PeerNumber)
	}
	if author == nil {
		e.unknownAuthor(g, at, m.Kind)
		return nil
	}
	e.introduced(g, author, at)
	if !author.Window.Accept(m.Number, m.Kind) { // SPEC C-62 to C-66
		e.drop(DropDuplicate)
		return nil
	}
	except := at
	if author.Key == l.key {
		except = -1 // the echo is how authors see their own messages (SPEC C-59)
	}
	if e.act(g, author, m) {
		e.forward(g, b, except)
	}
	return nil
}

// unknownAuthor asks the relaying neighbour who its peers are (SPEC C-67, C-74).
func (e *Engine) unknownAuthor(g *group, at int, kind packets.MessageKind) {
	if kind == packets.FreezePeer {
		e.drop(DropFreeze)
		return
	}
	e.drop(DropUnknown)
	c := &g.conns[at]
	if c.state != online {
		return
	}
	if e.better.limitQueries && c.queried != 0 && e.now < c.queried+queryInterval {
		c.query = true // SPEC I-5
		return
	}
	c.queried = e.now
	e.sendDirect(c.link, c.group, packets.PeerQuery)
}

// sendHeldQueries sends the Peer Queries that waited for their second.
func (e *Engine) sendHeldQueries(g *group) {
	for i := range g.conns {
		c := &g.conns[i]
		if c.query && c.state == online && e.now >= c.queried+queryInterval {
			c.query, c.queried = false, e.now
			e.sendDirect(c.link, c.group, packets.PeerQuery)
		}
	}
}

// dueQuery is when the next held-back Peer Query may go.
func (g *group) dueQuery() packets.Time {
	due := never
	for i := range g.conns {
		if c := &g.conns[i]; c.query && c.state == online {
			due = min(due, c.queried+queryInterval)
		}
	}
	return due
}

// introduced ends the introduction by an author who is now heard over another
// neighbour than its own link, if we have enough neighbours (SPEC C-49, C-50).
func (e *Engine) introduced(g *group, author *peers.Peer, at int) {
	if g.introducers == 0 || g.online <= fewNeighbours {
		return
	}
	for i := range g.conns {
		c := &g.conns[i]
		if i != at && c.state != free && c.reasons&ReasonIntroducer != 0 && c.link.key == author.Key {
			e.removeReason(g, i, ReasonIntroducer)
		}
	}
}

// act does what a new message says and tells whether it is to be relayed.
func (e *Engine) act(g *group, author *peers.Peer, m packets.Message) bool {
	switch m.Kind {
	case packets.Ping: // data is allowed (SPEC C-71)
	case packets.NewPeer:
		p, err := packets.ParseNewPeer(m.Data)
		if err != nil {
			e.drop(DropData)
			return false
		}
		e.addPeer(g, p.Key, p.DHT, p.Number, true) // relayed even if refused (SPEC C-76)
	case packets.KillPeer, packets.FreezePeer:
		number, err := packets.ParsePeerNumber(m.Data)
		if err != nil || number != m.PeerNumber { // SPEC C-72
			e.drop(DropData)
			return false
		}
		e.depart(g, author, m.Kind)
	case packets.Name:
		if !e.receiveName(g, author, m.Data) { // SPEC C-75
			e.drop(DropData)
			return false
		}
	case packets.Title:
		if !e.receiveTitle(g, author, m.Data) {
			e.drop(DropData)
			return false
		}
	case packets.NormalMessage, packets.Action:
		if len(m.Data) == 0 { // SPEC C-69
			e.drop(DropData)
			return false
		}
		ev := e.emit(g, Texted, author, author.Index(), m.Data)
		ev.Message, ev.Number = m.Kind, m.Number
	default:
		e.drop(DropKind) // SPEC C-70
		return false
	}
	return true
}

// depart removes or freezes an author that said so.
func (e *Engine) depart(g *group, author *peers.Peer, kind packets.MessageKind) {
	switch {
	case e.better.guardSelf && author.Key == e.self:
		e.drop(DropSelf) // SPEC I-8
	case kind == packets.KillPeer:
		e.remove(g, author)
	default:
		e.freeze(g, author)
	}
}

// receiveName takes a peer's name; false: too long (SPEC C-105, C-107).
func (e *Engine) receiveName(g *group, p *peers.Peer, name []byte) bool {
	if len(name) > packets.MaxName {
		return false
	}
	if p.SetName(name) {
		e.emit(g, PeerRenamed, p, p.Index(), name)
		e.out.Dirty = true
	}
	return true
}

// receiveTitle takes a title from a message (by) or a Title Response (nil);
// false: forbidden length (SPEC C-108 to C-110).
func (e *Engine) receiveTitle(g *group, by *peers.Peer, title []byte) bool {
	title = e.titleBytes(title)
	if len(title) == 0 || len(title) > packets.MaxName {
		return false
	}
	if string(g.title) == string(title) {
		return true
	}
	g.title = append(g.title[:0], title...)
	g.titleFresh = true
	index := -1
	if by != nil {
		index = by.Index()
	}
	e.emit(g, Titled, by, index, title)
	e.out.Dirty = true
	return true
}

// titleBytes is the part of a title that counts: c-toxcore cuts its length to
// 8 bits.
func (e *Engine) titleBytes(title []byte) []byte {
	if e.better.strictTitle { // SPEC I-4d
		return title
	}
	return title[:uint8(len(title))]
}
