package friend

import (
	"net/netip"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
)

// look finds the address of a searched key again and again.
func (n *node) look(dht packets.PublicKey, run int) {
	w := n.w
	w.after(packets.Second/2, func() { n.found(dht, run) })
}

func (n *node) found(dht packets.PublicKey, run int) {
	w := n.w
	if n.run != run || n.searches[dht] == 0 {
		return
	}
	next := packets.Second
	if o := w.byDHT(dht); o != nil && !w.isCut(n, o) && !w.lost() {
		next = foundEvery
		require.NoError(w.t, n.AddressFound(w.now, dht, o.addr))
		n.drain()
	}
	w.after(next, func() { n.found(dht, run) })
}

// ask tells o's DHT key to n if both look for each other.
func (n *node) ask(real packets.PublicKey, l *lookup) {
	w := n.w
	if n.onions[real] != l {
		return
	}
	if o := w.byReal(real); w.onion && !l.online && o.onions[n.real] != nil && !w.isCut(n, o) {
		require.NoError(w.t, n.DHTKeyKnown(w.now, real, o.dht, Told))
		n.drain()
	}
	w.after(onionEvery, func() { n.ask(real, l) })
}

// dial begins an attempt or gives the one that there is addresses.
func (n *node) dial(c Command) bool {
	w := n.w
	n.dialed++
	require.NotEmpty(w.t, c.Addrs)
	if s := n.sessions[c.Real]; s != nil {
		require.Equal(w.t, s.dht, c.DHT, "dials another DHT key than that of the session")
		return true
	}
	if a := n.dials[c.Real]; a != nil {
		require.Equal(w.t, a.dht, c.DHT, "dials another DHT key than before")
		a.addrs = append(a.addrs[:0], c.Addrs...)
		return true
	}
	a := &attempt{dht: c.DHT, addrs: append([]netip.AddrPort(nil), c.Addrs...)}
	n.dials[c.Real] = a
	w.after(0, func() { n.try(c.Real, a, tries) })
	return true
}

// try is one cookie request with all that follows.
func (n *node) try(real packets.PublicKey, a *attempt, left int) {
	w := n.w
	if a.over || n.dials[real] != a {
		return
	}
	if left == 0 {
		delete(n.dials, real)
		a.over = true
		require.NoError(w.t, n.SessionDown(w.now, real, false))
		n.drain()
		return
	}
	o := w.byDHT(a.dht)
	if o != nil && o.real == real && a.addrs[0] == o.addr && !w.isCut(n, o) && !w.lost() {
		if _, ok := o.expected[n.real]; ok {
			w.after(handshake, func() { n.meet(o, a) })
			return
		}
	}
	w.after(packets.Second, func() { n.try(real, a, left-1) })
}

// meet establishes a session that n began.
func (n *node) meet(o *node, a *attempt) {
	w := n.w
	_, wanted := o.expected[n.real]
	if a.over || n.dials[o.real] != a || !wanted || w.isCut(n, o) || o.dht != a.dht {
		if !a.over && n.dials[o.real] == a {
			n.try(o.real, a, 1)
		}
		return
	}
	delete(n.dials, o.real)
	if old := o.sessions[n.real]; old != nil {
		old.over = true
		delete(o.sessions, n.real)
		require.NoError(w.t, o.SessionDown(w.now, n.real, true))
		o.drain()
		if old.dht != n.dht {
			require.NoError(w.t, o.SessionDHTKeyChanged(w.now, n.real, n.dht))
			o.drain()
		}
	} else if theirs := o.dials[n.real]; theirs != nil {
		theirs.over = true
		delete(o.dials, n.real)
		if theirs.dht != n.dht {
			require.NoError(w.t, o.SessionDHTKeyChanged(w.now, n.real, n.dht))
			o.drain()
		}
	} else {
		require.NoError(w.t, o.SessionDHTKeyChanged(w.now, n.real, n.dht))
		o.drain()
	}
	mine, its := &session{peer: o, dht: o.dht}, &session{peer: n, dht: n.dht}
	mine.other, its.other = its, mine
	n.sessions[o.real], o.sessions[n.real] = mine, its
	for _, end := range []*session{its, mine} {
		self := end.other.peer
		require.NoError(w.t, self.SessionUp(w.now, end.peer.real, end.dht, end.peer.addr))
		self.drain()
	}
}

// closeSession ends what n has with a peer, who hears of it unless cut off.
func (n *node) closeSession(real packets.PublicKey) {
	w := n.w
	if a := n.dials[real]; a != nil {
		a.over = true
		delete(n.dials, real)
	}
	s := n.sessions[real]
	if s == nil {
		return
	}
	s.over = true
	delete(n.sessions, real)
	w.after(delay, func() {
		o, theirs := s.peer, s.other
		if theirs.over || w.isCut(n, o) {
			return
		}
		theirs.over = true
		delete(o.sessions, n.real)
		require.NoError(w.t, o.SessionDown(w.now, n.real, false))
		o.drain()
	})
}

// send carries a packet over a session: lossless ones in order, again and
// again while the way is cut.
func (n *node) send(s *session, p []byte, lossy bool) {
	w := n.w
	o, theirs := s.peer, s.other
	at := w.now + delay
	if !lossy {
		theirs.next = max(theirs.next, at)
		at = theirs.next
	}
	var arrive func()
	arrive = func() {
		switch {
		case theirs.over || s.over:
		case !w.isCut(n, o):
			require.NoError(w.t, o.Receive(w.now, n.real, lossy, p))
			o.drain()
		case !lossy:
			w.after(delay, arrive)
		}
	}
	w.after(at-w.now, arrive)
}

// write sends an application's packet.
func (n *node) write(o *node, lossy bool, p []byte) {
	s := n.sessions[o.real]
	require.NotNil(n.w.t, s)
	n.send(s, p, lossy)
}
