package packets_test

import (
	"bytes"
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
)

// key is 32 equal bytes.
func key(b byte) packets.PublicKey {
	return packets.PublicKey(bytes.Repeat([]byte{b}, packets.KeySize))
}

// repeated is the hexadecimal form of n bytes b.
func repeated(b byte, n int) string { return strings.Repeat(hex.EncodeToString([]byte{b}), n) }

// unhex reads hexadecimal digits, white space between them allowed.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	require.NoError(t, err)
	return b
}

// TestGolden takes a packet of each kind apart. The bytes are from the
// recordings; the two with made-up keys complete the traces of c-toxcore 0.2.23
// in which keys are placeholders.
func TestGolden(t *testing.T) {
	const avID = "0175849327a2ccfe1376d46249e57848971ed33f72633a1c5987e977743e540e46"
	av := packets.ID{Type: packets.AV, Key: [32]byte(unhex(t, avID)[1:])}
	tests := []struct {
		name string
		hex  string
		want appender
	}{
		{"s10: invite", "6000 0000" + avID, packets.Invite{Kind: packets.KindInvite, ID: av}},
		{"s10: accept", "6001 0000 0000" + avID, packets.Invite{Kind: packets.KindAccept, ID: av}},
		{
			"s9: member", "6002 0000 0000 006caff26418a29717ba8f2d50260588af11a03733e654eb13ec279dadaa55c10a 6d07",
			packets.Invite{
				Kind: packets.KindMember, PeerNumber: 0x6d07,
				ID: packets.ID{Key: [32]byte(unhex(t, "6caff26418a29717ba8f2d50260588af11a03733e654eb13ec279dadaa55c10a"))},
			},
		},
		{"s10: online", "61 0000" + avID, packets.Online{ID: av}},
		{"s3: introduced", "62 0000 01", packets.Direct{Kind: packets.PeerIntroduced, Data: []byte{}}},
		{"s10: peer query", "62 0000 08", packets.Direct{Kind: packets.PeerQuery, Data: []byte{}}},
		{
			"trace of an invitation: peer response", "62 0000 09 0000" + repeated(0xaa, 32) + repeated(0xab, 32) + "03 6e6d41" +
				"17da" + repeated(0xba, 32) + repeated(0xbb, 32) + "00",
			packets.Direct{Kind: packets.PeerResponse, Data: twoPeers()},
		},
		{"trace of an invitation: title response", "62 0000 0a 68656c6c6f", packets.Direct{Kind: packets.TitleResponse, Data: []byte("hello")}},
		{"s10: ping", "63 0000 0000 00000002 00", packets.Message{Number: 2, Kind: packets.Ping, Data: []byte{}}},
		{
			"trace of a restart: new peer", "63 0000 17da 0001000b 10 ff94" + repeated(0xca, 32) + repeated(0xcb, 32),
			packets.Message{PeerNumber: 0x17da, Number: 0x1000b, Kind: packets.NewPeer, Data: newPeer()},
		},
		{"s1: kill", "63 0000 5e77 0000000b 11 5e77", packets.Message{PeerNumber: 0x5e77, Number: 11, Kind: packets.KillPeer, Data: []byte{0x5e, 0x77}}},
		{"s5: freeze", "63 0000 26da 00000004 12 26da", packets.Message{PeerNumber: 0x26da, Number: 4, Kind: packets.FreezePeer, Data: []byte{0x26, 0xda}}},
		{"s2: name", "63 0000 0e2d 00000004 30 426f62", packets.Message{PeerNumber: 0xe2d, Number: 4, Kind: packets.Name, Data: []byte("Bob")}},
		{"s2: title", "63 0000 df44 00000005 31 7365742062792043", packets.Message{PeerNumber: 0xdf44, Number: 5, Kind: packets.Title, Data: []byte("set by C")}},
		{"s5: message", "63 0000 0000 00000004 40 6f6e652041", packets.Message{Number: 4, Kind: packets.NormalMessage, Data: []byte("one A")}},
		{"s1: action", "63 0000 0000 00000004 41 7761766573", packets.Message{Number: 4, Kind: packets.Action, Data: []byte("waves")}},
		{
			"s4: rejoin", "64 00da0425042988694fe323730e94f8b2129d07ba9a25deda33e17999531eadedc7",
			packets.Rejoin{ID: packets.ID{Key: [32]byte(unhex(t, "da0425042988694fe323730e94f8b2129d07ba9a25deda33e17999531eadedc7"))}},
		},
		{"s10: lossy, its Opus data cut", "c7 0000 0000 0ac0 c0 000a689b", packets.Lossy{Number: 0xac0, Kind: packets.LossyAudio, Data: []byte{0, 0x0a, 0x68, 0x9b}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := unhex(t, tt.hex)
			got, err := parse(b)
			require.NoError(t, err)
			assert.Empty(t, cmp.Diff(tt.want, got))
			assert.Equal(t, b, tt.want.Append(nil))
			assert.Equal(t, append([]byte("x"), b...), tt.want.Append([]byte("x")), "behind dst")
		})
	}
}

