package client_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/client"
	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/internal/vectors"
	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/persist"
	"github.com/tox-rejoin/rejoin/tox/crypto"
	"github.com/tox-rejoin/rejoin/tox/dhtnode"
	"github.com/tox-rejoin/rejoin/tox/messenger"
)

// onDisk is what is in a save file now.
func onDisk(t *testing.T, path string, password []byte) packets.Save {
	t.Helper()
	f, err := persist.ReadFile(path, password)
	require.NoError(t, err)
	save, findings, err := f.Save()
	require.NoError(t, err)
	require.Less(t, persist.Worst(findings), persist.Hazard, "%v", findings)
	return save
}

// conferencesOf is the titles of the conferences in a save file.
func conferencesOf(t *testing.T, save packets.Save) map[packets.ID]string {
	t.Helper()
	list, err := save.Conferences()
	require.NoError(t, err)
	titles := map[packets.ID]string{}
	for _, c := range list {
		titles[c.ID] = string(c.Title)
	}
	return titles
}

// The profiles of c-toxcore open, are what they were, and stay so: of a section
// that is not ours no byte changes, nor of a friend.
func TestStockProfiles(t *testing.T) {
	saves, err := vectors.Saves()
	require.NoError(t, err)
	for _, path := range saves {
		name := filepath.Base(path)
		if strings.Contains(name, "encrypted") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			before := onDisk(t, path, nil)
			foreign := packets.SectionType(0x7777)
			before = before.SetSection(foreign, []byte("of another program"))
			file := filepath.Join(t.TempDir(), "friend.tox")
			require.NoError(t, os.WriteFile(file, packets.AppendSave(nil, before), 0o600))

			c, err := client.Open(file, client.Config{Name: "ignored"})
			require.NoError(t, err)
			keys, err := packets.ParseSavedKeys(section(before, packets.SectionKeys))
			require.NoError(t, err)
			require.Equal(t, crypto.NewAddress(keys.Public, keys.NoSpam), c.Address())
			require.Equal(t, string(before.Name()), string(c.Self().Name))
			views := c.Conferences()
			for i := range views {
				require.True(t, views[i].Connected)
				require.Len(t, views[i].Peers, 1, "all others are frozen")
			}
			require.NoError(t, c.SetStatusMessage("opened by another client"))
			require.NoError(t, c.AcceptFriend(crypto.NewKeyPair(randomSource(1)).Public)) // has it saved
			require.NoError(t, c.Close())

			after := onDisk(t, file, nil)
			for _, x := range before.Sections {
				switch x.Type {
				case packets.SectionDHT, packets.SectionConferences, packets.SectionStatusMessage:
				case packets.SectionFriends:
					require.True(t, bytes.HasPrefix(section(after, x.Type), x.Data))
				default:
					require.Equal(t, hex.EncodeToString(x.Data), hex.EncodeToString(section(after, x.Type)), "%v", x.Type)
				}
			}
			require.Equal(t, before.Trailing, after.Trailing)
			require.Equal(t, "opened by another client", string(after.StatusMessage()))
			requireSameConferences(t, before, after)
			requireNodesKept(t, before, after)
		})
	}
}

func section(s packets.Save, t packets.SectionType) []byte {
	data, _ := s.Section(t)
	return data
}

// requireSameConferences wants the same conferences with the same peers; only
// the counters of our messages go on.
func requireSameConferences(t *testing.T, before, after packets.Save) {
	t.Helper()
	was, err := before.Conferences()
	require.NoError(t, err)
	is, err := after.Conferences()
	require.NoError(t, err)
	require.Len(t, is, len(was))
	for i := range was {
		require.Equal(t, was[i].Number+packets.SaveOffset, is[i].Number)
		is[i].Number, is[i].LossyNumber = was[i].Number, was[i].LossyNumber
		byKey := func(a, b packets.SavedPeer) int { return bytes.Compare(a.Key[:], b.Key[:]) }
		slices.SortFunc(was[i].Peers, byKey)
		slices.SortFunc(is[i].Peers, byKey)
		require.Equal(t, was[i], is[i])
	}
}

