package netcrypto

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/dhtnode"
)

// Receive takes a datagram with id 0x18 to 0x1b. An error means that it was
// refused. The Machine does not keep p.
func (m *Machine) Receive(now packets.Time, from netip.AddrPort, p []byte) error {
	m.begin(now)
	if !dhtnode.Reachable(from) {
		return fmt.Errorf("%w: %v", ErrAddress, from)
	}
	if len(p) == 0 {
		return fmt.Errorf("%w: empty", ErrLength)
	}
	switch p[0] {
	case idCookieRequest:
		return m.receiveCookieRequest(from, p)
	case idCookieResponse:
		return m.receiveCookieResponse(from, p)
	case idHandshake:
		return m.receiveHandshake(from, p)
	case idData:
		return m.receiveData(from, p)
	}
	return fmt.Errorf("%w: id %#x", ErrPacket, p[0])
}

// receiveData finds the session by the sender's address (SPEC T-112).
func (m *Machine) receiveData(from netip.AddrPort, p []byte) error {
	if len(p) < minData || len(p) > MaxDatagram {
		return fmt.Errorf("%w: data packet of %d bytes", ErrLength, len(p))
	}
	err := ErrNoSession
	for _, s := range m.byAddr[from] {
		if s.state < NotConfirmed {
			continue
		}
		var x body
		var distance uint16
		if x, distance, err = m.openData(s, p); err == nil {
			m.handleData(s, from, distance, &x)
			return nil
		}
	}
	return err
}

// nonceStep is a third of what 16 bits can tell: the stored nonce trails the
// newest by one to two of them (SPEC T-104).
const nonceStep = 1 << 16 / 3

// openData opens and checks a data packet without changing anything. distance
// is that of its nonce from the stored one. The body is in m.plain.
func (m *Machine) openData(s *session, p []byte) (x body, distance uint16, err error) {
	distance = binary.BigEndian.Uint16(p[1:]) - s.recv.Low()
	m.nonce = s.recv.Add(uint64(distance))
	plain, err := s.key.Open(m.plain[:0], &m.nonce, p[dataHead:])
	if err != nil {
		return x, 0, err
	}
	if !s.seen.fresh(s.index + uint64(distance)) {
		return x, 0, ErrReplay
	}
	if x, err = parseBody(plain); err != nil {
		return x, 0, err
	}
	if x.recvStart-s.out.start > s.fresh-s.out.start && !s.overtaken(x) { // SPEC T-107
		return x, 0, ErrWindow
	}
	if id := x.payload[0]; id > idKill && id < FirstLossless || id > lastLossy { // SPEC T-102
		return x, 0, fmt.Errorf("%w: packet id %d", ErrPacket, id)
	}
	return x, distance, nil
}

// handleData acts on a packet that openData has passed.
func (m *Machine) handleData(s *session, from netip.AddrPort, distance uint16, x *body) {
	s.seen.mark(s.index + uint64(distance))
	if distance > 2*nonceStep {
		s.recv = s.recv.Add(nonceStep)
		s.index += nonceStep
	}
	m.heard(s, from)
	if x.payload[0] == idKill {
		m.lost(s, Killed)
		return
	}
	confirm := false
	if s.state == NotConfirmed {
		s.state, s.resend = Up, nil // SPEC T-100
		m.emit(Event{Kind: Established, RealKey: s.peer.real, DHTKey: s.dht})
		confirm = s.lastRequest < m.now // ours may have come before our handshake
	}
	stale := s.overtaken(*x)
	if !stale {
		m.ack(s, x.recvStart)
	}
	switch id := x.payload[0]; {
	case id == idRequest:
		if !stale { // its list counts from what it acknowledges
			m.handleRequest(s, x.payload[1:])
		}
		s.extend(x.number)
	case id >= FirstLossy:
		s.extend(x.number)
		m.deliver(s, x.payload)
	default:
		s.rate.count1(m.now)
		m.handleLossless(s, x)
	}
	if confirm {
		m.sendRequest(s)
	}
	m.wakeAt(s.requestAt(m.now))
	m.flush(s)
}

