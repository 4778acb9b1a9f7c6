package netcrypto

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/crypto"
	"github.com/tox-rejoin/rejoin/tox/dhtnode"
)

// Machine is all sessions of one identity. It is not safe for concurrent use
// and never blocks.
type Machine struct {
	cfg       Config
	cookieKey crypto.SharedKey // seals our cookies
	dhtKeys   *crypto.Cache    // shared with DHT keys of others
	stamp     int64            // of the last cookie

	now      packets.Time
	peers    map[packets.PublicKey]*peer
	sessions []*session // in the order in which they began
	byAddr   map[netip.AddrPort][]*session
	pool     pool

	sources    sources
	cookies    bucket
	handshakes bucket

	wake   packets.Time // earliest time at which a session may have something to do; 0: never
	out    Output
	arena  []byte // bytes of the datagrams and payloads in out
	polled bool   // out has been handed out: the next input begins anew

	plain [MaxDatagram]byte // a packet before it is sealed, or opened
	list  [MaxPayload]byte  // a request packet while it is made
	nonce crypto.Nonce      // in use; a field so that it does not escape
}

// peer is a long-term key that the owner expects.
type peer struct {
	real    packets.PublicKey
	shared  crypto.SharedKey // of the long-term keys
	friend  bool
	newest  int64    // stamp of our cookie in the last handshake that we accepted
	session *session // nil: none
}

// New makes a Machine. It draws 32 bytes of cfg.Rand.
func New(cfg Config) *Machine {
	if cfg.MaxPeers <= 0 {
		cfg.MaxPeers = MaxPeers
	}
	return &Machine{
		cfg:       cfg,
		cookieKey: crypto.NewSharedKey(cfg.Rand),
		dhtKeys:   crypto.NewCache(cfg.DHT, maxDHTKeys),
		peers:     map[packets.PublicKey]*peer{},
		byAddr:    map[netip.AddrPort][]*session{},
		sources:   sources{index: map[netip.AddrPort]int{}},
	}
}

// Expect says that the owner wants a session with a long-term key: handshakes
// of it are accepted and Dial may be called. More packets may wait for a
// friend than for others; calling it again changes friend. It returns
// ErrOwnKey, ErrFull or crypto.ErrLowOrder. It costs one X25519 (SPEC T-90).
func (m *Machine) Expect(key packets.PublicKey, friend bool) error {
	if p := m.peers[key]; p != nil {
		p.friend = friend
		return nil
	}
	if key == m.cfg.Real.Public {
		return ErrOwnKey
	}
	if len(m.peers) >= m.cfg.MaxPeers {
		return fmt.Errorf("%w: %d keys are expected", ErrFull, len(m.peers))
	}
	shared, err := m.cfg.Real.Shared(key)
	if err != nil {
		return err
	}
	m.peers[key] = &peer{real: key, shared: shared, friend: friend}
	return nil
}

// Forget closes the session with a long-term key and refuses further ones.
func (m *Machine) Forget(now packets.Time, key packets.PublicKey) {
	m.Close(now, key)
	delete(m.peers, key)
}

// Dial begins a session with an expected peer whose DHT key is dht, at the
// given addresses, of which the last IPv4 and the last IPv6 one count. Without
// an address it waits for SetAddress. If it fails, or the session ends, there
// is an event Lost; then it may be dialled again.
//
// While there is a session with the same DHT key, Dial only sets addresses;
// with another one it returns ErrDHTKey. Further it returns ErrUnexpected,
// ErrOwnKey, ErrAddress or crypto.ErrLowOrder.
func (m *Machine) Dial(now packets.Time, key, dht packets.PublicKey, addrs ...netip.AddrPort) error {
	m.begin(now)
	p := m.peers[key]
	if p == nil {
		return fmt.Errorf("%w: %v", ErrUnexpected, key)
	}
	for _, a := range addrs {
		if !dhtnode.Reachable(a) {
			return fmt.Errorf("%w: %v", ErrAddress, a)
		}
	}
	if s := p.session; s != nil {
		if s.dht != dht {
			return fmt.Errorf("%w: %v", ErrDHTKey, s.dht)
		}
		for _, a := range addrs {
			m.suggest(s, a)
		}
		return nil
	}
	if dht == m.cfg.DHT.Public {
		return ErrOwnKey
	}
	shared, err := m.dhtKeys.Shared(m.now, dht)
	if err != nil {
		return err
	}
	s := m.newSession(p, dht, crypto.NewKeyPair(m.cfg.Rand))
	s.state, s.dhtShared = CookieRequesting, shared
	crypto.Random(m.cfg.Rand, s.echo[:])
	s.resend = m.sealCookieRequest(s)
	for _, a := range addrs {
		m.setAddress(s, a)
	}
	m.try(s)
	return nil
}

