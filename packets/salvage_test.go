package packets_test

import (
	"encoding/binary"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
)

// damaged is golden with something done to it.
func damaged(t *testing.T, f func(b []byte) []byte) []byte { return f(unhex(t, golden)) }

func TestSalvageSave(t *testing.T) {
	const (
		nameAt = 84  // header of the name section
		confAt = 94  // header of the conferences section
		endAt  = 303 // header of END
	)
	set := func(at int, bytes ...byte) func([]byte) []byte {
		return func(b []byte) []byte { copy(b[at:], bytes); return b }
	}
	tests := []struct {
		name    string
		damage  func(b []byte) []byte
		want    []packets.SectionType
		end     bool
		dropped []packets.Dropped
	}{
		{"none", set(0), []packets.SectionType{1, 4, 20}, true, nil},
		{
			"the head", set(0, 'T', 'o'),
			[]packets.SectionType{1, 4, 20},
			true,
			[]packets.Dropped{{Length: 8, What: "begins with 546f00001f1bed15"}},
		},
		{
			"cookie of the name", set(nameAt+6, 0),
			[]packets.SectionType{1, 20},
			true,
			[]packets.Dropped{{Offset: nameAt, Length: 10, What: "0100 instead of 01ce"}},
		},
		{
			"length of the name too large", set(nameAt, 0xff, 0xff),
			[]packets.SectionType{1, 4, 20},
			true,
			[]packets.Dropped{{Section: 4, Offset: confAt, What: "65535 bytes of data, 219 left; 2 bytes kept"}},
		},
		{
			"length of the name too small", set(nameAt, 1),
			[]packets.SectionType{1, 4, 20},
			true,
			[]packets.Dropped{{Offset: nameAt + 9, Length: 1, What: "ce00 instead of 01ce"}},
		},
		{
			"cut in the conferences", func(b []byte) []byte { return b[:200] },
			[]packets.SectionType{1, 4, 20},
			false,
			[]packets.Dropped{{Section: 20, Offset: 200, What: "201 bytes of data, 98 left; 98 bytes kept"}},
		},
		{
			"cut in the name", func(b []byte) []byte { return b[:93] },
			[]packets.SectionType{1},
			false,
			[]packets.Dropped{{Section: 4, Offset: nameAt, Length: 9, What: "2 bytes of data, 1 left"}},
		},
		{
			"cut in a header", func(b []byte) []byte { return b[:confAt+5] },
			[]packets.SectionType{1, 4},
			false,
			[]packets.Dropped{{Offset: confAt, Length: 5, What: "5 bytes behind the last section"}},
		},
		{
			"END with a length", set(endAt, 1),
			[]packets.SectionType{1, 4, 20},
			false,
			[]packets.Dropped{{Section: 255, Offset: endAt, Length: 8, What: "1 bytes of data, 0 left"}},
		},
		{
			"nothing but the head", func(b []byte) []byte { return b[:8] }, nil, false, nil,
		},
		{
			"not a save file at all", func([]byte) []byte { return []byte("hello, world") },
			nil,
			false,
			[]packets.Dropped{{Length: 12, What: "begins with 68656c6c6f2c2077"}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, dropped := packets.SalvageSave(damaged(t, tt.damage))
			assert.Equal(t, tt.want, sectionTypes(s))
			assert.Equal(t, tt.end, s.End)
			assert.Empty(t, cmp.Diff(tt.dropped, dropped))
			_, err := packets.ParseSave(packets.AppendSave(nil, s))
			assert.NoError(t, err, "what was salvaged has sound framing")
		})
	}
}

