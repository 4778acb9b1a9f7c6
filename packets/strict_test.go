package packets_test

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
)

// golden is a file that c-toxcore 0.2.18 and 0.2.23 load: one conference, two
// offline peers.
const golden = `
	00000000 1f1bed15
	44000000 0100 ce01  01020304 07a37cbc142093c8b755dc1b10e86cb426374ad16aa853ed0bdfc0b2b86d1c7c
	                    0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20
	02000000 0400 ce01  6d65
	c9000000 1400 ce01  00 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f
	                    03000100 0020 da17 02000000 02 7432
	                    1111111111111111111111111111111111111111111111111111111111111111
	                    2222222222222222222222222222222222222222222222222222222222222222
	                    0000 00f1536500000000 03 6e6d41
	                    3333333333333333333333333333333333333333333333333333333333333333
	                    4444444444444444444444444444444444444444444444444444444444444444
	                    94ff 01f1536500000000 00
	00000000 ff00 ce01`

// goldenConferences is what golden holds.
func goldenConferences() []packets.SavedConference {
	id := packets.ID{Type: packets.Text}
	for i := range id.Key {
		id.Key[i] = byte(i)
	}
	return []packets.SavedConference{{
		ID: id, Number: 3 + packets.SaveOffset, LossyNumber: packets.SaveOffsetLossy, PeerNumber: 0x17da,
		Title: []byte("t2"),
		Peers: []packets.SavedPeer{
			{Key: key(0x11), DHT: key(0x22), LastActive: 1700000000, Name: []byte("nmA")},
			{Key: key(0x33), DHT: key(0x44), Number: 0xff94, LastActive: 1700000001},
		},
	}}
}

func goldenKeys(t testing.TB) packets.SavedKeys {
	k := packets.SavedKeys{NoSpam: [4]byte{1, 2, 3, 4}}
	for i := range k.Secret {
		k.Secret[i] = byte(i + 1)
	}
	copy(k.Public[:], unhex(t, "07a37cbc142093c8b755dc1b10e86cb426374ad16aa853ed0bdfc0b2b86d1c7c"))
	return k
}

func TestSaveGolden(t *testing.T) {
	b := unhex(t, golden)
	require.Len(t, b, 311)
	s, err := packets.ParseSave(b)
	require.NoError(t, err)
	assert.Equal(t, b, packets.AppendSave(nil, s))
	assert.Empty(t, packets.CheckSave(s))
	assert.Equal(t, "me", string(s.Name()))

	conferences, err := s.Conferences()
	require.NoError(t, err)
	assert.Empty(t, cmp.Diff(goldenConferences(), conferences))

	built := packets.Save{End: true}
	built = built.SetSection(packets.SectionKeys, goldenKeys(t).Append(nil))
	built = built.SetSection(packets.SectionName, []byte("me"))
	built = built.SetConferences(goldenConferences())
	assert.Equal(t, b, packets.AppendSave(nil, built))
}

// section is a section of a save file, with any cookie.
func section(t packets.SectionType, data []byte, cookie uint16) []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(data)))
	b = binary.LittleEndian.AppendUint16(b, uint16(t))
	b = binary.LittleEndian.AppendUint16(b, cookie)
	return append(b, data...)
}

const cookie = 0x01ce