func requireNodesKept(t *testing.T, before, after packets.Save) {
	t.Helper()
	nodes := func(s packets.Save) []packets.Node {
		dht, err := packets.ParseSavedDHT(section(s, packets.SectionDHT))
		require.NoError(t, err)
		return dht.Nodes()
	}
	for _, x := range nodes(before) {
		if x.Family == packets.UDP4 || x.Family == packets.UDP6 {
			require.Contains(t, nodes(after), x)
		}
	}
}

// What must not be lost is on the disk when the call returns, or before the
// event is told: kill -9 may come at once.
func TestSavedAtOnce(t *testing.T) {
	t.Parallel()
	alice := start(t, t.TempDir(), "alice")
	bob := start(t, t.TempDir(), "bob", alice.Node())
	saved := func(u *user) packets.Save { return onDisk(t, u.Profile(), nil) }
	friends := func(u *user) int {
		list, err := packets.ParseFriends(section(saved(u), packets.SectionFriends))
		require.NoError(t, err)
		return len(list)
	}
	keys, err := packets.ParseSavedKeys(section(saved(alice), packets.SectionKeys))
	require.NoError(t, err)
	require.Equal(t, alice.Address(), crypto.NewAddress(keys.Public, keys.NoSpam))

	require.NoError(t, alice.SetNoSpam([packets.NoSpamSize]byte{9, 8, 7, 6}))
	keys, err = packets.ParseSavedKeys(section(saved(alice), packets.SectionKeys))
	require.NoError(t, err)
	require.Equal(t, alice.Address(), crypto.NewAddress(keys.Public, [packets.NoSpamSize]byte{9, 8, 7, 6}))
	require.Equal(t, [packets.NoSpamSize]byte{9, 8, 7, 6}, keys.NoSpam)

	require.NoError(t, bob.AddFriend(alice.Address(), "please"))
	require.Equal(t, 1, friends(bob))
	require.NoError(t, alice.AcceptFriend(wait[client.FriendRequested](alice).From))
	require.Equal(t, 1, friends(alice))
	wait[client.FriendOnline](alice)

	id, err := alice.CreateConference(packets.Text, "Lobby")
	require.NoError(t, err)
	require.Equal(t, map[packets.ID]string{id: "Lobby"}, conferencesOf(t, saved(alice)))
	bring(alice, bob, id)
	require.Contains(t, conferencesOf(t, saved(bob)), id)
	require.Equal(t, bob.Key(), wait[client.PeerJoined](alice).Key)
	list, err := saved(alice).Conferences()
	require.NoError(t, err)
	require.Equal(t, bob.Key(), list[0].Peers[0].Key, "a friend in the save is the way back")
	require.NoError(t, alice.Leave(id))
	require.Empty(t, conferencesOf(t, saved(alice)))
	_, known := alice.Conference(id)
	require.False(t, known)
	require.Equal(t, alice.Key(), wait[client.PeerLeft](bob).Key)

	require.NoError(t, alice.RemoveFriend(bob.Key()))
	require.Equal(t, 0, friends(alice))
	require.ErrorIs(t, alice.RemoveFriend(bob.Key()), messenger.ErrStranger)
}

// A group survives that one of its two peers goes and comes again from its save.
func TestRestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	alice := start(t, t.TempDir(), "alice")
	bob := start(t, dir, "bob", alice.Node())
	befriend(bob, alice)
	id, err := bob.CreateConference(packets.Text, "ours")
	require.NoError(t, err)
	bring(bob, alice, id)
	wait[client.PeerJoined](bob)
	require.NoError(t, bob.SetName("robert"))
	require.Equal(t, "robert", wait[client.FriendRenamed](alice).Name)

	bob.stop()
	require.Equal(t, bob.Key(), wait[client.PeerFrozen](alice).Key, "bob has said goodbye")
	_, err = bob.Say(id, packets.NormalMessage, "too late")
	require.ErrorIs(t, err, client.ErrStopped)
	require.ErrorIs(t, bob.Run(t.Context()), client.ErrStopped)
	require.Empty(t, bob.Conferences())

	again := start(t, dir, "not this", alice.Node())
	require.Equal(t, bob.Address(), again.Address())
	require.NotEqual(t, bob.Node().Key, again.Node().Key, "another DHT key in each run")
	require.Equal(t, "robert", string(again.Self().Name))
	require.Equal(t, alice.Key(), again.Friends()[0].Key)
	v, ok := again.Conference(id)
	require.True(t, ok)
	require.Equal(t, []int{1, 1}, []int{len(v.Peers), len(v.Frozen)})
	require.Equal(t, alice.Key(), wait[client.PeerThawed](again).Key)
	require.Equal(t, again.Key(), wait[client.PeerThawed](alice).Key)
	require.Eventually(t, func() bool {
		_, err := again.Say(id, packets.Action, "is back")
		return !errors.Is(err, conference.ErrNotConnected) // until alice has said that she has the link, too
	}, patience, 10*time.Millisecond)
	m := wait[client.Message](alice)
	require.Equal(t, "is back", m.Text)
	require.Equal(t, packets.Action, m.Kind)
}

