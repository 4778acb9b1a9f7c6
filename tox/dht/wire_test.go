package dht

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/crypto"
	"github.com/tox-rejoin/rejoin/tox/dhtnode"
)

// recorded is what a real tox-bootstrapd sent to a node of ours with a known
// secret key.
type recorded struct {
	Source  string
	Secret  string `json:"secret_key"`
	Daemon  string `json:"daemon_key"`
	Port    uint16 `json:"our_port"`
	Packets []string
}

// recording returns it with the key that the two share.
func recording(t testing.TB) (recorded, crypto.SharedKey) {
	t.Helper()
	b, err := os.ReadFile("testdata/bootstrapd.json")
	require.NoError(t, err)
	var r recorded
	require.NoError(t, json.Unmarshal(b, &r))
	pair, err := crypto.KeyPairFromSecret(packets.SecretKey(unhex(t, r.Secret)))
	require.NoError(t, err)
	key, err := pair.Shared(packets.PublicKey(unhex(t, r.Daemon)))
	require.NoError(t, err)
	return r, key
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}

// plaintexts are the contents of the recorded boxes, by packet id.
func plaintexts(t testing.TB) map[byte][][]byte {
	r, key := recording(t)
	all := map[byte][][]byte{}
	for _, s := range r.Packets {
		p := unhex(t, s)
		if p[0] == BootstrapInfo {
			all[p[0]] = append(all[p[0]], p)
			continue
		}
		require.Equal(t, r.Daemon, hex.EncodeToString(p[1:1+keySize]))
		plain, err := key.OpenPrefixed(nil, p[1+keySize:])
		require.NoError(t, err)
		all[p[0]] = append(all[p[0]], plain)
	}
	return all
}

// Every packet of a real daemon is read, and written again to the byte.
func TestRecordedPackets(t *testing.T) {
	r, _ := recording(t)
	all := plaintexts(t)
	for _, id := range []byte{PingRequest, PingResponse} {
		require.NotEmpty(t, all[id])
		for _, plain := range all[id] {
			x, err := parsePing(plain, id)
			require.NoError(t, err)
			require.NotZero(t, x.id)
			require.Equal(t, plain, x.append(nil))
		}
	}
	require.NotEmpty(t, all[NodesRequest])
	for _, plain := range all[NodesRequest] {
		x, err := parseRequest(plain)
		require.NoError(t, err)
		require.Equal(t, plain, x.append(nil))
	}
	ourselves := 0
	pair, err := crypto.KeyPairFromSecret(packets.SecretKey(unhex(t, r.Secret)))
	require.NoError(t, err)
	for _, plain := range all[NodesResponse] {
		x, err := parseResponse(plain)
		if len(plain) == 1+idSize { // the daemon knew nobody yet
			require.ErrorIs(t, err, ErrPlain)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, plain, x.append(nil))
		for _, p := range x.nodes[:x.count] {
			n, ok := dhtnode.Unpack(p)
			require.True(t, ok)
			require.Equal(t, p, n.Pack())
			if n.Key == pair.Public {
				ourselves++
				require.Equal(t, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), r.Port), n.Addr)
			}
		}
	}
	require.Positive(t, ourselves, "it has named ourselves")
	info, err := ParseInfo(all[BootstrapInfo][0])
	require.NoError(t, err)
	require.Equal(t, uint32(1000002018), info.Version)
	require.Equal(t, "a daemon of a test\x00", string(info.MOTD))
	require.Equal(t, all[BootstrapInfo][0], info.Append(nil))
}

// The sizes that the network knows.
// SPEC T-9, T-13
func TestSizes(t *testing.T) {
	require.Equal(t, 82, pingSize)
	require.Equal(t, 113, requestSize)
	require.Equal(t, 82, responseHead)
	require.Equal(t, 39, nodeSize4)
	require.Equal(t, 51, nodeSize6)
	require.Equal(t, 106, routedExtra)
	require.Len(t, AppendInfoRequest(nil), 78)
}

