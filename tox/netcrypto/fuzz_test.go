package netcrypto

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
)

// FuzzReceive gives a machine with one established session, and one being
// dialled, a datagram made of real ones with changes: script is (kind, offset,
// value) triples. What is refused changes nothing.
func FuzzReceive(f *testing.F) {
	f.Add([]byte{0x18}, uint8(0), uint16(0))
	f.Add([]byte{0x1a}, uint8(2), uint16(113))
	f.Add(bytes.Repeat([]byte{0x1b}, 40), uint8(4), uint16(2))
	f.Add(make([]byte, cookieResponseSize), uint8(1), uint16(0))
	f.Fuzz(func(t *testing.T, p []byte, take uint8, at uint16) {
		w, a, b, sent := pair(t, faults{delay: 10})
		c := w.add()
		b.dial(c)
		w.run(5)
		// A recorded packet with the input written over a part of it, or the
		// input alone.
		if k := int(take); k < len(*sent) {
			base := bytes.Clone((*sent)[k].data)
			copy(base[int(at)%len(base):], p)
			p = base
		}
		for _, from := range []*node{a, c} {
			b.fill()
			before := b.fingerprint()
			err := b.Receive(w.now, from.addr, p)
			if err != nil {
				require.Equal(t, before, b.fingerprint())
			}
			b.drain()
			require.NoError(t, b.Check())
		}
		w.run(3 * packets.Second)
		require.NoError(t, b.Check())
	})
}

// FuzzPeer is a peer with a session that sends bodies of its choice: each
// element of script is a length (1), time that passes in ms (1) and the body.
func FuzzPeer(f *testing.F) {
	element := func(wait byte, x body) []byte {
		b := x.append(nil)
		return append([]byte{byte(len(b)), wait}, b...)
	}
	f.Add(element(5, body{number: 3, payload: []byte{64, 1}}))
	f.Add(append(element(0, body{recvStart: 2, number: 9, payload: []byte{1, 1, 1, 2}}), element(200, body{recvStart: 5, payload: []byte{200}})...))
	f.Add(element(50, body{number: RingSize, payload: []byte{1, 0, 0}}))
	f.Add(element(0, body{payload: []byte{2}}))
	f.Fuzz(func(t *testing.T, script []byte) {
		w, a, b, _ := pair(t, faults{delay: 10})
		for k := range 20 {
			_, err := b.Send(w.now, a.real.Public, message(k))
			require.NoError(t, err)
		}
		b.drain()
		w.queue = nil // lost
		s := a.session(b.real.Public)
		next := uint32(0)
		b.onData = func(_ *node, e Event) {
			if e.Kind == Payload && !e.Lossy {
				next++
			}
		}
		for len(script) >= 2 {
			n := min(int(script[0]), len(script)-2)
			w.now += packets.Time(script[1])
			plain := script[2 : 2+n]
			script = script[2+n:]
			if len(plain) == 0 {
				continue
			}
			nonce := s.send.Next()
			p := binary.BigEndian.AppendUint16([]byte{idData}, nonce.Low())
			before := b.fingerprint()
			if err := b.Receive(w.now, a.addr, s.key.Seal(p, &nonce, plain)); err != nil {
				require.Equal(t, before, b.fingerprint())
			}
			b.drain()
			require.NoError(t, b.Check())
			if i, ok := b.Session(a.real.Public); ok {
				require.Equal(t, i.Received, next)
			}
			b.Tick(w.now)
			b.drain()
			require.NoError(t, b.Check())
		}
	})
}
