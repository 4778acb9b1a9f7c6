package onion_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/onion"
)

// Everybody gets announced, friends learn each other's DHT keys, and requests
// arrive.
// SPEC T-49, T-79
func TestNetwork(t *testing.T) {
	type network struct {
		nodes               int
		loss                float64
		online, met, wanted int // seconds
	}
	networks := []network{
		{12, 0, 8, 8, 8},
		{3, 0, 8, 8, 8},
		{12, 0.2, 120, 600, 120}, // of each datagram: one answer in six comes back
	}
	if !testing.Short() {
		networks = append(networks, network{40, 0.05, 40, 60, 60})
	}
	for _, c := range networks {
		t.Run(fmt.Sprintf("%d nodes, loss %v", c.nodes, c.loss), func(t *testing.T) {
			w := newWorld(t, 1, c.nodes, c.loss)
			w.befriend()
			online := w.until(c.online, "all announced", func() bool {
				return !slices.ContainsFunc(w.nodes, func(n *node) bool { return len(n.online) == 0 })
			})
			met := w.until(c.met, "all met", w.met)

			w.ask()
			asked := w.until(c.wanted, "all requests came", func() bool {
				for i, n := range w.nodes {
					if want := n.real.Public.String() + "spamlet me in"; !slices.Contains(w.nodes[(i+2)%len(w.nodes)].requests, want) {
						return false
					}
				}
				return true
			})
			t.Logf("announced after %d s, met after %d s, requests after %d s", online, met, asked)
			for _, n := range w.nodes {
				require.LessOrEqual(t, n.store.Len(), len(w.nodes))
				require.Positive(t, n.client.Stored())
				for _, k := range n.nodes {
					require.Equal(t, min(4, c.nodes), k)
				}
			}
		})
	}
}

// ask sends a friend request of each node to the one after the next, again and
// again until it leaves.
func (w *world) ask() {
	for i, n := range w.nodes {
		stranger := w.nodes[(i+2)%len(w.nodes)].real.Public
		require.NoError(w.t, n.client.AddFriend(w.now, stranger))
		var try func()
		try = func() {
			_, err := n.client.SendRequest(w.now, stranger, [4]byte([]byte("spam")), []byte("let me in"))
			require.NoError(w.t, err)
			w.flush(n)
			w.at(w.now+5*packets.Second, try)
		}
		try()
	}
}

// The same seed gives the same bytes at the same times.
func TestDeterminism(t *testing.T) {
	trace := func(seed byte) string {
		w := newWorld(t, seed, 8, 0.1)
		w.befriend()
		w.run(30 * packets.Second)
		return string(w.trace.Sum(nil))
	}
	first, again, other := trace(7), trace(7), trace(8)
	require.Equal(t, first, again)
	require.NotEqual(t, first, other)
}

// Nodes come back with new DHT keys; their friends hear of it although those
// who kept their announcements come and go as well.
func TestChurn(t *testing.T) {
	w := newWorld(t, 3, 14, 0.05)
	w.befriend()
	w.until(200, "all met", w.met)
	rounds := 4
	if testing.Short() {
		rounds = 2
	}
	for round := range rounds {
		gone := w.nodes[(3*round)%len(w.nodes)]
		back := w.nodes[(3*round+5)%len(w.nodes)]
		gone.up = false
		w.run(30 * packets.Second)
		w.boot(back)
		for i, n := range w.nodes {
			if n == back {
				require.NoError(t, n.client.AddFriend(w.now, w.nodes[(i+1)%len(w.nodes)].real.Public))
				require.NoError(t, n.client.AddFriend(w.now, w.nodes[(i+len(w.nodes)-1)%len(w.nodes)].real.Public))
			}
		}
		w.run(60 * packets.Second)
		w.boot(gone)
		for i, n := range w.nodes {
			if n == gone {
				require.NoError(t, n.client.AddFriend(w.now, w.nodes[(i+1)%len(w.nodes)].real.Public))
				require.NoError(t, n.client.AddFriend(w.now, w.nodes[(i+len(w.nodes)-1)%len(w.nodes)].real.Public))
			}
		}
		took := w.until(200, "all met again", w.met)
		t.Logf("round %d: met after %d s", round, took)
	}
}

