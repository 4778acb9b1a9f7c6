package netcrypto

import (
	"fmt"
	"net/netip"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/crypto"
)

// newCookie is a cookie for a peer.
func (m *Machine) newCookie(key, dht packets.PublicKey) (b [cookieSize]byte) {
	m.stamp = max(m.stamp+1, int64(m.now)*1000)
	c := cookie{stamp: m.stamp, real: key, dht: dht}
	m.cookieKey.SealRandom(b[:0], m.cfg.Rand, c.append(m.plain[:0]))
	return b
}

// openCookie reads a cookie of ours that is not too old (SPEC T-91).
func (m *Machine) openCookie(b []byte) (cookie, error) {
	plain, err := m.cookieKey.OpenPrefixed(m.plain[:0], b)
	if err != nil {
		return cookie{}, fmt.Errorf("%w: %w", ErrCookie, err)
	}
	c, err := parseCookie(plain)
	if err != nil {
		return cookie{}, err
	}
	if age := int64(m.now)*1000 - c.stamp; age > int64(CookieLife)*1000 || c.stamp > m.stamp {
		return cookie{}, fmt.Errorf("%w: made %d ms ago", ErrCookie, age/1000)
	}
	return c, nil
}

// sealCookieRequest is the whole packet with which a session begins.
func (m *Machine) sealCookieRequest(s *session) []byte {
	r := cookieRequest{real: m.cfg.Real.Public, echo: s.echo}
	b := append(make([]byte, 0, cookieRequestSize), idCookieRequest)
	b = append(b, m.cfg.DHT.Public[:]...)
	return s.dhtShared.SealRandom(b, m.cfg.Rand, r.append(m.plain[:0]))
}

// receiveCookieRequest answers anybody and keeps nothing (SPEC T-92).
func (m *Machine) receiveCookieRequest(from netip.AddrPort, p []byte) error {
	if len(p) != cookieRequestSize {
		return fmt.Errorf("%w: cookie request of %d bytes", ErrLength, len(p))
	}
	dht := packets.PublicKey(p[1:])
	if dht == m.cfg.DHT.Public {
		return ErrOwnKey
	}
	if dht[keySize-1]&0x80 != 0 {
		return fmt.Errorf("%w: %v", ErrKey, dht)
	}
	if !m.sources.of(from).cookies.take(m.now, sourceInterval, sourceBurst) ||
		!m.cookies.take(m.now, cookieInterval, cookieBurst) {
		return fmt.Errorf("%w: cookie requests", ErrBusy)
	}
	key, err := m.dhtKeys.Shared(m.now, dht)
	if err != nil {
		return err
	}
	plain, err := key.OpenPrefixed(m.plain[:0], p[1+keySize:])
	if err != nil {
		return err
	}
	r, err := parseCookieRequest(plain)
	if err != nil {
		return err
	}
	answer := cookieResponse{cookie: m.newCookie(r.real, dht), echo: r.echo}
	start := len(m.arena)
	m.arena = append(m.arena, idCookieResponse)
	m.arena = key.SealRandom(m.arena, m.cfg.Rand, answer.append(m.plain[:0]))
	m.post(from, start)
	return nil
}

// receiveCookieResponse answers the response that a session waits for with our
// handshake (SPEC T-94).
func (m *Machine) receiveCookieResponse(from netip.AddrPort, p []byte) error {
	if len(p) != cookieResponseSize {
		return fmt.Errorf("%w: cookie response of %d bytes", ErrLength, len(p))
	}
	for _, s := range m.byAddr[from] {
		if s.state != CookieRequesting {
			continue
		}
		plain, err := s.dhtShared.OpenPrefixed(m.plain[:0], p[1:])
		if err != nil {
			continue
		}
		r, err := parseCookieResponse(plain)
		if err != nil || !crypto.Equal(r.echo[:], s.echo[:]) {
			continue
		}
		m.heard(s, from)
		s.state = HandshakeSent
		m.sendHandshake(s, &r.cookie)
		return nil
	}
	return fmt.Errorf("%w: nobody waits for this cookie response", ErrNoSession)
}
