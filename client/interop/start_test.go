//go:build toxcore

package interop

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/client"
	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/messenger"
	"github.com/tox-rejoin/rejoin/tox/toxcore"
	"github.com/tox-rejoin/rejoin/tox/toxcore/lab"
)

// A Client on a network of its own, and one stock peer that knows nothing but
// the Client's node and Tox ID: it becomes a friend and is in the conference
// within two minutes.
func TestOwnNetwork(t *testing.T) {
	t.Parallel()
	o := startOurs(t, "ours", nil)
	o.found(packets.Text, "Lobby")
	began := time.Now()
	guest := startStock(t, "guest", nil, o.node())
	guest.AddFriend(o.identity.Address, "let me in")
	request := waitFor(o, "request", func(client.FriendRequested) bool { return true })
	t.Logf("request after %v", time.Since(began))
	require.Equal(t, client.FriendRequested{From: guest.key(), Text: "let me in"}, request)
	o.accept(guest.key())
	waitFor(o, "guest is online", func(e client.FriendOnline) bool { return e.Friend == guest.key() })
	t.Logf("friends after %v", time.Since(began))
	s := &scene{t: t, cast: []member{o}}
	s.bring(o, guest)
	s.waitWhole(o, guest)
	s.waitTitle("Lobby", o, guest)
	took := time.Since(began)
	t.Logf("in the conference after %v", took)
	require.Less(t, took, 2*time.Minute)
	s.talk("hello", o, guest)

	// The network is a new one after each start, and the guest knows only the
	// first: we find the guest.
	for _, c := range []struct {
		how string
		end func()
	}{{"stop", o.stop}, {"kill -9", o.kill}} {
		c.end()
		s.waitWhole(guest)
		o.restart()
		began := time.Now()
		s.waitWhole(o, guest)
		t.Logf("whole %v after %s", time.Since(began), c.how)
		s.talk("back after "+c.how, o, guest)
	}
	s.checkOnce()
}

// We ask a stock peer, and talk with it alone.
func TestFriends(t *testing.T) {
	t.Parallel()
	daemon := lab.StartDaemon(t, lab.DaemonConfig{})
	o, friend := startOurs(t, "ours", nil, daemon.Node), startStock(t, "stock", nil, daemon.Node)
	friend.SetStatusMessage("made in C")
	self := toxcore.Key(o.key())
	ask[int](o, "AddFriend", FriendText{To: friend.Address, Text: "it is us"})
	friend.Wait(patience, "our request", lab.Of(toxcore.KindFriendRequest, lab.From(self), lab.Text("it is us")))
	friend.AcceptFriend(self)
	waitFor(o, "online", func(e client.FriendOnline) bool { return e.Friend == friend.key() })
	waitFor(o, "its name", func(e client.FriendRenamed) bool {
		return e == client.FriendRenamed{Friend: friend.key(), Name: "stock"}
	})
	waitFor(o, "its status message", func(e client.FriendStatusMessage) bool {
		return e == client.FriendStatusMessage{Friend: friend.key(), Text: "made in C"}
	})
	friend.Wait(patience, "our name", lab.Of(toxcore.KindFriendName, lab.From(self), lab.Text("ours")))
	friend.Wait(patience, "our status message", lab.Of(toxcore.KindFriendStatusMessage, lab.From(self), lab.Text(statusMessage)))

	number := ask[uint32](o, "SendMessage", FriendText{To: friend.Address, Text: "hello"})
	friend.WaitMessage(self, "hello", patience)
	waitFor(o, "receipt", func(e client.Delivered) bool { return e == client.Delivered{To: friend.key(), Number: number} })
	receipt := friend.Message(self, "hello yourself")
	waitFor(o, "answer", func(e client.FriendMessage) bool {
		return e == client.FriendMessage{From: friend.key(), Kind: messenger.Normal, Text: "hello yourself"}
	})
	friend.WaitReceipt(self, receipt, patience)

	o.stop()
	friend.WaitOffline(self, 10*time.Second) // we said goodbye
}