// While all friends are online there are only announcements, ever fewer.
func TestQuietWhenFriendsAreOnline(t *testing.T) {
	w := newWorld(t, 4, 12, 0)
	w.befriend()
	w.until(30, "all met", w.met)
	for i, n := range w.nodes {
		for _, j := range []int{1, len(w.nodes) - 1} {
			require.NoError(t, n.client.FriendOnline(w.now, w.nodes[(i+j)%len(w.nodes)].real.Public, true))
		}
	}
	w.run(300 * packets.Second)
	before := w.sent[onion.Forward1]
	data := w.sent[onion.DataRequest]
	w.run(600 * packets.Second)
	each := float64(w.sent[onion.Forward1]-before) / 600 / float64(len(w.nodes))
	t.Logf("%.2f onions a second and node", each)
	require.Less(t, each, 0.5)
	require.Equal(t, data, w.sent[onion.DataRequest])
	require.True(t, w.connected())
	for _, n := range w.nodes {
		require.Equal(t, []bool{true}, n.online, "never offline")
	}

	a, b := w.nodes[0], w.nodes[1]
	clear(b.keys)
	require.NoError(t, a.client.FriendOnline(w.now, b.real.Public, false))
	require.NoError(t, b.client.FriendOnline(w.now, a.real.Public, false))
	w.until(40, "found again", func() bool { return b.keys[a.real.Public] == a.dht.Public })
}

// A node that loses its network is offline after 75 seconds of silence, and
// back soon after it has it again.
func TestOffline(t *testing.T) {
	w := newWorld(t, 5, 8, 0)
	w.befriend()
	w.until(30, "all met", w.met)
	w.loss = 1
	took := w.until(120, "offline", func() bool { return !slices.ContainsFunc(w.nodes, func(n *node) bool { return n.client.Connected() }) })
	require.Greater(t, took, 40)
	w.run(600 * packets.Second)
	w.loss = 0
	took = w.until(60, "online again", w.connected)
	t.Logf("online again after %d s", took)
	for _, n := range w.nodes {
		clear(n.keys)
	}
	w.until(60, "all met again", w.met)
}

// Wrong bits anywhere do no harm but that the packet is lost.
func TestHarm(t *testing.T) {
	w := newWorld(t, 6, 10, 0)
	w.harm = 0.1
	w.befriend()
	took := w.until(200, "all met", w.met)
	t.Logf("met after %d s", took)
	for i, n := range w.nodes {
		require.Empty(t, n.requests)
		require.Len(t, n.keys, 2, "of node %d", i)
	}
}

// Packets that come again change nothing, at once or a minute later.
func TestReplay(t *testing.T) {
	type packet struct {
		n    *node
		from netip.AddrPort
		data []byte
	}
	w := newWorld(t, 9, 8, 0)
	var seen []packet
	w.tap = func(n *node, from netip.AddrPort, p []byte) {
		switch p[0] {
		case onion.AnnounceResponse, onion.DataResponse:
			w.flush(n)
			require.Error(t, n.client.Receive(w.now, from, p), "at once")
			out := n.client.Poll()
			require.Empty(t, len(out.Sends)+len(out.Events)+len(out.Routed))
			seen = append(seen, packet{n, from, p})
		}
	}
	w.befriend()
	w.ask()
	w.until(30, "all met", w.met)
	w.run(10 * packets.Second)
	w.tap = nil
	require.Greater(t, len(seen), 500)
	w.run(60 * packets.Second)
	data := 0
	for i, p := range seen {
		w.run(packets.Time(i % 20)) // within the budgets
		w.flush(p.n)
		stored := p.n.store.Len()
		err := p.n.client.Receive(w.now, p.from, p.data)
		if p.data[0] == onion.AnnounceResponse {
			require.ErrorIs(t, err, onion.ErrUnasked)
		} else if err != nil {
			data++
			require.ErrorIs(t, err, onion.ErrReplay)
		} else { // a friend request, which may be repeated
			require.Equal(t, onion.FriendRequest, p.n.client.Poll().Events[0].Kind)
			continue
		}
		out := p.n.client.Poll()
		require.Empty(t, len(out.Sends)+len(out.Events)+len(out.Routed))
		require.Equal(t, stored, p.n.store.Len())
	}
	require.Greater(t, data, 20)
}
