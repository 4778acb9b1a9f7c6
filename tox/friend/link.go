package friend

import (
	"fmt"
	"net/netip"

	"github.com/tox-rejoin/rejoin/packets"
)

// DHTKeyKnown tells a DHT key of a peer. Another key than the known one means
// that the peer has started anew: its session is closed and the new key is
// searched. It returns ErrUnknown, ErrOwnKey, ErrKey for the zero key or
// another source, or ErrHearsay (SPEC T-119, T-120).
func (m *Machine) DHTKeyKnown(now packets.Time, real, dht packets.PublicKey, source Source) error {
	m.begin(now)
	l, err := m.find(real, dht)
	switch {
	case err != nil:
		return err
	case source < Hearsay || source > Proven:
		return fmt.Errorf("%w: by source %d", ErrKey, source)
	case source == Hearsay && l.source > Hearsay && dht != l.dht:
		return fmt.Errorf("%w: %v, not %v", ErrHearsay, l.dht, dht)
	}
	if l.source != 0 && dht != l.dht && l.state != idle {
		m.command(Command{Kind: CloseSession, Real: real})
		m.offline(l)
	}
	m.setKey(l, dht, source)
	m.wakeFor(l)
	return nil
}

// find is the connection that a DHT key is told for.
func (m *Machine) find(real, dht packets.PublicKey) (*link, error) {
	l := m.byKey[real]
	switch {
	case l == nil:
		return nil, fmt.Errorf("%w: %v", ErrUnknown, real)
	case dht == m.cfg.DHT:
		return nil, ErrOwnKey
	case dht == packets.PublicKey{}:
		return nil, fmt.Errorf("%w: %v", ErrKey, dht)
	}
	return l, nil
}

// AddressFound tells that the DHT heard the node with a DHT key at addr. It
// returns ErrUnknown if no connection needs the key, and ErrAddress.
func (m *Machine) AddressFound(now packets.Time, dht packets.PublicKey, addr netip.AddrPort) error {
	m.begin(now)
	addr = netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())
	if !usable(addr) {
		return fmt.Errorf("%w: %v", ErrAddress, addr)
	}
	known := false
	for _, l := range m.links { // two peers may be said to have one key
		if l.source == 0 || l.dht != dht {
			continue
		}
		known = true
		l.setAddress(m.sec(), addr)
		if l.state == idle {
			m.dial(l)
		} else {
			m.commandDial(l, address{addr: addr})
		}
		m.wakeFor(l)
	}
	if !known {
		return fmt.Errorf("%w: DHT key %v", ErrUnknown, dht)
	}
	return nil
}

// SessionDHTKeyChanged tells that a handshake of the peer was accepted, which
// proves a DHT key; the session is not established yet. It errs like
// DHTKeyKnown.
func (m *Machine) SessionDHTKeyChanged(now packets.Time, real, dht packets.PublicKey) error {
	m.begin(now)
	l, err := m.find(real, dht)
	if err != nil {
		return err
	}
	m.offline(l)
	m.setKey(l, dht, Proven)
	l.state = busy
	m.wakeFor(l)
	return nil
}

// SessionUp tells that a session is established, with a peer whose DHT key is
// dht, at addr if that is valid. It errs like DHTKeyKnown.
func (m *Machine) SessionUp(now packets.Time, real, dht packets.PublicKey, addr netip.AddrPort) error {
	m.begin(now)
	l, err := m.find(real, dht)
	if err != nil {
		return err
	}
	m.offline(l)
	m.setKey(l, dht, Proven)
	if addr = netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port()); usable(addr) {
		l.setAddress(m.sec(), addr)
	}
	l.state, l.heard = up, m.sec()
	m.command(Command{Kind: OnionOnline, Real: real, Online: true}) // SPEC T-123
	m.sendAlive(l)
	m.event(Event{Kind: Online, Real: real, DHT: dht})
	m.wakeFor(l)
	return nil
}

// SessionDown tells that a session, or the attempt to make one, has ended, or
// that a Dial failed. replaced says that the peer has begun another one, which
// is not established yet. It returns ErrUnknown.
func (m *Machine) SessionDown(now packets.Time, real packets.PublicKey, replaced bool) error {
	m.begin(now)
	l := m.byKey[real]
	if l == nil {
		return fmt.Errorf("%w: %v", ErrUnknown, real)
	}
	m.offline(l)
	if replaced {
		l.state = busy
	} else {
		m.dial(l)
	}
	m.wakeFor(l)
	return nil
}

