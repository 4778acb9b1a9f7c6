package netcrypto

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/crypto"
)

// fingerprint is a digest of everything that a refused packet must not change:
// all but the token buckets, the time, and what Poll has not handed out yet,
// which must be nothing.
func (n *node) fingerprint() [32]byte {
	h := sha256.New()
	m := n.Machine
	seed, err := m.cfg.Rand.(*rand.ChaCha8).MarshalBinary()
	require.NoError(n.net.t, err)
	fmt.Fprintln(h, seed, m.stamp, len(m.peers), len(m.byAddr), m.pool.taken, m.wake)
	if !m.polled && len(m.out.Sends)+len(m.out.Events) > 0 {
		fmt.Fprintln(h, m.out.Sends, m.out.Events)
	}
	for _, s := range m.sessions {
		fmt.Fprintln(h, s.peer.real.Hex(), s.peer.friend, s.peer.newest, s.dht.Hex(), s.state, s.paths,
			s.dhtShared[:], s.echo, s.resend, s.tries, s.nextTry, s.pair.Public.Hex(), s.base, s.send, s.theirs,
			s.key[:], s.recv, s.index, s.seen, s.out, s.fresh, s.due, s.dueFrom, s.in, s.pace, s.rtt, s.rate.count, s.lastRequest)
	}
	return [32]byte(h.Sum(nil))
}

// fill makes all token buckets full again.
func (n *node) fill() {
	n.cookies, n.handshakes = bucket{}, bucket{}
	n.sources = sources{index: map[netip.AddrPort]int{}}
}

// pair is two machines with a session, all of whose datagrams are recorded.
func pair(t testing.TB, f faults) (w *network, a, b *node, sent *[]delivery) {
	w = newNetwork(t, 21, f)
	a, b = w.add(), w.add()
	sent = &[]delivery{}
	w.tap = func(d delivery) { *sent = append(*sent, d) }
	b.expect(a)
	a.dial(b)
	w.runUntil(30*packets.Second, func() bool { return a.up(b) && b.up(a) })
	return w, a, b, sent
}

// Each packet of a session, with each byte changed, cut or longer, is refused
// by the machine that waits for it and changes nothing; the packet itself is
// still good then.
// SPEC T-92, T-104
func TestCorruptedBytes(t *testing.T) {
	w := newNetwork(t, 22, faults{})
	a, b := w.add(), w.add()
	b.expect(a)
	kinds := map[byte]int{}
	hostile := func(n *node, d delivery) {
		kinds[d.data[0]]++
		before := n.fingerprint()
		refuse := func(p []byte, what string, at int) {
			n.fill()
			require.Error(t, n.Receive(w.now, d.from, p), "%s %d of packet %#x", what, at, d.data[0])
			require.Equal(t, before, n.fingerprint(), "%s %d of packet %#x", what, at, d.data[0])
		}
		for i := range d.data {
			for _, flip := range []byte{1, 0x80, 0xff} {
				p := bytes.Clone(d.data)
				p[i] ^= flip
				refuse(p, "changed byte", i)
			}
			refuse(d.data[:i], "cut at", i)
		}
		for i := range 40 {
			refuse(append(bytes.Clone(d.data), make([]byte, i+1)...), "longer by", i+1)
		}
		refuse(make([]byte, len(d.data)), "zeros", len(d.data))
		n.fill()
	}
	a.dial(b)
	for range 30 {
		if len(w.queue) > 0 {
			for _, n := range w.nodes {
				if d := w.queue[0]; n.addr == d.to && (d.data[0] != idData || kinds[idData] < 4) {
					hostile(n, d)
				}
			}
		}
		w.step(w.now + packets.Second)
		if a.up(b) && w.steps < 12 {
			_, err := a.Send(w.now, b.real.Public, message(w.steps))
			require.NoError(t, err)
			a.drain()
		}
	}
	require.True(t, a.up(b) && b.up(a))
	for id := byte(idCookieRequest); id <= idData; id++ {
		require.Positive(t, kinds[id], "packet id %#x", id)
	}
}

