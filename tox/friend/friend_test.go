package friend

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
)

// SPEC T-123, T-124
func TestFriendsMeetThroughTheOnion(t *testing.T) {
	w := newWorld(t, 1, "ab")
	a, b := w.nodes[0], w.nodes[1]
	a.hold(FriendList, b, false)
	b.hold(FriendList, a, false)
	took := w.passUntil(20*packets.Second, both(a, b))
	require.LessOrEqual(t, took, onionFirst+2*packets.Second)
	i, ok := a.Peer(b.real)
	require.True(t, ok)
	require.Equal(t, Info{Users: FriendList, Online: true, DHT: b.dht, Source: Proven}, i)
	require.True(t, a.onions[b.real].online)

	// Alive packets go at once and then every 8 s, and keep the link up.
	w.pass(10 * 60 * packets.Second)
	require.Equal(t, []string{"1 b"}, a.log)
	require.Equal(t, []string{"1 a"}, b.log)
	for k := 1; k < len(a.alives); k++ {
		require.Equal(t, int64(aliveEvery), a.alives[k].Seconds()-a.alives[k-1].Seconds())
	}
	require.Len(t, a.alives, 10*60/aliveEvery+1)
}

func TestNeighboursMeetByHearsay(t *testing.T) {
	w := newWorld(t, 1, "ab")
	w.onion = false
	a, b := w.nodes[0], w.nodes[1]
	a.hold(Conferences, b, true)
	b.hold(Conferences, a, true)
	require.LessOrEqual(t, w.passUntil(20*packets.Second, both(a, b)), packets.Second)
	require.False(t, a.expected[b.real], "not a friend")
}

// Without the other's consent there is no connection; with it at once.
// SPEC T-117
func TestOnlyOneWants(t *testing.T) {
	for _, late := range []packets.Time{30 * packets.Second, 500 * packets.Second} {
		w := newWorld(t, 1, "ab")
		w.onion = false
		a, b := w.nodes[0], w.nodes[1]
		a.hold(Conferences, b, true)
		w.pass(late)
		require.Empty(t, a.log)
		require.Empty(t, b.log)
		b.hold(Conferences, a, true)
		require.LessOrEqual(t, w.passUntil(20*packets.Second, both(a, b)), 2*packets.Second)
	}
}

// A cut is noticed after 24 to 32 s, and a short one is healed by the dials
// that go on all the time.
func TestCut(t *testing.T) {
	for seed := range uint64(8) {
		w := newWorld(t, seed, "ab")
		w.onion = false
		a, b := w.nodes[0], w.nodes[1]
		a.hold(Conferences, b, true)
		b.hold(Conferences, a, true)
		w.passUntil(20*packets.Second, both(a, b))
		w.pass(60*packets.Second + packets.Time(seed)*1300)
		w.cut = func(_, _ *node) bool { return true }
		from := w.now
		w.pass(23 * packets.Second)
		require.True(t, both(a, b)())
		w.passUntil(20*packets.Second, neither(a, b))
		require.LessOrEqual(t, w.now-from, (aliveTimeout+1)*packets.Second)
		w.pass(70*packets.Second - (w.now - from))
		w.cut = nil
		require.LessOrEqual(t, w.passUntil(20*packets.Second, both(a, b)), 2*packets.Second)
		require.Equal(t, []string{"1 b", "2 b", "1 b"}, a.log)
	}
}

