//go:build interop

package interop

import (
	"bytes"
	"crypto/ecdh"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/internal/vectors"
	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/persist"
)

// libtoxcore is the compiled program of testdata/loadsave.c.
type libtoxcore string

// compile builds the program. Without the library the test fails: its tag was
// given.
func compile(t *testing.T) libtoxcore {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "loadsave")
	source := filepath.Join("testdata", "loadsave.c")
	out, err := exec.Command("cc", "-std=c11", "-Wall", "-Wextra", "-o", bin, source, "-ltoxcore").CombinedOutput()
	require.NoError(t, err, "needs cc and libtoxcore-dev: %s", out)
	return libtoxcore(bin)
}

// load gives libtoxcore a file. It returns what it prints, the file that it
// writes again, and whether it took it.
func (bin libtoxcore) load(t *testing.T, file string, password []byte) (printed []string, again string, ok bool) {
	t.Helper()
	again = filepath.Join(t.TempDir(), "again.tox")
	args := []string{file, again}
	if password != nil {
		args = append(args, filepath.Join(t.TempDir(), "password"))
		require.NoError(t, os.WriteFile(args[2], password, 0o600))
	}
	var errs bytes.Buffer
	cmd := exec.Command(string(bin), args...)
	cmd.Stderr = &errs
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		require.Equal(t, 1, exit.ExitCode(), errs.String())
	} else {
		require.NoError(t, err)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n"), again, err == nil
}

func orDash(b []byte) string {
	if len(b) == 0 {
		return "-"
	}
	return hex.EncodeToString(b)
}

// expected is what libtoxcore has to print about a file that we can read.
func expected(t *testing.T, s packets.Save) []string {
	t.Helper()
	data, _ := s.Section(packets.SectionKeys)
	keys, err := packets.ParseSavedKeys(data)
	require.NoError(t, err)
	id := append(keys.Public[:], keys.NoSpam[:]...)
	var sum [2]byte
	for i, b := range id {
		sum[i%2] ^= b
	}
	list := []string{fmt.Sprintf("self %x %s %s %d", append(id, sum[:]...), orDash(s.Name()), orDash(s.StatusMessage()), s.Status())}

	data, _ = s.Section(packets.SectionFriends)
	friends, err := packets.ParseFriends(data)
	require.NoError(t, err)
	for i := range friends {
		list = append(list, fmt.Sprintf("friend %s %s", friends[i].Key().Hex(), orDash(friends[i].Name())))
	}
	conferences, err := s.Conferences()
	require.NoError(t, err)
	for _, c := range conferences {
		list = append(list, fmt.Sprintf("conference %d %x %s 1", c.ID.Type, c.ID.Key, orDash(c.Title)))
		for _, p := range c.Peers {
			list = append(list, fmt.Sprintf("offline %s %s %d", p.Key.Hex(), orDash(p.Name), p.LastActive))
		}
	}
	return append(list, "written")
}

// after is what the conferences of a file are once it was loaded and saved:
// the numbers move on (SPEC C-121).
func after(t *testing.T, s packets.Save) []packets.SavedConference {
	t.Helper()
	conferences, err := s.Conferences()
	require.NoError(t, err)
	for i := range conferences {
		conferences[i].Number += packets.SaveOffset
		conferences[i].LossyNumber += packets.SaveOffsetLossy
	}
	return conferences
}

// agree has libtoxcore load a file and compares all that it shows and writes
// with what we read.
func (bin libtoxcore) agree(t *testing.T, file string, password []byte) {
	t.Helper()
	ours := readSave(t, file, password)
	printed, again, ok := bin.load(t, file, password)
	require.True(t, ok, "refused: %v", printed)
	assert.Empty(t, cmp.Diff(expected(t, ours), printed))

	theirs := readSave(t, again, password)
	conferences, err := theirs.Conferences()
	require.NoError(t, err)
	assert.Empty(t, cmp.Diff(after(t, ours), conferences, cmpopts.EquateEmpty()))
	for _, section := range []packets.SectionType{packets.SectionKeys, packets.SectionName, packets.SectionStatus} {
		want, _ := ours.Section(section)
		got, _ := theirs.Section(section)
		if want != nil {
			assert.Equal(t, want, got, section)
		}
	}
}

func readSave(t *testing.T, file string, password []byte) packets.Save {
	t.Helper()
	f, err := persist.ReadFile(file, password)
	require.NoError(t, err)
	assert.Equal(t, password != nil, f.Key != nil, "encrypted")
	save, findings, err := f.Save()
	require.NoError(t, err)
	assert.LessOrEqual(t, persist.Worst(findings), persist.Note, "%v", findings)
	return save
}

// store writes a profile as a host does and returns its path.
func store(t *testing.T, s packets.Save, password []byte) string {
	t.Helper()
	d, err := persist.Open(t.TempDir(), persist.Config{Password: password})
	require.NoError(t, err)
	_, _, err = d.Load()
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NoError(t, d.Store(s))
	require.NoError(t, d.Close())
	return d.Path()
}