// twoPeers is the data of a Peer Response about two peers.
func twoPeers() []byte {
	a, aDHT, b, bDHT := key(0xaa), key(0xab), key(0xba), key(0xbb)
	return packets.AppendPeer(packets.AppendPeer(nil, 0, &a, &aDHT, "nmA"), 0x17da, &b, &bDHT, "")
}

// newPeer is the data of a New Peer message.
func newPeer() []byte {
	c, cDHT := key(0xca), key(0xcb)
	return packets.AppendNewPeer(nil, 0xff94, &c, &cDHT)
}

// TestLengths pins which lengths are accepted of each packet, with the packet's
// id and kind right.
func TestLengths(t *testing.T) {
	const unlimited = 1 << 20
	tests := []struct {
		name     string
		head     string // the bytes that decide the kind, from the first one
		from, to int    // lengths accepted
		below    error  // of one byte less
		above    error  // of one byte more
	}{
		{"invite", "6000", 37, 37, packets.ErrLength, packets.ErrLength},
		{"accept", "6001", 39, 39, packets.ErrLength, packets.ErrLength},
		{"member", "6002", 41, 41, packets.ErrLength, packets.ErrLength},
		{"online", "61", 36, 36, packets.ErrLength, packets.ErrLength},
		{"direct", "62", 4, unlimited, packets.ErrTooShort, nil},
		{"message", "63", 10, unlimited, packets.ErrTooShort, nil},
		{"rejoin", "64", 34, unlimited, packets.ErrTooShort, nil},
		{"lossy", "c7", 8, unlimited, packets.ErrTooShort, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := make([]byte, packets.MaxPacket+1)
			copy(b, unhex(t, tt.head))
			for n := range b {
				_, err := parse(b[:n])
				if good := n >= tt.from && n <= tt.to; good != (err == nil) {
					t.Errorf("%d bytes: %v", n, err)
				}
			}
			_, err := parse(b[:tt.from-1])
			assert.ErrorIs(t, err, tt.below)
			_, err = parse(b[:tt.from+1])
			assert.ErrorIs(t, err, tt.above)
		})
	}
}

func TestOtherPackets(t *testing.T) {
	b := make([]byte, 64)
	parsers := map[string]func([]byte) (appender, error){
		"invite":  func(b []byte) (appender, error) { return asAppender(packets.ParseInvite(b)) },
		"online":  func(b []byte) (appender, error) { return asAppender(packets.ParseOnline(b[:36])) },
		"direct":  func(b []byte) (appender, error) { return asAppender(packets.ParseDirect(b)) },
		"message": func(b []byte) (appender, error) { return asAppender(packets.ParseMessage(b)) },
		"rejoin":  func(b []byte) (appender, error) { return asAppender(packets.ParseRejoin(b)) },
		"lossy":   func(b []byte) (appender, error) { return asAppender(packets.ParseLossy(b)) },
	}
	for name, parser := range parsers {
		_, err := parser(b)
		assert.ErrorIs(t, err, packets.ErrKind, name)
	}
	_, err := packets.ParseInvite(unhex(t, "60 03"+repeated(0, 39)))
	assert.ErrorIs(t, err, packets.ErrKind, "an unknown form of 0x60")
}

// TestDataLengths pins the lengths of the data inside packets.
func TestDataLengths(t *testing.T) {
	for n := range 100 {
		_, err := packets.ParseNewPeer(make([]byte, n))
		assert.Equal(t, n == packets.NewPeerSize, err == nil, "new peer of %d bytes: %v", n, err)
		_, err = packets.ParsePeerNumber(make([]byte, n))
		assert.Equal(t, n == packets.PeerNumberSize, err == nil, "peer number of %d bytes: %v", n, err)
		_, err = packets.ParseCookie(make([]byte, n))
		assert.Equal(t, n == packets.CookieSize, err == nil, "cookie of %d bytes: %v", n, err)
	}
	n, err := packets.ParsePeerNumber([]byte{0x12, 0x34})
	require.NoError(t, err)
	assert.EqualValues(t, 0x1234, n)
}

