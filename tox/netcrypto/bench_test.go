package netcrypto

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/crypto"
)

// BenchmarkLossless sends packets through a session, with their
// acknowledgements: seal, open, deliver, free.
func BenchmarkLossless(b *testing.B) { benchmarkSend(b, 64, 300) }

// BenchmarkLossy is the same with lossy packets.
func BenchmarkLossy(b *testing.B) { benchmarkSend(b, 200, 300) }

// BenchmarkLarge is BenchmarkLossless with the longest payloads.
func BenchmarkLarge(b *testing.B) { benchmarkSend(b, 64, MaxPayload) }

func benchmarkSend(b *testing.B, id byte, size int) {
	w, x, y, _ := pair(b, faults{})
	w.tap = nil
	to, from := y.real.Public, x.real.Public
	payload := make([]byte, size)
	payload[0] = id
	now := w.now
	carry := func(n, o *node) (count int) {
		for _, d := range n.Poll().Sends {
			require.NoError(b, o.Receive(now, n.addr, d.Data))
			for _, e := range o.Poll().Events {
				if e.Kind == Payload {
					count++
				}
			}
		}
		return count
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	got := 0
	for b.Loop() {
		now++
		x.session(to).pace.budget = paceBurst * milli // not what is measured
		if id >= FirstLossy {
			require.NoError(b, x.SendLossy(now, to, payload))
		} else if _, err := x.Send(now, to, payload); err != nil {
			require.NoError(b, err)
		}
		got += carry(x, y)
		y.Tick(now)
		carry(y, x)
	}
	require.Equal(b, b.N, got)
	require.Equal(b, from, x.real.Public)
}

// BenchmarkSession is a whole session: cookie, handshakes, confirmation, close.
func BenchmarkSession(b *testing.B) {
	w := newNetwork(b, 1, faults{})
	x, y := w.add(), w.add()
	y.expect(x)
	b.ReportAllocs()
	for b.Loop() {
		x.fill()
		y.fill()
		x.dial(y)
		w.runUntil(packets.Second, func() bool { return x.up(y) && y.up(x) })
		x.Close(w.now, y.real.Public)
		x.drain()
		w.run(2)
		w.streams, w.nonces = map[stream]*counter{}, map[crypto.Nonce][]byte{}
	}
}

// BenchmarkRefused is a data packet of a known address that does not open.
func BenchmarkRefused(b *testing.B) {
	w, x, y, _ := pair(b, faults{})
	p := make([]byte, 300)
	p[0] = idData
	b.ReportAllocs()
	for b.Loop() {
		if y.Receive(w.now, x.addr, p) == nil {
			b.Fatal("opened")
		}
	}
}
