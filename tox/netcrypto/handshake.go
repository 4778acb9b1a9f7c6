package netcrypto

import (
	"crypto/sha512"
	"fmt"
	"net/netip"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/crypto"
)

// sendHandshake sends our handshake with a cookie of the peer's. It is sent
// again until the session is established or given up.
func (m *Machine) sendHandshake(s *session, theirs *[cookieSize]byte) {
	h := handshake{
		base: s.base, session: s.pair.Public,
		hash: sha512.Sum512(theirs[:]), cookie: m.newCookie(s.peer.real, s.dht),
	}
	b := append(make([]byte, 0, handshakeSize), idHandshake)
	b = append(b, theirs[:]...)
	s.resend = s.peer.shared.SealRandom(b, m.cfg.Rand, h.append(m.plain[:0]))
	s.tries = 0
	m.try(s)
}

// receiveHandshake checks a handshake from the cheap to the expensive: only who
// has received a cookie of ours, at an address of its own, costs a box (SPEC T-95).
func (m *Machine) receiveHandshake(from netip.AddrPort, p []byte) error {
	if len(p) != handshakeSize {
		return fmt.Errorf("%w: handshake of %d bytes", ErrLength, len(p))
	}
	if !m.sources.of(from).handshakes.take(m.now, handshakeSource, handshakeOne) {
		return fmt.Errorf("%w: handshakes of %v", ErrBusy, from)
	}
	front := p[1 : 1+cookieSize]
	c, err := m.openCookie(front)
	if err != nil {
		return err
	}
	peer := m.peers[c.real]
	if peer == nil {
		return fmt.Errorf("%w: %v", ErrUnexpected, c.real) // SPEC T-90
	}
	if !m.handshakes.take(m.now, handshakeInterval, handshakeBurst) {
		return fmt.Errorf("%w: handshakes", ErrBusy)
	}
	plain, err := peer.shared.OpenPrefixed(m.plain[:0], p[1+cookieSize:])
	if err != nil {
		return err
	}
	h, err := parseHandshake(plain)
	if err != nil {
		return err
	}
	if hash := sha512.Sum512(front); !crypto.Equal(hash[:], h.hash[:]) {
		return ErrHash
	}
	return m.accept(from, peer, &c, &h)
}

// accept takes a handshake that peer has made for our cookie c, unless it
// must not replace what there is.
func (m *Machine) accept(from netip.AddrPort, p *peer, c *cookie, h *handshake) error {
	s, o := p.session, offer{session: h.session, base: h.base}
	if s != nil && s.state >= NotConfirmed && s.theirs == o && s.dht == c.dht {
		return nil // sent again
	}
	if c.stamp <= p.newest { // SPEC T-98
		return fmt.Errorf("%w: handshake", ErrReplay)
	}
	if s != nil && s.state == NotConfirmed {
		return ErrHalfOpen
	}
	var pair crypto.KeyPair
	adopt := s != nil && s.dht == c.dht && s.state < NotConfirmed // SPEC T-96
	if adopt {
		pair = s.pair
	} else {
		pair = crypto.NewKeyPair(m.cfg.Rand)
	}
	key, err := pair.Shared(h.session)
	if err != nil {
		return err
	}
	if !adopt {
		s = m.replace(p, c.dht, pair)
	}
	p.newest = c.stamp
	s.theirs, s.recv, s.key = o, h.base, key
	m.setAddress(s, from)
	m.heard(s, from)
	before := s.state
	s.state = NotConfirmed
	if before == HandshakeSent {
		s.tries = 1 // as long as after a handshake of our own
	} else {
		m.sendHandshake(s, &h.cookie)
	}
	m.sendRequest(s) // the data packet that confirms (SPEC T-100)
	m.wakeAt(s.requestAt(m.now))
	return nil
}

// replace ends the peer's session, if any, and makes a new one that has not
// begun (SPEC T-97, T-99).
func (m *Machine) replace(p *peer, dht packets.PublicKey, pair crypto.KeyPair) *session {
	old := p.session
	if old != nil {
		if old.state == Up {
			m.lost(old, Replaced)
		} else {
			m.remove(old)
		}
	}
	if old == nil || old.dht != dht {
		m.emit(Event{Kind: DHTKeyChanged, RealKey: p.real, DHTKey: dht})
	}
	return m.newSession(p, dht, pair)
}
