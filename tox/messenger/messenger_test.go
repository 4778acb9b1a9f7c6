package messenger

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
)

// A request, its acceptance, and what both learn of each other.
// SPEC T-128, T-130, T-135
func TestRequestAndAccept(t *testing.T) {
	w := newWorld(t, 1, "ab")
	a, b := w.nodes[0], w.nodes[1]
	a.events, b.events = nil, nil
	require.NoError(t, a.AddFriend(w.now, b.key, b.noSpam, []byte("it is me")))
	a.drain()
	w.pass(packets.Second)
	require.Equal(t, []string{"1a 0 false it is me"}, b.events)
	require.Equal(t, packets.FriendRequested, a.Friends(w.now)[0].Status())
	require.NoError(t, b.AcceptFriend(w.now, a.key))
	b.drain()
	require.Empty(t, b.asked)
	require.Empty(t, b.sent)
	b.events = nil
	w.join(a, b)
	w.pass(packets.Second)
	require.Equal(t, []string{"2b", "4b 0 false b", "5b 0 false I am b", "6b 1"}, a.events)
	require.Equal(t, []string{"2a", "4a 0 false a", "5a 0 false I am a", "6a 1"}, b.events)
	require.Equal(t, []byte{24, 24, 48, 49, 50, 51}, a.sent)
	require.Equal(t, []byte{24, 24, 48, 49, 50, 51}, b.sent)
	got, ok := a.Friend(w.now, b.key)
	require.True(t, ok)
	require.Equal(t, Friend{
		Key: b.key, Confirmed: true, Linked: true, Ready: true, Status: packets.Away,
		Name: []byte("b"), StatusMessage: []byte("I am b"), LastSeen: uint64(w.now.Seconds()),
	}, got)
	asked := len(a.asked)
	w.pass(1000 * packets.Second)
	require.Len(t, a.asked, asked, "asks no more")
	require.Zero(t, a.wake)
}

// Requests come again every second until one is sent, and then after 5, 10,
// 20 s and so on.
// SPEC T-136
func TestRequestSchedule(t *testing.T) {
	w := newWorld(t, 1, "ab")
	w.onion = false
	a, b := w.nodes[0], w.nodes[1]
	b.events = nil
	require.NoError(t, a.AddFriend(w.now, b.key, b.noSpam, []byte("x")))
	a.drain()
	w.pass(3500)
	require.Len(t, a.asked, 4)
	require.Equal(t, packets.FriendAdded, a.Friends(w.now)[0].Status())
	w.onion = true
	a.asked = nil
	w.pass(40 * packets.Second)
	var gaps []int64
	for i := 1; i < len(a.asked); i++ {
		gaps = append(gaps, (a.asked[i] - a.asked[i-1]).Seconds())
	}
	require.Equal(t, []int64{5, 10, 20}, gaps)
	require.Equal(t, []string{"1a 0 false x"}, b.events, "told once")

	// Another text begins anew.
	require.NoError(t, a.AddFriend(w.now, b.key, b.noSpam, []byte("y")))
	a.asked = nil
	a.drain()
	w.pass(6 * packets.Second)
	require.Len(t, a.asked, 2)
	require.Len(t, a.friends, 1)

	// The doubling ends before it overflows.
	for range 100 {
		a.RequestSent(w.now, b.key)
	}
	require.Equal(t, int64(maxRequestTimeout), a.friends[0].timeout)
	require.NoError(t, a.Check())
}

