package tox_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox"
	"github.com/tox-rejoin/rejoin/tox/crypto"
	"github.com/tox-rejoin/rejoin/tox/friend"
	"github.com/tox-rejoin/rejoin/tox/messenger"
	"github.com/tox-rejoin/rejoin/tox/netcrypto"
)

// Friends find each other in a network of nodes that know nothing but one of
// them, and talk: every packet arrives once and in order.
func TestFriendsFindEachOther(t *testing.T) {
	for _, c := range []struct {
		nodes int
		loss  float64
		limit int // seconds
	}{
		{3, 0, 15},
		{10, 0.05, 120},
		{10, 0.2, 400},
	} {
		t.Run(fmt.Sprintf("%d nodes, loss %v", c.nodes, c.loss), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 1, c.nodes, c.loss)
			w.ring()
			took := w.until(c.limit, "all friends online", w.closed)
			t.Logf("online after %d s", took)

			const messages = 40
			for i := range messages {
				for _, x := range w.nodes {
					x.write(x.next(1), fmt.Sprintf("\x63message %d", i), false)
					x.write(x.next(1), fmt.Sprintf("\xc7sound %d", i), true)
					x.say(x.next(-1), fmt.Sprintf("hello %d", i))
				}
				w.run(packets.Second / 10)
			}
			var want, heard []string
			for i := range messages {
				want = append(want, fmt.Sprintf("\x63message %d", i))
				heard = append(heard, fmt.Sprintf("hello %d", i))
			}
			w.until(60, "all messages come", func() bool {
				for _, x := range w.nodes {
					if len(x.got[x.next(-1).real.Public]) < messages || x.received < messages {
						return false
					}
				}
				return true
			})
			for i, x := range w.nodes {
				require.Equal(t, want, x.got[x.next(-1).real.Public])
				require.Greater(t, x.lossy[x.next(-1).real.Public], messages/2)
				name := fmt.Sprintf("node %d", (i+1)%len(w.nodes)+1)
				require.Equal(t, append([]string{name}, heard...), x.said[x.next(1).real.Public])
				require.Equal(t, messages, x.received)
			}
		})
	}
}

// The same seed gives the same bytes at the same times.
func TestDeterminism(t *testing.T) {
	trace := func(seed byte) string {
		w := newWorld(t, seed, 6, 0.1)
		w.ring()
		w.run(60 * packets.Second)
		require.NotZero(t, w.sent[0x1b], "no session yet")
		return string(w.trace.Sum(nil))
	}
	first := trace(7)
	require.Equal(t, first, trace(7))
	require.NotEqual(t, trace(7), trace(8))
}

// Thirty nodes come and go while packets get lost; in the end all friends are
// ready and messages come through, and it can all be repeated.
func TestChurn(t *testing.T) {
	churn := func() (string, int) {
		w := newWorld(t, 10, 30, 0.05)
		w.ring()
		for round := range 6 {
			w.run(20 * packets.Second)
			gone, anew := w.nodes[(7*round)%30], w.nodes[(7*round+13)%30]
			gone.saved, anew.saved = gone.Friends(), anew.Friends()
			gone.up = false
			anew.boot()
			w.run(20 * packets.Second)
			gone.boot()
		}
		took := w.until(300, "all friends ready", w.closed)
		for _, x := range w.nodes {
			x.say(x.next(1), "after all")
		}
		w.until(30, "messages", func() bool {
			return !slices.ContainsFunc(w.nodes, func(x *node) bool {
				return !slices.Contains(x.said[x.next(-1).real.Public], "after all")
			})
		})
		return string(w.trace.Sum(nil)), took
	}
	trace, took := churn()
	t.Logf("all ready %d s after the last start", took)
	again, _ := churn()
	require.Equal(t, trace, again)
}