func TestVectors(t *testing.T) {
	bin := compile(t)
	files, err := vectors.Saves()
	require.NoError(t, err)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(strings.TrimSuffix(file, ".tox") + ".json")
			require.NoError(t, err)
			var about struct{ Password *string }
			require.NoError(t, json.Unmarshal(text, &about))
			var password []byte
			if about.Password != nil {
				password = []byte(*about.Password)
			}
			save := readSave(t, file, password)
			bin.agree(t, store(t, save, password), password)
			// With the section written by us from what we read of it.
			conferences, err := save.Conferences()
			require.NoError(t, err)
			bin.agree(t, store(t, save.SetConferences(conferences), nil), nil)
			bin.agree(t, file, password)
		})
	}
}

// profile is a new identity with two friends.
func profile(t *testing.T) packets.Save {
	t.Helper()
	secret := packets.SecretKey{31: 1}
	private, err := ecdh.X25519().NewPrivateKey(secret[:])
	require.NoError(t, err)
	keys := packets.SavedKeys{
		NoSpam: [4]byte{1, 2, 3, 4}, Public: packets.PublicKey(private.PublicKey().Bytes()), Secret: secret,
	}
	friends := make([]packets.SavedFriend, 2)
	for i := range friends {
		friends[i].SetStatus(packets.FriendConfirmed)
		friends[i].SetKey(key(i))
		friends[i].SetName([]byte(strings.Repeat("f", 128*i)))
		friends[i].SetStatusMessage([]byte("hello"))
	}
	return packets.Save{End: true}.
		SetSection(packets.SectionKeys, keys.Append(nil)).
		SetSection(packets.SectionFriends, packets.AppendFriends(nil, friends)).
		SetSection(packets.SectionName, []byte("interop")).
		SetConferences(nil)
}

// key is the key of peer i.
func key(i int) packets.PublicKey { return packets.PublicKey{byte(i), byte(i >> 8), 7} }

// conference is one with so many peers, and texts of n bytes.
func conference(id byte, kind packets.Type, peers, n int) packets.SavedConference {
	c := packets.SavedConference{
		ID: packets.ID{Type: kind, Key: [32]byte{id}}, Number: 1<<32 - 1, LossyNumber: 1<<16 - 1,
		PeerNumber: 60000, Title: bytes.Repeat([]byte("t"), n),
	}
	for i := range peers {
		c.Peers = append(c.Peers, packets.SavedPeer{
			Key: key(i), DHT: key(i + 1000), Number: uint16(i * 300), LastActive: 1700000000 - uint64(i),
			Name: bytes.Repeat([]byte{byte(i)}, n),
		})
	}
	return c
}

func TestNewFiles(t *testing.T) {
	bin := compile(t)
	unknown := profile(t)
	unknown.Sections = append(unknown.Sections, packets.Section{Type: 777, Data: []byte("not yours")})
	trailing := profile(t)
	trailing.Trailing = make([]byte, 100)
	only := packets.Save{Sections: profile(t).Sections[:1], End: true}
	for name, save := range map[string]packets.Save{
		"no conference":   profile(t),
		"unknown section": unknown,
		"trailing zeros":  trailing,
		"only keys":       only.SetConferences(nil),
		"alone":           profile(t).SetConferences([]packets.SavedConference{conference(1, packets.Text, 0, 0)}),
		"200 peers":       profile(t).SetConferences([]packets.SavedConference{conference(1, packets.Text, 200, 5)}), // SPEC C-125
		"longest texts":   profile(t).SetConferences([]packets.SavedConference{conference(1, packets.AV, 3, 128)}),
		"no texts":        profile(t).SetConferences([]packets.SavedConference{conference(1, packets.AV, 3, 0)}),
		"many": profile(t).SetConferences([]packets.SavedConference{
			conference(3, packets.AV, 2, 1), conference(1, packets.Text, 0, 128), conference(2, packets.Text, 9, 0),
		}),
	} {
		t.Run(name, func(t *testing.T) {
			for _, password := range [][]byte{nil, []byte("päss word")} {
				bin.agree(t, store(t, save, password), password)
			}
		})
	}
}

func TestWrongPassword(t *testing.T) {
	bin := compile(t)
	file := store(t, profile(t), []byte("right"))
	printed, _, ok := bin.load(t, file, []byte("wrong"))
	assert.False(t, ok)
	assert.Equal(t, []string{"refused decrypt 5"}, printed)
	_, err := persist.ReadFile(file, []byte("wrong"))
	assert.ErrorIs(t, err, persist.ErrPassword)
}

