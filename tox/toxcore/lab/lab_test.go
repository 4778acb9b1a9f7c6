//go:build toxcore

package lab_test

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/tox/toxcore"
	"github.com/tox-rejoin/rejoin/tox/toxcore/lab"
)

func TestMain(m *testing.M) { os.Exit(lab.Run(m)) }

// limit is for what takes stock peers 10 s on an idle machine.
const limit = 40 * time.Second

// Three stock peers meet through a daemon, chat, and make a conference in a
// chain: alice invites bob, and bob invites carol, whom alice does not know.
func TestStockPeersMeet(t *testing.T) {
	t.Parallel()
	nodes := []lab.Node{lab.StartDaemon(t, lab.DaemonConfig{}).Node}
	alice := lab.StartStock(t, lab.StockConfig{Name: "alice", Nodes: nodes})
	bob := lab.StartStock(t, lab.StockConfig{Name: "bob", Nodes: nodes})
	carol := lab.StartStock(t, lab.StockConfig{Name: "carol", Nodes: nodes})
	assert.Equal(t, "0.2.18", alice.Self().Version)

	alice.Befriend(bob, limit)
	carol.Befriend(bob, limit)
	chat(t, alice, bob)

	// The chain. Everyone sees everyone, by name.
	ours := alice.NewConference("lab")
	his := alice.Bring(bob, ours, limit)
	hers := bob.Bring(carol, his, limit)
	alice.WaitPeers(ours, limit, bob.Key, carol.Key)
	bob.WaitPeers(his, limit, alice.Key, carol.Key)
	carol.WaitPeers(hers, limit, alice.Key, bob.Key)
	carol.WaitTitle(hers, "lab", limit)
	alice.Wait(limit, "carol's name", lab.Of(toxcore.KindConferencePeerName, lab.From(carol.Key), lab.Text("carol")))

	alice.Send(ours, "hello all")
	bob.WaitSaid(his, alice.Key, "hello all", limit)
	carol.WaitSaid(hers, alice.Key, "hello all", limit)
	carol.SetTitle(hers, "laboratory")
	alice.WaitTitle(ours, "laboratory", limit)

	// Bob is killed, the others see him go, and he comes back from his save.
	bob.Save()
	bob.Kill()
	alice.WaitOffline(bob.Key, limit)
	alice.WaitPeers(ours, 2*limit, carol.Key)
	_, offline := alice.Peers(ours)
	if assert.Len(t, offline, 1) {
		assert.Equal(t, bob.Key, offline[0].Key)
	}
	bob.Restart()
	bob.WaitOnline(alice.Key, 2*limit)
	bob.WaitPeers(his, 2*limit, alice.Key, carol.Key)
	alice.WaitPeers(ours, limit, bob.Key, carol.Key)
	bob.Send(his, "back")
	alice.WaitSaid(ours, bob.Key, "back", limit)
	carol.WaitSaid(hers, bob.Key, "back", limit)
	assert.Equal(t, 1, carol.Said(hers, "hello all"))

	// Carol leaves for good.
	carol.DeleteConference(hers)
	assert.Empty(t, carol.Conferences())
	alice.WaitPeers(ours, limit, bob.Key)

	// Who quits says so: no need to wait until a silent friend is given up.
	carol.Quit()
	bob.WaitOffline(carol.Key, 10*time.Second)
}

// chat sends everything that friends can send each other.
func chat(t *testing.T, alice, bob *lab.Stock) {
	t.Helper()
	receipt := alice.Message(bob.Key, "hello bob")
	bob.WaitMessage(alice.Key, "hello bob", limit)
	alice.WaitReceipt(bob.Key, receipt, limit)
	bob.Action(alice.Key, "waves")
	alice.Wait(limit, "action", lab.Of(toxcore.KindFriendMessage, lab.Value(toxcore.MessageAction), lab.Text("waves")))
	bob.SendLossless(alice.Key, []byte{160, 1, 2})
	alice.Wait(limit, "lossless packet", lab.Of(toxcore.KindFriendLossless, lab.Text([]byte{160, 1, 2})))
	bob.SendLossy(alice.Key, []byte{200, 3})
	alice.Wait(limit, "lossy packet", lab.Of(toxcore.KindFriendLossy, lab.Text([]byte{200, 3})))
	bob.SetStatusMessage("in the lab")
	bob.SetStatus(2)
	alice.Wait(limit, "status message", lab.Of(toxcore.KindFriendStatusMessage, lab.From(bob.Key), lab.Text("in the lab")))
	alice.Wait(limit, "status", lab.Of(toxcore.KindFriendStatus, lab.From(bob.Key), lab.Value(2)))
	assert.Equal(t, "bob", string(alice.Friend(bob.Key).Name))
	alice.OfferFile(bob.Key, "a.txt", 10)
	bob.Wait(limit, "file offer", lab.Of(toxcore.KindFileOffer, lab.From(alice.Key), lab.Text("a.txt")))
}