// A node that starts anew has another DHT key; its friends notice and are
// online again. One that is gone is offline after 32 s at the latest.
// SPEC T-8
func TestRestart(t *testing.T) {
	w := newWorld(t, 2, 8, 0.02)
	w.ring()
	w.until(120, "all friends online", w.closed)
	for _, i := range []int{0, 3} { // also the one by which all entered
		x := w.nodes[i]
		x.up = false
		w.run(40 * packets.Second)
		require.NotContains(t, x.next(1).online, x.real.Public)
		x.boot()
		x.befriend(x.next(1))
		x.befriend(x.next(-1))
		took := w.until(150, "friends online again", w.closed)
		t.Logf("node %d: online again after %d s", i, took)
	}
	x := w.nodes[5]
	before := x.DHTKey()
	x.boot() // at once, so that nobody has noticed
	require.NotEqual(t, before, x.DHTKey())
	x.befriend(x.next(1))
	x.befriend(x.next(-1))
	w.until(120, "friends online again", w.closed)
	require.Equal(t, "\x63back", func() string {
		x.write(x.next(1), "\x63back", false)
		w.run(5 * packets.Second)
		got := x.next(1).got[x.real.Public]
		return got[len(got)-1]
	}())
}

// Neighbours in a conference connect without being friends if both want it,
// each by the DHT key that it heard.
func TestNeighbours(t *testing.T) {
	w := newWorld(t, 3, 6, 0)
	w.run(30 * packets.Second)
	a, b, c := w.nodes[1], w.nodes[2], w.nodes[3]
	want := func(x, y *node) {
		require.NoError(t, x.Want(w.now, y.real.Public, y.DHTKey()))
		x.flush()
	}
	want(a, b)
	want(c, b)
	w.run(20 * packets.Second)
	require.Empty(t, a.online, "b does not want a")
	want(b, a)
	w.until(5, "a and b connected", func() bool { return a.online[b.real.Public] && b.online[a.real.Public] })
	require.Empty(t, c.online)
	a.write(b, "\x63hello", false)
	w.until(1, "the payload", func() bool { return len(b.got[a.real.Public]) == 1 })

	require.Empty(t, a.ready)
	a.befriend(b)
	b.befriend(a)
	w.until(1, "friends", func() bool { return a.ready[b.real.Public] && b.ready[a.real.Public] })
	a.Release(w.now, b.real.Public)
	a.flush()
	w.run(10 * packets.Second)
	require.True(t, b.online[a.real.Public], "the friend list still holds it")
	require.NoError(t, a.RemoveFriend(w.now, b.real.Public))
	a.flush()
	w.until(1, "b hears that a is gone", func() bool { return !b.online[a.real.Public] })
	require.Empty(t, a.online)
	_, held := a.Peer(b.real.Public)
	require.False(t, held)
}

// A wrong DHT key does not keep friends apart, and does no harm.
func TestWrongHint(t *testing.T) {
	w := newWorld(t, 4, 6, 0)
	a, b, c := w.nodes[1], w.nodes[2], w.nodes[3]
	require.NoError(t, a.Want(w.now, b.real.Public, c.DHTKey()))
	require.NoError(t, a.Want(w.now, c.real.Public, a.DHTKey()), "our own key is no hint")
	a.befriend(b)
	b.befriend(a)
	w.until(30, "a and b connected", func() bool { return a.online[b.real.Public] && b.online[a.real.Public] })
}

