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

// A flood of cookie requests costs and is answered within the buckets; one
// sender leaves room for others.
func TestCookieFlood(t *testing.T) {
	w := newNetwork(t, 25, faults{})
	b := w.add()
	key := crypto.NewKeyPair(seeded(1))
	shared, err := key.Shared(b.dht.Public)
	require.NoError(t, err)
	r := cookieRequest{real: key.Public}
	request := shared.SealRandom(append([]byte{idCookieRequest}, key.Public[:]...), seeded(2), r.append(nil))
	flood := func(from func(i int) netip.AddrPort, ms int) (answers int) {
		for i := range ms * 5 {
			err := b.Receive(w.now, from(i), request)
			out := b.Poll()
			if err != nil {
				require.ErrorIs(t, err, ErrBusy)
				require.Empty(t, out.Sends)
			}
			answers += len(out.Sends)
			if i%5 == 4 {
				w.now++
			}
		}
		return answers
	}
	one := func(int) netip.AddrPort { return netip.MustParseAddrPort("192.0.2.1:1") }
	many := func(i int) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, byte(i >> 8), byte(i)}), 1)
	}
	require.Equal(t, 5+50-1, flood(one, 10_000))
	require.Equal(t, 10+100-1, flood(many, 10_000), "one source has left the bucket full")
	require.LessOrEqual(t, len(b.sources.list), maxSources)
	require.NoError(t, b.Check())
	w.now += 10 * packets.Second
	flood(one, 1000)
	require.NoError(t, b.Receive(w.now, netip.MustParseAddrPort("192.0.2.2:1"), request), "others are answered")
}

// Who has a cookie for a key that is expected, but not that key, costs a box
// for few of its handshakes; without a cookie, none.
func TestHandshakeFlood(t *testing.T) {
	w := newNetwork(t, 27, faults{})
	a, b := w.add(), w.add()
	b.expect(a)
	b.begin(w.now)
	cookie := b.newCookie(a.real.Public, a.dht.Public)
	p := append([]byte{idHandshake}, cookie[:]...)
	p = append(p, make([]byte, handshakeSize-len(p))...)
	flood := func(p []byte, sources, count int) (boxes int) {
		for i := range count {
			from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, 100, byte(i % sources)}), 1)
			err := b.Receive(w.now, from, p)
			require.Error(t, err)
			if err == crypto.ErrOpen { //nolint:errorlint // a cookie that does not open wraps it
				boxes++
			}
			if i%10 == 9 {
				w.now++
			}
		}
		return boxes
	}
	require.Equal(t, 10+5-1, flood(p, 1, 10_000))
	require.InDelta(t, 64+20-1, flood(p, 200, 10_000), 5)
	require.Zero(t, flood(make([]byte, handshakeSize), 1, 100))
	p[20] ^= 1
	require.Zero(t, flood(p, 200, 10_000))
	require.Empty(t, b.sessions)
}

func TestBucket(t *testing.T) {
	var b bucket
	now := begin
	taken := func() (n int) {
		for b.take(now, 100, 10) {
			n++
		}
		return n
	}
	require.Equal(t, 10, taken())
	now += 99
	require.Zero(t, taken())
	now++
	require.Equal(t, 1, taken())
	now += 350
	require.Equal(t, 3, taken())
	now += 50
	require.Equal(t, 1, taken())
	now += packets.Second * 100
	require.Equal(t, 10, taken())
}

// Packets behind a gap that is never filled take no more memory than a session
// may have, and all sessions together no more than MaxHeld; what was dropped
// comes again when the gap is filled.
func TestBoundedMemory(t *testing.T) {
	for _, friend := range []bool{true, false} {
		w, a, b, _ := pair(t, faults{})
		w.tap = nil
		require.NoError(t, b.Expect(a.real.Public, friend))
		count, limit := b.peerOf(a).limits()
		s, r := a.session(b.real.Public), b.session(a.real.Public)
		payload := make([]byte, MaxPayload)
		payload[0] = 64
		for n := range uint32(RingSize + 10) {
			a.begin(w.now)
			a.sendData(s, n+1, payload)
			p := a.Poll().Sends[0].Data
			require.NoError(t, b.Receive(w.now, a.addr, p))
			b.Poll()
		}
		require.LessOrEqual(t, r.in.bytes, limit)
		require.Greater(t, r.in.bytes, limit-2*MaxPayload)
		require.LessOrEqual(t, len(r.in.slots), count)
		require.NoError(t, b.Check())
		b.Close(w.now, a.real.Public)
		require.Zero(t, b.pool.taken)
	}
}

