//go:build toxcore

package lab_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/tox-rejoin/rejoin/tox/toxcore"
	"github.com/tox-rejoin/rejoin/tox/toxcore/lab"
)

func TestToxicTalks(t *testing.T) {
	t.Parallel()
	host := lab.NewNetwork(t).Host("pc")
	node := lab.StartDaemon(t, lab.DaemonConfig{Host: host}).Node
	node.Addr = netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), node.Addr.Port())
	nodes := []lab.Node{node}
	alice := lab.StartStock(t, lab.StockConfig{Name: "alice", Host: host, Nodes: nodes})
	toxic := lab.StartToxic(t, lab.ToxicConfig{Name: "tina", Host: host, Nodes: nodes})
	id := toxic.ID()
	key := toxcore.Key(id.Key())

	toxic.WaitOnline(limit)
	t.Log(toxic.Screen())
	toxic.AddFriend(alice.Address, "hi!")
	alice.Wait(limit, "request of toxic", lab.Of(toxcore.KindFriendRequest, lab.From(key), lab.Text("hi!")))
	alice.AcceptFriend(key)
	alice.WaitOnline(key, limit)
	toxic.WaitText("has come online", limit)
	t.Log(toxic.Screen())
	toxic.Window("Contacts")
	toxic.WaitText("alice", limit)
	t.Log(toxic.Screen())
	t.Logf("%q", toxic.Colours())
	toxic.Key("Enter")
	toxic.Window("alice")
	toxic.Type("hello alice")
	alice.WaitMessage(key, "hello alice", limit)
	t.Log(toxic.Screen())

	ours := alice.NewConference("Lobby")
	alice.Invite(key, ours)
	toxic.Window("alice")
	toxic.WaitText("alice has invited you to a conference.", limit)
	t.Log(toxic.Screen())
	toxic.Type("/join")
	toxic.WaitText("[Lobby]", limit)
	alice.WaitPeers(ours, limit, key)
	toxic.Type("hello from toxic")
	alice.WaitSaid(ours, key, "hello from toxic", limit)
	alice.Send(ours, "welcome")
	toxic.WaitScreen(limit, "the answer", `alice.*welcome`)
	t.Log(toxic.Screen())
	assert.Equal(t, 1, alice.Said(ours, "hello from toxic"))
	toxic.Quit()
	alice.WaitOffline(key, limit)
}
