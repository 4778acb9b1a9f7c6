//go:build toxcore

package tox_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox"
	"github.com/tox-rejoin/rejoin/tox/messenger"
	"github.com/tox-rejoin/rejoin/tox/toxcore"
	"github.com/tox-rejoin/rejoin/tox/toxcore/lab"
)

// Alice brings her friend bob and us together in a conference. To bob we are a
// stranger, but a neighbour in the conference, and so he and we connect, each by
// the DHT key that alice told. The packets of the conference are all of our own
// making: there is no engine here.
func TestStockNeighbour(t *testing.T) {
	t.Parallel()
	daemon := lab.StartDaemon(t, lab.DaemonConfig{})
	alice := lab.StartStock(t, lab.StockConfig{Name: "alice", Nodes: []lab.Node{daemon.Node}})
	bob := lab.StartStock(t, lab.StockConfig{Name: "bob", Nodes: []lab.Node{daemon.Node}})
	o := startOurs(t, daemon.Node)
	alice.AcceptFriend(bob.Key)
	bob.AcceptFriend(alice.Key)
	befriend(t, o, alice)
	alice.WaitOnline(bob.Key, patience)
	hers := alice.NewConference("")
	his := alice.Bring(bob, hers, patience)

	// We join as a stock peer would, and learn from alice who is there.
	const ourGroup = 7
	friend, stranger := packets.PublicKey(alice.Key), packets.PublicKey(bob.Key)
	alice.Invite(toxcore.Key(o.real.Public), hers)
	invite, err := packets.ParseInvite(o.packet(friend, packets.PacketInvite))
	require.NoError(t, err)
	accept := packets.Invite{Kind: packets.KindAccept, Group: ourGroup, To: invite.Group, ID: invite.ID}
	o.write(friend, accept.Append(nil))
	o.write(friend, packets.Direct{Group: invite.Group, Kind: packets.PeerQuery}.Append(nil))
	list, err := packets.ParseDirect(o.packet(friend, packets.PacketDirect))
	require.NoError(t, err)
	require.Equal(t, packets.PeerResponse, list.Kind)
	peers := map[packets.PublicKey]packets.PeerEntry{}
	for rest, more := packets.PeerList(list.Data), true; more; {
		var p packets.PeerEntry
		p, rest, more, err = rest.Next()
		require.NoError(t, err)
		if more {
			peers[*p.Key] = p
		}
	}
	require.Len(t, peers, 3)
	require.Equal(t, packets.PublicKey(bob.DHTKey), *peers[stranger].DHT)

	// Bob wants us since alice told him of us; now we want him.
	require.Empty(t, o.dhtOf(stranger))
	o.do(func(now packets.Time, n *tox.Node) {
		require.NoError(t, n.Want(now, stranger, *peers[stranger].DHT))
	})
	lab.Eventually(t, patience, "a connection with a stranger", func() bool { return o.dhtOf(stranger) != packets.PublicKey{} })
	require.Equal(t, packets.PublicKey(bob.DHTKey), o.dhtOf(stranger))
	online, err := packets.ParseOnline(o.packet(stranger, packets.PacketOnline))
	require.NoError(t, err)
	require.Equal(t, invite.ID, online.ID)
	o.write(stranger, packets.Online{Group: ourGroup, ID: invite.ID}.Append(nil))

	// Both sides speak, and hear it from each other.
	ours := packets.Message{
		Group: online.Group, PeerNumber: peers[o.real.Public].Number, Number: 1,
		Kind: packets.NormalMessage, Data: []byte("hello stranger"),
	}
	o.write(stranger, ours.Append(nil))
	bob.WaitSaid(his, toxcore.Key(o.real.Public), "hello stranger", patience)
	bob.Send(his, "hello you")
	lab.Eventually(t, patience, "a message of a stranger", func() bool { return o.hears(stranger, "hello you") })

	// He never was a friend, and is gone when we do not want him any more.
	require.Len(t, bob.Friends(), 1)
	o.do(func(now packets.Time, n *tox.Node) {
		_, known := n.Friend(stranger)
		require.False(t, known)
		n.Release(now, stranger)
	})
	lab.Eventually(t, patience, "no connection", func() bool { return o.dhtOf(stranger) == packets.PublicKey{} })
}

// dhtOf is the DHT key of a peer who is online; zero if it is not.
func (o *ours) dhtOf(peer packets.PublicKey) packets.PublicKey {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.online[peer]
}

// write sends a packet of a conference.
func (o *ours) write(to packets.PublicKey, p []byte) {
	o.t.Helper()
	o.do(func(now packets.Time, n *tox.Node) { require.NoError(o.t, n.Write(now, to, p, false)) })
}

// conference is all packets of conferences with an id that a peer sent.
func (o *ours) conference(from packets.PublicKey, id byte) (list [][]byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, e := range o.heard {
		if e.Kind == messenger.Conference && e.Peer == from && e.Data[0] == id {
			list = append(list, e.Data)
		}
	}
	return list
}

// packet waits for the first of them.
func (o *ours) packet(from packets.PublicKey, id byte) []byte {
	o.t.Helper()
	lab.Eventually(o.t, patience, fmt.Sprintf("packet %#x of %v", id, from), func() bool {
		return len(o.conference(from, id)) > 0
	})
	return o.conference(from, id)[0]
}

// hears tells whether a peer itself sent us a message with a text.
func (o *ours) hears(from packets.PublicKey, text string) bool {
	return slices.ContainsFunc(o.conference(from, packets.PacketMessage), func(p []byte) bool {
		m, err := packets.ParseMessage(p)
		return err == nil && m.Kind == packets.NormalMessage && string(m.Data) == text
	})
}
