package onion

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/crypto"
)

const testStart = packets.Time(1_700_000_000_000)

func source(seed byte) *rand.ChaCha8 { return rand.NewChaCha8([32]byte{seed}) }

func addr(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

// bytesOf is n bytes that can be told apart.
func bytesOf(n int, from byte) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = from + byte(i)
	}
	return b
}

// The sizes that c-toxcore's packets were seen to have.
// SPEC T-56, T-88
func TestSizes(t *testing.T) {
	require.Equal(t, 1174, MaxPayload)
	require.Equal(t, 177, wayBack3)
	require.Equal(t, 177, announceSize)
	require.Equal(t, 354, announceSize+wayBack3)
	require.Equal(t, 403, 1+nonceSize+hops*layerSize+announceSize)
	require.Equal(t, 1069, maxData)
	require.Equal(t, 948, maxPlain)
	require.Equal(t, 82, answerHead+boxSize+1+keySize)
	require.Less(t, requestHead+MaxRequestText, maxPlain)
	require.Less(t, maxDHTKey, maxPlain)
}

// The values that SPEC.md states.
// SPEC T-52, T-54, T-57, T-58, T-62 to T-64, T-66, T-68 to T-75, T-78, T-80, T-81, T-88, T-89
func TestConstants(t *testing.T) {
	require.Equal(t, []packets.Time{7_200_000, 300_000, 10_000}, []packets.Time{relayEvery, relayGrace, answerIn})
	require.Equal(t, []int{160, 300, 3, 12, 8, 3, 15, 9, 10, 3},
		[]int{maxEntries, storeLife, hops, selfNodes, friendNodes, maxMissed, missedWait, recentSize, namedEvery, randomEvery})
	require.Equal(t, []int{32, 6, 4, 10, 4, 2, 1200, 90, 182, 6},
		[]int{ringSize, pathsPerSet, pathUses, pathWait, pathFirst, pathNewUses, pathLife, stableAfter, pathNodeGood, fewNodes})
	require.Equal(t, []int{3, 3, 15, 120, 15, 75, 3, 6}, []int{startAfter, askEvery, renewEvery, renewStable, proofEvery, offlineAfter, onlineRuns, maxRuns})
	require.Equal(t, []int{6, 4, 600, 20, 3600, 30, 20}, []int{fillSelf, fillFriend, fillEvery, quickRounds, maxRoundEvery, sendOnion, sendDHT})
	require.Equal(t, []int{512, 256, 4096, 2048}, []int{relayBurst, relayRate, relayBursts, relayRates})
	require.Equal(t, []int{128, 64, 2048, 1024}, []int{storeBurst, storeRate, storeBursts, storeRates})
	require.Equal(t, []int{128, 64, 512, 256}, []int{dataBurst, dataRate, dataBursts, dataRates})
	require.Equal(t, []int{1024, 256, 30, 32, 921}, []int{MaxFriends, maxAsks, requestWait, maxRequests, MaxRequestText})
}

// SPEC T-55
func TestAddresses(t *testing.T) {
	for s, want := range map[string]string{
		"127.0.0.1:33445":      "02 7f000001 000000000000000000000000 82a5",
		"255.254.253.252:1":    "02 fffefdfc 000000000000000000000000 0001",
		"[2001:db8::1]:65535":  "0a 20010db8000000000000000000000001 ffff",
		"[fe80::1234:5678]:80": "0a fe800000000000000000000012345678 0050",
	} {
		b := appendAddr(nil, addr(s))
		require.Equal(t, strings.ReplaceAll(want, " ", ""), hex.EncodeToString(b))
		back, err := parseAddr(b)
		require.NoError(t, err)
		require.Equal(t, addr(s), back)
	}
	mapped := append(append([]byte{10}, netip.MustParseAddr("::ffff:1.2.3.4").AsSlice()...), 0, 80)
	a, err := parseAddr(mapped)
	require.NoError(t, err)
	require.Equal(t, addr("1.2.3.4:80"), a)
	for _, family := range []byte{0, 1, 3, 130, 138, 255} {
		mapped[0] = family
		_, err = parseAddr(mapped)
		require.ErrorIs(t, err, ErrDestination)
	}
	_, err = parseAddr(mapped[:addrSize-1])
	require.ErrorIs(t, err, ErrLength)
}