// Everything that two peers sent is sent again, at once and later, while the
// session lives and after it: it changes nothing but that cookie requests are
// answered.
// SPEC T-98, T-105
func TestReplay(t *testing.T) {
	w, a, b, sent := pair(t, faults{delay: 10})
	talk := func() {
		for k := range 20 {
			_, err := a.Send(w.now, b.real.Public, message(k))
			require.NoError(t, err)
			require.NoError(t, b.SendLossy(w.now, a.real.Public, []byte{200, byte(k)}))
			a.drain()
			b.drain()
			w.run(30)
		}
	}
	replay := func(when string) {
		for _, d := range *sent {
			n := w.nodes[0]
			if d.to == b.addr {
				n = b
			}
			n.Poll()
			n.begin(w.now)
			n.fill()
			before := n.fingerprint()
			err := n.Receive(w.now, d.from, d.data)
			if d.data[0] == idCookieRequest {
				require.NoError(t, err)
				require.Len(t, n.Poll().Sends, 1)
				continue
			}
			if err == nil {
				require.EqualValues(t, idHandshake, d.data[0], "%s: packet accepted again", when)
			}
			require.Equal(t, before, n.fingerprint(), "%s: packet %#x changes something", when, d.data[0])
		}
	}
	talk()
	replay("established")
	a.Close(w.now, b.real.Public)
	a.drain()
	w.run(packets.Second)
	require.Empty(t, append(a.sessions, b.sessions...))
	replay("closed")
	a.dial(b)
	replay("dialling")
	w.runUntil(packets.Second, func() bool { return a.up(b) && b.up(a) })
	w.run(100)
	replay("established again")
	w.run(20 * packets.Second)
	replay("20 s later")
	talk()
}

// strange makes handshakes that no honest machine would send, with the
// long-term key of a.
func strange(a, b *node, cookie []byte, spoil func(h *handshake)) []byte {
	s := &session{peer: b.peerOf(a), base: crypto.NewNonce(a.cfg.Rand), pair: crypto.NewKeyPair(a.cfg.Rand)}
	h := handshake{base: s.base, session: s.pair.Public, hash: hashOf(cookie), cookie: a.newCookie(b.real.Public, b.dht.Public)}
	spoil(&h)
	p := append([]byte{idHandshake}, cookie...)
	return s.peer.shared.SealRandom(p, a.cfg.Rand, h.append(nil))
}

func (n *node) peerOf(o *node) *peer { return n.peers[o.real.Public] }

// SPEC T-90, T-91, T-95, T-98
func TestHandshakeChecks(t *testing.T) {
	w := newNetwork(t, 23, faults{})
	a, b, c := w.add(), w.add(), w.add()
	b.expect(a)
	b.begin(w.now)
	good := func(*handshake) {}
	cookie := func() []byte { x := b.newCookie(a.real.Public, a.dht.Public); return x[:] }
	refuse := func(p []byte, want error) {
		t.Helper()
		b.fill()
		before := b.fingerprint()
		require.ErrorIs(t, b.Receive(w.now, a.addr, p), want)
		require.Equal(t, before, b.fingerprint())
	}
	first := cookie()
	refuse(strange(a, b, first, func(h *handshake) { h.hash[63] ^= 1 }), ErrHash)
	other := cookie()
	refuse(strange(a, b, first, func(h *handshake) { h.hash = hashOf(other) }), ErrHash)
	foreign := a.newCookie(a.real.Public, a.dht.Public)
	refuse(strange(a, b, foreign[:], good), ErrCookie)
	stranger := b.newCookie(c.real.Public, c.dht.Public)
	refuse(strange(a, b, stranger[:], good), ErrUnexpected)
	b.expect(c)
	refuse(strange(a, b, stranger[:], good), crypto.ErrOpen)

	w.now += CookieLife
	require.NoError(t, b.Receive(w.now, a.addr, strange(a, b, first, good)), "15 s old")
	b.drain()

	// It is half open now: nobody else gets in until it is given up.
	refuse(strange(a, b, other, good), ErrHalfOpen)
	refuse(strange(a, b, first, good), ErrReplay)
	refuse(strange(a, b, cookie(), good), ErrHalfOpen)
	w.run(1)
	refuse(strange(a, b, other, good), ErrCookie)
	w.run(maxTries * resendInterval)
	require.Equal(t, []EventKind{DHTKeyChanged, Lost}, b.kinds())
	require.NoError(t, b.Receive(w.now, a.addr, strange(a, b, cookie(), good)))
	b.drain()
	require.NoError(t, b.Check())
}