// Who knows a network of our own finds it again by the same keys, which tell
// nothing of the long-term one.
func TestOwnNetworkLasts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c, err := client.Open(dir, client.Config{})
	require.NoError(t, err)
	node := c.Node()
	require.NoError(t, c.Close())
	require.NotEqual(t, c.Key(), node.Key)
	c, err = client.Open(dir, client.Config{Local: node.Addr})
	require.NoError(t, err)
	require.Equal(t, node, c.Node())
	require.NoError(t, c.Close())
	c, err = client.Open(dir, client.Config{Bootstrap: []dhtnode.Node{node}})
	require.NoError(t, err)
	require.NotEqual(t, node.Key, c.Node().Key, "in another's network nobody shall know us again by it")
	require.NoError(t, c.Close())
}

// A profile whose disk has gone is told of, and saved once it is there again.
func TestSaveFails(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "profile")
	u := start(t, dir, "alice")
	require.NoError(t, os.Rename(dir, dir+".away"))
	id, err := u.CreateConference(packets.Text, "")
	require.NoError(t, err)
	require.ErrorIs(t, wait[client.SaveFailed](u).Err, fs.ErrNotExist)
	require.NoError(t, os.Rename(dir+".away", dir))
	u.stop()
	require.Contains(t, conferencesOf(t, onDisk(t, u.Profile(), nil)), id)
}

// A profile with a password is never plain on the disk.
func TestPassword(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c, err := client.Open(dir, client.Config{Name: "alice", Password: []byte("secret")})
	require.NoError(t, err)
	id, err := c.CreateConference(packets.Text, "hidden")
	require.NoError(t, err)
	require.NoError(t, c.Close())
	file, err := os.ReadFile(c.Profile())
	require.NoError(t, err)
	require.True(t, persist.Encrypted(file))
	require.Contains(t, conferencesOf(t, onDisk(t, c.Profile(), []byte("secret"))), id)
	_, err = client.Open(dir, client.Config{})
	require.ErrorIs(t, err, persist.ErrNoPassword)
	_, err = client.Open(dir, client.Config{Password: []byte("wrong")})
	require.ErrorIs(t, err, persist.ErrPassword)
	again, err := os.ReadFile(c.Profile())
	require.NoError(t, err)
	require.Equal(t, file, again)
}