// TestSaveStrictness: which files c-toxcore refuses. Each was loaded by
// libtoxcore 0.2.18 too, with the same verdict.
func TestSaveStrictness(t *testing.T) {
	head := unhex(t, "00000000 1f1bed15")
	keys := section(packets.SectionKeys, goldenKeys(t).Append(nil), cookie)
	end := section(packets.SectionEnd, nil, cookie)
	file := func(parts ...[]byte) []byte {
		return slices.Concat(append([][]byte{head, keys}, parts...)...)
	}
	one := func(t packets.SectionType, data []byte) []byte { return file(section(t, data, cookie), end) }
	good := packets.AppendConferences(nil, goldenConferences())
	conference := func(peers ...packets.SavedPeer) []byte {
		c := goldenConferences()[0]
		c.Peers = peers
		return packets.AppendConferences(nil, []packets.SavedConference{c})
	}
	count := func(n uint32, data []byte) []byte {
		data = slices.Clone(data)
		binary.LittleEndian.PutUint32(data[41:], n)
		return data
	}
	at := func(i int, b byte, data []byte) []byte {
		data = slices.Clone(data)
		data[i] = b
		return data
	}
	us := packets.SavedPeer{Key: goldenKeys(t).Public, Number: 0x17da}
	usElsewhere := packets.SavedPeer{Key: us.Key, Number: 7}
	other := packets.SavedPeer{Key: key(0x11), Number: 0x17da}

	tests := []struct {
		name string
		file []byte
		want error // nil: it loads
		what string
	}{
		{"nothing", nil, packets.ErrNotSave, "0 bytes"},
		{"7 bytes", head[:7], packets.ErrNotSave, "7 bytes"},
		{"no sections", head, nil, ""},
		{"first byte not zero", at(0, 1, file(end)), packets.ErrNotSave, "begins with 01000000"},
		{"wrong cookie", at(4, 0, file(end)), packets.ErrNotSave, "begins with 00000000001bed15"},
		{"encrypted", []byte(packets.EncryptedMagic), packets.ErrEncrypted, "toxEsave"},

		{"no END", file(), nil, ""},
		{"1 byte over without END", file([]byte{0}), packets.ErrCut, "offset 84: 1 bytes"},
		{"7 bytes over without END", file(make([]byte, 7)), packets.ErrCut, "7 bytes"},
		{"8 zero bytes without END", file(make([]byte, 8)), packets.ErrSectionCookie, "0000 instead of 01ce"},
		{"bytes behind END", file(end, []byte("garbage!!")), nil, ""},
		{"END with data", file(section(packets.SectionEnd, []byte("x"), cookie)), packets.ErrLength, "section 255 (end) at offset 84"},
		{"END with another cookie", file(section(packets.SectionEnd, nil, 0)), packets.ErrSectionCookie, ""},
		{"unknown section", one(99, []byte("xyz")), nil, ""},
		{"section longer than the file", file(section(packets.SectionName, []byte("me"), cookie))[:93], packets.ErrCut, "section 4 (name) at offset 84: 2 bytes of data, 1 left"},

		{"keys of 67 bytes", slices.Concat(head, section(packets.SectionKeys, make([]byte, 67), cookie), end), packets.ErrLength, "section 1 (keys) at offset 16"},
		{"keys twice, wrong", one(packets.SectionKeys, make([]byte, 69)), packets.ErrLength, "section 1 (keys) at offset 92"},
		{"no friends", one(packets.SectionFriends, nil), nil, ""},
		{"one friend", one(packets.SectionFriends, make([]byte, packets.SavedFriendSize)), nil, ""},
		{"friend cut short", one(packets.SectionFriends, make([]byte, packets.SavedFriendSize-1)), packets.ErrLength, "section 3 (friends)"},
		{"name of 129 bytes", one(packets.SectionName, make([]byte, 129)), nil, ""},
		{"status of 2 bytes", one(packets.SectionStatus, make([]byte, 2)), nil, ""},
		{"bad DHT section", one(packets.SectionDHT, []byte("xx")), nil, ""},
		{"bad relays", one(packets.SectionTCPRelays, []byte("\xff\xff")), nil, ""},
		{"other group chats", one(packets.SectionGroups, []byte("\x93junk")), nil, ""},

		{"no conference", one(packets.SectionConferences, nil), nil, ""},
		{"rest of 45 bytes", one(packets.SectionConferences, append(slices.Clone(good), make([]byte, 45)...)), nil, ""},
		{"rest of 46 bytes is a conference", one(packets.SectionConferences, append(slices.Clone(good), make([]byte, 46)...)), nil, ""},
		{"same id twice", one(packets.SectionConferences, slices.Concat(good, good)), nil, ""},
		{"unknown type", one(packets.SectionConferences, at(0, 9, good)), nil, ""},
		{"title of 128 bytes", one(packets.SectionConferences, at(45, 128, append(count(0, good)[:46:46], make([]byte, 128)...))), nil, ""},
		{"title of 129 bytes", one(packets.SectionConferences, at(45, 129, append(count(0, good)[:46:46], make([]byte, 129)...))), packets.ErrName, "offset 137: conference 0: title of 129 bytes"},
		{"title cut short", one(packets.SectionConferences, good[:47]), packets.ErrCut, "title of 2 bytes, 1 left"},
		{"name of 129 bytes in a peer", one(packets.SectionConferences, append(at(122, 129, good[:123]), make([]byte, 200)...)), packets.ErrName, "name of peer 0 of 2 of 129 bytes"},
		{"last name cut short", one(packets.SectionConferences, count(1, good[:125])), packets.ErrCut, "name of peer 0 of 1 of 3 bytes, 2 left"},
		{"record cut short", one(packets.SectionConferences, good[:len(good)-1]), packets.ErrCut, "peer 1 of 2: 74 bytes left"},
		{"count too large", one(packets.SectionConferences, count(3, good)), packets.ErrCut, "peer 2 of 3: 0 bytes left"},
		{"count absurd", one(packets.SectionConferences, count(1<<32-1, good)), packets.ErrCut, "peer 2 of 4294967295"},
		{"count too small", one(packets.SectionConferences, count(0, good)), packets.ErrCut, "conference 1"},
		{"second of two sections bad", file(section(packets.SectionConferences, good, cookie), section(packets.SectionConferences, good[:60], cookie), end), packets.ErrCut, "offset 349"},
		{"our number, another key", one(packets.SectionConferences, conference(other)), packets.ErrOwnNumber, "number 6106"},
		{"our number, our key", one(packets.SectionConferences, conference(us)), nil, ""},
		{"our key, another number", one(packets.SectionConferences, conference(usElsewhere)), nil, ""},
		{"our number, first ours, then another", one(packets.SectionConferences, conference(us, other)), nil, ""},
		{"our number, first another, then ours", one(packets.SectionConferences, conference(other, us)), packets.ErrOwnNumber, ""},
		{"our key, and another under our number", one(packets.SectionConferences, conference(usElsewhere, other)), packets.ErrOwnNumber, ""},
		{"conferences before the keys", slices.Concat(head, section(packets.SectionConferences, conference(other), cookie), keys, end), packets.ErrOwnNumber, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := packets.ParseSave(tt.file)
			if err == nil {
				assert.Equal(t, tt.file, packets.AppendSave(nil, s), "written again")
				if faults := packets.CheckSave(s); len(faults) > 0 {
					err = faults[0]
				}
			}
			if tt.want == nil {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, tt.want)
			var where *packets.SaveError
			require.ErrorAs(t, err, &where)
			assert.Contains(t, err.Error(), tt.what)
		})
	}
}

