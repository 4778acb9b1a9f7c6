package conference

import (
	"fmt"
	"io"
	"slices"

	"github.com/tox-rejoin/rejoin/packets"
)

// Engine is every conference of one identity. It is not safe for concurrent
// use and never blocks.
type Engine struct {
	self, dht packets.PublicKey
	name      []byte
	rand      io.Reader
	maxFrozen int
	frame     packets.Time
	better    improvements

	start, now, lastTick packets.Time
	sec                  uint64 // now in seconds, what the timers count
	quit                 bool
	groups               []slot   // by group number
	former               []former // conferences that we left, the last maxFormer
	links                map[packets.PublicKey]*link
	drops                Drops

	out    Output
	arena  []byte // bytes of the packets and texts in out
	polled bool   // out has been handed out: the next input begins anew
}

// slot is a group number: a conference, or what a deleted one left behind.
type slot struct {
	*group
	reused bool // a conference was deleted here (SPEC C-99)
}

// former is a conference that we left, and our peer number in it (SPEC I-6).
type former struct {
	id     packets.ID
	number uint16
}

// link is a friend connection, to a friend or to a neighbour. It exists while
// the peer is a friend or some table has an entry for it.
type link struct {
	key, dht packets.PublicKey
	refs     int // entries in all tables
	friend   bool
	online   bool
	ready    bool         // the friend's messenger is online
	heard    bool         // has been in a table since the connection was made (SPEC I-1)
	full     bool         // takes no lossless packets at the moment
	noPath   bool         // takes no lossy packets at the moment
	answers  packets.Time // the greatest conn.answers of its entries, gone ones included
}

// New makes an Engine with the conferences of a save, all their peers frozen.
// It returns ErrLength for a name or title that is too long, and
// packets.ErrOwnNumber for a peer that has our own number but not our key
// (SPEC C-126).
func New(cfg Config, saved []packets.SavedConference, now packets.Time) (*Engine, error) {
	if len(cfg.Name) > packets.MaxName {
		return nil, fmt.Errorf("%w: name of %d bytes", ErrLength, len(cfg.Name))
	}
	e := &Engine{
		self: cfg.Self, dht: cfg.DHTKey, name: slices.Clone(cfg.Name), rand: cfg.Rand,
		maxFrozen: DefaultFrozen, frame: defaultFrame, better: improve(cfg.Reference),
		start: now, now: now, lastTick: now, sec: uint64(now.Seconds()),
		links: map[packets.PublicKey]*link{},
	}
	if cfg.MaxFrozen != 0 {
		e.maxFrozen = max(0, cfg.MaxFrozen)
	}
	if cfg.Frame > 0 {
		e.frame = cfg.Frame
	}
	for _, key := range cfg.Friends {
		e.SetFriend(key, true)
	}
	for i := range saved {
		if err := e.load(&saved[i]); err != nil {
			return nil, fmt.Errorf("conference %v: %w", saved[i].ID, err)
		}
	}
	return e, nil
}

// SetFriend tells whether a peer is in the friend list. Peers remember whether
// they were friends when they were entered.
func (e *Engine) SetFriend(peer packets.PublicKey, friend bool) {
	l := e.links[peer]
	switch {
	case l == nil && friend:
		e.links[peer] = &link{key: peer, friend: true}
	case l != nil:
		l.friend = friend
		l.ready = l.ready && friend
		if !friend && l.refs == 0 {
			delete(e.links, peer)
		}
	}
}

// SetWritable tells whether a peer's link can take lossless and lossy packets
// at the moment; after Online it can. Packets that it cannot take are Refused.
func (e *Engine) SetWritable(peer packets.PublicKey, lossless, lossy bool) {
	if l := e.links[peer]; l != nil {
		l.full, l.noPath = !lossless, !lossy
	}
}

// Online tells that a friend connection, to a friend or to a neighbour, came
// up; dht is the peer's DHT key as the connection knows it.
func (e *Engine) Online(now packets.Time, peer, dht packets.PublicKey) {
	e.begin(now)
	l := e.links[peer]
	if l == nil || l.online || e.quit {
		return
	}
	l.online, l.dht, l.full, l.noPath = true, dht, false, false
	for _, s := range e.groups {
		if s.group != nil && s.peers.FrozenByKey(&peer) != nil {
			e.sendRejoin(s.group, &peer) // SPEC C-88, C-89
		}
	}
	for _, s := range e.groups {
		if s.group != nil && s.entry(l) >= 0 {
			e.sendOnline(s.group, l) // SPEC C-41
		}
	}
}

