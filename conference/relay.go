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
	if author.LeaveAt != 0 && m.Kind != packets.KillPeer && peers.Newer(m.Number, author.LeaveNumber) {
		author.LeaveAt = 0 // it is still here
	}
	e.introduced(g, author, at)
	if e.better.paceNumbers && author.Window.Leaps(m.Number, e.sec) { // SPEC I-14
		e.drop(DropPace)
		return nil
	}
	if !author.Window.Accept(m.Number, m.Kind) { // SPEC C-62 to C-66
		if !e.departs(g, author, m, at) {
			e.drop(DropDuplicate)
		}
		return nil
	}
	except := at
	if author.Key == l.key {
		except = -1 // the echo is how authors see their own messages (SPEC C-59)
		g.conns[at].leaving = 0
	}
	if e.forged(g, m) {
		return nil
	}
	if e.act(g, author, m, at) {
		e.forward(g, b, except)
	}
	return nil
}

// forged tells whether a message in our name is one that we have not sent. Our
// own go on from its number, since behind it they would be old (SPEC I-12).
func (e *Engine) forged(g *group, m packets.Message) bool {
	if !e.better.followForged || !g.connected || m.PeerNumber != g.self || !peers.Newer(m.Number, g.messages) {
		return false
	}
	e.drop(DropForged)
	ahead := m.Number - g.messages
	g.messages = m.Number
	if g.unsaved += min(ahead, saveEvery); g.unsaved >= saveEvery {
		g.unsaved, e.out.Dirty = 0, true
	}
	return true
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

// answer answers a Peer Query of slot i, or holds the answer back.
func (e *Engine) answer(g *group, i int) {
	c := &g.conns[i]
	if c.asked = e.better.limitAnswers && e.now < c.mayAnswer(); c.asked { // SPEC I-15
		return
	}
	c.answers = max(c.answers, e.now) + answerInterval
	c.link.answers = max(c.link.answers, c.answers)
	e.sendPeers(g, c.link, c.group)
}

// mayAnswer is when the neighbour may be sent the peers again.
func (c *conn) mayAnswer() packets.Time { return c.answers - (answerBurst-1)*answerInterval }

// sendHeld sends the Peer Queries that waited for their second, and the answers
// to those of others.
func (e *Engine) sendHeld(g *group) {
	for i := range g.conns {
		c := &g.conns[i]
		if c.asked && c.state == online {
			e.answer(g, i)
		}
		if c.query && c.state == online && e.now >= c.queried+queryInterval {
			c.query, c.queried = false, e.now
			e.sendDirect(c.link, c.group, packets.PeerQuery)
		}
	}
}

// introduced ends the introduction by an author who is now heard over another
// neighbour than its own link, if we have enough neighbours (SPEC C-49, C-50)
// and may do without it.
func (e *Engine) introduced(g *group, author *peers.Peer, at int) {
	if g.introducers == 0 || g.online <= fewNeighbours {
		return
	}
	for i := range g.conns {
		c := &g.conns[i]
		if i != at && c.state != free && c.reasons&ReasonIntroducer != 0 && c.link.key == author.Key && e.spare(g, c) {
			e.removeReason(g, i, ReasonIntroducer)
		}
	}
}

// spare tells whether we may do without our introducer.
func (e *Engine) spare(g *group, c *conn) bool {
	return !e.better.keepFormer || e.now >= c.began+leastIntroduction && e.settled(g) // SPEC I-18
}

// act does what a new message, which came over slot at, says and tells whether
// it is to be relayed.
func (e *Engine) act(g *group, author *peers.Peer, m packets.Message, at int) bool {
	switch m.Kind {
	case packets.Ping: // data is allowed (SPEC C-71)
	case packets.NewPeer:
		p, err := packets.ParseNewPeer(m.Data)
		if err != nil {
			e.drop(DropData)
			return false
		}
		e.addPeer(g, p.Key, p.DHT, p.Number, freshNews) // relayed even if refused (SPEC C-76)
	case packets.KillPeer, packets.FreezePeer:
		if !goodbye(m) { // SPEC C-72
			e.drop(DropData)
			return false
		}
		return e.depart(g, author, m, at)
	case packets.Name:
		if !e.receiveName(g, author, m.Data) { // SPEC C-75
			e.drop(DropData)
			return false
		}
	case packets.Title:
		if author.Key == e.self && e.better.titleFresh && peers.Newer(g.titled, m.Number) {
			return true // SPEC I-9; we have set another one since
		}
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

// goodbye tells whether a message is a Kill or Freeze by whom it is about.
func goodbye(m packets.Message) bool {
	number, err := packets.ParsePeerNumber(m.Data)
	return (m.Kind == packets.KillPeer || m.Kind == packets.FreezePeer) && err == nil && number == m.PeerNumber
}

// depart removes or freezes an author that said so over slot at (-1: over its
// own) and tells whether that is to be relayed.
func (e *Engine) depart(g *group, author *peers.Peer, m packets.Message, at int) bool {
	if e.better.guardSelf && author.Key == e.self {
		e.drop(DropSelf) // SPEC I-8
		return false
	}
	i := g.onlineEntry(e.links[author.Key])
	if e.better.ownWord && at >= 0 && i >= 0 && i != at && g.conns[i].reasons != ReasonFormer { // SPEC I-13
		e.drop(DropWord)
		g.conns[i].leaving = m.Kind
		return true
	}
	if e.better.holdKill && m.Kind == packets.KillPeer && at >= 0 && g.conns[at].link.key != author.Key {
		if author.LeaveAt == 0 {
			author.LeaveAt, author.LeaveNumber = uint32(e.sec+leaveTimeout), m.Number // SPEC I-16
			g.mayFreeze(e.sec + leaveTimeout)
		}
		return true
	}
	if m.Kind == packets.KillPeer {
		e.remove(g, author)
	} else {
		e.freeze(g, author)
	}
	return true
}

// departs carries out a neighbour's goodbye that others were quicker to pass on.
func (e *Engine) departs(g *group, author *peers.Peer, m packets.Message, at int) bool {
	own := e.better.ownWord && author.Key == g.conns[at].link.key && goodbye(m)
	return own && e.depart(g, author, m, at)
}

// departHeld carries out a goodbye that waited for the link of slot i to go down.
func (e *Engine) departHeld(g *group, i int) {
	c := &g.conns[i]
	kind := c.leaving
	c.leaving = 0
	if p := g.peers.ActiveByKey(&c.link.key); p != nil && kind != 0 {
		e.depart(g, p, packets.Message{Kind: kind}, -1)
	}
}

// onlineEntry is the slot of a link (nil: none) whose entry is online, or -1.
func (g *group) onlineEntry(l *link) int {
	if l != nil {
		if i := g.entry(l); i >= 0 && g.conns[i].state == online {
			return i
		}
	}
	return -1
}

// receiveName takes a peer's name; false: too long (SPEC C-105, C-107).
func (e *Engine) receiveName(g *group, p *peers.Peer, name []byte) bool {
	if len(name) > packets.MaxName {
		return false
	}
	if p.Key == e.self && e.better.nameAtOnce {
		return true // SPEC I-7; a late echo would bring a former name back
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