// A session key of low order is refused, though its sender is who it says.
// SPEC T-2
func TestLowOrderSessionKey(t *testing.T) {
	w := newNetwork(t, 24, faults{})
	a, b := w.add(), w.add()
	b.expect(a)
	b.begin(w.now)
	x := b.newCookie(a.real.Public, a.dht.Public)
	p := strange(a, b, x[:], func(h *handshake) { h.session = packets.PublicKey{} })
	require.ErrorIs(t, b.Receive(w.now, a.addr, p), crypto.ErrLowOrder)
	require.Empty(t, b.sessions)
	require.Empty(t, b.Poll().Sends)

	request := make([]byte, cookieRequestSize) // DHT key 0
	request[0] = idCookieRequest
	require.ErrorIs(t, b.Receive(w.now, a.addr, request), crypto.ErrLowOrder)
}

// Lossy packets alone, many times the range of the 16 bits on the wire, with
// losses of 21,000 in a row: a third of the range is always in reach.
// SPEC T-104, T-105
func TestNonceWindow(t *testing.T) {
	w, a, b, _ := pair(t, faults{})
	w.tap = nil
	s, r := a.session(b.real.Public), b.session(a.real.Public)
	got := 0
	late := map[int][]byte{}
	for k := range 400_000 {
		a.begin(w.now)
		a.sendData(s, s.fresh, []byte{200, 1, 2, 3})
		p := a.Poll().Sends[0].Data
		switch {
		case k%42_000 > 21_000: // these are lost
			continue
		case k%500 == 0:
			late[k+2000] = bytes.Clone(p)
			continue
		}
		require.NoError(t, b.Receive(w.now, a.addr, p), "packet %d", k)
		got += len(b.Poll().Events)
		if p := late[k]; p != nil && k%42_000 > 2000 {
			require.NoError(t, b.Receive(w.now, a.addr, p), "2000 packets late")
			require.ErrorIs(t, b.Receive(w.now, a.addr, p), ErrReplay)
		}
		trail := int(r.seen.next - r.index)
		require.LessOrEqual(t, trail, 1<<16)
	}
	require.Greater(t, got, 190_000)
}

// Equal seeds give equal networks, byte for byte.
func TestDeterminism(t *testing.T) {
	trace := func() string {
		w := newNetwork(t, 31, faults{loss: 0.3, dup: 0.2, delay: 5, jitter: 80})
		h := sha256.New()
		w.tap = func(d delivery) {
			_ = binary.Write(h, binary.BigEndian, int64(d.at))
			fmt.Fprint(h, d.from, d.to)
			h.Write(d.data)
		}
		for range 6 {
			w.add()
		}
		for i, n := range w.nodes {
			for _, o := range w.nodes[:i] {
				o.expect(n)
				n.dial(o)
			}
		}
		w.run(20 * packets.Second)
		for _, n := range w.nodes {
			for _, o := range w.nodes {
				if n.up(o) {
					for k := range 100 {
						_, err := n.Send(w.now, o.real.Public, message(k))
						require.NoError(t, err)
					}
				}
			}
			n.drain()
		}
		w.run(20 * packets.Second)
		require.Greater(t, w.packets, 3000)
		return fmt.Sprintf("%x %d", h.Sum(nil), w.packets)
	}
	first := trace()
	require.Equal(t, first, trace())
}
