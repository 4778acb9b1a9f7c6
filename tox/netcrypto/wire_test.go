package netcrypto

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/crypto"
)

// The sizes that the protocol states.
// SPEC T-101
func TestSizes(t *testing.T) {
	require.Equal(t, []int{112, 145, 161, 385, 28},
		[]int{cookieSize, cookieRequestSize, cookieResponseSize, handshakeSize, minData})
	for n := 1; n <= MaxPayload; n++ {
		x := body{payload: make([]byte, n)}
		size := len(x.append(nil)) + dataHead + crypto.Overhead
		require.LessOrEqual(t, size, MaxDatagram)
		require.Zero(t, (MaxDatagram-size)%padTo)
	}
}

// The values that SPEC.md states.
// SPEC T-90 to T-95, T-101, T-104 to T-106, T-110, T-113, T-115, T-116
func TestConstants(t *testing.T) {
	require.Equal(t, []int{1373, 1400, 32768, 21845, 8, 10}, []int{MaxPayload, MaxDatagram, RingSize, nonceStep, maxTries, cookieBurst})
	require.Equal(t, []packets.Time{15_000, 1000, 8000, 1000, 50, 1000, 100},
		[]packets.Time{CookieLife, resendInterval, directTimeout, requestEvery, requestMin, firstRTT, cookieInterval})
	require.Equal(t, []int{1024, 32768, 8 << 20, 2048, 1 << 20, 64 << 20},
		[]int{MaxPeers, FriendPackets, FriendBytes, OtherPackets, OtherBytes, MaxHeld})
	require.Equal(t, []packets.Time{200, 10_000, 200, 50, 200},
		[]packets.Time{gapInterval, rttWindow, sourceInterval, handshakeInterval, handshakeSource})
	require.Equal(t, []int{2048, 5, 64, 10, 128, 256, 16384},
		[]int{replayWindow, sourceBurst, handshakeBurst, handshakeOne, paceBurst, paceMin, paceMax})
}

// SPEC T-101
func TestBodyPads(t *testing.T) {
	x := body{recvStart: 0x01020304, number: 0x05060708, payload: []byte{64, 0, 9}}
	require.Equal(t, []byte{1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 64, 0, 9}, x.append(nil))
	for _, b := range [][]byte{nil, make([]byte, 7), make([]byte, 8), make([]byte, 40), bytes.Repeat([]byte{1}, bodyHead+MaxPayload+1)} {
		_, err := parseBody(b)
		require.ErrorIs(t, err, ErrLength)
	}
}

// Lists written out by hand from the rules of the protocol.
// SPEC T-108
func TestMissingByHand(t *testing.T) {
	have := func(missing ...uint32) func(uint32) bool {
		return func(n uint32) bool { return !slices.Contains(missing, n) }
	}
	for _, c := range []struct {
		start, end uint32
		missing    []uint32
		list       []byte
	}{
		{7, 7, nil, []byte{}},
		{7, 10, []uint32{7}, []byte{1}},
		{7, 10, []uint32{7, 8, 9}, []byte{1, 1, 1}},
		{7, 200, []uint32{7, 9}, []byte{1, 2}},
		{0, 254, nil, []byte{}},
		{0, 255, nil, []byte{0}},
		{0, 300, []uint32{254}, []byte{255}},
		{0, 300, []uint32{255}, []byte{0, 1}},
		{0, 600, []uint32{0, 256, 550}, []byte{1, 0, 1, 0, 39}},
		{0xfffffffe, 3, []uint32{0xffffffff, 2}, []byte{2, 3}},
	} {
		require.Equal(t, c.list, appendMissing([]byte{}, MaxPayload, c.start, c.end, have(c.missing...)))
		var got []uint32
		require.NoError(t, eachMissing(c.list, c.start, c.end, func(n uint32, missing bool) {
			if missing {
				got = append(got, n)
			}
		}))
		require.Equal(t, c.missing, got)
	}
	never := func(uint32, bool) {}
	require.ErrorIs(t, eachMissing([]byte{1}, 7, 7, never), ErrPacket)
	require.ErrorIs(t, eachMissing([]byte{3}, 7, 9, never), ErrPacket)
	require.ErrorIs(t, eachMissing([]byte{1, 0, 5}, 0, 200, never), ErrPacket)
	require.ErrorIs(t, eachMissing([]byte{3, 2}, 0, 3, never), ErrPacket, "goes beyond the end")
}