// Until packet 24 came nothing counts but packets of conferences.
// SPEC T-128, T-129, T-141
func TestGate(t *testing.T) {
	w := newWorld(t, 1, "ab")
	a, b := w.nodes[0], w.nodes[1]
	require.NoError(t, a.AcceptFriend(w.now, b.key))
	a.drain()
	receive := func(lossy bool, p ...byte) error { return a.Receive(w.now, b.key, lossy, p) }
	require.ErrorIs(t, receive(false, 24), ErrNotReady)
	w.link(a, b) // b does not have a
	w.pass(packets.Second)
	require.Equal(t, []byte{24}, a.sent)
	require.Empty(t, b.sent)
	for _, id := range []byte{25, 48, 49, 50, 51, 64, 65, 80, 96, 160, 191, 192, 254} {
		require.ErrorIs(t, receive(id >= 192, id, 0), ErrNotReady, id)
		require.ErrorIs(t, a.Receive(w.now, packets.PublicKey{77}, id >= 192, []byte{id, 0}), ErrStranger, id)
	}
	for _, id := range []byte{97, 98, 99, 100, 199} {
		a.events = nil
		require.NoError(t, a.Receive(w.now, packets.PublicKey{'z'}, id == 199, []byte{id, 'x'}))
		a.drain()
		require.Equal(t, []string{fmt.Sprintf("12z 0 %v %c%s", id == 199, id, "x")}, []string{strings.ReplaceAll(a.events[0], string([]byte{id}), string(rune(id)))})
	}
	_, err := a.SendMessage(w.now, b.key, Normal, []byte("x"))
	require.ErrorIs(t, err, ErrNotReady)
	require.ErrorIs(t, a.SendCustom(w.now, b.key, []byte{160}), ErrNotReady)
	require.ErrorIs(t, a.SetTyping(w.now, b.key, true), ErrNotReady)

	// b adds a while the connection is up: both become ready.
	a.events, a.sent, b.events = nil, nil, nil
	require.NoError(t, b.AcceptFriend(w.now, a.key))
	b.drain()
	b.Online(w.now, a.key)
	b.drain()
	w.pass(packets.Second)
	require.Equal(t, "2b", a.events[0])
	require.Equal(t, "2a", b.events[0])
	require.Equal(t, []byte{24, 48, 49, 50, 51}, a.sent, "answers")

	// An invite passes now; packet 24 again changes nothing.
	a.events, a.sent = nil, nil
	require.NoError(t, receive(false, 96, 0))
	require.NoError(t, receive(false, 24))
	a.drain()
	require.Equal(t, []string{"12b 0 false `\x00"}, a.events)
	require.Empty(t, a.sent)
}

// SPEC T-133, T-134
func TestMessagesAndReceipts(t *testing.T) {
	w := newWorld(t, 1, "ab")
	a, b := w.nodes[0], w.nodes[1]
	w.befriend(a, b)
	one, err := a.SendMessage(w.now, b.key, Normal, []byte("hello"))
	require.NoError(t, err)
	two, err := a.SendMessage(w.now, b.key, Action, []byte("waves"))
	require.NoError(t, err)
	a.drain()
	w.pass(delay + 1)
	require.Equal(t, []string{"8a 0 false hello", "8a 1 false waves"}, b.events)
	require.Empty(t, a.events)
	w.pass(delay)
	require.Equal(t, []string{fmt.Sprintf("9b %d", one), fmt.Sprintf("9b %d", two)}, a.events)

	// A message on its way when the connection ends is reported as lost.
	a.events = nil
	three, err := a.SendMessage(w.now, b.key, Normal, []byte("?"))
	require.NoError(t, err)
	a.drain()
	w.cut(a, b)
	w.pass(packets.Second)
	require.Equal(t, []string{"3b", fmt.Sprintf("10b %d", three)}, a.events)
	w.join(a, b)
	w.pass(packets.Second)
	require.Equal(t, "2b", a.events[2])
	require.Len(t, a.events, 3, "neither name nor status has changed")
}

// An acknowledgement counts for the packets before its number, also where
// numbers wrap.
// SPEC T-133
func TestAcked(t *testing.T) {
	for _, first := range []uint32{0, 7, 1<<32 - 2} {
		w := newWorld(t, 1, "ab")
		a, b := w.nodes[0], w.nodes[1]
		w.befriend(a, b)
		for k := range uint32(4) {
			n, err := a.SendMessage(w.now, b.key, Normal, []byte("x"))
			require.NoError(t, err)
			a.Sent(b.key, n, first+2*k)
		}
		acked := func(number uint32) int {
			a.Poll()
			a.Acked(w.now, b.key, number)
			return len(a.Poll().Events)
		}
		require.Zero(t, acked(first))
		require.Equal(t, 1, acked(first+1))
		require.Zero(t, acked(first+2))
		require.Equal(t, 2, acked(first+5))
		require.Zero(t, acked(first+5))
		require.Equal(t, 1, acked(first+99))
		require.NoError(t, a.Check())
	}
}

