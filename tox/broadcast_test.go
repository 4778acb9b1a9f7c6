package tox

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

// SPEC T-151
func TestBroadcastOf(t *testing.T) {
	for prefix, want := range map[string]string{
		"192.168.1.7/24":     "192.168.1.255",
		"10.1.2.3/8":         "10.255.255.255",
		"172.16.5.9/20":      "172.16.15.255",
		"10.0.0.129/25":      "10.0.0.255",
		"10.0.0.1/30":        "10.0.0.3",
		"169.254.3.3/16":     "169.254.255.255",
		"10.0.0.1/31":        "",
		"10.0.0.1/32":        "",
		"127.0.0.1/8":        "",
		"93.184.216.34/24":   "",
		"198.18.1.2/24":      "",
		"fe80::1/64":         "",
		"::ffff:10.0.0.1/96": "",
	} {
		b, ok := broadcastOf(netip.MustParsePrefix(prefix))
		require.Equal(t, want != "", ok, prefix)
		if ok {
			require.Equal(t, want, b.String(), prefix)
		}
	}
}

// Only networks of a socket's own address count, if it has one; loopback is none.
// SPEC T-151
func TestBroadcastAddresses(t *testing.T) {
	for _, local := range []string{"127.0.0.1", "::1", "192.0.2.1"} {
		list, err := broadcastAddresses(netip.MustParseAddr(local))
		require.NoError(t, err)
		require.Empty(t, list, local)
	}
}
