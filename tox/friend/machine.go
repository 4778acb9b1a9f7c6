package friend

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/tox-rejoin/rejoin/packets"
)

// Machine is all friend connections of one identity. It is not safe for
// concurrent use and never blocks.
type Machine struct {
	cfg   Config
	now   packets.Time
	links []*link                     // the longest held first
	byKey map[packets.PublicKey]*link // never ranged over

	wake   packets.Time
	out    Output
	arena  []byte           // payloads in out
	addrs  []netip.AddrPort // addresses in out
	polled bool             // out has been handed out: the next input begins anew
}

// state is what we know of a link's session.
type state uint8

const (
	idle state = iota // there is none
	busy              // somebody tries to make one
	up                // it is established
)

// link is the connection with one long-term key. Stamps are seconds.
type link struct {
	real  packets.PublicKey
	users User
	state state

	dht    packets.PublicKey
	source Source // of dht; 0: it is not known
	told   int64  // when dht was told last
	addrs  [2]address
	dialed int64

	sent, heard int64 // alive packets; only while up
}

// address is where the DHT found a peer, IPv4 or IPv6.
type address struct {
	addr netip.AddrPort // invalid: none
	seen int64
}

// never is a stamp before all times, in seconds.
const never = -1 << 40

// New makes a Machine that holds no key.
func New(cfg Config) *Machine {
	if cfg.MaxPeers <= 0 {
		cfg.MaxPeers = MaxPeers
	}
	return &Machine{cfg: cfg, byKey: map[packets.PublicKey]*link{}}
}

// Hold says that user wants a connection with real, until Release; saying it
// twice changes nothing. It returns ErrOwnKey, ErrUser or ErrFull (SPEC T-117).
func (m *Machine) Hold(now packets.Time, user User, real packets.PublicKey) error {
	m.begin(now)
	l := m.byKey[real]
	switch {
	case user != FriendList && user != Conferences:
		return fmt.Errorf("%w: %#x", ErrUser, uint8(user))
	case real == m.cfg.Real:
		return ErrOwnKey
	case l == nil && len(m.links) >= m.cfg.MaxPeers: // SPEC T-118
		return fmt.Errorf("%w: %d", ErrFull, len(m.links))
	case l == nil:
		l = &link{real: real, users: user, dialed: never}
		m.links = append(m.links, l)
		m.byKey[real] = l
		m.command(Command{Kind: Expect, Real: real, Friend: l.friend()})
		m.command(Command{Kind: SearchOnion, Real: real}) // SPEC T-123
	case l.users&user == 0:
		l.users |= user
		if user == FriendList {
			m.command(Command{Kind: Expect, Real: real, Friend: true})
		}
		if l.state == up {
			m.event(Event{Kind: Online, Real: real, DHT: l.dht})
		}
	}
	return nil
}

// Release takes user's Hold back. When nobody holds the key any more, its
// session is closed and all that is known of it forgotten (SPEC T-117).
func (m *Machine) Release(now packets.Time, user User, real packets.PublicKey) {
	m.begin(now)
	l := m.byKey[real]
	if l == nil || l.users&user == 0 {
		return
	}
	l.users &^= user
	if l.users != 0 {
		if user == FriendList {
			m.command(Command{Kind: Expect, Real: real})
		}
		return
	}
	m.command(Command{Kind: Forget, Real: real})
	if l.source != 0 {
		m.command(Command{Kind: StopDHT, DHT: l.dht})
	}
	m.command(Command{Kind: StopOnion, Real: real})
	if l.state == up {
		m.event(Event{Kind: Offline, Real: real, Released: true})
	}
	delete(m.byKey, real)
	m.links = slices.DeleteFunc(m.links, func(x *link) bool { return x == l })
}

// Peer describes the connection with real; false if nobody holds it.
func (m *Machine) Peer(real packets.PublicKey) (Info, bool) {
	l := m.byKey[real]
	if l == nil {
		return Info{}, false
	}
	return Info{Users: l.users, Online: l.state == up, Dialed: l.state == busy, DHT: l.dht, Source: l.source}, true
}

// SendRequest sends a friend request over the connection with real. It returns
// ErrOffline if it has to go through the onion, and ErrLength for an empty or
// too long text.
func (m *Machine) SendRequest(now packets.Time, real packets.PublicKey, noSpam [packets.NoSpamSize]byte, text []byte) error {
	m.begin(now)
	l := m.byKey[real]
	switch {
	case l == nil || l.state != up:
		return fmt.Errorf("%w: %v", ErrOffline, real)
	case len(text) == 0 || len(text) > packets.MaxPacket-requestHead:
		return fmt.Errorf("%w: request of %d bytes", ErrLength, len(text))
	}
	start := len(m.arena)
	m.arena = append(m.arena, PacketRequest)
	m.arena = append(m.arena, noSpam[:]...)
	m.arena = append(m.arena, text...)
	m.command(Command{Kind: Send, Real: real, Data: m.since(start)})
	return nil
}

// Poll returns what has to be done since the last Poll.
func (m *Machine) Poll() Output {
	if m.polled {
		return Output{Wake: m.wake}
	}
	m.polled = true
	m.out.Wake = m.wake
	return m.out
}

// begin starts an input. Time never goes back.
func (m *Machine) begin(now packets.Time) {
	m.now = max(m.now, now)
	if !m.polled {
		return
	}
	m.polled = false
	clear(m.out.Commands)
	clear(m.out.Events)
	m.out.Commands, m.out.Events = m.out.Commands[:0], m.out.Events[:0]
	if cap(m.arena) > maxArena {
		m.arena, m.addrs, m.out = nil, nil, Output{}
	}
	m.arena, m.addrs = m.arena[:0], m.addrs[:0]
}

func (m *Machine) command(c Command) { m.out.Commands = append(m.out.Commands, c) }

func (m *Machine) event(e Event) { m.out.Events = append(m.out.Events, e) }

// since is the bytes of the arena from start on.
func (m *Machine) since(start int) []byte { return m.arena[start:len(m.arena):len(m.arena)] }

func (l *link) friend() bool { return l.users&FriendList != 0 }

// wakeFor asks for a Tick when something of l is due.
func (m *Machine) wakeFor(l *link) {
	sec := l.due()
	if sec == never {
		return
	}
	if t := max(m.now, packets.Time(sec)*packets.Second); m.wake == 0 || t < m.wake {
		m.wake = t
	}
}
