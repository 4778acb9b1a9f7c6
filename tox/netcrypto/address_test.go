package netcrypto

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/dhtnode"
)

// SPEC T-11
func TestUsable(t *testing.T) {
	for s, want := range map[string]bool{
		"192.0.2.1:1": true, "[2001:db8::1]:33445": true, "127.0.0.1:9": true, "[fe80::1]:7": true,
		"192.0.2.1:0": false, "0.0.0.0:1": false, "[::]:1": false, "224.0.0.1:1": false, "[ff02::1]:1": false,
		"[::ffff:192.0.2.1]:1": false,
	} {
		require.Equal(t, want, dhtnode.Reachable(netip.MustParseAddrPort(s)), s)
	}
	require.False(t, dhtnode.Reachable(netip.AddrPort{}))

	w := newNetwork(t, 1, faults{})
	a, b := w.add(), w.add()
	a.expect(b)
	bad := netip.MustParseAddrPort("[::ffff:192.0.2.1]:1")
	require.ErrorIs(t, a.Dial(w.now, b.real.Public, b.dht.Public, bad), ErrAddress)
	require.ErrorIs(t, a.SetAddress(w.now, b.real.Public, bad), ErrAddress)
	require.ErrorIs(t, a.Receive(w.now, bad, make([]byte, cookieRequestSize)), ErrAddress)
	require.Empty(t, a.sessions)
}

// One cookie request for each family until one is heard; after that packets go
// there, to IPv6 if both are, and back when it falls silent.
// SPEC T-113
func TestTwoFamilies(t *testing.T) {
	w, a, b, _ := pair(t, faults{delay: 10})
	to := b.real.Public
	a.Close(w.now, to)
	a.drain()
	w.run(packets.Second)
	four, six := netip.MustParseAddrPort("192.0.2.7:5"), netip.MustParseAddrPort("[2001:db8::7]:5")
	require.NoError(t, a.Dial(w.now, to, b.dht.Public, four, six))
	sends := a.Poll().Sends
	require.Len(t, sends, 2)
	require.Equal(t, []netip.AddrPort{four, six}, []netip.AddrPort{sends[0].To, sends[1].To})
	require.Equal(t, sends[0].Data, sends[1].Data)

	s := a.session(to)
	reach := func(want netip.AddrPort) {
		t.Helper()
		i, ok := a.Session(to)
		require.True(t, ok)
		require.Equal(t, want, i.Addr)
	}
	reach(netip.AddrPort{})
	a.heard(s, four)
	reach(four)
	a.heard(s, six)
	reach(six)
	a.begin(w.now + 5*packets.Second)
	a.heard(s, four)
	a.begin(w.now + directTimeout)
	reach(four)
	a.begin(w.now + 2*directTimeout)
	reach(netip.AddrPort{})
	require.NoError(t, a.Check())
}

// What the DHT says does not replace an address that is heard, nor one in the
// LAN that is new by one that is not.
// SPEC T-112, T-114
func TestSuggestedAddress(t *testing.T) {
	w, a, b, _ := pair(t, faults{delay: 10})
	to := b.real.Public
	lan, other, public := netip.MustParseAddrPort("10.9.9.9:1"), netip.MustParseAddrPort("10.9.9.8:1"), netip.MustParseAddrPort("192.0.2.7:5")
	is := func(want netip.AddrPort) {
		t.Helper()
		require.Equal(t, want, a.session(to).paths[0].addr)
		require.NoError(t, a.Check())
	}
	suggest := func(x netip.AddrPort) { require.NoError(t, a.SetAddress(w.now, to, x)) }
	suggest(public)
	is(b.addr)
	suggest(lan)
	is(b.addr)
	w.cut = func(_, _ netip.AddrPort) bool { return true }
	w.run(directTimeout + 50) // some packets were on their way
	suggest(public)
	is(public)
	suggest(lan)
	is(lan)
	suggest(public)
	is(lan)
	suggest(other)
	is(other)
	w.run(directTimeout)
	suggest(public)
	is(public)

	// The peer itself, at its old address, is not known any more; it is again
	// when the DHT finds it there.
	w.cut = nil
	w.run(5 * packets.Second)
	require.True(t, a.up(b))
	i, _ := a.Session(to)
	require.False(t, i.Addr.IsValid())
	suggest(b.addr)
	delete(w.streams, stream{a.addr, b.addr}) // its counter went on elsewhere
	w.run(2 * packets.Second)
	i, _ = a.Session(to)
	require.Equal(t, b.addr, i.Addr)
	w.runUntil(packets.Second, a.feed(b, 10))
}

// A packet that comes from where nobody is known counts for no session, though
// it would open; a cookie request does.
// SPEC T-112
func TestUnknownSource(t *testing.T) {
	w, a, b, sent := pair(t, faults{delay: 10})
	elsewhere := netip.MustParseAddrPort("10.9.9.9:1")
	require.NoError(t, a.SendLossy(w.now, b.real.Public, []byte{200, 1}))
	data := a.Poll().Sends[0].Data
	b.Poll()
	b.begin(w.now)
	before := b.fingerprint()
	require.ErrorIs(t, b.Receive(w.now, elsewhere, data), ErrNoSession)
	require.Equal(t, before, b.fingerprint())
	require.NoError(t, b.Receive(w.now, a.addr, data))
	b.Poll()
	for _, d := range *sent {
		if d.data[0] == idCookieRequest {
			require.NoError(t, b.Receive(w.now, elsewhere, d.data))
			require.Equal(t, elsewhere, b.Poll().Sends[0].To)
		}
	}
	require.NoError(t, b.Check())
}

// Two sessions at one address, as after a wrong report: each packet finds its
// own.
func TestSharedAddress(t *testing.T) {
	w, a, b, _ := pair(t, faults{delay: 10})
	c := w.add()
	require.NoError(t, a.Expect(c.real.Public, true))
	require.NoError(t, a.Dial(w.now, c.real.Public, c.dht.Public, b.addr))
	a.drain()
	w.runUntil(2*packets.Second, a.feed(b, 100))
	require.Len(t, a.byAddr[b.addr], 2)
	w.run(10 * packets.Second)
	require.Len(t, a.byAddr[b.addr], 1, "gave up")
	require.True(t, a.up(b))
}
