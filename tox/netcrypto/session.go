package netcrypto

import (
	"net/netip"
	"slices"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/crypto"
	"github.com/tox-rejoin/rejoin/tox/dhtnode"
)

// session is a link to a peer, or the attempt to make one.
type session struct {
	peer  *peer
	dht   packets.PublicKey
	state State
	paths [2]path // IPv4, IPv6

	// Until established.
	dhtShared crypto.SharedKey // CookieRequesting
	echo      [echoSize]byte   // CookieRequesting
	resend    []byte           // cookie request or handshake
	tries     int              // how often it was sent
	nextTry   packets.Time

	// Keys and nonces. base stays, send counts up with each packet. recv
	// trails the newest packet received, index is its distance from theirs.
	pair       crypto.KeyPair
	base, send crypto.Nonce
	theirs     offer
	key        crypto.SharedKey
	recv       crypto.Nonce
	index      uint64
	seen       window

	out     ring   // sent; end is the next number
	fresh   uint32 // number of the first packet that was never sent
	due     int    // packets of out that wait to be sent
	dueFrom uint32
	in      ring // received behind a gap; end is what the peer has sent
	pace    pacer
	rtt     rtt
	rate    rate

	lastRequest packets.Time
}

// offer is what a handshake brings.
type offer struct {
	session packets.PublicKey
	base    crypto.Nonce
}

// path is an address of the peer.
type path struct {
	addr  netip.AddrPort // invalid: none
	until packets.Time   // direct until then
	set   packets.Time   // when the address was set or last heard
}

// slot is the path for an address's family.
func (s *session) slot(a netip.AddrPort) *path {
	if a.Addr().Is4() {
		return &s.paths[0]
	}
	return &s.paths[1]
}

// direct is the path on which packets go: one that was heard lately, IPv4 only
// if it is in the LAN or alone. It is nil if the peer is silent (SPEC T-113).
func (s *session) direct(now packets.Time) *path {
	v4, v6 := &s.paths[0], &s.paths[1]
	switch {
	case now < v4.until && (dhtnode.IsLAN(v4.addr.Addr()) || now >= v6.until):
		return v4
	case now < v6.until:
		return v6
	}
	return nil
}

// setAddress makes an address the session's.
func (m *Machine) setAddress(s *session, a netip.AddrPort) {
	p := s.slot(a)
	if p.addr != a {
		m.unlink(s, p.addr)
		m.byAddr[a] = append(m.byAddr[a], s)
		*p = path{addr: a}
	}
	p.set = m.now
}

// suggest sets an address that nobody has proven: it does not replace one that
// is heard, and no address in the LAN that is new (SPEC T-114).
func (m *Machine) suggest(s *session, a netip.AddrPort) {
	p := s.slot(a)
	if p.addr == a || m.now < p.until {
		return
	}
	if p.addr.IsValid() && dhtnode.IsLAN(p.addr.Addr()) && !dhtnode.IsLAN(a.Addr()) && m.now < p.set+directTimeout {
		return
	}
	m.setAddress(s, a)
	if s.resend != nil && s.tries == 0 {
		m.try(s)
	}
}

// heard notes that an authenticated packet came from one of the session's
// addresses.
func (m *Machine) heard(s *session, from netip.AddrPort) {
	if p := s.slot(from); p.addr == from {
		p.set, p.until = m.now, m.now+directTimeout
	}
}

// unlink removes an address of a session from the table.
func (m *Machine) unlink(s *session, a netip.AddrPort) {
	if !a.IsValid() {
		return
	}
	list := slices.DeleteFunc(m.byAddr[a], func(x *session) bool { return x == s })
	if len(list) == 0 {
		delete(m.byAddr, a)
		return
	}
	m.byAddr[a] = list
}

// try sends the cookie request or handshake, to all addresses unless one is
// direct. Without an address nothing is counted (SPEC T-93, T-94).
func (m *Machine) try(s *session) {
	start := len(m.arena)
	m.arena = append(m.arena, s.resend...)
	if !m.postSession(s, start) {
		return
	}
	s.tries++
	s.nextTry = m.now + resendInterval
	m.wakeAt(s.nextTry)
}

// postSession sends bytes of the arena to the direct address, or else to all
// that are known. It returns false if there is none (SPEC T-113).
func (m *Machine) postSession(s *session, start int) bool {
	if p := s.direct(m.now); p != nil {
		m.post(p.addr, start)
		return true
	}
	sent := false
	for i := range s.paths {
		if a := s.paths[i].addr; a.IsValid() {
			m.post(a, start)
			sent = true
		}
	}
	return sent
}

// tickSession does what is due for a session, which may end it.
func (m *Machine) tickSession(s *session) {
	if s.resend != nil && s.tries > 0 {
		if m.now >= s.nextTry {
			if s.tries >= maxTries { // SPEC T-93
				m.lost(s, GaveUp)
				return
			}
			m.try(s)
		}
		m.wakeAt(s.nextTry)
	}
	if s.state < NotConfirmed {
		return
	}
	if m.now >= s.requestAt(m.now) {
		m.sendRequest(s)
	}
	m.wakeAt(s.requestAt(m.now))
	m.flush(s)
}

// rtt is the shortest round trip of the current and of the previous window (SPEC T-115).
type rtt struct {
	now, before packets.Time // 0: no sample
	since       packets.Time
}

// add takes a sample.
func (r *rtt) add(now, sample packets.Time) {
	if now-r.since >= rttWindow {
		r.before, r.now, r.since = r.now, 0, now
	}
	sample = max(sample, 1)
	if r.now == 0 || sample < r.now {
		r.now = sample
	}
}

func (r *rtt) get() packets.Time {
	switch {
	case r.now == 0 && r.before == 0:
		return firstRTT
	case r.now == 0:
		return r.before
	case r.before == 0:
		return r.now
	}
	return min(r.now, r.before)
}

// rate measures received lossless packets per second.
type rate struct {
	since packets.Time
	count int
	last  int
}

// count1 counts one packet.
func (r *rate) count1(now packets.Time) {
	r.get(now)
	r.count++
}

// get is the rate of the last window.
func (r *rate) get(now packets.Time) int {
	if passed := now - r.since; passed >= rateWindow {
		r.last = int(packets.Time(r.count) * packets.Second / passed)
		r.since, r.count = now, 0
	}
	return r.last
}
