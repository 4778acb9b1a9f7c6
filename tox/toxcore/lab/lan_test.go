//go:build toxcore

package lab_test

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/tox/toxcore/lab"
)

// A broadcast reaches all hosts of a LAN, and there is no way out.
func TestLAN(t *testing.T) {
	t.Parallel()
	lan := lab.NewLAN(t)
	sender := lan.Host("sender")
	from := listen(t, sender)
	var receivers []*net.UDPConn
	for _, name := range []string{"one", "two"} {
		require.NoError(t, lan.Host(name).Do(func() error {
			to, err := net.ListenUDP("udp4", &net.UDPAddr{Port: lab.LANPort})
			receivers = append(receivers, to)
			return err
		}))
	}
	everybody := netip.AddrPortFrom(netip.MustParseAddr("192.168.7.255"), lab.LANPort)
	for _, to := range receivers {
		t.Cleanup(func() { to.Close() })
		b := make([]byte, 10)
		var n int
		var source netip.AddrPort
		for end := time.Now().Add(limit); ; { // a bridge loses what is sent while its ports come up
			_, err := from.WriteToUDPAddrPort([]byte("anybody?"), everybody)
			require.NoError(t, err)
			require.NoError(t, to.SetReadDeadline(time.Now().Add(100*time.Millisecond)))
			if n, source, err = to.ReadFromUDPAddrPort(b); err == nil {
				break
			}
			require.True(t, time.Now().Before(end), "%v", err)
		}
		assert.Equal(t, "anybody?", string(b[:n]))
		assert.Equal(t, sender.Addr(), source.Addr())
	}
	out, err := sender.Command("ip", "route", "get", "192.0.2.1").CombinedOutput()
	assert.Error(t, err)
	assert.Contains(t, string(out), "unreachable")
}
