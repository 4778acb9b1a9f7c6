package netcrypto

import (
	"fmt"

	"github.com/tox-rejoin/rejoin/packets"
)

// Send sends a lossless packet, its packet id (16 to 191) first, at most
// MaxPayload bytes, and returns its number in this session; numbers count up
// from 0. It is sent at once, or as soon as the packets before it and the rate
// allow and the peer is heard. The Machine copies payload.
//
// It returns ErrLength, ErrPacket for another packet id, ErrNoSession unless
// the session is established, and ErrFull when too much waits; in all these
// cases nothing was sent.
func (m *Machine) Send(now packets.Time, key packets.PublicKey, payload []byte) (uint32, error) {
	m.begin(now)
	s, err := m.sendable(key, payload, FirstLossless, FirstLossy-1)
	if err != nil {
		return 0, err
	}
	count, bytes := s.peer.limits()
	_, size := m.pool.class(len(payload))
	if s.out.span() >= count || s.out.bytes+size > bytes || m.pool.taken+size > MaxHeld {
		return 0, fmt.Errorf("%w: %d packets wait for acknowledgement", ErrFull, s.out.span())
	}
	n := s.out.end
	s.out.put(n, m.pool.copy(payload)).due = true
	s.out.end++
	if s.due == 0 {
		s.dueFrom = n
	}
	s.due++
	if s.due == 1 {
		m.flush(s)
	}
	return n, nil
}

// SendLossy sends a packet that may get lost, its packet id (192 to 254)
// first, at most MaxPayload bytes. It returns ErrLength, ErrPacket,
// ErrNoSession, or ErrNoPath while the peer is silent.
func (m *Machine) SendLossy(now packets.Time, key packets.PublicKey, payload []byte) error {
	m.begin(now)
	s, err := m.sendable(key, payload, FirstLossy, lastLossy)
	if err != nil {
		return err
	}
	if s.direct(m.now) == nil {
		return fmt.Errorf("%w: %v", ErrNoPath, key)
	}
	m.sendData(s, s.fresh, payload)
	return nil
}

// Acked tells whether a lossless packet of the present session has arrived.
func (m *Machine) Acked(key packets.PublicKey, number uint32) bool {
	s := m.session(key)
	if s == nil {
		return false
	}
	// Numbers before start have arrived, those from end on were never given.
	if int32(number-s.out.end) >= 0 {
		return false
	}
	return s.out.at(number) == nil
}

// sendable checks a payload and finds the session for it.
func (m *Machine) sendable(key packets.PublicKey, payload []byte, first, last byte) (*session, error) {
	if len(payload) == 0 || len(payload) > MaxPayload {
		return nil, fmt.Errorf("%w: payload of %d bytes", ErrLength, len(payload))
	}
	if id := payload[0]; id < first || id > last {
		return nil, fmt.Errorf("%w: packet id %d", ErrPacket, id)
	}
	s := m.session(key)
	if s == nil || s.state != Up {
		return nil, fmt.Errorf("%w: with %v", ErrNoSession, key)
	}
	return s, nil
}

// limits are how many packets, and bytes of them, may wait in one direction (SPEC T-116).
func (p *peer) limits() (count, bytes int) {
	if p.friend {
		return FriendPackets, FriendBytes
	}
	return OtherPackets, OtherBytes
}

// sendData seals one data packet and sends it. Here and nowhere else the
// sending nonce is used: each packet counts it up, resent ones too (SPEC T-103).
func (m *Machine) sendData(s *session, number uint32, payload []byte) {
	x := body{recvStart: s.in.start, number: number, payload: payload}
	plain := x.append(m.plain[:0])
	m.nonce = s.send.Next()
	start := len(m.arena)
	m.arena = append(m.arena, idData, byte(m.nonce.Low()>>8), byte(m.nonce.Low()))
	m.arena = s.key.Seal(m.arena, &m.nonce, plain)
	m.postSession(s, start)
}

// flush sends lossless packets that wait, lowest numbers first, as far as the
// rate allows; none while the peer is silent (SPEC T-113).
func (m *Machine) flush(s *session) {
	if s.due == 0 || s.state != Up || s.direct(m.now) == nil {
		return
	}
	s.pace.refill(m.now, s.rtt.get())
	for n := s.dueFrom; s.due > 0; n++ {
		s.dueFrom = n
		x := s.out.at(n)
		if x == nil || !x.due {
			continue
		}
		if !s.pace.take() {
			m.wakeAt(m.now + paceStep)
			return
		}
		if x.times == 0 {
			s.fresh = n + 1
		}
		x.due = false
		s.due--
		x.sent = m.now
		x.times = min(x.times, maxTimes-1) + 1
		m.sendData(s, n, x.data)
	}
}

// sendRequest sends a request packet: what we miss, what we have received, and
// how far we have sent.
func (m *Machine) sendRequest(s *session) {
	s.lastRequest = m.now
	list := append(m.list[:0], idRequest)
	count, _ := s.peer.limits()
	end := s.in.start + uint32(min(s.in.span(), count))
	list = appendMissing(list, MaxPayload, s.in.start, end, func(n uint32) bool { return s.in.at(n) != nil })
	m.sendData(s, s.fresh, list)
}

// sendKill tells the peer that the session ends (SPEC T-111).
func (m *Machine) sendKill(s *session) {
	m.list[0] = idKill
	m.sendData(s, s.fresh, m.list[:1])
}

// requestAt is when the next request packet is due: every second, sooner when
// packets are missing, and as fast as every 50 ms the faster packets come. The
// formula for busy sessions is c-toxcore's (SPEC T-110).
func (s *session) requestAt(now packets.Time) packets.Time {
	wait := requestEvery
	if s.in.span() > s.in.held {
		wait = gapInterval
	}
	if r := packets.Time(s.rate.get(now)); r > busyRate {
		a := 25 * (r + 1) / (2 * packets.Time(s.in.span()+1))
		b := busyRate*requestEvery/r + requestMin
		wait = min(wait, max(requestMin, min(a, b)))
	}
	return s.lastRequest + wait
}