// SPEC T-18, T-20
func TestMalformedResponses(t *testing.T) {
	id := "0102030405060708"
	node4 := "02" + "08080808" + "829f" + strings.Repeat("11", 32)
	node6 := "0a" + strings.Repeat("22", 16) + "829f" + strings.Repeat("33", 32)
	relay := "82" + "08080808" + "829f" + strings.Repeat("11", 32)
	for name, c := range map[string]struct {
		plain string
		err   error
	}{
		"one":                 {"01" + node4 + id, nil},
		"four":                {"04" + node6 + node4 + node6 + node6 + id, nil},
		"four of IPv6":        {"04" + node6 + node6 + node6 + node6 + id, nil},
		"none":                {"00" + id, ErrPlain},
		"none, one there":     {"00" + node4 + id, ErrNodes},
		"five":                {"05" + node4 + node4 + node4 + node4 + node4 + id, ErrNodes},
		"two said, one there": {"02" + node4 + id, ErrNodes},
		"one said, two there": {"01" + node4 + node4 + id, ErrNodes},
		"cut":                 {"02" + node4 + node4[:70] + id, ErrNodes},
		"a byte behind":       {"01" + node4 + "00" + id, ErrNodes},
		"a relay":             {"01" + relay + id, ErrNodes},
		"unknown family":      {"01" + "07" + node4[2:] + id, ErrNodes},
		"empty":               {"", ErrPlain},
	} {
		x, err := parseResponse(unhex(t, c.plain))
		if c.err != nil {
			require.ErrorIs(t, err, c.err, name)
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, c.plain, hex.EncodeToString(x.append(nil)), name)
	}
}

// The values that SPEC.md states.
// SPEC T-16, T-19, T-21, T-24, T-26, T-30, T-33, T-35, T-37, T-41, T-42, T-48
func TestConstants(t *testing.T) {
	require.Equal(t, []int{60, 20, 5, 122, 182, 2, 5000},
		[]int{askEvery, askRandomEvery, quickRounds, badAfter, deadAfter, maybeEvery, int(answerIn)})
	require.Equal(t, []int{128, 8, 8, 4, 8, 4, 32, 512},
		[]int{buckets, bucketSize, searchSize, maxNodes, maxClose, maxNamed, maxMaybe, outstanding})
	require.Equal(t, []int{512, 32, 5, 256, 8}, []int{MaxSearches, MaxBootstraps, bootstrapEvery, MaxRestored, restorePerTick})
	require.Equal(t, []int{128, 32, 2048, 1024}, []int{sourceBurst, sourceRate, totalBurst, totalRate})
}

func TestMalformedInfo(t *testing.T) {
	_, err := ParseInfo([]byte{BootstrapInfo, 1, 2, 3})
	require.ErrorIs(t, err, ErrLength)
	_, err = ParseInfo(make([]byte, 5+MaxMOTD+1))
	require.ErrorIs(t, err, ErrLength)
	_, err = ParseInfo([]byte{0, 1, 2, 3, 4})
	require.ErrorIs(t, err, ErrKind)
}

func FuzzPing(f *testing.F) {
	for _, plain := range plaintexts(f)[PingRequest] {
		f.Add(plain)
	}
	for _, plain := range plaintexts(f)[PingResponse] {
		f.Add(plain)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, kind := range []byte{PingRequest, PingResponse} {
			if x, err := parsePing(b, kind); err == nil {
				require.Equal(t, b, x.append(nil))
			}
		}
	})
}

func FuzzNodesRequest(f *testing.F) {
	for _, plain := range plaintexts(f)[NodesRequest] {
		f.Add(plain)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if x, err := parseRequest(b); err == nil {
			require.Equal(t, b, x.append(nil))
		}
	})
}

func FuzzNodesResponse(f *testing.F) {
	for _, plain := range plaintexts(f)[NodesResponse] {
		f.Add(plain)
	}
	f.Add(append(append([]byte{1, 10}, make([]byte, nodeSize6-1)...), 1, 2, 3, 4, 5, 6, 7, 8))
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := parseResponse(b)
		if err != nil {
			return
		}
		require.Equal(t, b, x.append(nil))
		for _, p := range x.nodes[:x.count] {
			n, ok := dhtnode.Unpack(p)
			require.True(t, ok)
			require.False(t, n.Addr.Addr().Is4In6())
			again, ok := dhtnode.Unpack(n.Pack())
			require.True(t, ok)
			require.Equal(t, n, again)
		}
	})
}

func FuzzNATPing(f *testing.F) {
	f.Add(natPing{natRequest, 7}.append(nil))
	f.Add(natPing{natResponse, 1 << 60}.append(nil))
	f.Add([]byte{SubNATPing, 2, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		if x, err := parseNATPing(b); err == nil {
			require.Equal(t, b, x.append(nil))
		}
	})
}

func FuzzInfo(f *testing.F) {
	f.Add(plaintexts(f)[BootstrapInfo][0])
	f.Add(Info{Version: 1}.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if x, err := ParseInfo(b); err == nil {
			require.True(t, bytes.Equal(b, x.Append(nil)))
		}
	})
}
