package messenger

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
)

// SPEC T-88, T-137, T-143
func TestRequestsRefused(t *testing.T) {
	w := newWorld(t, 1, "ab")
	a := w.nodes[0]
	w.befriend(a, w.nodes[1])
	key := func(k int) packets.PublicKey { return packets.PublicKey{99, byte(k)} }
	text := []byte("x")
	require.ErrorIs(t, a.Request(w.now, a.key, a.noSpam, text), ErrOwnKey)
	require.ErrorIs(t, a.Request(w.now, w.nodes[1].key, a.noSpam, text), ErrFriend)
	require.ErrorIs(t, a.Request(w.now, key(0), [4]byte{}, text), ErrNoSpam)
	require.ErrorIs(t, a.Request(w.now, key(0), a.noSpam, nil), ErrLength)
	require.ErrorIs(t, a.Request(w.now, key(0), a.noSpam, make([]byte, 944)), ErrLength)
	require.Empty(t, a.Poll().Events)
	for k := range maxRequesters {
		require.NoError(t, a.Request(w.now, key(k), a.noSpam, text))
	}
	require.Len(t, a.Poll().Events, maxRequesters)
	require.ErrorIs(t, a.Request(w.now, key(0), a.noSpam, text), ErrRepeated)
	require.NoError(t, a.Request(w.now, key(maxRequesters), a.noSpam, text))
	require.NoError(t, a.Request(w.now, key(0), a.noSpam, text), "forgotten by now")
	// Of who was a friend in between nothing is remembered.
	require.NoError(t, a.AcceptFriend(w.now, key(0)))
	require.NoError(t, a.RemoveFriend(w.now, key(0)))
	require.NoError(t, a.Request(w.now, key(0), a.noSpam, text))
	a.SetNoSpam(w.now, [4]byte{5})
	require.ErrorIs(t, a.Request(w.now, key(70), a.noSpam, text), ErrNoSpam)
	require.NoError(t, a.Request(w.now, key(70), [4]byte{5}, text))
	require.NoError(t, a.Check())
}

// SPEC T-132
func TestRefused(t *testing.T) {
	w := newWorld(t, 1, "ab")
	a, b := w.nodes[0], w.nodes[1]
	w.befriend(a, b)
	stranger := packets.PublicKey{50}
	long := func(id byte, n int) []byte { return append([]byte{id}, make([]byte, n)...) }
	receive := func(lossy bool, p []byte) func() error {
		return func() error { return a.Receive(w.now, b.key, lossy, p) }
	}
	message := func(to packets.PublicKey, k Kind, n int) func() error {
		return func() error { _, err := a.SendMessage(w.now, to, k, make([]byte, n)); return err }
	}
	for i, x := range []struct {
		err error
		do  func() error
	}{
		{ErrLength, receive(false, nil)},
		{ErrLength, receive(false, long(64, packets.MaxPacket))},
		{ErrLength, receive(false, long(64, 0))},
		{ErrLength, receive(false, long(24, 1))},
		{ErrLength, receive(false, long(25, 1))},
		{ErrLength, receive(false, long(48, 129))},
		{ErrLength, receive(false, long(49, 1008))},
		{ErrLength, receive(false, long(50, 0))},
		{ErrLength, receive(false, long(51, 2))},
		{ErrValue, receive(false, []byte{50, 3})},
		{ErrPacket, receive(true, long(64, 1))},
		{ErrPacket, receive(false, long(199, 5))},
		{ErrPacket, receive(true, long(97, 5))},
		{ErrPacket, receive(false, long(69, 5))},
		{ErrPacket, receive(false, long(81, 3))},
		{ErrPacket, receive(false, long(95, 5))},
		{ErrPacket, receive(true, long(255, 5))},
		{ErrStranger, message(stranger, Normal, 1)},
		{ErrLength, message(b.key, Normal, 0)},
		{ErrLength, message(b.key, Normal, MaxText+1)},
		{ErrValue, message(b.key, 2, 1)},
		{ErrLength, func() error { return a.SendCustom(w.now, b.key, nil) }},
		{ErrLength, func() error { return a.SendCustom(w.now, b.key, long(160, packets.MaxPacket)) }},
		{ErrStranger, func() error { return a.SetTyping(w.now, stranger, true) }},
		{ErrLength, func() error { return a.SetName(w.now, make([]byte, 129)) }},
		{ErrLength, func() error { return a.SetStatusMessage(w.now, make([]byte, 1008)) }},
		{ErrValue, func() error { return a.SetStatus(w.now, 3) }},
		{ErrOwnKey, func() error { return a.AddFriend(w.now, a.key, b.noSpam, []byte("x")) }},
		{ErrLength, func() error { return a.AddFriend(w.now, stranger, b.noSpam, nil) }},
		{ErrLength, func() error { return a.AddFriend(w.now, stranger, b.noSpam, make([]byte, 922)) }},
		{ErrFriend, func() error { return a.AddFriend(w.now, b.key, b.noSpam, []byte("x")) }},
		{ErrOwnKey, func() error { return a.AcceptFriend(w.now, a.key) }},
		{ErrFriend, func() error { return a.AcceptFriend(w.now, b.key) }},
		{ErrStranger, func() error { return a.RemoveFriend(w.now, stranger) }},
	} {
		before := a.fingerprint()
		require.ErrorIs(t, x.do(), x.err, i)
		require.Equal(t, before, a.fingerprint(), i)
		out := a.Poll()
		require.Equal(t, Output{Sends: out.Sends[:0], Conns: out.Conns[:0], Requests: out.Requests[:0], Events: out.Events[:0], Wake: out.Wake}, out, i)
	}
	require.NoError(t, receive(false, long(48, 128))())
	require.NoError(t, receive(false, long(49, 1007))())
	require.NoError(t, receive(false, long(65, 1372))())
}