// After a long cut the DHT keys are forgotten: friends find each other again
// through the onion, others only when somebody tells a key again.
func TestLongCut(t *testing.T) {
	w := newWorld(t, 3, "ab")
	a, b := w.nodes[0], w.nodes[1]
	a.hold(FriendList, b, true)
	b.hold(FriendList, a, true)
	w.passUntil(20*packets.Second, both(a, b))
	w.cut = func(_, _ *node) bool { return true }
	w.passUntil(40*packets.Second, neither(a, b))
	w.pass((keyLife + tries + 2) * packets.Second)
	i, _ := a.Peer(b.real)
	require.Equal(t, Info{Users: FriendList}, i)
	require.Zero(t, a.searches[b.dht])
	require.Equal(t, packets.PublicKey{}, a.onions[b.real].dht)
	dialed := a.dialed
	w.pass(600 * packets.Second)
	require.Equal(t, dialed, a.dialed, "dials without a key")

	w.onion, w.cut = false, nil
	w.pass(600 * packets.Second)
	require.True(t, neither(a, b)())
	require.NoError(t, a.DHTKeyKnown(w.now, b.real, b.dht, Hearsay))
	a.drain()
	w.passUntil(3*packets.Second, both(a, b))

	w.cut = func(_, _ *node) bool { return true }
	w.pass(600 * packets.Second)
	w.onion, w.cut = true, nil
	w.passUntil(onionEvery+3*packets.Second, both(a, b))
}

// SPEC T-117
func TestReleaseAndHoldAgain(t *testing.T) {
	w := newWorld(t, 1, "ab")
	w.onion = false
	a, b := w.nodes[0], w.nodes[1]
	a.hold(Conferences, b, true)
	b.hold(Conferences, a, true)
	w.passUntil(20*packets.Second, both(a, b))

	a.release(Conferences, b)
	require.Equal(t, []string{"1 b", "2 b"}, a.log)
	_, ok := a.Peer(b.real)
	require.False(t, ok)
	require.Empty(t, a.expected)
	require.Zero(t, a.searches[b.dht])
	w.pass(2 * delay)
	require.Equal(t, []string{"1 a", "2 a"}, b.log)
	w.pass(30 * packets.Second)
	require.True(t, neither(a, b)())
	a.hold(Conferences, b, true)
	require.LessOrEqual(t, w.passUntil(20*packets.Second, both(a, b)), 2*packets.Second)

	// Released and held within one output: a new session.
	a.Release(w.now, Conferences, b.real)
	require.NoError(t, a.Hold(w.now, Conferences, b.real))
	require.NoError(t, a.DHTKeyKnown(w.now, b.real, b.dht, Hearsay))
	require.NoError(t, a.AddressFound(w.now, b.dht, b.addr))
	out := a.Poll()
	require.Equal(t, []Event{{Kind: Offline, Real: b.real, Released: true}}, out.Events)
	kinds := make([]CommandKind, len(out.Commands))
	for i, c := range out.Commands {
		kinds[i] = c.Kind
	}
	require.Equal(t, []CommandKind{Forget, StopDHT, StopOnion, Expect, SearchOnion, SearchDHT, OnionKey, Dial}, kinds)
}

// A connection of two users lives until both have let go.
// SPEC T-117
func TestTwoUsers(t *testing.T) {
	w := newWorld(t, 1, "ab")
	a, b := w.nodes[0], w.nodes[1]
	a.hold(Conferences, b, true)
	b.hold(FriendList, a, true)
	w.passUntil(20*packets.Second, both(a, b))
	require.False(t, a.expected[b.real])
	a.hold(FriendList, b, true)
	require.True(t, a.expected[b.real])
	require.Equal(t, []string{"1 b", "1 b"}, a.log, "the second user learns that it is online")
	a.hold(FriendList, b, true)
	require.Len(t, a.log, 2)
	a.release(FriendList, b)
	require.False(t, a.expected[b.real])
	a.release(FriendList, b)
	w.pass(40 * packets.Second)
	require.True(t, both(a, b)())
	a.release(Conferences, b)
	require.False(t, a.online[b.real])
	require.Equal(t, []string{"1 b", "1 b", "2 b"}, a.log)
}

