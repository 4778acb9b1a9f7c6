package netcrypto

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/crypto"
)

// A flood of cookie requests costs and is answered within the buckets; one
// sender leaves room for others.
// SPEC T-92
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
// SPEC T-95
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
// SPEC T-116
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

// SPEC T-116
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

// What is ahead of the window is dropped and not asked for.
// SPEC T-106, T-116
func TestTooFarAhead(t *testing.T) {
	for _, friend := range []bool{true, false} {
		w, a, b, _ := pair(t, faults{})
		require.NoError(t, b.Expect(a.real.Public, friend))
		count, _ := b.peerOf(a).limits()
		s, r := a.session(b.real.Public), b.session(a.real.Public)
		for _, x := range []struct {
			number uint32
			held   int
		}{{uint32(count), 0}, {uint32(count) - 1, 1}} {
			a.begin(w.now)
			a.sendData(s, x.number, []byte{64})
			require.NoError(t, b.Receive(w.now, a.addr, a.Poll().Sends[0].Data))
			require.Equal(t, x.held, r.in.held)
			require.Equal(t, x.held*count, r.in.span())
		}
		require.NoError(t, b.Check())
	}
}

// A peer that acknowledges nothing: Send refuses at the limit.
// SPEC T-106, T-115, T-116
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

// The rate of lossless packets: the burst, the least, and 1.5 times what
// arrives while packets have to wait.
// SPEC T-115
func TestPacer(t *testing.T) {
	p := newPacer(begin)
	now, taken := begin, 0
	take := func(ms packets.Time) (n int) {
		now += ms
		for p.refill(now, 100); p.take(); n++ {
		}
		return n
	}
	require.Equal(t, paceBurst, take(0))
	require.Equal(t, 256/8, take(125))
	for range 7 {
		taken += take(125)
	}
	require.Equal(t, 256*7/8, taken)
	for _, x := range []struct{ arrived, rate int64 }{
		{256, 512}, {512, 1024}, {1024, 2048}, {1000, 3000}, // twice at most, and 3 in 2
		{100, 1500}, {0, 750}, {0, 375}, {0, 256}, {0, 256},
		{1 << 20, 512},
	} {
		take(0)
		p.delivered = int(x.arrived)
		take(paceWindow)
		require.Equal(t, x.rate, p.rate, "%+v", x)
	}
	for range 10 {
		p.delivered, p.limited = 1<<20, true
		take(paceWindow)
	}
	require.EqualValues(t, 16384, p.rate)
	p.limited = false
	now += packets.Second
	p.refill(now, 100)
	require.EqualValues(t, 16384, p.rate, "nothing had to wait")
}

// The round trip is the shortest of the last 10 to 20 seconds.
// SPEC T-115
func TestRoundTrip(t *testing.T) {
	var r rtt
	require.Equal(t, packets.Second, r.get())
	for _, x := range []struct{ at, sample, want packets.Time }{
		{0, 300, 300}, {5000, 200, 200}, {9999, 400, 200}, {10_000, 500, 200}, {19_999, 300, 200},
		{20_000, 500, 300}, {30_000, 700, 500}, {50_000, 900, 700},
	} {
		r.add(begin+x.at, x.sample)
		require.Equal(t, x.want, r.get(), "after %d ms", x.at)
	}
}