// What cannot be opened is left as it was, and can be opened later.
func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", packets.MaxStatusMessage+1)
	none := filepath.Join(t.TempDir(), "none")
	for _, cfg := range []client.Config{{Name: long[:packets.MaxName+1]}, {StatusMessage: long}} {
		_, err := client.Open(none, cfg)
		require.Error(t, err)
		require.NoFileExists(t, filepath.Join(none, persist.ProfileName))
	}

	dir := t.TempDir()
	c, err := client.Open(dir, client.Config{Name: "alice", Program: "first"})
	require.NoError(t, err)
	_, err = client.Open(dir, client.Config{})
	require.ErrorIs(t, err, persist.ErrLocked)
	require.ErrorContains(t, err, "first")
	require.NoError(t, c.Close())
	require.ErrorIs(t, c.Run(t.Context()), client.ErrStopped)
	require.NoError(t, errors.Join(c.Close(), c.Close()))
	_, open := <-c.Events()
	require.False(t, open)
	info, err := os.Stat(c.Profile())
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), info.Mode().Perm())

	taken, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	defer taken.Close()
	before, err := os.ReadFile(c.Profile())
	require.NoError(t, err)
	port := taken.LocalAddr().(*net.UDPAddr).AddrPort()
	_, err = client.Open(dir, client.Config{Local: netip.AddrPortFrom(port.Addr().Unmap(), port.Port())})
	require.ErrorContains(t, err, "in use")

	broken := onDisk(t, c.Profile(), nil)
	keys, err := packets.ParseSavedKeys(section(broken, packets.SectionKeys))
	require.NoError(t, err)
	keys.Public = crypto.NewKeyPair(randomSource(2)).Public
	broken = broken.SetSection(packets.SectionKeys, keys.Append(nil))
	other := filepath.Join(t.TempDir(), "broken.tox")
	require.NoError(t, os.WriteFile(other, packets.AppendSave(nil, broken), 0o600))
	_, err = client.Open(other, client.Config{})
	require.Error(t, err)

	require.NoError(t, os.WriteFile(other, before[:len(before)/2], 0o600))
	_, err = client.Open(other, client.Config{})
	require.ErrorIs(t, err, persist.ErrDamaged)
	after, err := os.ReadFile(c.Profile())
	require.NoError(t, err)
	require.Equal(t, before, after)
}

// Methods work before Run; their errors are those of what they call.
func TestBeforeRun(t *testing.T) {
	t.Parallel()
	c, err := client.Open(t.TempDir(), client.Config{Name: "alice", MaxFrozen: 3})
	require.NoError(t, err)
	id, err := c.CreateConference(packets.AV, "radio")
	require.NoError(t, err)
	v, ok := c.Conference(id)
	require.True(t, ok)
	require.Equal(t, "radio", string(v.Title))
	require.Equal(t, 3, v.MaxFrozen)
	require.NoError(t, c.SetMaxFrozen(id, 5))
	require.Len(t, c.Conferences(), 1)
	require.Equal(t, 5, c.Conferences()[0].MaxFrozen)
	stranger := crypto.NewKeyPair(randomSource(3)).Public
	require.False(t, c.Online())
	_, err = c.CreateConference(packets.Text, strings.Repeat("x", packets.MaxName+1))
	require.ErrorIs(t, err, conference.ErrLength)
	_, err = c.Say(id, packets.NormalMessage, "anybody?")
	require.ErrorIs(t, err, conference.ErrNotConnected)
	require.ErrorIs(t, c.SendAudio(id, []byte{1}), conference.ErrNotConnected)
	require.NoError(t, c.SetTitle(id, "alone"), "there is nobody to tell")
	require.ErrorIs(t, c.Invite(id, stranger), conference.ErrNotFriend)
	require.ErrorIs(t, c.Join(client.Invited{}), conference.ErrNotFriend)
	require.ErrorIs(t, c.Leave(packets.ID{}), conference.ErrNoConference)
	_, err = c.SendMessage(stranger, messenger.Normal, "hello")
	require.ErrorIs(t, err, messenger.ErrStranger)
	require.ErrorIs(t, c.SendCustom(stranger, []byte{160}), messenger.ErrStranger)
	require.ErrorIs(t, c.SetTyping(stranger, true), messenger.ErrStranger)
	require.ErrorIs(t, c.SetName(strings.Repeat("x", packets.MaxName+1)), messenger.ErrLength)
	require.ErrorIs(t, c.SetStatus(7), messenger.ErrValue)
	require.NoError(t, c.SetStatus(packets.Busy))
	require.ErrorIs(t, c.AddFriend(c.Address(), "me"), messenger.ErrOwnKey)
	require.NoError(t, c.AcceptFriend(stranger))
	f, ok := c.Friend(stranger)
	require.True(t, ok)
	require.False(t, f.Ready)
	require.Len(t, c.Friends(), 1)
	require.NoError(t, c.Close())
	require.ErrorIs(t, c.SetStatus(packets.Away), client.ErrStopped)
}
