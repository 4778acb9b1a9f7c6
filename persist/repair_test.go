package persist

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
)

// load is what a program does with a plain file: all or nothing.
func load(t *testing.T, plain []byte) (packets.Save, bool) {
	t.Helper()
	save, _, err := (&File{Path: "p", Plain: plain}).Save()
	if err != nil {
		require.ErrorIs(t, err, ErrDamaged)
		require.Empty(t, save)
		return save, false
	}
	require.Equal(t, plain, packets.AppendSave(nil, save), "all of the file is there")
	_, err = save.Conferences()
	require.NoError(t, err)
	return save, true
}

// salvaged counts the records in a repaired file.
type salvaged struct{ sections, friends, conferences, peers int }

// repair repairs a file and insists that what comes out is sound and was there.
func repair(t *testing.T, plain []byte, whole packets.Save) (salvaged, bool) {
	t.Helper()
	file, dropped, err := Repair(plain)
	if err != nil {
		require.ErrorIs(t, err, ErrNoKeys)
		return salvaged{}, false
	}
	save, ok := load(t, file)
	require.True(t, ok)
	for _, d := range dropped {
		require.True(t, d.Offset >= 0 && d.Length >= 0 && d.Offset+d.Length <= len(plain), "%v", d)
	}
	again, droppedAgain, err := Repair(file)
	require.NoError(t, err)
	require.Equal(t, file, again)
	require.Empty(t, droppedAgain)

	n := salvaged{sections: len(save.Sections)}
	friends, _ := save.Section(packets.SectionFriends)
	n.friends = len(friends) / packets.SavedFriendSize
	all := conferences(t, whole)
	for i, c := range conferences(t, save) {
		n.conferences++
		n.peers += len(c.Peers)
		require.Equal(t, all[i].ID, c.ID)
		require.Empty(t, cmp.Diff(all[i].Peers[:len(c.Peers)], c.Peers, cmpopts.EquateEmpty()))
	}
	return n, true
}

func TestTruncated(t *testing.T) {
	files := map[string][]byte{
		"small":  packets.AppendSave(nil, small(t)),
		"debian": plainVector(t, "30_"),
	}
	for name, plain := range files {
		t.Run(name, func(t *testing.T) {
			whole, ok := load(t, plain)
			require.True(t, ok)
			end := len(plain) - len(whole.Trailing)
			var last salvaged
			for n := range plain {
				cut := plain[:n]
				_, ok := load(t, cut)
				require.Equal(t, n >= end, ok, "cut at %d: loads", n)
				now, ok := repair(t, cut, whole)
				// The keys section is the first: 8 bytes of file, 8 of header, 68.
				require.Equal(t, n >= 84, ok, "cut at %d: repairs", n)
				for _, less := range []bool{
					now.sections < last.sections, now.friends < last.friends,
					now.conferences < last.conferences, now.peers < last.peers,
				} {
					require.False(t, less, "cut at %d: %+v, one byte less %+v", n, now, last)
				}
				last = now
			}
			full, ok := repair(t, plain, whole)
			require.True(t, ok)
			assert.Equal(t, full, last)
		})
	}
}

func TestEveryByteCorrupted(t *testing.T) {
	plain := packets.AppendSave(nil, small(t))
	for at := range plain {
		for _, flip := range []byte{0x01, 0x80, 0xff} {
			bad := bytes.Clone(plain)
			bad[at] ^= flip
			load(t, bad)
			file, _, err := Repair(bad)
			if err != nil {
				require.ErrorIs(t, err, ErrNoKeys, "byte %d", at)
				continue
			}
			_, ok := load(t, file)
			require.True(t, ok, "byte %d", at)
		}
	}
}

func TestRepairKeepsWhatIsBehindTheDamage(t *testing.T) {
	save := small(t)
	plain := packets.AppendSave(nil, save)
	// The header of the friends section has lost its cookie.
	at := save.Offset(1) - 2
	bad := bytes.Clone(plain)
	bad[at] = 0
	file, dropped, err := Repair(bad)
	require.NoError(t, err)
	require.Len(t, dropped, 1)
	mended, _ := load(t, file)
	assert.Equal(t, "me", string(mended.Name()))
	assert.Equal(t, conferences(t, save), conferences(t, mended))
	_, ok := mended.Section(packets.SectionFriends)
	assert.False(t, ok)
}

func TestRepairMergesSections(t *testing.T) {
	save := small(t)
	list := conferences(t, save)
	friends, _ := save.Section(packets.SectionFriends)
	other := list[1]
	other.ID.Key[5] = 1
	save.Sections = append(save.Sections,
		packets.Section{Type: packets.SectionFriends, Data: append(bytes.Clone(friends), friends...)},
		packets.Section{Type: packets.SectionConferences, Data: packets.AppendConferences(nil, []packets.SavedConference{list[0], other})},
	)
	file, dropped, err := Repair(packets.AppendSave(nil, save))
	require.NoError(t, err)
	assert.Len(t, dropped, 3, "two friends and a conference twice")
	mended, _ := load(t, file)
	assert.Equal(t, append(list, other), conferences(t, mended))
	kept, _ := mended.Section(packets.SectionFriends)
	assert.Equal(t, friends, kept)
}

func TestRepairSecretStaysSecret(t *testing.T) {
	// Whatever is wrong, no message shows the keys.
	plain := packets.AppendSave(nil, small(t))
	keys, _ := keysOf(t, small(t))
	secret := packets.PublicKey(keys.Secret)
	for at := range plain {
		bad := bytes.Clone(plain)
		bad[at] ^= 0xff
		_, findings := Check(bad)
		_, dropped, _ := Repair(bad)
		for _, f := range findings {
			assert.NotContains(t, f.String(), secret.String())
		}
		for _, d := range dropped {
			assert.NotContains(t, d.String(), secret.String())
		}
	}
}

func FuzzRepair(f *testing.F) {
	plain := packets.AppendSave(nil, small(f))
	f.Add(plain)
	f.Add(plain[:len(plain)-20])
	f.Add(plain[:700])
	f.Add(append(bytes.Clone(plain), plain[8:]...))
	for _, v := range saveVectors(f) {
		f.Add(v.plain)
	}
	f.Fuzz(func(t *testing.T, plain []byte) {
		load(t, plain)
		file, _, err := Repair(plain)
		if err != nil {
			require.ErrorIs(t, err, ErrNoKeys)
			return
		}
		_, ok := load(t, file)
		require.True(t, ok)
		again, dropped, err := Repair(file)
		require.NoError(t, err)
		require.Equal(t, file, again)
		require.Empty(t, dropped)
	})
}