// DHT keys of the future may come with nodes that we cannot read.
// SPEC T-83
func TestDHTKeyWithUnknownNodes(t *testing.T) {
	d := dhtKey{number: 5, key: packets.PublicKey(bytesOf(32, 1)), count: 1}
	d.nodes[0] = Node{Key: packets.PublicKey(bytesOf(32, 9)), Addr: addr("1.2.3.4:5")}.Pack()
	b := append(d.append(nil), 77, 1, 2, 3)
	back, err := parseDHTKey(b)
	require.NoError(t, err)
	require.Equal(t, d, back)
	for n := range dhtKeyHead {
		_, err = parseDHTKey(b[:n])
		require.ErrorIs(t, err, ErrPlain)
	}
}

// seeds adds to the corpus a packet of every kind.
func seeds(f *testing.F, add func(p []byte)) {
	for hop := 1; hop <= hops; hop++ {
		x := forward{
			hop: hop, nonce: crypto.Nonce(bytesOf(24, 1)), key: packets.PublicKey(bytesOf(32, 2)),
			box: bytesOf(boxSize+(hops-hop)*layerSize+addrSize+1, 3), back: bytesOf((hop-1)*wayBack1, 4),
		}
		add(x.append(nil))
		r := returned{hop, bytesOf(hop*wayBack1, 5), []byte{AnnounceResponse}}
		add(r.append(nil))
	}
	a := announce{
		nonce: crypto.Nonce(bytesOf(24, 1)), requester: packets.PublicKey(bytesOf(32, 2)),
		box: bytesOf(boxSize+announcePlain, 3), back: bytesOf(wayBack3, 4),
	}
	add(a.append(nil))
	d := dataPacket{crypto.Nonce(bytesOf(24, 1)), packets.PublicKey(bytesOf(32, 2)), bytesOf(boxSize*2+keySize+1, 3)}
	add(d.append(nil))
	x := transit{packets.PublicKey(bytesOf(32, 2)), d.append(nil)[1:], bytesOf(wayBack3, 4)}
	add(x.append(nil))
	q := question{sendback: [8]byte{1}}
	add(q.append(nil))
	w := answer{stored: 1, count: 2}
	w.nodes[0] = Node{Key: packets.PublicKey(bytesOf(32, 9)), Addr: addr("1.2.3.4:5")}.Pack()
	w.nodes[1] = Node{Key: packets.PublicKey(bytesOf(32, 9)), Addr: addr("[2001:db8::1]:5")}.Pack()
	add(w.append(nil, false))
	add(w.append(nil, true))
	k := dhtKey{number: 1 << 40, count: 2, nodes: w.nodes}
	add(k.append(nil))
	r := request{[4]byte{1, 2, 3, 4}, []byte("text")}
	add(r.append(nil))
	add(nil)
}

// Every decoder: no panic, nothing written to the input, and what was read
// gives the same bytes again.
func FuzzDecoders(f *testing.F) {
	seeds(f, func(p []byte) { f.Add(p) })
	f.Fuzz(func(t *testing.T, p []byte) {
		before := bytes.Clone(p)
		same := func(err error, again func(dst []byte) []byte) {
			if err == nil {
				require.Equal(t, before, again(make([]byte, 0, len(p))))
			}
		}
		x, err := parseForward(p)
		same(err, func(dst []byte) []byte { return x.append(dst) })
		r, err := parseReturned(p)
		same(err, func(dst []byte) []byte { return r.append(dst) })
		a, err := parseAnnounce(p)
		same(err, func(dst []byte) []byte { return a.append(dst) })
		q, err := parseQuestion(p)
		same(err, func(dst []byte) []byte { return q.append(dst) })
		d, err := parseDataResponse(p)
		same(err, func(dst []byte) []byte { return d.append(dst) })
		y, err := parseTransit(p)
		same(err, func(dst []byte) []byte { return y.append(dst) })
		z, err := parseRequest(p)
		same(err, func(dst []byte) []byte { return z.append(dst) })
		for _, counted := range []bool{false, true} {
			w, err := parseAnswer(p, counted)
			same(err, func(dst []byte) []byte { return w.append(dst, counted) })
		}
		if k, err := parseDHTKey(p); err == nil { // what cannot be read behind it is left out
			again := k.append(nil)
			require.True(t, bytes.HasPrefix(before, again))
			same, err := parseDHTKey(again)
			require.NoError(t, err)
			require.Equal(t, k, same)
		}
		if a, err := parseAddr(p); err == nil { // padding and mapped addresses are not canonical
			same, err := parseAddr(appendAddr(nil, a))
			require.NoError(t, err)
			require.Equal(t, a, same)
		}
		require.Equal(t, before, p)
	})
}