// A list tells exactly what it was made from, as far as its limit goes.
func TestMissingRandom(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 500 {
		start := r.Uint32()
		end := start + uint32(r.IntN(3000))
		density := r.Float64() * r.Float64()
		lost := map[uint32]bool{}
		for n := start; n != end; n++ {
			lost[n] = r.Float64() < density
		}
		limit := 1 + r.IntN(MaxPayload)
		list := appendMissing([]byte{idRequest}, limit, start, end, func(n uint32) bool { return !lost[n] })
		require.LessOrEqual(t, len(list), limit)
		next := start
		require.NoError(t, eachMissing(list[1:], start, end, func(n uint32, missing bool) {
			require.Equal(t, next, n)
			require.Equal(t, lost[n], missing)
			next++
		}))
		if len(list) < limit {
			for ; next != end; next++ {
				require.False(t, lost[next], "left out")
			}
		}
	}
}

func FuzzCookie(f *testing.F) {
	c := cookie{stamp: 1_700_000_000_000_001, real: packets.PublicKey{1}, dht: packets.PublicKey{2}}
	f.Add(c.append(nil))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := parseCookie(b); err == nil {
			require.Equal(t, b, c.append(nil))
		}
	})
}

func FuzzCookieRequest(f *testing.F) {
	r := cookieRequest{real: packets.PublicKey{1}, echo: [8]byte{2}}
	f.Add(r.append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := parseCookieRequest(b); err == nil {
			clear(b[keySize : 2*keySize]) // ignored
			require.Equal(t, b, r.append(nil))
		}
	})
}

func FuzzCookieResponse(f *testing.F) {
	r := cookieResponse{cookie: [cookieSize]byte{1}, echo: [8]byte{2}}
	f.Add(r.append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := parseCookieResponse(b); err == nil {
			require.Equal(t, b, r.append(nil))
		}
	})
}

func FuzzHandshake(f *testing.F) {
	h := handshake{base: crypto.Nonce{1}, session: packets.PublicKey{2}, hash: [hashSize]byte{3}, cookie: [cookieSize]byte{4}}
	f.Add(h.append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if h, err := parseHandshake(b); err == nil {
			require.Equal(t, b, h.append(nil))
		}
	})
}

func FuzzBody(f *testing.F) {
	x := body{recvStart: 1, number: 2, payload: []byte{64, 'x'}}
	f.Add(x.append(nil))
	f.Add(make([]byte, 20))
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := parseBody(b)
		if err != nil {
			return
		}
		require.NotZero(t, x.payload[0])
		again, err := parseBody(x.append(nil))
		require.NoError(t, err)
		require.Equal(t, x, again)
		if pad := len(b) - bodyHead - len(x.payload); pad == (MaxPayload-len(x.payload))%padTo {
			require.Equal(t, b, x.append(nil))
		}
	})
}

func FuzzMissing(f *testing.F) {
	f.Add([]byte{1, 1, 0, 255, 7}, uint32(0xffffff00), uint16(900))
	f.Add([]byte{}, uint32(0), uint16(0))
	f.Fuzz(func(t *testing.T, list []byte, start uint32, span uint16) {
		end := start + uint32(span)%(RingSize+1)
		have := map[uint32]bool{}
		last := start
		err := eachMissing(list, start, end, func(n uint32, missing bool) {
			require.Less(t, n-start, end-start)
			have[n] = !missing
			last = n + 1
		})
		if err != nil {
			return
		}
		// What was read is what is written, up to the last one named.
		require.Equal(t, list, appendMissing([]byte{}, len(list), start, last, func(n uint32) bool { return have[n] }))
	})
}