// SetAddress tells an address at which the DHT found the peer. It is not used
// while the peer is heard at another one of the same family. It returns
// ErrNoSession or ErrAddress.
func (m *Machine) SetAddress(now packets.Time, key packets.PublicKey, addr netip.AddrPort) error {
	m.begin(now)
	if !dhtnode.Reachable(addr) {
		return fmt.Errorf("%w: %v", ErrAddress, addr)
	}
	s := m.session(key)
	if s == nil {
		return ErrNoSession
	}
	m.suggest(s, addr)
	return nil
}

// Close ends a session, or the attempt to make one; a peer that may think it
// established is told. There is no event.
func (m *Machine) Close(now packets.Time, key packets.PublicKey) {
	m.begin(now)
	s := m.session(key)
	if s == nil {
		return
	}
	if s.state >= NotConfirmed {
		m.sendKill(s)
	}
	m.remove(s)
}

// Session describes the session with a long-term key, or the attempt to make
// one.
func (m *Machine) Session(key packets.PublicKey) (Info, bool) {
	s := m.session(key)
	if s == nil {
		return Info{}, false
	}
	i := Info{State: s.state, DHTKey: s.dht, RTT: s.rtt.get(), Waiting: s.out.held, Received: s.in.start}
	if p := s.direct(m.now); p != nil {
		i.Addr = p.addr
	}
	return i, true
}

// Tick does what is due.
func (m *Machine) Tick(now packets.Time) {
	m.begin(now)
	if m.wake == 0 || m.now < m.wake {
		return
	}
	m.wake = 0
	for i := 0; i < len(m.sessions); {
		s := m.sessions[i]
		m.tickSession(s)
		if i < len(m.sessions) && m.sessions[i] == s {
			i++
		}
	}
}

// Poll returns what has to be done since the last Poll. What it returned once it
// does not return again: the caller has to carry it out.
func (m *Machine) Poll() Output {
	m.begin(m.now) // nothing is handed out twice
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
	clear(m.out.Sends)
	clear(m.out.Events)
	m.out.Sends, m.out.Events = m.out.Sends[:0], m.out.Events[:0]
	if cap(m.arena) > maxArena {
		m.arena, m.out = nil, Output{}
	}
	m.arena = m.arena[:0]
}

// wakeAt asks for a Tick.
func (m *Machine) wakeAt(t packets.Time) {
	if m.wake == 0 || t < m.wake {
		m.wake = t
	}
}

// session is the peer's session, nil if it has none.
func (m *Machine) session(key packets.PublicKey) *session {
	if p := m.peers[key]; p != nil {
		return p.session
	}
	return nil
}

// newSession begins a session. pair must be fresh; numbers start at 0.
func (m *Machine) newSession(p *peer, dht packets.PublicKey, pair crypto.KeyPair) *session {
	s := &session{peer: p, dht: dht, pair: pair, base: crypto.NewNonce(m.cfg.Rand), pace: newPacer(m.now)}
	s.send = s.base
	p.session = s
	m.sessions = append(m.sessions, s)
	return s
}

// lost removes a session and tells the owner.
func (m *Machine) lost(s *session, why Reason) {
	m.remove(s)
	m.emit(Event{Kind: Lost, Reason: why, RealKey: s.peer.real, DHTKey: s.dht})
}

// remove forgets a session and its keys.
func (m *Machine) remove(s *session) {
	for i := range s.paths {
		m.unlink(s, s.paths[i].addr)
	}
	m.release(&s.out)
	m.release(&s.in)
	m.sessions = slices.DeleteFunc(m.sessions, func(x *session) bool { return x == s })
	s.peer.session = nil
	s.key, s.dhtShared, s.pair = crypto.SharedKey{}, crypto.SharedKey{}, crypto.KeyPair{}
	s.state = 0
}

// release empties a ring.
func (m *Machine) release(r *ring) {
	for i := range r.slots {
		if s := &r.slots[i]; s.data != nil {
			m.pool.put(s.data)
		}
	}
	*r = ring{}
}

func (m *Machine) emit(e Event) { m.out.Events = append(m.out.Events, e) }

// post queues bytes of the arena, from start on, as a datagram.
func (m *Machine) post(to netip.AddrPort, start int) {
	m.out.Sends = append(m.out.Sends, Datagram{To: to, Data: m.arena[start:len(m.arena):len(m.arena)]})
}