// Receive takes a packet of a session, its id first. An error means that it
// was refused: ErrUnknown, ErrOffline, ErrLength, or ErrPacket for a packet id
// that does not go with lossy. The Machine does not keep p.
func (m *Machine) Receive(now packets.Time, from packets.PublicKey, lossy bool, p []byte) error {
	m.begin(now)
	l := m.byKey[from]
	switch {
	case l == nil:
		return fmt.Errorf("%w: %v", ErrUnknown, from)
	case l.state != up:
		return fmt.Errorf("%w: %v", ErrOffline, from)
	case len(p) == 0 || len(p) > packets.MaxPacket:
		return fmt.Errorf("%w: packet of %d bytes", ErrLength, len(p))
	case p[0] < firstLossless || p[0] > lastLossy || lossy != (p[0] >= firstLossy):
		return fmt.Errorf("%w: %d, lossy: %v", ErrPacket, p[0], lossy)
	}
	switch p[0] {
	case PacketAlive:
		l.heard = m.sec()
	case PacketRelays: // SPEC T-125
	case PacketRequest: // SPEC T-126
		if len(p) <= requestHead {
			return fmt.Errorf("%w: request of %d bytes", ErrLength, len(p))
		}
		e := Event{Kind: Request, Real: from, NoSpam: [packets.NoSpamSize]byte(p[1:]), Data: m.copy(p[requestHead:])}
		m.event(e)
	default:
		m.event(Event{Kind: Payload, Real: from, Lossy: lossy, Data: m.copy(p)}) // SPEC T-127
	}
	return nil
}

// Tick does what is due.
func (m *Machine) Tick(now packets.Time) {
	m.begin(now)
	if m.wake == 0 || m.now < m.wake {
		return
	}
	m.wake = 0
	sec := m.sec()
	for _, l := range m.links {
		if l.state == up {
			if l.heard+aliveTimeout <= sec { // SPEC T-124
				m.command(Command{Kind: CloseSession, Real: l.real})
				m.offline(l)
			} else if l.sent+aliveEvery <= sec {
				m.sendAlive(l)
			}
		}
		m.dial(l)
		m.wakeFor(l)
	}
}

// offline makes a link idle. What is known of a peer who was online is as
// fresh as if it were told now (SPEC T-122).
func (m *Machine) offline(l *link) {
	if l.state == up {
		sec := m.sec()
		l.told = sec
		for i := range l.addrs {
			l.addrs[i].seen = sec
		}
		m.command(Command{Kind: OnionOnline, Real: l.real})
		m.event(Event{Kind: Offline, Real: l.real})
	}
	l.state = idle
}

// setKey makes dht the known DHT key. Of another key than before no address is
// known.
func (m *Machine) setKey(l *link, dht packets.PublicKey, source Source) {
	l.told = m.sec()
	if l.source != 0 && l.dht == dht {
		l.source = max(l.source, source)
		return
	}
	if l.source != 0 {
		m.command(Command{Kind: StopDHT, DHT: l.dht})
	}
	l.dht, l.source, l.addrs, l.dialed = dht, source, [2]address{}, never
	m.command(Command{Kind: SearchDHT, DHT: dht})
	m.command(Command{Kind: OnionKey, Real: l.real, DHT: dht})
}

// dial begins a session if there is none and it can be, and forgets a DHT key
// that is too old (SPEC T-121, T-122).
func (m *Machine) dial(l *link) {
	sec := m.sec()
	if l.state != idle || l.source == 0 {
		return
	}
	if l.told+keyLife <= sec {
		m.command(Command{Kind: StopDHT, DHT: l.dht})
		l.dht, l.source, l.addrs = packets.PublicKey{}, 0, [2]address{}
		m.command(Command{Kind: OnionKey, Real: l.real})
		return
	}
	for i := range l.addrs {
		if l.addrs[i].seen+keyLife <= sec {
			l.addrs[i] = address{}
		}
	}
	if l.reachable() && l.dialed+redialAfter <= sec {
		l.state, l.dialed = busy, sec
		m.commandDial(l, l.addrs[:]...)
	}
}

// commandDial tells the sessions a peer's addresses.
func (m *Machine) commandDial(l *link, list ...address) {
	start := len(m.addrs)
	for i := range list {
		if a := list[i].addr; a.IsValid() {
			m.addrs = append(m.addrs, a)
		}
	}
	addrs := m.addrs[start:len(m.addrs):len(m.addrs)]
	m.command(Command{Kind: Dial, Real: l.real, DHT: l.dht, Addrs: addrs})
}

func (m *Machine) sendAlive(l *link) {
	l.sent = m.sec()
	start := len(m.arena)
	m.arena = append(m.arena, PacketAlive)
	m.command(Command{Kind: Send, Real: l.real, Data: m.since(start)})
}

// due is the second in which Tick has to do something for l.
func (l *link) due() int64 {
	switch {
	case l.state == up:
		return min(l.sent+aliveEvery, l.heard+aliveTimeout)
	case l.state == busy || l.source == 0:
		return never
	case l.reachable():
		return min(l.dialed+redialAfter, l.told+keyLife)
	}
	return l.told + keyLife
}

func (l *link) reachable() bool { return l.addrs[0].addr.IsValid() || l.addrs[1].addr.IsValid() }

func (l *link) setAddress(sec int64, a netip.AddrPort) {
	i := 0
	if a.Addr().Is6() {
		i = 1
	}
	l.addrs[i] = address{a, sec}
}

// usable tells whether packets can be sent to an address.
func usable(a netip.AddrPort) bool {
	ip := a.Addr()
	return ip.IsValid() && !ip.IsUnspecified() && !ip.IsMulticast() && a.Port() != 0
}

// copy keeps bytes until the next Poll is over.
func (m *Machine) copy(p []byte) []byte {
	start := len(m.arena)
	m.arena = append(m.arena, p...)
	return m.since(start)
}

// sec is the time in whole seconds.
func (m *Machine) sec() int64 { return m.now.Seconds() }