// Friend requests come through the onion, or over a connection that is there,
// and only with the right nospam.
// SPEC T-138
func TestRequests(t *testing.T) {
	w := newWorld(t, 5, 6, 0)
	a, b, c := w.nodes[1], w.nodes[2], w.nodes[3]
	ask := func(x, y *node, noSpam byte) {
		address := crypto.NewAddress(y.real.Public, [packets.NoSpamSize]byte{1, 2, 3, noSpam})
		require.NoError(t, x.AddFriend(w.now, address, []byte("please")))
		x.flush()
	}
	ask(a, b, 4)
	ask(c, b, 5)
	took := w.until(30, "the request", func() bool { return len(b.requests) > 0 })
	t.Logf("request after %d s", took)
	w.run(20 * packets.Second)
	require.Equal(t, []string{fmt.Sprintf("%v please", a.real.Public)}, b.requests, "once, and not that of c")
	b.befriend(a)
	w.until(30, "friends", func() bool { return a.ready[b.real.Public] && b.ready[a.real.Public] })

	require.NoError(t, c.Want(w.now, a.real.Public, a.DHTKey()))
	c.flush()
	require.NoError(t, a.Want(w.now, c.real.Public, c.DHTKey()))
	a.flush()
	w.until(10, "neighbours", func() bool { return c.online[a.real.Public] })
	before := w.sent[0x85]
	ask(c, a, 4)
	w.until(1, "the request over the connection", func() bool { return len(a.requests) > 0 })
	require.Equal(t, before, w.sent[0x85])
	a.befriend(c)
	w.until(1, "friends", func() bool { return a.ready[c.real.Public] && c.ready[a.real.Public] })

	var wrong crypto.Address
	require.ErrorIs(t, a.AddFriend(w.now, crypto.NewAddress(b.real.Public, [4]byte{}), []byte("x")), messenger.ErrFriend)
	require.Error(t, a.AddFriend(w.now, wrong, []byte("x")), "a key of low order")
	wrong[0]++
	require.ErrorIs(t, a.AddFriend(w.now, wrong, []byte("x")), crypto.ErrChecksum)
}

// Friends of a save find each other again.
func TestSavedFriends(t *testing.T) {
	w := newWorld(t, 8, 5, 0)
	w.ring()
	w.until(60, "all friends ready", w.closed)
	x := w.nodes[2]
	w.run(packets.Second) // names follow
	require.True(t, x.dirty)
	x.saved = x.Friends()
	require.Len(t, x.saved, 2)
	require.Equal(t, "node 4", string(x.saved[0].Name()))
	x.boot()
	require.Empty(t, x.ready)
	w.until(90, "all friends ready again", func() bool {
		return w.closed() && len(x.ready) == 2
	})
}

// Who stops tells all peers.
// SPEC T-145
func TestStop(t *testing.T) {
	w := newWorld(t, 6, 5, 0)
	w.ring()
	w.until(60, "all friends online", w.closed)
	x := w.nodes[2]
	x.Stop(w.now)
	x.flush()
	require.Empty(t, x.online)
	w.run(packets.Second / 5)
	require.NotContains(t, x.next(1).online, x.real.Public)
	require.NotContains(t, x.next(-1).online, x.real.Public)
	info, held := x.Peer(x.next(1).real.Public)
	require.False(t, held, "%v", info)
}

// Verbs refuse what they must, and then nothing is sent.
// SPEC T-146
func TestRefused(t *testing.T) {
	w := newWorld(t, 7, 4, 0)
	w.ring()
	w.until(60, "all friends online", w.closed)
	a, b := w.nodes[1], w.nodes[2]
	far := w.nodes[3].real.Public
	write := func(to packets.PublicKey, payload string, lossy bool) error {
		err := a.Write(w.now, to, []byte(payload), lossy)
		require.Empty(t, a.Poll().Sends)
		return err
	}
	require.ErrorIs(t, write(far, "\x63x", false), tox.ErrOffline)
	for _, payload := range []string{"", "\x10", "\x40x", "\x5f", "\x65", "\xc7x"} {
		require.ErrorIs(t, write(b.real.Public, payload, false), tox.ErrPacket)
	}
	require.ErrorIs(t, write(b.real.Public, "\x63x", true), tox.ErrPacket)
	require.ErrorIs(t, write(b.real.Public, "\x63"+strings.Repeat("x", packets.MaxPacket), false), netcrypto.ErrLength)
	require.ErrorIs(t, a.Want(w.now, a.real.Public, packets.PublicKey{}), friend.ErrOwnKey)
	require.ErrorIs(t, a.AcceptFriend(w.now, a.real.Public), messenger.ErrOwnKey)
	require.Error(t, a.AcceptFriend(w.now, packets.PublicKey{}), "a key of low order")
	require.ErrorIs(t, a.RemoveFriend(w.now, far), messenger.ErrStranger)
	require.ErrorIs(t, a.Receive(w.now, b.addr, nil), tox.ErrKind)
	require.ErrorIs(t, a.Receive(w.now, b.addr, []byte{0x21, 1}), tox.ErrKind)
	require.NoError(t, a.Check())
}