// Who starts anew has a new DHT key, which its handshake proves; the old
// session ends without waiting for silence.
// SPEC T-120
func TestRestart(t *testing.T) {
	for _, hearsay := range []bool{true, false} {
		w := newWorld(t, 1, "ab")
		a, b := w.nodes[0], w.nodes[1]
		a.hold(FriendList, b, true)
		b.hold(FriendList, a, true)
		w.passUntil(20*packets.Second, both(a, b))
		old := b.dht
		b.start()
		b.hold(FriendList, a, hearsay)
		w.passUntil(40*packets.Second, func() bool { return len(a.log) == 3 && both(a, b)() })
		require.Equal(t, []string{"1 b", "2 b", "1 b"}, a.log)
		i, _ := a.Peer(b.real)
		require.Equal(t, b.dht, i.DHT)
		require.Zero(t, a.searches[old])
		require.Equal(t, 1, a.searches[b.dht])
		require.Equal(t, b.dht, a.onions[b.real].dht)
	}
}

// SPEC T-119, T-120
func TestDHTKeyChange(t *testing.T) {
	w := newWorld(t, 1, "ab")
	w.onion = false
	a, b := w.nodes[0], w.nodes[1]
	a.hold(Conferences, b, true)
	b.hold(Conferences, a, true)
	w.passUntil(20*packets.Second, both(a, b))
	other := packets.PublicKey{7}

	// What others say of one who told its key itself changes nothing.
	before := fmt.Sprintf("%+v", *a.byKey[b.real])
	require.ErrorIs(t, a.DHTKeyKnown(w.now, b.real, other, Hearsay), ErrHearsay)
	require.Equal(t, before, fmt.Sprintf("%+v", *a.byKey[b.real]))
	require.Empty(t, a.Poll().Commands)
	require.NoError(t, a.DHTKeyKnown(w.now, b.real, b.dht, Hearsay))
	require.Empty(t, a.Poll().Commands)

	require.NoError(t, a.DHTKeyKnown(w.now, b.real, other, Told))
	out := a.Poll()
	require.Equal(t, []Command{
		{Kind: CloseSession, Real: b.real},
		{Kind: OnionOnline, Real: b.real},
		{Kind: StopDHT, DHT: b.dht},
		{Kind: SearchDHT, DHT: other},
		{Kind: OnionKey, Real: b.real, DHT: other},
	}, out.Commands)
	require.Equal(t, []Event{{Kind: Offline, Real: b.real}}, out.Events)
	i, _ := a.Peer(b.real)
	require.Equal(t, Info{Users: Conferences, DHT: other, Source: Told}, i)
	for range 10 {
		w.now += packets.Second
		a.Tick(w.now)
		require.Empty(t, a.Poll().Commands, "the old address is not that of the new key")
	}
}

// Hearsay replaces hearsay until a session stands.
// SPEC T-119
func TestHearsayOnHearsay(t *testing.T) {
	w := newWorld(t, 1, "ab")
	w.onion = false
	a, b := w.nodes[0], w.nodes[1]
	a.hold(Conferences, b, false)
	b.hold(Conferences, a, false)
	for k := range byte(3) {
		require.NoError(t, a.DHTKeyKnown(w.now, b.real, packets.PublicKey{k, 9}, Hearsay))
		a.drain()
		require.NoError(t, a.AddressFound(w.now, packets.PublicKey{k, 9}, b.addr))
		a.drain()
		w.pass(3 * packets.Second)
	}
	require.NoError(t, a.DHTKeyKnown(w.now, b.real, b.dht, Hearsay))
	a.drain()
	w.passUntil(3*packets.Second, both(a, b))
}

