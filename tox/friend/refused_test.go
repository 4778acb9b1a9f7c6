package friend

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
)

func TestRefused(t *testing.T) {
	w := newWorld(t, 1, "abc")
	a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
	a.hold(FriendList, b, true)
	b.hold(FriendList, a, true)
	a.hold(FriendList, c, true)
	w.passUntil(20*packets.Second, both(a, b))
	addr := netip.MustParseAddrPort("10.0.0.9:9")
	stranger, self := packets.PublicKey{5}, a.real
	none := packets.PublicKey{}
	for _, x := range []struct {
		name string
		err  error
		do   func() error
	}{
		{"own key", ErrOwnKey, func() error { return a.Hold(w.now, FriendList, self) }},
		{"no user", ErrUser, func() error { return a.Hold(w.now, 0, b.real) }},
		{"two users", ErrUser, func() error { return a.Hold(w.now, FriendList|Conferences, b.real) }},
		{"key of a stranger", ErrUnknown, func() error { return a.DHTKeyKnown(w.now, stranger, b.dht, Told) }},
		{"our DHT key", ErrOwnKey, func() error { return a.DHTKeyKnown(w.now, b.real, a.dht, Told) }},
		{"no DHT key", ErrKey, func() error { return a.DHTKeyKnown(w.now, b.real, none, Told) }},
		{"no source", ErrKey, func() error { return a.DHTKeyKnown(w.now, b.real, b.dht, 0) }},
		{"hearsay", ErrHearsay, func() error { return a.DHTKeyKnown(w.now, b.real, c.dht, Hearsay) }},
		{"address of nobody", ErrUnknown, func() error { return a.AddressFound(w.now, stranger, addr) }},
		{"no address", ErrAddress, func() error { return a.AddressFound(w.now, b.dht, netip.AddrPort{}) }},
		{"no port", ErrAddress, func() error { return a.AddressFound(w.now, b.dht, netip.MustParseAddrPort("10.0.0.1:0")) }},
		{"multicast", ErrAddress, func() error { return a.AddressFound(w.now, b.dht, netip.MustParseAddrPort("224.0.0.1:5")) }},
		{"session of a stranger", ErrUnknown, func() error { return a.SessionUp(w.now, stranger, b.dht, addr) }},
		{"session with our key", ErrOwnKey, func() error { return a.SessionUp(w.now, b.real, a.dht, addr) }},
		{"handshake of a stranger", ErrUnknown, func() error { return a.SessionDHTKeyChanged(w.now, stranger, b.dht) }},
		{"handshake without key", ErrKey, func() error { return a.SessionDHTKeyChanged(w.now, b.real, none) }},
		{"end of a stranger", ErrUnknown, func() error { return a.SessionDown(w.now, stranger, true) }},
		{"packet of a stranger", ErrUnknown, func() error { return a.Receive(w.now, stranger, false, []byte{64}) }},
		{"packet while offline", ErrOffline, func() error { return a.Receive(w.now, c.real, false, []byte{64}) }},
		{"empty packet", ErrLength, func() error { return a.Receive(w.now, b.real, false, nil) }},
		{"long packet", ErrLength, func() error {
			return a.Receive(w.now, b.real, false, append([]byte{64}, make([]byte, packets.MaxPacket)...))
		}},
		{"id too low", ErrPacket, func() error { return a.Receive(w.now, b.real, false, []byte{15}) }},
		{"id too high", ErrPacket, func() error { return a.Receive(w.now, b.real, true, []byte{255}) }},
		{"lossy id", ErrPacket, func() error { return a.Receive(w.now, b.real, false, []byte{192}) }},
		{"lossless id", ErrPacket, func() error { return a.Receive(w.now, b.real, true, []byte{191}) }},
		{"lossy alive", ErrPacket, func() error { return a.Receive(w.now, b.real, true, []byte{PacketAlive}) }},
		{"empty request", ErrLength, func() error { return a.Receive(w.now, b.real, false, []byte{PacketRequest, 1, 2, 3, 4}) }},
		{"request while offline", ErrOffline, func() error { return a.SendRequest(w.now, c.real, [4]byte{}, []byte("x")) }},
		{"request of nothing", ErrLength, func() error { return a.SendRequest(w.now, b.real, [4]byte{}, nil) }},
		{"request too long", ErrLength, func() error { return a.SendRequest(w.now, b.real, [4]byte{}, make([]byte, 1369)) }},
	} {
		a.drain()
		before := a.fingerprint()
		require.ErrorIs(t, x.do(), x.err, x.name)
		require.Equal(t, before, a.fingerprint(), x.name)
		out := a.Poll()
		require.Empty(t, out.Commands, x.name)
		require.Empty(t, out.Events, x.name)
	}
}

// fingerprint is all that a machine remembers.
func (m *Machine) fingerprint() string {
	s := fmt.Sprint(m.wake, m.cfg, len(m.byKey))
	for _, l := range m.links {
		s += fmt.Sprintf("%+v", *l)
	}
	return s
}

// SPEC T-118
func TestFull(t *testing.T) {
	m := New(Config{Real: packets.PublicKey{31: 1}})
	require.Equal(t, 512, MaxPeers)
	for k := range MaxPeers {
		require.NoError(t, m.Hold(begin, Conferences, packets.PublicKey{byte(k), byte(k >> 8), 1}))
	}
	require.ErrorIs(t, m.Hold(begin, FriendList, packets.PublicKey{9, 9, 9}), ErrFull)
	require.NoError(t, m.Hold(begin, FriendList, packets.PublicKey{1, 0, 1}), "one that is there")
	m.Release(begin, Conferences, packets.PublicKey{0, 0, 1})
	require.NoError(t, m.Hold(begin, FriendList, packets.PublicKey{9, 9, 9}))
	require.NoError(t, m.Check())
}

// Received packets cost no allocation.
func TestReceiveAllocatesNothing(t *testing.T) {
	m := New(Config{Real: packets.PublicKey{8}, DHT: packets.PublicKey{9}})
	real := packets.PublicKey{1}
	require.NoError(t, m.Hold(begin, FriendList, real))
	require.NoError(t, m.SessionUp(begin, real, packets.PublicKey{2}, netip.AddrPort{}))
	m.Poll()
	p := append([]byte{99}, make([]byte, 1000)...)
	got := 0
	n := testing.AllocsPerRun(1000, func() {
		if m.Receive(begin, real, false, p) == nil {
			got += len(m.Poll().Events)
		}
	})
	require.Zero(t, n)
	require.Equal(t, 1001, got)
	require.Less(t, cap(m.arena), 10*len(p))
}