func TestBoundedTogether(t *testing.T) {
	w := newNetwork(t, 26, faults{})
	b := w.add()
	payload := make([]byte, MaxPayload)
	payload[0] = 64
	var peers []*node
	for range MaxHeld/FriendBytes + 2 {
		n := w.add()
		b.expect(n)
		n.dial(b)
		w.runUntil(5*packets.Second, func() bool { return n.up(b) && b.up(n) })
		s := n.session(b.real.Public)
		for k := range uint32(FriendBytes/MaxPayload + 1) {
			n.begin(w.now)
			n.sendData(s, k+1, payload)
			require.NoError(t, b.Receive(w.now, n.addr, n.Poll().Sends[0].Data))
			b.Poll()
		}
		peers = append(peers, n)
	}
	require.LessOrEqual(t, b.pool.taken, MaxHeld)
	require.Greater(t, b.pool.taken, MaxHeld-2*MaxPayload)
	last := peers[len(peers)-1]
	_, err := b.Send(w.now, last.real.Public, payload)
	require.ErrorIs(t, err, ErrFull)

	// In order there is always room.
	last.begin(w.now)
	last.sendData(last.session(b.real.Public), 0, payload)
	require.NoError(t, b.Receive(w.now, last.addr, last.Poll().Sends[0].Data))
	require.Len(t, b.Poll().Events, 1)
	require.NoError(t, b.Check())
}

// A peer that acknowledges nothing: Send refuses at the limit.
func TestSendWindow(t *testing.T) {
	for _, friend := range []bool{true, false} {
		for _, size := range []int{1, MaxPayload} {
			w, a, b, _ := pair(t, faults{})
			require.NoError(t, a.Expect(b.real.Public, friend))
			count, limit := a.peerOf(b).limits()
			payload := make([]byte, size)
			payload[0] = 64
			sent := 0
			for ; ; sent++ {
				if _, err := a.Send(w.now, b.real.Public, payload); err != nil {
					require.ErrorIs(t, err, ErrFull)
					break
				}
			}
			if size == 1 {
				require.Equal(t, count, sent)
			} else {
				require.Equal(t, limit/MaxPayload, sent)
			}
			require.LessOrEqual(t, len(a.Poll().Sends), paceBurst+paceMin, "no burst")
			require.NoError(t, a.Check())
		}
	}
}

// A receiver with a smaller window than the sender's gets everything.
func TestSmallWindow(t *testing.T) {
	w, a, b, _ := pair(t, faults{loss: 0.3, delay: 100, jitter: 50})
	require.NoError(t, b.Expect(a.real.Public, false))
	w.runUntil(120*packets.Second, a.feed(b, 6000))
}

// Lossy packets alone, many times the range of the 16 bits on the wire, with
// losses of 21,000 in a row: a third of the range is always in reach.
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

func TestWindow(t *testing.T) {
	var w window
	model := map[uint64]bool{}
	r := rand.New(rand.NewPCG(1, 2))
	at := uint64(0)
	for range 200_000 {
		switch r.IntN(40) {
		case 0:
			at += uint64(r.IntN(3 * replayWindow))
		default:
			at += uint64(r.IntN(3))
		}
		i := at - min(at, uint64(r.IntN(replayWindow*5/4)))
		old := i+replayWindow < w.next
		require.Equal(t, !old && !model[i], w.fresh(i))
		if w.fresh(i) {
			w.mark(i)
			model[i] = true
			require.False(t, w.fresh(i))
		}
	}
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