// SPEC T-122
func TestForgottenAfter122Seconds(t *testing.T) {
	real, dht, addr := packets.PublicKey{1}, packets.PublicKey{2}, netip.MustParseAddrPort("10.0.0.1:1")
	m := New(Config{Real: packets.PublicKey{8}, DHT: packets.PublicKey{9}})
	now := begin
	require.NoError(t, m.Hold(now, Conferences, real))
	require.Zero(t, m.Poll().Wake)
	require.NoError(t, m.DHTKeyKnown(now, real, dht, Told))
	require.Equal(t, now+122*packets.Second, m.Poll().Wake)
	now += 100 * packets.Second
	require.NoError(t, m.DHTKeyKnown(now, real, dht, Hearsay), "told again")
	m.Tick(now + 121999)
	require.Empty(t, m.Poll().Commands)
	require.ErrorIs(t, m.AddressFound(now+121999, packets.PublicKey{3}, addr), ErrUnknown)
	m.Tick(now + 122000)
	require.Equal(t, []Command{{Kind: StopDHT, DHT: dht}, {Kind: OnionKey, Real: real}}, m.Poll().Commands)
	require.Zero(t, m.Poll().Wake)
	require.ErrorIs(t, m.AddressFound(now, dht, addr), ErrUnknown)

	// An address as well, while the key is told again and again.
	now += 200 * packets.Second
	require.NoError(t, m.DHTKeyKnown(now, real, dht, Told))
	require.NoError(t, m.AddressFound(now, dht, addr))
	require.Equal(t, Dial, m.Poll().Commands[2].Kind)
	require.NoError(t, m.DHTKeyKnown(now+100*packets.Second, real, dht, Told))
	require.NoError(t, m.SessionDown(now+121999, real, false))
	require.Equal(t, []Command{{Kind: Dial, Real: real, DHT: dht, Addrs: []netip.AddrPort{addr}}}, m.Poll().Commands)
	require.NoError(t, m.SessionDown(now+122000, real, false))
	require.Empty(t, m.Poll().Commands)
	require.NoError(t, m.Check())
}

// Dials that fail at once do not spin, and both families are dialled.
// SPEC T-121
func TestRedial(t *testing.T) {
	real, dht := packets.PublicKey{1}, packets.PublicKey{2}
	v4, v6 := netip.MustParseAddrPort("10.0.0.1:1"), netip.MustParseAddrPort("[fe80::1]:2")
	m := New(Config{Real: packets.PublicKey{8}, DHT: packets.PublicKey{9}})
	now, dials := begin, 0
	require.NoError(t, m.Hold(now, FriendList, real))
	require.NoError(t, m.DHTKeyKnown(now, real, dht, Told))
	require.NoError(t, m.AddressFound(now, dht, v6))
	require.NoError(t, m.AddressFound(now, dht, netip.AddrPortFrom(netip.MustParseAddr("::ffff:10.0.0.1"), 1)))
	var last Command
	for out := m.Poll(); now < begin+300*packets.Second; out = m.Poll() {
		failed := false
		for _, c := range out.Commands {
			if c.Kind == Dial {
				last = c
				last.Addrs = append([]netip.AddrPort(nil), c.Addrs...)
				dials++
				failed = true
			}
		}
		switch {
		case failed:
			require.NoError(t, m.SessionDown(now, real, false))
		case out.Wake == 0:
			now = begin + 300*packets.Second
		default:
			require.Greater(t, out.Wake, now)
			now = out.Wake
			m.Tick(now)
		}
		require.NoError(t, m.Check())
	}
	require.Equal(t, []netip.AddrPort{v4, v6}, last.Addrs)
	require.Equal(t, keyLife+1, dials, "one a second, and one with the second address")
}