// TestRefused holds what Check calls refused against what libtoxcore does, and
// sees it load what Repair makes of it.
func TestRefused(t *testing.T) {
	bin := compile(t)
	list := []packets.SavedConference{conference(1, packets.Text, 3, 4)}
	sound := profile(t).SetConferences(list)
	ownNumber := conference(1, packets.Text, 3, 4)
	ownNumber.Peers[1].Number = ownNumber.PeerNumber
	change := func(section packets.SectionType, f func(data []byte) []byte) packets.Save {
		data, _ := sound.Section(section)
		return sound.SetSection(section, f(bytes.Clone(data)))
	}
	set := func(at int, b byte) func([]byte) []byte {
		return func(data []byte) []byte { data[at] = b; return data }
	}
	damaged := map[string][]byte{
		"own number":    packets.AppendSave(nil, sound.SetConferences([]packets.SavedConference{ownNumber})), // SPEC C-126
		"title":         packets.AppendSave(nil, change(packets.SectionConferences, set(45, 129))),           // SPEC C-127
		"nick":          packets.AppendSave(nil, change(packets.SectionConferences, set(46+4+74, 129))),
		"peers missing": packets.AppendSave(nil, change(packets.SectionConferences, set(41, 4))),
		"keys":          packets.AppendSave(nil, change(packets.SectionKeys, set(10, 0xff))),
		"friends":       packets.AppendSave(nil, change(packets.SectionFriends, func(b []byte) []byte { return b[:len(b)-1] })),
	}
	whole := packets.AppendSave(nil, sound)
	damaged["cut in a section"] = whole[:len(whole)-30]
	damaged["cut in END"] = whole[:len(whole)-3] // SPEC C-130
	damaged["no file"] = append([]byte{1}, whole[1:]...)
	for name, plain := range damaged {
		t.Run(name, func(t *testing.T) {
			_, findings := persist.Check(plain)
			assert.Equal(t, persist.Refused, persist.Worst(findings), "%v", findings)
			file := filepath.Join(t.TempDir(), "damaged.tox")
			require.NoError(t, os.WriteFile(file, plain, 0o600))
			printed, _, ok := bin.load(t, file, nil)
			assert.False(t, ok, "%v", printed)

			mended, dropped, err := persist.Repair(plain)
			require.NoError(t, err)
			t.Logf("dropped: %v", dropped)
			file = filepath.Join(t.TempDir(), "mended.tox")
			require.NoError(t, persist.WriteFile(file, mended, false, persist.Config{}))
			bin.agree(t, file, nil)
		})
	}
}

// TestHazards holds what Check calls a hazard against what libtoxcore does: it
// loads the file and shows something else than what is in it.
func TestHazards(t *testing.T) {
	bin := compile(t)
	sound := profile(t).SetConferences([]packets.SavedConference{conference(1, packets.Text, 3, 4)})
	friends, _ := sound.Section(packets.SectionFriends)
	keys, _ := sound.Section(packets.SectionKeys)
	onFriend := func(f func(friend *packets.SavedFriend)) packets.Save {
		list, err := packets.ParseFriends(friends)
		require.NoError(t, err)
		f(&list[0])
		return sound.SetSection(packets.SectionFriends, packets.AppendFriends(nil, list))
	}
	ourselves := conference(1, packets.Text, 3, 4)
	ourselves.Peers[1].Key = packets.PublicKey(keys[4:])
	for name, save := range map[string]packets.Save{
		"friend twice":   sound.SetSection(packets.SectionFriends, append(bytes.Clone(friends), friends...)),
		"own friend":     onFriend(func(f *packets.SavedFriend) { f.SetKey(packets.PublicKey(keys[4:])) }),
		"no request":     onFriend(func(f *packets.SavedFriend) { f.SetStatus(packets.FriendRequested) }),
		"ourselves":      sound.SetConferences([]packets.SavedConference{ourselves}),
		"name":           sound.SetSection(packets.SectionName, make([]byte, 129)),
		"status message": sound.SetSection(packets.SectionStatusMessage, make([]byte, 1008)),
		"status":         sound.SetSection(packets.SectionStatus, []byte{3}),
	} {
		t.Run(name, func(t *testing.T) {
			plain := packets.AppendSave(nil, save)
			_, findings := persist.Check(plain)
			assert.Equal(t, persist.Hazard, persist.Worst(findings), "%v", findings)
			file := filepath.Join(t.TempDir(), "hazard.tox")
			require.NoError(t, os.WriteFile(file, plain, 0o600))
			printed, _, ok := bin.load(t, file, nil)
			require.True(t, ok, "%v", printed)
			// Of a text too long packets shows none either; then it is the file
			// that has more than anybody reads.
			if name != "name" && name != "status message" {
				assert.NotEqual(t, expected(t, save), printed, "as harmless as it gets")
			}
			mended, _, err := persist.Repair(plain)
			require.NoError(t, err)
			file = filepath.Join(t.TempDir(), "mended.tox")
			require.NoError(t, persist.WriteFile(file, mended, false, persist.Config{}))
			bin.agree(t, file, nil)
		})
	}
}
