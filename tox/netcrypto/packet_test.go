package netcrypto

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
)

// What a peer may acknowledge, and how it learns of packets at the end that got
// lost.
// SPEC T-107
func TestAcknowledged(t *testing.T) {
	w, a, b, _ := pair(t, faults{})
	s, r := a.session(b.real.Public), b.session(a.real.Public)
	packet := func(recvStart uint32) []byte {
		a.begin(w.now)
		was := s.in.start
		s.in.start = recvStart
		a.sendData(s, s.fresh, []byte{200})
		s.in.start = was
		return bytes.Clone(a.Poll().Sends[0].Data)
	}
	refused := func(p []byte) {
		t.Helper()
		b.Poll()
		b.begin(w.now)
		before := b.fingerprint()
		require.ErrorIs(t, b.Receive(w.now, a.addr, p), ErrWindow)
		require.Equal(t, before, b.fingerprint())
	}
	refused(packet(1))
	refused(packet(1 << 31))
	_, err := b.Send(w.now, a.real.Public, []byte{64})
	require.NoError(t, err)
	b.Poll() // it gets lost
	refused(packet(2))
	require.False(t, b.Acked(a.real.Public, 0))
	require.NoError(t, b.Receive(w.now, a.addr, packet(1)))
	require.True(t, b.Acked(a.real.Public, 0))
	b.Poll()
	require.NoError(t, b.Receive(w.now, a.addr, packet(0)), "it was overtaken")
	require.True(t, b.Acked(a.real.Public, 0))
	out := b.Poll()
	require.Len(t, out.Events, 1)
	require.Equal(t, Payload, out.Events[0].Kind)
	require.NoError(t, b.Check())
	refused(packet(b.session(a.real.Public).out.start - RingSize - 1))

	_, err = a.Send(w.now, b.real.Public, []byte{64})
	require.NoError(t, err)
	a.Poll()
	require.Zero(t, r.in.span())
	require.NoError(t, b.Receive(w.now, a.addr, packet(1)))
	require.Equal(t, 1, r.in.span(), "a lossy packet tells that one is missing")
}

// Which packet ids a session takes.
// SPEC T-102
func TestPacketIDs(t *testing.T) {
	w, a, b, _ := pair(t, faults{})
	s := a.session(b.real.Public)
	for id := 1; id < 256; id++ {
		if id == idKill {
			continue
		}
		a.begin(w.now)
		a.sendData(s, s.fresh, []byte{byte(id)})
		err := b.Receive(w.now, a.addr, a.Poll().Sends[0].Data)
		if id == idRequest || id >= FirstLossless && id <= lastLossy {
			require.NoError(t, err, id)
		} else {
			require.ErrorIs(t, err, ErrPacket, id)
		}
	}
}

// When a packet that the peer misses is sent again.
// SPEC T-109
func TestPatience(t *testing.T) {
	w, a, b, _ := pair(t, faults{})
	s := a.session(b.real.Public)
	s.rtt = rtt{now: 100, since: w.now}
	_, err := a.Send(w.now, b.real.Public, []byte{64})
	require.NoError(t, err)
	a.Poll()
	x := s.out.at(0)
	require.NotNil(t, x)
	a.begin(w.now + 200)
	a.handleRequest(s, []byte{1})
	require.False(t, x.due, "the peer could not know yet")
	a.begin(w.now + 201)
	a.handleRequest(s, []byte{1})
	require.True(t, x.due)
	a.flush(s)
	require.Len(t, a.Poll().Sends, 1)
	require.EqualValues(t, 2, x.times)
}

// How often request packets go.
// SPEC T-110
func TestRequestRhythm(t *testing.T) {
	_, a, b, _ := pair(t, faults{})
	s := a.session(b.real.Public)
	for what, x := range map[string]struct {
		missing uint32
		rate    int // lossless packets received per second
		want    packets.Time
	}{
		"quiet":            {0, 0, 1000},
		"slow":             {0, 4, 1000},
		"a gap":            {1, 0, 200},
		"busy":             {0, 100, 90},
		"very busy":        {0, 10_000, 50},
		"busy with a gap":  {9, 20, 50},
		"gaps and busy":    {99, 400, 50},
		"busier, no gap":   {0, 8, 112},
		"faster than that": {0, 5, 75},
	} {
		now := s.lastRequest
		s.in.end = s.in.start + x.missing
		s.rate = rate{since: now, last: x.rate}
		require.Equal(t, now+x.want, s.requestAt(now), what)
	}
}

// Both sides talk while the network changes the order of their packets: what is
// lossy arrives as well, since nothing is lost.
// SPEC T-107
func TestOvertakenLossyPackets(t *testing.T) {
	w := newNetwork(t, 3, faults{delay: 10, jitter: 200})
	a, b := w.add(), w.add()
	b.expect(a)
	a.dial(b)
	w.runUntil(30*packets.Second, func() bool { return a.up(b) && b.up(a) })
	const count = 200
	got := 0
	for _, x := range []*node{a, b} {
		x.onData = func(_ *node, e Event) {
			if e.Kind == Payload && e.Lossy {
				got++
			}
		}
	}
	for range count {
		for _, x := range [][2]*node{{a, b}, {b, a}} {
			_, err := x[0].Send(w.now, x[1].real.Public, []byte{64})
			require.NoError(t, err)
			require.NoError(t, x[0].SendLossy(w.now, x[1].real.Public, []byte{200}))
			x[0].drain()
		}
		w.run(10)
	}
	w.run(5 * packets.Second)
	require.Equal(t, 2*count, got)
}
