package onion

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/crypto"
	"github.com/tox-rejoin/rejoin/tox/dhtnode"
)

// refused asserts that a packet which was refused left no trace in an Output.
func refused(t *testing.T, err error, out Output) {
	t.Helper()
	if err != nil {
		require.Empty(t, len(out.Sends)+len(out.Queries)+len(out.Routed)+len(out.Events))
	}
}

// A relay gets bytes as they are, or in a box that opens.
func FuzzRelay(f *testing.F) {
	pair, sender := crypto.NewKeyPair(source(1)), crypto.NewKeyPair(source(2))
	key, err := sender.Shared(pair.Public)
	require.NoError(f, err)
	seeds(f, func(p []byte) { f.Add(byte(0), p) })
	inside := append(appendAddr(nil, addr("8.8.8.8:8")), bytesOf(2*layerSize+1, AnnounceRequest)...)
	for hop := range byte(hops) {
		f.Add(hop+1, inside)
		f.Add(hop+1+hops, append(appendAddr(nil, addr("8.8.8.8:8")), bytesOf(2*wayBack1, 1)...))
	}
	f.Fuzz(func(t *testing.T, kind byte, p []byte) {
		r := NewRelay(Config{DHT: pair, Rand: source(3)})
		hop := int(kind-1)%hops + 1
		switch {
		case kind == 0:
		case kind <= hops:
			x := forward{hop: hop, nonce: crypto.Nonce{1}, key: sender.Public, back: make([]byte, (hop-1)*wayBack1)}
			if len(p) == 0 {
				return
			}
			x.box = key.Seal(nil, &x.nonce, p)
			p = x.append(nil)
		default:
			x := returned{hop: hop, data: []byte{AnnounceResponse, 1}}
			if len(p) == 0 {
				return
			}
			x.back = r.seal.SealRandom(nil, r.rand, p)
			p = x.append(nil)
		}
		err := r.Receive(testStart, addr("9.9.9.9:9"), p)
		out := r.Poll()
		refused(t, err, out)
		if err == nil {
			require.Len(t, out.Sends, 1)
			require.True(t, dhtnode.Reachable(out.Sends[0].To) || p[0] >= Return3)
			require.LessOrEqual(t, len(out.Sends[0].Data), maxPacket)
		}
		require.NoError(t, r.Check())
	})
}

// A store gets bytes as they are, or the plaintext of a request, with or
// without the right ping id.
func FuzzStore(f *testing.F) {
	seeds(f, func(p []byte) { f.Add(byte(0), p) })
	q := question{searched: packets.PublicKey{1}}
	f.Add(byte(1), q.append(nil))
	f.Add(byte(2), q.append(nil))
	who := crypto.NewKeyPair(source(5))
	f.Fuzz(func(t *testing.T, kind byte, p []byte) {
		a := newAsker(t)
		if kind > 0 {
			if len(p) == 0 {
				return
			}
			if kind > 1 && len(p) >= keySize {
				id := a.store.pingID(who.Public, addr("8.8.8.8:8"), a.now.Seconds()/storeLife)
				p = append(id[:], p[keySize:]...)
			}
			key, err := who.Shared(a.node)
			require.NoError(t, err)
			x := announce{nonce: crypto.Nonce{1}, requester: who.Public, back: bytesOf(wayBack3, 7)}
			x.box = key.Seal(nil, &x.nonce, p)
			p = x.append(nil)
		}
		err := a.store.Receive(a.now, addr("8.8.8.8:8"), p)
		out := a.store.Poll()
		refused(t, err, out)
		if err == nil && len(out.Queries) > 0 {
			a.store.Answer(a.now, out.Queries[0], []Node{{Key: packets.PublicKey{1}, Addr: addr("8.8.8.8:8")}})
			require.Len(t, a.store.Poll().Sends, 1)
		}
		require.NoError(t, a.store.Check())
	})
}

// What FuzzClient does with its bytes.
const (
	asIs = iota
	asOwnAnswer
	asFriendAnswer
	asData
	asInner
	asRouted
	fuzzKinds
)

// A client gets bytes as they are, or inside the boxes of answers and data.
func FuzzClient(f *testing.F) {
	seeds(f, func(p []byte) {
		for kind := range byte(fuzzKinds) {
			f.Add(kind, p)
		}
	})
	keys := newPairs()
	known := newRigOf(f, keys).node(1)
	f.Fuzz(func(t *testing.T, kind byte, p []byte) {
		r := newRigOf(t, keys)
		c := r.client
		var w waiting
		switch kind %= fuzzKinds; kind {
		case asOwnAnswer, asFriendAnswer:
			l := map[byte]*list{asOwnAnswer: &c.own, asFriendAnswer: &c.friends[0].list}[kind]
			c.AddPathNode(r.now, known)
			r.seconds(1)
			c.fill(c.now.Seconds(), l, 1)
			w = r.questions(l == &c.own)[0]
			c.Poll()
		}
		if len(p) == 0 && kind != asIs {
			return
		}
		var err error
		switch kind {
		case asIs:
			err = r.receive(p)
		case asOwnAnswer, asFriendAnswer:
			head := r.answer(w, answer{})[:1+sendbackSize]
			err = r.receive(w.key.SealRandom(head, r.rand, p))
		case asData:
			err = r.receive(r.data(r.friend, p))
		case asInner:
			temp := crypto.NewKeyPair(r.rand)
			outer, e := temp.Shared(c.data.Public)
			require.NoError(t, e)
			d := dataPacket{nonce: crypto.Nonce{1}, temp: temp.Public}
			d.box = outer.Seal(nil, &d.nonce, p)
			err = r.receive(d.append(nil))
		case asRouted:
			key, e := r.friend.Shared(c.self)
			require.NoError(t, e)
			err = c.ReceiveRouted(r.now, packets.PublicKey{1}, key.SealRandom(r.friend.Public[:], r.rand, p))
		}
		refused(t, err, c.Poll())
		r.seconds(1)
	})
}