// SPEC T-130
func TestNewsAreRetried(t *testing.T) {
	for seed := range uint64(20) {
		w := newWorld(t, seed, "ab")
		a, b := w.nodes[0], w.nodes[1]
		w.full = 0.7
		require.NoError(t, a.AcceptFriend(w.now, b.key))
		a.drain()
		require.NoError(t, b.AcceptFriend(w.now, a.key))
		b.drain()
		w.join(a, b)
		w.pass(30 * packets.Second)
		f, _ := b.Friend(w.now, a.key)
		require.True(t, f.Ready)
		require.Equal(t, "a", string(f.Name))
		require.Equal(t, "I am a", string(f.StatusMessage))
		require.NoError(t, a.SetName(w.now, []byte("new")))
		require.NoError(t, a.SetStatusMessage(w.now, nil))
		require.NoError(t, a.SetStatus(w.now, packets.Busy))
		require.NoError(t, a.SetTyping(w.now, b.key, true))
		a.drain()
		w.pass(30 * packets.Second)
		f, _ = b.Friend(w.now, a.key)
		require.Equal(t, "new", string(f.Name))
		require.Empty(t, f.StatusMessage)
		require.Equal(t, packets.Busy, f.Status)
		require.True(t, f.Typing)
		w.pass(30 * packets.Second)
		require.Zero(t, a.wake)
	}
}

// A message that the connection did not take is forgotten.
func TestRefusedMessage(t *testing.T) {
	w := newWorld(t, 1, "ab")
	a, b := w.nodes[0], w.nodes[1]
	w.befriend(a, b)
	w.full = 1
	_, err := a.SendMessage(w.now, b.key, Normal, []byte("x"))
	require.NoError(t, err)
	a.drain()
	w.full = 0
	n, err := a.SendMessage(w.now, b.key, Normal, []byte("y"))
	require.NoError(t, err)
	a.drain()
	w.pass(packets.Second)
	require.Equal(t, []string{fmt.Sprintf("9b %d", n)}, a.events)
	require.Zero(t, a.wake)
}

// SPEC T-130, T-140
func TestProfileAndCustom(t *testing.T) {
	w := newWorld(t, 1, "abc")
	a, b := w.nodes[0], w.nodes[1]
	w.befriend(a, b)
	dirty := b.dirty
	require.NoError(t, a.SetName(w.now, []byte("Ann")))
	require.NoError(t, a.SetName(w.now, []byte("Ann")))
	require.NoError(t, a.SetStatusMessage(w.now, []byte("fine")))
	require.NoError(t, a.SetStatus(w.now, packets.Busy))
	require.NoError(t, a.SetTyping(w.now, b.key, true))
	require.NoError(t, a.SetTyping(w.now, b.key, true))
	require.NoError(t, a.SetTyping(w.now, b.key, false))
	require.NoError(t, a.SendCustom(w.now, b.key, []byte{160}))
	require.NoError(t, a.SendCustom(w.now, b.key, []byte{191, 'x'}))
	require.NoError(t, a.SendCustom(w.now, b.key, []byte{254, 'y'}))
	a.drain()
	w.pass(packets.Second)
	require.Equal(t, []string{
		"4a 0 false Ann", "5a 0 false fine", "6a 2", "7a true", "7a false",
		"11a 0 false \xa0", "11a 0 false \xbfx", "11a 0 true \xfey",
	}, b.events)
	require.Equal(t, dirty+3, b.dirty)
	for _, p := range [][]byte{{199, 1}, {255}, {159}, {64, 'x'}} {
		require.ErrorIs(t, a.SendCustom(w.now, b.key, p), ErrPacket)
	}
}

