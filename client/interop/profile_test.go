//go:build toxcore

package interop

import (
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/toxcore"
	"github.com/tox-rejoin/rejoin/tox/toxcore/lab"
)

// unknown is a section that no client knows.
const unknown packets.SectionType = 0x5a

// One user is in a conference with our client, takes the profile to a stock
// client, and comes back with it. Nothing gets lost on the way, and the
// conference is whole each time.
func TestHandOver(t *testing.T) {
	t.Parallel()
	daemon := lab.StartDaemon(t, lab.DaemonConfig{})
	host, friend := startStock(t, "host", nil, daemon.Node), startOurs(t, "friend", nil, daemon.Node)
	user := startOurs(t, "user", nil, daemon.Node)
	befriend(t, pair{host, user}, pair{user, friend})
	s := newScene(t, packets.Text, "Lobby", host, user, friend)
	user.rename("our user")
	s.waitWhole(host, user, friend)
	s.talk("with our client", host, user, friend)
	user.stop()
	kept := []byte("nobody knows what this is")
	user.write(user.saved().SetSection(unknown, kept))
	user.restart()
	s.waitWhole(host, user, friend)
	user.stop()
	section, _ := user.saved().Section(unknown)
	require.Equal(t, kept, section)

	// A stock client takes over.
	other := &stock{Stock: lab.StartStock(t, lab.StockConfig{
		Save: packets.AppendSave(nil, user.saved()), Nodes: []lab.Node{daemon.Node},
	}), name: "our user"}
	require.Equal(t, user.identity.Address, other.Address)
	self := other.Self()
	require.Equal(t, "our user", string(self.Name))
	require.Equal(t, statusMessage, string(self.StatusMessage))
	require.Equal(t, look{title: "Lobby", active: rollOf(other), frozen: rollOf(host, friend)}, other.look())
	require.ElementsMatch(t, []toxcore.Key{host.Key, toxcore.Key(friend.key())}, keys(other.Friends()))
	s.cast = append(s.cast, other)
	s.waitWhole(host, other, friend)
	s.talk("with a stock client", host, other, friend)
	other.rename("stock user")
	other.retitle("by stock")
	s.waitWhole(host, other, friend)
	s.waitTitle("by stock", host, other, friend)
	other.AddRelay(daemon.Node)
	lab.Eventually(t, patience, "the relay is in the save", func() bool {
		relays, _ := parse(t, other.Save()).Section(packets.SectionTCPRelays)
		return len(relays) > 0
	})
	file := parse(t, other.Save())
	other.Quit()

	// And back.
	user.write(file)
	user.restart()
	user.name = "stock user"
	require.Equal(t, user.identity.Address, other.Address)
	s.waitWhole(host, user, friend)
	s.waitTitle("by stock", host, user, friend)
	s.talk("with our client again", host, user, friend)
	user.stop()
	require.Equal(t, foreign(file), foreign(user.saved()))
	s.checkOnce()
}

// write replaces the profile of a program that does not run.
func (o *ours) write(save packets.Save) {
	o.t.Helper()
	require.NoError(o.t, os.WriteFile(o.program.Profile, packets.AppendSave(nil, save), 0o600))
}

func parse(t *testing.T, data []byte) packets.Save {
	t.Helper()
	save, err := packets.ParseSave(data)
	require.NoError(t, err)
	return save
}

func keys(friends []toxcore.Friend) (list []toxcore.Key) {
	for _, f := range friends {
		list = append(list, f.Key)
	}
	return list
}

// foreign is the sections that our client has no use for.
func foreign(save packets.Save) []packets.Section {
	return slices.DeleteFunc(slices.Clone(save.Sections), func(x packets.Section) bool {
		switch x.Type {
		case packets.SectionKeys, packets.SectionDHT, packets.SectionFriends, packets.SectionName,
			packets.SectionStatusMessage, packets.SectionStatus, packets.SectionConferences:
			return true
		}
		return false
	})
}
