package netcrypto

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/crypto"
)

// FuzzReceive gives a machine with one established session, and one being
// dialled, a datagram: the input, or a recorded packet with the input written
// over a part of it. What is refused changes nothing, so the machine is used
// again; after what is accepted there is a new one.
func FuzzReceive(f *testing.F) {
	f.Add([]byte{0x18}, uint8(0), uint16(0))
	f.Add([]byte{0x1a}, uint8(2), uint16(113))
	f.Add(bytes.Repeat([]byte{0x1b}, 40), uint8(4), uint16(2))
	f.Add(make([]byte, cookieResponseSize), uint8(1), uint16(0))
	var w *network
	var sent *[]delivery
	f.Fuzz(func(t *testing.T, p []byte, take uint8, at uint16) {
		if w == nil {
			w, _, _, sent = pair(t, faults{delay: 10})
			w.nodes[1].dial(w.add())
			w.tap = nil
		}
		w.t = t
		if k := int(take); k < len(*sent) {
			base := bytes.Clone((*sent)[k].data)
			copy(base[int(at)%len(base):], p)
			p = base
		}
		a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
		accepted := false
		for _, from := range []*node{a, c} {
			b.fill()
			before := b.fingerprint()
			if b.Receive(w.now, from.addr, p) != nil {
				require.Equal(t, before, b.fingerprint())
			} else {
				accepted = true
			}
			b.drain()
		}
		if accepted {
			require.NoError(t, b.Check())
			w.run(3 * packets.Second)
			require.NoError(t, b.Check())
			w = nil
		}
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
	ours, theirs, session := crypto.NewKeyPair(seeded(1)), crypto.NewKeyPair(seeded(2)), crypto.NewKeyPair(seeded(3))
	f.Fuzz(func(t *testing.T, script []byte) {
		// A session without its handshakes, whose X25519s are slow.
		r := seeded(4)
		w := newNetwork(t, 1, faults{})
		a, b := w.address(1), &node{net: w, addr: w.address(2)}
		b.Machine = New(Config{Real: ours, DHT: ours, Rand: r})
		b.begin(w.now)
		b.count = map[packets.PublicKey]int{}
		p := &peer{real: theirs.Public, friend: true}
		b.peers[p.real] = p
		s := b.newSession(p, theirs.Public, session)
		s.state, s.recv = Up, crypto.NewNonce(r)
		b.setAddress(s, a)
		b.heard(s, a)
		b.wakeAt(s.requestAt(w.now))
		nonce := s.recv

		for k := range 20 {
			_, err := b.Send(w.now, p.real, message(k))
			require.NoError(t, err)
		}
		b.drain()
		for len(script) >= 2 {
			n := min(int(script[0]), len(script)-2)
			w.now += packets.Time(script[1])
			plain := script[2 : 2+n]
			script = script[2+n:]
			if len(plain) == 0 {
				continue
			}
			used := nonce.Next()
			d := binary.BigEndian.AppendUint16([]byte{idData}, used.Low())
			before := b.fingerprint()
			if err := b.Receive(w.now, a, s.key.Seal(d, &used, plain)); err != nil {
				require.Equal(t, before, b.fingerprint())
			}
			b.drain()
			require.NoError(t, b.Check())
			if i, ok := b.Session(p.real); ok {
				require.EqualValues(t, i.Received, b.count[p.real])
			}
			b.Tick(w.now)
			b.drain()
		}
		require.NoError(t, b.Check())
	})
}
