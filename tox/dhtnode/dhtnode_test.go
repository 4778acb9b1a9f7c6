package dhtnode

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
)

// SPEC T-10, T-11
func TestReachable(t *testing.T) {
	for _, s := range []string{"1.2.3.4:1", "[2001:db8::1]:1", "127.0.0.1:1"} {
		require.True(t, Reachable(netip.MustParseAddrPort(s)), s)
	}
	for _, s := range []string{
		"1.2.3.4:0", "0.0.0.0:1", "[::]:1", "224.0.0.1:1", "[ff02::1]:1", "255.255.255.255:1",
		"[::ffff:1.2.3.4]:1", "[fe80::1%eth0]:1",
	} {
		require.False(t, Reachable(netip.MustParseAddrPort(s)), s)
	}
	require.False(t, Reachable(netip.AddrPort{}))
	require.True(t, Reachable(Unmap(netip.MustParseAddrPort("[::ffff:1.2.3.4]:1"))))
}

// SPEC T-12
func TestIsLAN(t *testing.T) {
	for _, s := range []string{
		"127.0.0.1", "10.1.2.3", "172.31.0.1", "192.168.1.1", "169.254.1.1", "100.64.0.1", "100.127.255.1", "::1", "fe80::1",
	} {
		require.True(t, IsLAN(netip.MustParseAddr(s)), s)
	}
	for _, s := range []string{
		"8.8.8.8", "172.32.0.1", "169.254.0.1", "169.254.255.1", "100.128.0.1", "192.0.2.1", "2001:db8::1",
	} {
		require.False(t, IsLAN(netip.MustParseAddr(s)), s)
	}
}

// SPEC T-9
func TestPackAndUnpack(t *testing.T) {
	for _, s := range []string{"1.2.3.4:5", "[2001:db8::1]:5"} {
		n := Node{Key: packets.PublicKey{1}, Addr: netip.MustParseAddrPort(s)}
		again, ok := Unpack(n.Pack())
		require.True(t, ok)
		require.Equal(t, n, again)
	}
	_, ok := Unpack(packets.Node{Family: packets.TCP4})
	require.False(t, ok)
}

func TestCompareIsByXOR(t *testing.T) {
	base, near, far := packets.PublicKey{0x10, 5}, packets.PublicKey{0x10, 4}, packets.PublicKey{0x20}
	require.Equal(t, -1, Compare(base, near, far))
	require.Equal(t, 1, Compare(base, far, near))
	require.Zero(t, Compare(base, far, far))
	require.True(t, Closer(base, base, near))
	require.False(t, Closer(base, near, near))
}