// SPEC T-88, T-137, T-142
func TestLimits(t *testing.T) {
	require.Equal(t, []int{512, 4096, 32, 921, 943},
		[]int{MaxFriends, MaxWaiting, maxRequesters, MaxRequestText, maxReceivedText})
	m, err := New(Config{MaxFriends: 2, Self: packets.PublicKey{9}}, begin)
	require.NoError(t, err)
	require.NoError(t, m.AcceptFriend(begin, packets.PublicKey{1}))
	require.NoError(t, m.AddFriend(begin, packets.PublicKey{2}, [4]byte{}, []byte("x")))
	require.ErrorIs(t, m.AcceptFriend(begin, packets.PublicKey{3}), ErrFull)
	require.ErrorIs(t, m.AddFriend(begin, packets.PublicKey{3}, [4]byte{}, []byte("x")), ErrFull)
	require.NoError(t, m.AcceptFriend(begin, packets.PublicKey{2}))
	m.Online(begin, packets.PublicKey{1})
	require.NoError(t, m.Receive(begin, packets.PublicKey{1}, false, []byte{24}))
	for range MaxWaiting {
		_, err := m.SendMessage(begin, packets.PublicKey{1}, Normal, []byte("x"))
		require.NoError(t, err)
	}
	_, err = m.SendMessage(begin, packets.PublicKey{1}, Normal, []byte("x"))
	require.ErrorIs(t, err, ErrFull)
	require.NoError(t, m.Check())
}

// Messages and conference packets that are received cost no allocation.
func TestReceiveAllocatesNothing(t *testing.T) {
	m, err := New(Config{Self: packets.PublicKey{9}}, begin)
	require.NoError(t, err)
	key := packets.PublicKey{1}
	require.NoError(t, m.AcceptFriend(begin, key))
	m.Online(begin, key)
	require.NoError(t, m.Receive(begin, key, false, []byte{24}))
	m.Poll()
	p := append([]byte{99}, make([]byte, 1000)...)
	got := 0
	n := testing.AllocsPerRun(1000, func() {
		for _, id := range []byte{99, 64} {
			p[0] = id
			if m.Receive(begin, key, false, p) == nil {
				got += len(m.Poll().Events)
			}
		}
	})
	require.Zero(t, n)
	require.Equal(t, 2002, got)
	require.Less(t, cap(m.arena), 10*len(p))
}
