package conference

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/tox-rejoin/rejoin/packets"
)

// Create founds a conference and returns its id; we are peer 0 in it. The id
// is zero if no group number is free or Config.Rand fails (SPEC C-17).
func (e *Engine) Create(now packets.Time, t packets.Type) packets.ID {
	e.begin(now)
	id := packets.ID{Type: t}
	if e.quit {
		return packets.ID{}
	}
	g := e.newGroup()
	if g == nil {
		return packets.ID{}
	}
	if _, err := io.ReadFull(e.rand, id.Key[:]); err != nil {
		e.groups[g.number].group = nil
		return packets.ID{}
	}
	g.id = id
	g.connected = true
	e.enterSelf(g)
	e.out.Dirty = true
	return id
}

// enterSelf adds our own entry without an event.
func (e *Engine) enterSelf(g *group) {
	events := len(e.out.Events)
	if p := e.newPeer(g, &e.self, &e.dht, g.self); p != nil {
		p.SetName(e.name)
	}
	e.out.Events = e.out.Events[:events]
}

// Invite invites a friend. It returns ErrNoConference, ErrNotJoined,
// ErrNotFriend, or ErrNotSent if the friend is not there (SPEC C-2, C-18, C-19).
func (e *Engine) Invite(now packets.Time, id packets.ID, friend packets.PublicKey) error {
	g, err := e.find(now, id)
	if err != nil {
		return err
	}
	if !g.connected {
		return fmt.Errorf("%w: %v", ErrNotJoined, id)
	}
	l := e.links[friend]
	if l == nil || !l.friend {
		return fmt.Errorf("%w: %v", ErrNotFriend, friend)
	}
	if !e.sendInvite(l, packets.Invite{Kind: packets.KindInvite, Group: g.number, ID: g.id}) {
		return fmt.Errorf("%w: invitation of %v", ErrNotSent, friend)
	}
	return nil
}

// sendInvite sends any packet 0x60; the friend's messenger must be online.
func (e *Engine) sendInvite(l *link, p packets.Invite) bool {
	start := len(e.arena)
	e.arena = p.Append(e.arena)
	if l.online && !l.ready {
		e.out.Refused = append(e.out.Refused, Send{To: l.key, Data: e.arena[start:len(e.arena):len(e.arena)]})
		return false
	}
	return e.write(l, false, start)
}

// Join accepts an invitation. The join is complete with the event Connected;
// until then the conference is in Views but not saved. It returns
// ErrNotFriend, ErrDuplicate, ErrFull, or ErrNotSent if the inviter is not
// there (SPEC C-3, C-23, C-24).
func (e *Engine) Join(now packets.Time, inv Invited) error {
	e.begin(now)
	if e.quit {
		return ErrQuit
	}
	l := e.links[inv.From]
	if l == nil || !l.friend {
		return fmt.Errorf("%w: %v", ErrNotFriend, inv.From)
	}
	if e.byID(inv.ID) != nil {
		return fmt.Errorf("%w: %v", ErrDuplicate, inv.ID)
	}
	g := e.newGroup()
	if g == nil {
		return ErrFull
	}
	g.id = inv.ID
	if !e.answerInvite(g, l, inv.Group) {
		e.groups[g.number].group = nil // the number stays taken until a neighbouring one is freed
		return fmt.Errorf("%w: acceptance for %v", ErrNotSent, inv.From)
	}
	return nil
}

// answerInvite sends Accept, or Member if we are in the conference already,
// enters the inviter as our introducer and asks it for its peers (SPEC C-3,
// C-4, C-24).
func (e *Engine) answerInvite(g *group, l *link, group uint16) bool {
	p := packets.Invite{Kind: packets.KindAccept, Group: g.number, To: group, ID: g.id}
	if g.connected {
		p.Kind, p.PeerNumber = packets.KindMember, g.self
	}
	if !e.sendInvite(l, p) {
		return false
	}
	at := e.addConn(g, l, ReasonIntroducer)
	if g.connected {
		e.addConn(g, l, ReasonIntroducing)
	} else {
		g.inviter, g.inviterAt = l.key, group
		g.retryAt = e.now + joinRetry
	}
	if at >= 0 {
		g.conns[at].group = group
		g.setState(at, online)
	}
	e.sendDirect(l, group, packets.PeerQuery)
	return true
}

// tickJoining keeps room for the inviter, and repeats an Accept that was not
// answered (SPEC C-26, I-6).
func (e *Engine) tickJoining(g *group) {
	if !e.better.retryJoin {
		return
	}
	e.clean(g)
	if e.now < g.retryAt {
		return
	}
	g.retryAt = e.now + joinRetry
	if l := e.links[g.inviter]; l != nil && l.friend && l.online && l.ready {
		e.answerInvite(g, l, g.inviterAt)
	}
}

// receiveInvite handles the three forms of packet 0x60.
func (e *Engine) receiveInvite(l *link, b []byte) error {
	if !l.friend || !l.ready { // SPEC C-16
		return fmt.Errorf("%w: %v", ErrNotFriend, l.key)
	}
	p, err := packets.ParseInvite(b) // SPEC C-5
	if err != nil {
		return err
	}
	if p.Kind != packets.KindInvite {
		return e.receiveAccept(l, p)
	}
	g := e.byID(p.ID)
	switch {
	case g == nil: // SPEC C-20
		e.out.Events = append(e.out.Events, Event{
			Kind: Invitation, ID: p.ID, Peer: l.key, Index: -1,
			Invited: Invited{From: l.key, ID: p.ID, Group: p.Group},
		})
	case g.connected || e.better.retryJoin: // SPEC C-4, C-35, I-6
		e.answerInvite(g, l, p.Group)
	default:
		e.drop(DropInvite) // SPEC C-22
	}
	return nil
}

// receiveAccept admits a friend that accepted an invitation, or meets one that
// is a member of another part of the conference. That we invited it is not
// checked (SPEC C-28 to C-36).
func (e *Engine) receiveAccept(l *link, p packets.Invite) error {
	g := e.byNumber(p.To)
	if g == nil || g.id != p.ID {
		return fmt.Errorf("%w: group number %d, %v", ErrNoConference, p.To, p.ID)
	}
	member := p.Kind == packets.KindMember
	number, ok := p.PeerNumber, true
	if !member {
		number, ok = e.freeNumber(g)
	}
	if !ok {
		e.drop(DropNumber)
		return nil
	}
	key, dht := l.key, l.dht
	e.addPeer(g, &key, &dht, number, ownNews)
	at := e.addConn(g, l, ReasonIntroducing)
	if member {
		e.addConn(g, l, ReasonIntroducer)
		e.sendDirect(l, p.Group, packets.PeerQuery)
	}
	if at >= 0 {
		g.conns[at].group = p.Group
		g.setState(at, online)
	}
	e.sendNewPeer(g, number, &key, &dht)
	return nil
}

// freeNumber draws a peer number that nobody in the lists has (SPEC C-29, C-32).
func (e *Engine) freeNumber(g *group) (uint16, bool) {
	var b [2]byte
	for try := 0; ; try++ {
		if _, err := io.ReadFull(e.rand, b[:]); err != nil {
			return 0, false
		}
		if try == numberTries { // c-toxcore draws once more before it gives up
			return 0, false
		}
		if number := binary.BigEndian.Uint16(b[:]); g.peers.ByNumber(number) == nil {
			return number, true
		}
	}
}