// A peer without UDP is reached through the daemon's TCP relay, and audio goes
// through a conference.
func TestRelayAndAudio(t *testing.T) {
	t.Parallel()
	nodes := []lab.Node{lab.StartDaemon(t, lab.DaemonConfig{}).Node}
	alice := lab.StartStock(t, lab.StockConfig{Name: "alice", Nodes: nodes})
	bob := lab.StartStock(t, lab.StockConfig{Name: "bob", Nodes: nodes, UDPOff: true})
	alice.Befriend(bob, limit)
	assert.Equal(t, toxcore.ConnectionTCP, alice.Friend(bob.Key).Connection)

	ours := alice.NewAudioConference()
	his := alice.Bring(bob, ours, limit)
	assert.Equal(t, toxcore.ConferenceAudio, bob.Conference(his).Type)
	lab.Eventually(t, limit, "bob hears alice", func() bool {
		alice.SendAudio(ours, make([]int16, 960))
		return len(bob.Events(lab.Of(toxcore.KindConferenceAudio, lab.From(alice.Key)))) > 0
	})
}

// A link that is cut loses everything without a word, and works again when healed.
func TestNetwork(t *testing.T) {
	t.Parallel()
	network := lab.NewNetwork(t)
	west, east := network.Host("west"), network.Host("east")
	from, to := listen(t, west), listen(t, east)
	reaches := func() bool {
		_, err := from.WriteToUDPAddrPort([]byte("ping"), to.LocalAddr().(*net.UDPAddr).AddrPort())
		require.NoError(t, err)
		require.NoError(t, to.SetReadDeadline(time.Now().Add(200*time.Millisecond)))
		b := make([]byte, 10)
		n, source, err := to.ReadFromUDPAddrPort(b)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return false
		}
		require.NoError(t, err)
		assert.Equal(t, "ping", string(b[:n]))
		assert.Equal(t, west.Addr(), source.Addr())
		return true
	}
	assert.True(t, reaches())
	network.Cut([]*lab.Host{west}, []*lab.Host{east})
	assert.False(t, reaches())
	network.Heal()
	assert.True(t, reaches())
	network.Isolate(east)
	assert.False(t, reaches())
	network.Heal()
	network.Loss(1000)
	assert.False(t, reaches())
	network.Loss(200)
	arrived := 0
	for range 50 {
		if reaches() {
			arrived++
		}
	}
	assert.InDelta(t, 40, arrived, 9.9) // three and a half standard deviations
	network.Loss(0)
	assert.True(t, reaches())

	// There is no way out: the kernel has no route, so nothing is sent.
	out, err := west.Command("ip", "route", "get", "192.0.2.1").CombinedOutput()
	assert.Error(t, err)
	assert.Contains(t, string(out), "unreachable")
}

func listen(t *testing.T, h *lab.Host) (conn *net.UDPConn) {
	t.Helper()
	require.NoError(t, h.Do(func() (err error) {
		conn, err = net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(h.Addr(), 5000)))
		return err
	}))
	t.Cleanup(func() { conn.Close() })
	return conn
}

// Two stock peers in a network of hosts lose each other when they are cut, and
// find each other again.
func TestCutAndHeal(t *testing.T) {
	t.Parallel()
	network := lab.NewNetwork(t)
	west, middle, east := network.Host("west"), network.Host("middle"), network.Host("east")
	nodes := []lab.Node{lab.StartDaemon(t, lab.DaemonConfig{Host: middle}).Node}
	alice := lab.StartStock(t, lab.StockConfig{Name: "alice", Nodes: nodes, Host: west})
	bob := lab.StartStock(t, lab.StockConfig{Name: "bob", Nodes: nodes, Host: east})
	alice.Befriend(bob, limit)
	ours := alice.NewConference("")
	his := alice.Bring(bob, ours, limit)
	alice.WaitPeers(ours, limit, bob.Key)

	network.Isolate(west)
	alice.WaitOffline(bob.Key, limit)
	bob.WaitOffline(alice.Key, limit)
	bob.WaitPeers(his, 2*limit)
	network.Heal()
	alice.WaitOnline(bob.Key, 2*limit)
	bob.WaitPeers(his, 2*limit, alice.Key)
	bob.Send(his, "whole again")
	alice.WaitSaid(ours, bob.Key, "whole again", limit)
}

// A paused peer falls silent and answers again when it is resumed; a daemon keeps
// its key when it is started again.
func TestProcesses(t *testing.T) {
	t.Parallel()
	daemon := lab.StartDaemon(t, lab.DaemonConfig{MOTD: "one"})
	key := daemon.Key
	daemon.Terminate()
	daemon.Restart()
	assert.Equal(t, key, daemon.Key)

	alice := lab.StartStock(t, lab.StockConfig{Name: "alice", Nodes: []lab.Node{daemon.Node}})
	address := alice.Address
	alice.Pause()
	alice.Resume()
	alice.SetName("Alice")
	alice.Quit()
	assert.False(t, alice.Running())
	alice.Restart()
	assert.Equal(t, address, alice.Address)
	self := alice.Self()
	assert.Equal(t, "Alice", string(self.Name))
	_, err := alice.Do(toxcore.Command{Do: "friend_message", Friend: 7, Data: []byte("nobody")})
	assert.ErrorContains(t, err, "tox_friend_send_message: error 2")
	_, err = alice.Do(toxcore.Command{Do: "dance"})
	assert.ErrorContains(t, err, "dance")

	copied := lab.StartStock(t, lab.StockConfig{Save: alice.Save()})
	assert.Equal(t, alice.Key, copied.Key)
	assert.True(t, strings.HasPrefix(copied.Address.String(), strings.ToUpper(copied.Key.Hex())))
}
