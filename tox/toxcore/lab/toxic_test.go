//go:build toxcore

package lab_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/tox-rejoin/rejoin/tox/toxcore"
	"github.com/tox-rejoin/rejoin/tox/toxcore/lab"
)

// Toxic and alice are alone on a machine without a network, and alice is toxic's
// only way into one. Toxic adds her, and she brings it into a conference.
func TestToxicAndOnlyNode(t *testing.T) {
	t.Parallel()
	host := lab.NewNetwork(t).Host("pc")
	alice := lab.StartStock(t, lab.StockConfig{Name: "alice", Host: host})
	node := alice.Node()
	node.Addr = netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), node.Addr.Port())
	toxic := lab.StartToxic(t, lab.ToxicConfig{Name: "tina", Host: host, Nodes: []lab.Node{node}})
	id := toxic.ID()
	key := toxcore.Key(id.Key())

	toxic.AddFriend(alice.Address, "hi!")
	alice.Wait(2*limit, "request of toxic", lab.Of(toxcore.KindFriendRequest, lab.From(key), lab.Text("hi!")))
	alice.AcceptFriend(key)
	alice.WaitOnline(key, limit)
	alice.Wait(limit, "name", lab.Of(toxcore.KindFriendName, lab.From(key), lab.Text("tina")))
	toxic.WaitOnline(limit)
	toxic.WaitText("has come online", limit)

	ours := alice.NewConference("Lobby")
	alice.Invite(key, ours)
	toxic.Join(alice.Key, "Lobby", limit)
	alice.WaitPeers(ours, limit, key)
	toxic.Type("hello from toxic")
	alice.WaitSaid(ours, key, "hello from toxic", limit)
	alice.Send(ours, "welcome, tina")
	toxic.WaitScreen(limit, "shows the answer", `- alice: welcome, tina`)
	toxic.WaitScreen(limit, "lists the peers", `(?s)Peers: 2.*│alice.*│tina`)
	assert.Regexp(t, `- tina: hello from toxic`, toxic.Screen())

	toxic.Type("/title Lounge")
	alice.WaitTitle(ours, "Lounge", limit)
	toxic.WaitWindow("Lounge", limit)
	toxic.Chat(alice.Key)
	toxic.Type("by the way;")
	alice.WaitMessage(key, "by the way;", limit)

	toxic.Quit()
	alice.WaitOffline(key, 10*time.Second)
	assert.Equal(t, 1, alice.Said(ours, "hello from toxic"))
}

// On the loopback of this machine toxic is added by a stock peer, and takes over
// a stock peer's profile and hands it back.
func TestToxicProfile(t *testing.T) {
	t.Parallel()
	nodes := []lab.Node{lab.StartDaemon(t, lab.DaemonConfig{}).Node}
	alice := lab.StartStock(t, lab.StockConfig{Name: "alice", Nodes: nodes})
	bob := lab.StartStock(t, lab.StockConfig{Name: "bob", Nodes: nodes})
	bob.NewConference("Lobby")
	save := bob.Save()
	bob.Kill()

	toxic := lab.StartToxic(t, lab.ToxicConfig{Nodes: nodes, Save: save})
	assert.Equal(t, bob.Address, toxic.ID())
	toxic.Window("Lobby")
	alice.AddFriend(toxic.ID(), "hello from alice")
	toxic.AcceptFriend("hello from alice", 2*limit)
	alice.WaitOnline(bob.Key, limit)
	toxic.Chat(alice.Key)
	alice.Message(bob.Key, "are you bob?")
	toxic.WaitScreen(limit, "shows the message", `- alice: are you bob\?`)
	toxic.Type("yes")
	alice.WaitMessage(bob.Key, "yes", limit)
	toxic.Quit()
	alice.WaitOffline(bob.Key, 10*time.Second)

	bob = lab.StartStock(t, lab.StockConfig{Nodes: nodes, Save: toxic.Save()})
	assert.Equal(t, toxic.ID(), bob.Address)
	assert.Equal(t, "bob", string(bob.Self().Name))
	assert.Len(t, bob.Conferences(), 1)
	bob.WaitOnline(alice.Key, 2*limit)
}