// A file offer is refused by a control packet about its number.
// SPEC T-139
func TestFileOfferIsRefused(t *testing.T) {
	w := newWorld(t, 1, "ab")
	a, b := w.nodes[0], w.nodes[1]
	w.befriend(a, b)
	offer := append([]byte{80, 7}, make([]byte, 44)...)
	require.ErrorIs(t, a.Receive(w.now, b.key, false, offer[:45]), ErrLength)
	require.NoError(t, a.Receive(w.now, b.key, false, append(offer, "name"...)))
	require.Equal(t, []Send{{To: b.key, Data: []byte{81, 1, 7, 2}}}, a.Poll().Sends)
}

// SPEC T-131, T-143
func TestRemove(t *testing.T) {
	w := newWorld(t, 1, "ab")
	a, b := w.nodes[0], w.nodes[1]
	w.befriend(a, b)
	_, err := a.SendMessage(w.now, b.key, Normal, []byte("bye"))
	require.NoError(t, err)
	a.drain()
	require.NoError(t, a.RemoveFriend(w.now, b.key))
	out := a.Poll()
	require.Equal(t, []Send{{To: b.key, Data: []byte{25}}}, out.Sends)
	require.Equal(t, []Conn{{Peer: b.key}}, out.Conns)
	require.Equal(t, []EventKind{Gone, Lost}, []EventKind{out.Events[0].Kind, out.Events[1].Kind})
	require.True(t, out.Dirty)
	require.Empty(t, a.Friends(w.now))

	// b is told; it stays a's friend in its own list, and may become so again.
	require.NoError(t, b.Receive(w.now, a.key, false, []byte{25}))
	b.drain()
	require.Equal(t, []string{"3a"}, b.events)
	f, _ := b.Friend(w.now, a.key)
	require.True(t, f.Linked && f.Confirmed && !f.Ready)
	require.Equal(t, uint64(w.now.Seconds()), f.LastSeen)
	require.NoError(t, b.Receive(w.now, a.key, false, []byte{24}))
	b.drain()
	require.Equal(t, []string{"3a", "2a"}, b.events)
}

// What is saved comes back: who is a friend, who is asked, and every byte of
// the records that we do not change.
func TestSave(t *testing.T) {
	w := newWorld(t, 1, "abc")
	a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
	w.befriend(a, b)
	require.NoError(t, a.AddFriend(w.now, c.key, c.noSpam, []byte("please")))
	a.drain()
	w.pass(100 * packets.Second)
	saved := a.Friends(w.now)
	require.Len(t, saved, 2)
	require.Equal(t, uint64(w.now.Seconds()), saved[0].LastSeen())
	require.Equal(t, "b", string(saved[0].Name()))
	saved[0][1058-1] = 0xee // a pad
	var unused packets.SavedFriend
	twice := saved[0]
	var own packets.SavedFriend
	own.SetKey(a.key)
	own.SetStatus(packets.FriendConfirmed)
	a.asked, c.events = nil, nil
	a.start(append([]packets.SavedFriend{unused, own}, append(slices.Clone(saved), twice)...))
	require.Len(t, a.friends, 2)
	require.True(t, a.held[b.key] && a.held[c.key])
	require.Equal(t, saved, a.Friends(w.now))
	require.Len(t, a.asked, 1, "asks again")
	f, _ := a.Friend(w.now, b.key)
	require.Equal(t, "I am b", string(f.StatusMessage))
	require.False(t, f.Ready)
	w.pass(packets.Second)
	w.join(a, b)
	w.pass(packets.Second)
	f, _ = a.Friend(w.now, b.key)
	require.True(t, f.Ready)

	for _, cfg := range []Config{{Name: make([]byte, 129)}, {StatusMessage: make([]byte, 1008)}} {
		_, err := New(cfg, begin)
		require.ErrorIs(t, err, ErrLength)
	}
	_, err := New(Config{Status: 3}, begin)
	require.ErrorIs(t, err, ErrValue)
}