// The exact seconds of a session: alive packets at once and every 8 s, 32 s of
// silence; and what is known of a peer is fresh when its session ends.
// SPEC T-122 to T-124
func TestSessionTimes(t *testing.T) {
	real, dht, addr := packets.PublicKey{1}, packets.PublicKey{2}, netip.MustParseAddrPort("10.0.0.1:1")
	m := New(Config{Real: packets.PublicKey{8}, DHT: packets.PublicKey{9}})
	at := func(sec packets.Time) packets.Time { return begin + sec*packets.Second }
	alive := Command{Kind: Send, Real: real, Data: []byte{PacketAlive}}
	dial := Command{Kind: Dial, Real: real, DHT: dht, Addrs: []netip.AddrPort{addr}}
	require.NoError(t, m.Hold(begin, FriendList, real))
	require.NoError(t, m.SessionUp(begin, real, dht, addr))
	out := m.Poll()
	require.Contains(t, out.Commands, alive)
	require.Equal(t, at(8), out.Wake)
	for sec := packets.Time(8); sec < 32; sec += 8 {
		m.Tick(at(sec) - 1)
		require.Empty(t, m.Poll().Commands)
		m.Tick(at(sec))
		require.Equal(t, []Command{alive}, m.Poll().Commands)
	}
	require.NoError(t, m.Receive(at(32)-1, real, false, []byte{PacketAlive}))
	m.Tick(at(32))
	require.Equal(t, []Command{alive}, m.Poll().Commands, "heard in time")
	m.Tick(at(62))
	require.Equal(t, []Command{alive}, m.Poll().Commands)
	m.Tick(at(63))
	out = m.Poll()
	require.Equal(t, []Command{{Kind: CloseSession, Real: real}, {Kind: OnionOnline, Real: real}, dial}, out.Commands)
	require.Equal(t, []Event{{Kind: Offline, Real: real}}, out.Events)

	// Nobody was heard at the address for long, but by the session.
	require.NoError(t, m.SessionUp(at(100), real, dht, netip.AddrPort{}))
	for sec := packets.Time(100); sec < 1000; sec += 10 {
		require.NoError(t, m.Receive(at(sec), real, false, []byte{PacketAlive}))
		m.Tick(at(sec))
	}
	m.Poll()
	require.NoError(t, m.SessionDown(at(1000), real, false))
	require.Equal(t, []Command{{Kind: OnionOnline, Real: real}, dial}, m.Poll().Commands)

	// A new key is dialled at once, even in the second of a dial.
	require.NoError(t, m.DHTKeyKnown(at(1000), real, packets.PublicKey{3}, Told))
	m.Poll()
	require.NoError(t, m.AddressFound(at(1000), packets.PublicKey{3}, addr))
	dial.DHT = packets.PublicKey{3}
	require.Equal(t, []Command{dial}, m.Poll().Commands)
	require.NoError(t, m.Check())
}

// Packets that come between two Polls keep their order, too.
// SPEC T-127
func TestPayloadsOfOneOutput(t *testing.T) {
	real := packets.PublicKey{1}
	m := New(Config{Real: packets.PublicKey{8}, DHT: packets.PublicKey{9}})
	require.NoError(t, m.Hold(begin, Conferences, real))
	require.NoError(t, m.SessionUp(begin, real, packets.PublicKey{2}, netip.AddrPort{}))
	m.Poll()
	var want []Event
	for _, id := range []byte{19, 96, 200, 48, 191, 254} {
		require.NoError(t, m.Receive(begin, real, id >= firstLossy, []byte{id, 'x'}))
		want = append(want, Event{Kind: Payload, Real: real, Lossy: id >= firstLossy, Data: []byte{id, 'x'}})
	}
	require.Equal(t, want, m.Poll().Events)
}

// Packets go up in order, without those of this layer.
// SPEC T-125 to T-127
func TestPayloads(t *testing.T) {
	w := newWorld(t, 1, "ab")
	a, b := w.nodes[0], w.nodes[1]
	a.hold(FriendList, b, true)
	b.hold(FriendList, a, true)
	w.passUntil(20*packets.Second, both(a, b))
	var want []string
	for k := range 300 {
		p := []byte{byte(19 + k%173), byte(k), byte(k >> 8)}
		a.write(b, false, p)
		want = append(want, fmt.Sprintf("a%s", p))
	}
	a.write(b, false, append([]byte{PacketRelays}, make([]byte, 39*3)...))
	require.NoError(t, a.SendRequest(w.now, b.real, [4]byte{1, 2, 3, 4}, []byte("hello")))
	a.drain()
	want = append(want, "a01hello")
	w.cut = func(_, _ *node) bool { return true }
	w.pass(10 * packets.Second)
	require.Empty(t, b.got)
	w.cut = nil
	w.pass(packets.Second)
	require.Equal(t, want, b.got)
	b.got = nil
	a.write(b, true, []byte{192})
	a.write(b, true, []byte{254, 1})
	w.pass(packets.Second)
	require.Equal(t, []string{"a\xc0", "a\xfe\x01"}, b.got)
}