// overtaken tells whether a packet acknowledges less than one that came earlier.
func (s *session) overtaken(x body) bool {
	behind := s.out.start - x.recvStart
	return behind > 0 && behind <= RingSize
}

// ack frees all packets before start: they have arrived (SPEC T-107).
func (m *Machine) ack(s *session, start uint32) {
	if start == s.out.start {
		return
	}
	var round packets.Time
	for ; s.out.start != start; s.out.start++ {
		if x := s.out.at(s.out.start); x != nil {
			round = m.arrived(s, x, round)
		}
	}
	if round > 0 {
		s.rtt.add(m.now, round)
	}
	if s.due > 0 && int32(s.dueFrom-start) < 0 {
		s.dueFrom = start
	}
	m.emit(Event{Kind: Acked, RealKey: s.peer.real, Number: start})
}

// arrived frees a packet that the peer has. It returns the shorter of round
// and the packet's time on its way: a packet that was sent more than once does
// not tell.
func (m *Machine) arrived(s *session, x *slot, round packets.Time) packets.Time {
	if x.due {
		s.due--
	}
	if took := max(1, m.now-x.sent); x.times == 1 && (round == 0 || took < round) {
		round = took
	}
	s.pace.delivered++
	m.pool.put(s.out.drop(x))
	return round
}

// handleRequest sends again what the peer misses, unless that was sent so
// lately that the peer could not know, and frees what it has. c-toxcore waits
// one round trip only; where packets overtake each other half of what it then
// sends has arrived already (SPEC T-109).
func (m *Machine) handleRequest(s *session, list []byte) {
	patience := s.rtt.get()*3/2 + requestMin
	var round packets.Time
	// A list that ends badly counts up to there, as in c-toxcore.
	_ = eachMissing(list, s.out.start, s.fresh, func(n uint32, missing bool) {
		x := s.out.at(n)
		switch {
		case x == nil:
		case !missing:
			round = m.arrived(s, x, round)
		case !x.due && m.now > x.sent+patience:
			x.due = true
			if s.due == 0 || int32(n-s.dueFrom) < 0 {
				s.dueFrom = n
			}
			s.due++
		}
	})
	if round > 0 {
		s.rtt.add(m.now, round)
	}
}

// extend notes how far the peer has sent: what is missing until there is
// requested (SPEC T-107).
func (s *session) extend(end uint32) {
	if end-s.in.start <= RingSize && end-s.in.end <= RingSize {
		s.in.end = end
	}
}

// handleLossless delivers a packet and those that waited for it, or keeps it
// until the ones before it come, or drops it: it is known, or too far ahead (SPEC T-106).
func (m *Machine) handleLossless(s *session, x *body) {
	n := x.number
	ahead := n - s.in.start
	count, bytes := s.peer.limits()
	if ahead >= uint32(count) || s.in.at(n) != nil {
		return
	}
	if ahead >= uint32(s.in.span()) {
		s.in.end = n + 1
	}
	if ahead > 0 {
		if _, size := m.pool.class(len(x.payload)); s.in.bytes+size <= bytes && m.pool.taken+size <= MaxHeld {
			s.in.put(n, m.pool.copy(x.payload))
		}
		return
	}
	s.in.start++
	m.deliver(s, x.payload)
	for next := s.in.at(s.in.start); next != nil; next = s.in.at(s.in.start) {
		data := s.in.drop(next)
		s.in.start++
		m.deliver(s, data)
		m.pool.put(data)
	}
}

// deliver hands a payload to the owner.
func (m *Machine) deliver(s *session, payload []byte) {
	start := len(m.arena)
	m.arena = append(m.arena, payload...)
	m.emit(Event{
		Kind: Payload, Lossy: payload[0] >= FirstLossy, RealKey: s.peer.real,
		Data: m.arena[start:len(m.arena):len(m.arena)],
	})
}