func TestSalvageKeepsWholeFriends(t *testing.T) {
	s := packets.Save{}.SetSection(packets.SectionFriends, make([]byte, 3*packets.SavedFriendSize))
	b := packets.AppendSave(nil, s)
	got, dropped := packets.SalvageSave(b[:len(b)-100])
	data, _ := got.Section(packets.SectionFriends)
	assert.Len(t, data, 2*packets.SavedFriendSize)
	require.Len(t, dropped, 1)
	assert.Equal(t, packets.SavedFriendSize-100, dropped[0].Length)
	assert.Equal(t, "section 3 (friends), 2116 bytes at offset 4448: 6648 bytes of data, 6548 left; 4432 bytes kept", dropped[0].String())
}

// TestSalvageCutAnywhere: of a file cut at any byte, every section before the
// cut survives, and what survives is sound.
func TestSalvageCutAnywhere(t *testing.T) {
	b := unhex(t, golden)
	whole, err := packets.ParseSave(b)
	require.NoError(t, err)
	for n := range b {
		s, dropped := packets.SalvageSave(b[:n])
		_, err := packets.ParseSave(packets.AppendSave(nil, s))
		require.NoError(t, err)
		if _, err := packets.ParseSave(b[:n]); (err == nil) != (len(dropped) == 0) {
			t.Errorf("%d bytes: error %v, dropped %v", n, err, dropped)
		}
		for i, x := range whole.Sections {
			if whole.Offset(i)+len(x.Data) <= n {
				require.Equal(t, x, s.Sections[i], "%d bytes", n)
			}
		}
	}
}

func TestSalvageConferences(t *testing.T) {
	first := goldenConferences()[0]
	second := first
	second.ID.Key[0] = 0xff
	second.Title = nil
	good := packets.AppendConferences(nil, []packets.SavedConference{first, second})
	size := len(packets.AppendConferences(nil, []packets.SavedConference{first}))

	part := func(c packets.SavedConference, peers int) packets.SavedConference {
		c.Peers = c.Peers[:peers]
		if peers == 0 {
			c.Peers = nil
		}
		return c
	}
	untitled := part(first, 0)
	untitled.Title = nil
	tests := []struct {
		name   string
		damage func(b []byte) []byte
		want   []packets.SavedConference
		at     int // where the dropped part begins; it reaches to the end. -1: none
		what   string
	}{
		{"none", func(b []byte) []byte { return b }, []packets.SavedConference{first, second}, -1, ""},
		{"cut in the second's last peer", func(b []byte) []byte { return b[:len(b)-1] }, []packets.SavedConference{first, part(second, 1)}, len(good) - 75, "conference 1: peer 1 of 2: 74 bytes left, want 75 or more"},
		{"cut in the second's fixed part", func(b []byte) []byte { return b[:size+45] }, []packets.SavedConference{first}, size, "no whole conference"},
		{"title too long", func(b []byte) []byte { b[45] = 129; return b }, []packets.SavedConference{untitled}, 45, "conference 0: title of 129 bytes"},
		{"name too long", func(b []byte) []byte { b[48+78+74] = 200; return b }, []packets.SavedConference{part(first, 1)}, 48 + 78, "conference 0: name of peer 1 of 2 of 200 bytes"},
		{"count too large", func(b []byte) []byte {
			binary.LittleEndian.PutUint32(b[size+41:], 9)
			return b
		}, []packets.SavedConference{first, second}, len(good), "conference 1: peer 2 of 9: 0 bytes left, want 75 or more"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := tt.damage(slices.Clone(good))
			got, dropped := packets.SalvageConferences(b)
			assert.Empty(t, cmp.Diff(tt.want, got))
			if tt.at < 0 {
				assert.Empty(t, dropped)
				return
			}
			want := []packets.Dropped{{Section: packets.SectionConferences, Offset: tt.at, Length: len(b) - tt.at, What: tt.what}}
			assert.Empty(t, cmp.Diff(want, dropped))
			again, err := packets.ParseConferences(packets.AppendConferences(nil, got))
			require.NoError(t, err)
			assert.Empty(t, cmp.Diff(tt.want, again), "what was salvaged is sound")
		})
	}
}