// Offline tells that a friend connection went down.
func (e *Engine) Offline(now packets.Time, peer packets.PublicKey) {
	e.begin(now)
	l := e.links[peer]
	if l == nil || !l.online || e.quit {
		return
	}
	l.online, l.ready = false, false
	for _, s := range e.groups {
		if s.group == nil {
			continue
		}
		if i := s.entry(l); i >= 0 {
			s.setState(i, connecting)
			e.departHeld(s.group, i)
			e.freezeIfAlone(s.group)
		}
	}
}

// FriendReady tells that the messenger of a friend is online, so that it may
// invite and be invited.
func (e *Engine) FriendReady(now packets.Time, friend packets.PublicKey) {
	e.begin(now)
	if l := e.links[friend]; l != nil && l.friend && l.online {
		l.ready = true
	}
}

// Receive handles one packet 0x60 to 0x64 or 0xc7. It keeps no reference to p.
// An error means that the packet was refused and nothing has changed; what
// c-toxcore drops later than that is counted in Drops instead.
func (e *Engine) Receive(now packets.Time, from packets.PublicKey, p []byte) error {
	e.begin(now)
	l := e.links[from]
	switch {
	case e.quit:
		return ErrQuit
	case l == nil || !l.online:
		return fmt.Errorf("%w: %v", ErrNoLink, from)
	case len(p) > packets.MaxPacket:
		return fmt.Errorf("%w: %d bytes", ErrTooLong, len(p))
	case len(p) < packets.MinPacket: // SPEC C-1
		return fmt.Errorf("%w: %d bytes", packets.ErrTooShort, len(p))
	case p[0] == packets.PacketInvite:
		return e.receiveInvite(l, p)
	case !l.heard && !e.better.hearFriends:
		return fmt.Errorf("%w: %v was in no table", ErrNoEntry, from)
	}
	switch p[0] {
	case packets.PacketMessage:
		return e.receiveMessage(l, p)
	case packets.PacketLossy:
		return e.receiveLossy(l, p)
	case packets.PacketOnline:
		return e.receiveOnline(l, p)
	case packets.PacketDirect:
		return e.receiveDirect(l, p)
	case packets.PacketRejoin:
		return e.receiveRejoin(l, p)
	}
	return fmt.Errorf("%w: 0x%02x", ErrPacket, p[0])
}

// Poll returns what the host has to do now. The slices are valid until the
// next call on the Engine.
func (e *Engine) Poll() Output {
	e.begin(e.now)
	e.polled = true
	e.out.Wake = e.wake()
	return e.out
}

// begin starts an input: time goes on, and what was polled is forgotten.
func (e *Engine) begin(now packets.Time) {
	if now > e.now {
		e.now = now
		e.sec = uint64(now.Seconds())
	}
	if e.polled {
		e.polled = false
		e.arena = e.arena[:0]
		e.out.Sends = e.out.Sends[:0]
		e.out.Refused = e.out.Refused[:0]
		e.out.Conns = e.out.Conns[:0]
		e.out.Events = e.out.Events[:0]
		e.out.Dirty = false
	}
}

// write hands the packet that stands in the arena from start on to a link, and
// tells whether the link takes it.
func (e *Engine) write(l *link, lossy bool, start int) bool {
	end := len(e.arena)
	send := Send{To: l.key, Lossy: lossy, Data: e.arena[start:end:end]}
	if !l.online || !lossy && l.full || lossy && l.noPath {
		e.out.Refused = append(e.out.Refused, send)
		return false
	}
	e.out.Sends = append(e.out.Sends, send)
	return true
}

// byID is the first conference with this type and id, joining or connected.
func (e *Engine) byID(id packets.ID) *group {
	for _, s := range e.groups {
		if s.group != nil && s.id == id { // SPEC C-21
			return s.group
		}
	}
	return nil
}

// byNumber is the conference with one of our group numbers.
func (e *Engine) byNumber(number uint16) *group {
	if int(number) < len(e.groups) {
		return e.groups[number].group
	}
	return nil
}

// byNumberAndLink is the conference that a packet 0x62, 0x63 or 0xc7 is for
// and the sender's entry in it (SPEC C-8).
func (e *Engine) byNumberAndLink(number uint16, l *link) (*group, int, error) {
	g := e.byNumber(number)
	if g == nil {
		return nil, 0, fmt.Errorf("%w: group number %d", ErrNoConference, number)
	}
	at := g.entry(l)
	if at < 0 {
		return nil, 0, fmt.Errorf("%w: %v in group number %d", ErrNoEntry, l.key, number)
	}
	return g, at, nil
}

// find is a conference of ours for a call of the application.
func (e *Engine) find(now packets.Time, id packets.ID) (*group, error) {
	e.begin(now)
	if e.quit {
		return nil, ErrQuit
	}
	if g := e.byID(id); g != nil {
		return g, nil
	}
	return nil, fmt.Errorf("%w: %v", ErrNoConference, id)
}