// TestSetSection: the other sections stay as they are, in their order.
func TestSetSection(t *testing.T) {
	b := unhex(t, golden)
	s, err := packets.ParseSave(append(b, 0, 0, 7))
	require.NoError(t, err)
	before := packets.AppendSave(nil, s)

	renamed := s.SetSection(packets.SectionName, []byte("longer"))
	want := slices.Replace(slices.Clone(before), 84, 94, section(packets.SectionName, []byte("longer"), cookie)...)
	assert.Equal(t, want, packets.AppendSave(nil, renamed))

	added := s.SetSection(77, []byte("new"))
	want = slices.Insert(slices.Clone(before), len(before)-11, section(77, []byte("new"), cookie)...)
	assert.Equal(t, want, packets.AppendSave(nil, added), "before END")

	doubled := s
	doubled.Sections = append(slices.Clone(s.Sections), packets.Section{Type: packets.SectionName, Data: []byte("2")}, packets.Section{Type: 99})
	merged := doubled.SetSection(packets.SectionName, []byte("one"))
	assert.Empty(t, cmp.Diff([]packets.SectionType{1, 4, 20, 99}, sectionTypes(merged)))

	assert.Equal(t, before, packets.AppendSave(nil, s), "the file itself is unchanged")
	for i, x := range renamed.Sections {
		offset := renamed.Offset(i)
		assert.Equal(t, x.Data, packets.AppendSave(nil, renamed)[offset:offset+len(x.Data)])
	}
}

func sectionTypes(s packets.Save) []packets.SectionType {
	var types []packets.SectionType
	for _, x := range s.Sections {
		types = append(types, x.Type)
	}
	return types
}

func TestAppendConferencesCuts(t *testing.T) {
	long := []byte(strings.Repeat("x", packets.MaxName+1))
	b := packets.AppendConferences(nil, []packets.SavedConference{{Title: long, Peers: []packets.SavedPeer{{Name: long}}}})
	got, err := packets.ParseConferences(b)
	require.NoError(t, err)
	assert.Equal(t, long[:packets.MaxName], got[0].Title)
	assert.Equal(t, long[:packets.MaxName], got[0].Peers[0].Name)
}

// TestConferencesCount: a count alone reserves no memory.
func TestConferencesCount(t *testing.T) {
	data := packets.AppendConferences(nil, goldenConferences())
	copy(data[41:], "\xff\xff\xff\xff")
	_, err := packets.ParseConferences(data)
	require.ErrorIs(t, err, packets.ErrCut)
	got, _ := packets.SalvageConferences(data)
	assert.Len(t, got[0].Peers, 2)
	assert.LessOrEqual(t, cap(got[0].Peers), len(data)/packets.SavedPeerMin)
}

// TestSaveErrorText is what a user reads.
func TestSaveErrorText(t *testing.T) {
	b := unhex(t, golden)
	b[94+8+45] = 200 // the title's length
	s, err := packets.ParseSave(b)
	require.NoError(t, err)
	_, err = s.Conferences()
	want := "packets: name longer than the packet or than 128 bytes in section 20 (conferences) at offset 147: conference 0: title of 200 bytes"
	require.EqualError(t, err, want)
	faults := packets.CheckSave(s)
	require.Len(t, faults, 1)
	require.EqualError(t, faults[0], want)

	s = s.SetSection(packets.SectionConferences, nil).SetSection(packets.SectionKeys, []byte("x"))
	faults = packets.CheckSave(s)
	require.Len(t, faults, 1)
	assert.EqualError(t, faults[0], "packets: wrong length in section 1 (keys) at offset 16: keys of 1 bytes, want 68")
}

func TestSectionNames(t *testing.T) {
	for kind, name := range map[packets.SectionType]string{
		1: "keys", 2: "DHT nodes", 3: "friends", 4: "name", 5: "status message", 6: "status", 7: "group chats",
		10: "TCP relays", 11: "path nodes", 20: "conferences", 255: "end", 99: "type 99",
	} {
		assert.Equal(t, name, kind.String())
	}
}
