package packets_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
)

func TestSavedKeys(t *testing.T) {
	k := goldenKeys(t)
	got, err := packets.ParseSavedKeys(k.Append(nil))
	require.NoError(t, err)
	assert.Equal(t, k, got)
	for n := range 100 {
		_, err := packets.ParseSavedKeys(make([]byte, n))
		assert.Equal(t, n == packets.SavedKeysSize, err == nil, "%d bytes: %v", n, err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		assert.NotContains(t, fmt.Sprintf(verb, k.Secret), "0x1, 0x2", verb)
		assert.Contains(t, strings.ToLower(fmt.Sprintf(verb, k.Secret)), "secret", verb)
	}
}

func TestProfileTexts(t *testing.T) {
	long := bytes.Repeat([]byte("x"), packets.MaxStatusMessage+1)
	var s packets.Save
	assert.Nil(t, s.Name())
	assert.Nil(t, s.StatusMessage())
	assert.Equal(t, packets.Available, s.Status())

	s = s.SetSection(packets.SectionName, long[:packets.MaxName])
	s = s.SetSection(packets.SectionStatusMessage, long[:packets.MaxStatusMessage])
	s = s.SetSection(packets.SectionStatus, []byte{2})
	assert.Len(t, s.Name(), packets.MaxName)
	assert.Len(t, s.StatusMessage(), packets.MaxStatusMessage)
	assert.Equal(t, packets.Busy, s.Status())

	s = s.SetSection(packets.SectionName, long[:packets.MaxName+1])
	s = s.SetSection(packets.SectionStatusMessage, long)
	s = s.SetSection(packets.SectionStatus, []byte{2, 2})
	assert.Nil(t, s.Name(), "c-toxcore passes over what is too long")
	assert.Nil(t, s.StatusMessage())
	assert.Equal(t, packets.Available, s.Status())
}

// TestSavedFriendLayout pins where each field of the record is.
func TestSavedFriendLayout(t *testing.T) {
	var f packets.SavedFriend
	f.SetStatus(packets.FriendConfirmed)
	f.SetKey(key(0xaa))
	f.SetRequest([]byte("request"))
	f.SetName([]byte("name"))
	f.SetStatusMessage([]byte("message"))
	f.SetUserStatus(packets.Away)
	f.SetNoSpam([4]byte{1, 2, 3, 4})
	f.SetLastSeen(0x0102030405060708)

	var want packets.SavedFriend
	for offset, b := range map[int]string{
		0: "\x03", 1: strings.Repeat("\xaa", 32), 33: "request", 1058: "\x00\x07", 1060: "name", 1188: "\x00\x04",
		1190: "message", 2198: "\x00\x07", 2200: "\x01", 2204: "\x01\x02\x03\x04", 2208: "\x01\x02\x03\x04\x05\x06\x07\x08",
	} {
		copy(want[offset:], b)
	}
	assert.Equal(t, want, f)

	assert.Equal(t, packets.FriendConfirmed, f.Status())
	assert.Equal(t, key(0xaa), f.Key())
	assert.Equal(t, "request", string(f.Request()))
	assert.Equal(t, "name", string(f.Name()))
	assert.Equal(t, "message", string(f.StatusMessage()))
	assert.Equal(t, packets.Away, f.UserStatus())
	assert.Equal(t, [4]byte{1, 2, 3, 4}, f.NoSpam())
	assert.Equal(t, uint64(0x0102030405060708), f.LastSeen())
}

func TestSavedFriendTexts(t *testing.T) {
	var f packets.SavedFriend
	long := bytes.Repeat([]byte("x"), 2000)
	f.SetRequest(long)
	f.SetName(long)
	f.SetStatusMessage(long)
	assert.Len(t, f.Request(), 1024)
	assert.Len(t, f.Name(), packets.MaxName)
	assert.Len(t, f.StatusMessage(), packets.MaxStatusMessage)
	assert.Zero(t, f[1057], "a pad")
	assert.Zero(t, f[2197], "a pad")

	f.SetName([]byte("new"))
	assert.Zero(t, f[1063], "nothing is left of the longer name")
	f[1188], f[1189] = 0, packets.MaxName+1
	assert.Nil(t, f.Name(), "a length beyond the field")
}

// TestFriendsKeepEveryByte: pads and what is behind a short text survive.
func TestFriendsKeepEveryByte(t *testing.T) {
	data := make([]byte, 2*packets.SavedFriendSize)
	for i := range data {
		data[i] = byte(i * 7)
	}
	friends, err := packets.ParseFriends(data)
	require.NoError(t, err)
	assert.Equal(t, data, packets.AppendFriends(nil, friends))
	_, err = packets.ParseFriends(data[1:])
	assert.ErrorIs(t, err, packets.ErrLength)
}

func TestNodes(t *testing.T) {
	v4, v6 := [16]byte{127, 0, 0, 1}, [16]byte{0x20, 1, 0xd, 0xb8, 15: 1}
	nodes := []packets.Node{
		{Family: packets.UDP4, IP: v4, Port: 33445, Key: key(1)},
		{Family: packets.UDP6, IP: v6, Port: 33446, Key: key(2)},
		{Family: packets.TCP4, IP: v4, Port: 443, Key: key(3)},
		{Family: packets.TCP6, IP: v6, Port: 3389, Key: key(4)},
	}
	b := unhex(t, "02 7f000001 82a5"+repeated(1, 32)+
		"0a 20010db8000000000000000000000001 82a6"+repeated(2, 32)+
		"82 7f000001 01bb"+repeated(3, 32)+
		"8a 20010db8000000000000000000000001 0d3d"+repeated(4, 32))
	assert.Empty(t, cmp.Diff(packets.NodeList{Nodes: nodes}, packets.ParseNodes(b)))
	assert.Equal(t, b, packets.NodeList{Nodes: nodes}.Append(nil))

	for n := range b {
		list := packets.ParseNodes(b[:n])
		assert.Equal(t, string(b[:n]), string(list.Append(nil)), "no byte is lost at %d", n)
	}
	unknown := append([]byte{5}, b[1:]...)
	assert.Equal(t, packets.NodeList{Rest: unknown}, packets.ParseNodes(unknown))
	assert.Empty(t, packets.NodeList{Nodes: []packets.Node{{Family: 5}}}.Append(nil))
}

func TestSavedDHT(t *testing.T) {
	nodes := packets.NodeList{Nodes: []packets.Node{{Family: packets.UDP4, Port: 1, Key: key(1)}}}
	packed := nodes.Append(nil)
	b := unhex(t, "0d005901 27000000 0400 ce11")
	b = append(b, packed...)
	d, err := packets.ParseSavedDHT(b)
	require.NoError(t, err)
	assert.Equal(t, packets.SavedDHT{Sections: []packets.Section{{Type: packets.SectionDHTNodes, Data: packed}}}, d)
	assert.Equal(t, nodes.Nodes, d.Nodes())
	assert.Equal(t, b, d.Append(nil))

	// An unknown section is kept, also one of the type that ends the outer file.
	more := append(append([]byte{}, b...), unhex(t, "02000000 ff00 ce11 abcd 00000000 0900 ce11")...)
	d, err = packets.ParseSavedDHT(more)
	require.NoError(t, err)
	assert.Len(t, d.Sections, 3)
	assert.Nil(t, d.Rest)
	assert.Equal(t, more, d.Append(nil))

	for n := range more {
		d, err := packets.ParseSavedDHT(more[:n])
		if n < 4 {
			assert.ErrorIs(t, err, packets.ErrCut)
			continue
		}
		require.NoError(t, err)
		assert.Equal(t, more[:n], d.Append(nil), "no byte is lost at %d", n)
	}
	b[0]++
	_, err = packets.ParseSavedDHT(b)
	assert.ErrorIs(t, err, packets.ErrSectionCookie)
}