func TestPeerList(t *testing.T) {
	read := func(l packets.PeerList) (names []string, rest int, err error) {
		for {
			p, next, more, err := l.Next()
			if !more {
				return names, len(l), err
			}
			if err != nil {
				assert.EqualValues(t, 0x0102, p.Number, "valid all the same")
				assert.Equal(t, key(3), *p.Key)
				assert.Equal(t, key(4), *p.DHT)
				assert.Nil(t, next)
				return names, len(l), err
			}
			names = append(names, string(p.Name))
			l = next
		}
	}
	a, b := key(3), key(4)
	entry := func(name string) []byte { return packets.AppendPeer(nil, 0x0102, &a, &b, name) }
	long := strings.Repeat("n", packets.MaxName)
	badName := entry(strings.Repeat("x", 100))
	badName[66] = 101

	tests := []struct {
		name string
		list []byte
		want []string
		rest int
		err  error
	}{
		{"nothing", nil, nil, 0, nil},
		{"66 bytes are ignored", entry("")[:66], nil, 66, nil},
		{"two", slices.Concat(entry("a"), entry("")), []string{"a", ""}, 0, nil},
		{"one and a rest", slices.Concat(entry("a"), make([]byte, 66)), []string{"a"}, 66, nil},
		{"longest name", entry(long), []string{long}, 0, nil},
		{"a longer one is cut when written", entry(long + "n"), []string{long}, 0, nil},
		{"name longer than the rest", badName, nil, 167, packets.ErrName},
		{"129 bytes", withNameLength(slices.Concat(entry(long), entry(long)), 129), nil, 2 * 195, packets.ErrName},
		{"a fault behind a good one", slices.Concat(entry("a"), badName), []string{"a"}, 167, packets.ErrName},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			names, rest, err := read(tt.list)
			assert.Equal(t, tt.want, names)
			assert.Equal(t, tt.rest, rest)
			assert.ErrorIs(t, err, tt.err)
		})
	}
}

func withNameLength(entry []byte, n byte) []byte {
	entry[packets.PeerEntryMin-1] = n
	return entry
}

// TestForward: a relay changes the group number only (SPEC C-15).
func TestForward(t *testing.T) {
	for _, s := range []string{
		"62 0102 08", "63 0102 0304 05060708 40 6869", "63 0102 0304 05060708 99 ffff", "c7 0102 0304 0506 c0 00",
	} {
		b := unhex(t, s)
		want := slices.Clone(b)
		want[1], want[2] = 0xab, 0xcd
		assert.Equal(t, want, packets.AppendForward(nil, b, 0xabcd))
	}
}

func TestCookie(t *testing.T) {
	b := unhex(t, "60 00 0102 01"+repeated(9, 32))
	inv, err := packets.ParseInvite(b)
	require.NoError(t, err)
	assert.Equal(t, b[2:], inv.Cookie())
	inv.Kind, inv.To = packets.KindMember, 7
	assert.Equal(t, b[2:], inv.Cookie(), "whatever the form was")
	got, err := packets.ParseCookie(b[2:])
	require.NoError(t, err)
	assert.Equal(t, packets.Invite{Group: 0x0102, ID: packets.ID{Type: packets.AV, Key: key(9)}}, got)
}

// TestAliases: what a parser returns of a packet, appending to it does not
// overwrite the packet.
func TestAliases(t *testing.T) {
	list := packets.PeerList(twoPeers())
	before := slices.Clone(list)
	p, _, _, err := list.Next()
	require.NoError(t, err)
	_ = append(p.Name, "overwritten"...)
	assert.Equal(t, before, list)
}

func TestKeys(t *testing.T) {
	k := key(0xa5)
	assert.Equal(t, "a5a5a5a5", k.String())
	assert.Equal(t, "a5a5a5a5", packets.ID{Key: k}.String())
	got, err := packets.ParsePublicKey(strings.ToUpper(k.Hex()))
	require.NoError(t, err)
	assert.Equal(t, k, got)
	_, err = packets.ParsePublicKey(k.Hex()[1:])
	assert.ErrorIs(t, err, packets.ErrLength)
	_, err = packets.ParsePublicKey("g" + k.Hex()[1:])
	assert.Error(t, err)
}

func TestTypes(t *testing.T) {
	assert.Equal(t, "text", packets.Text.String())
	assert.Equal(t, "av", packets.AV.String())
	assert.Equal(t, "type 9", packets.Type(9).String())
	assert.EqualValues(t, 1, (packets.Second + 999).Seconds())
}
