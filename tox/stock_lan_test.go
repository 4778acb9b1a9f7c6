//go:build toxcore

package tox_test

import (
	"crypto/rand"
	"fmt"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox"
	"github.com/tox-rejoin/rejoin/tox/crypto"
	"github.com/tox-rejoin/rejoin/tox/toxcore"
	"github.com/tox-rejoin/rejoin/tox/toxcore/lab"
)

// In a local network nobody is told of anybody, and only one node can be found,
// because the others listen on ports where nobody looks: first ours, then a
// stock one. Through it we and a stock peer become friends.
// SPEC T-148, T-149
func TestStockInLAN(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name                         string
		bind                         netip.Addr
		ourPort, alicePort, bobsPort uint16
	}{
		{"we hear them", netip.IPv4Unspecified(), lab.LANPort, 20001, 20002},
		{"they hear us", netip.IPv6Unspecified(), 20000, lab.LANPort, 20002},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			lan := lab.NewLAN(t)
			stock := func(name string, port uint16) *lab.Stock {
				return lab.StartStock(t, lab.StockConfig{Name: name, Host: lan.Host(name), Port: port, LAN: true})
			}
			alice, bob := stock("alice", c.alicePort), stock("bob", c.bobsPort)
			o := newOurs(t)
			o.host, o.bind, o.lan = lan.Host("ours"), c.bind, true
			began := time.Now()
			o.start(c.ourPort)
			lab.Eventually(t, patience, "a network", func() (connected bool) {
				o.do(func(_ packets.Time, n *tox.Node) { connected = n.Connected() })
				return connected && alice.Self().Connection != toxcore.ConnectionNone && bob.Self().Connection != toxcore.ConnectionNone
			})
			befriend(t, o, bob)
			greet(t, o, bob, "hello neighbour")
			t.Logf("friends after %v", time.Since(began).Round(time.Second/10))
		})
	}
}

// Unless we are told to look for others, the system refuses what we send to
// everybody, even if somebody lures us to it.
// SPEC T-147
func TestNoBroadcast(t *testing.T) {
	t.Parallel()
	lan := lab.NewLAN(t)
	everybody := netip.MustParseAddrPort("192.168.7.255:33445")
	ears := hear(t, lan.Host("ears"))
	for i, allowed := range []bool{false, true} {
		o := newOurs(t)
		o.host, o.bind, o.lan = lan.Host(fmt.Sprintf("ours%d", i)), netip.IPv4Unspecified(), allowed
		o.nodes = []lab.Node{{Addr: everybody, Key: toxcore.Key(crypto.NewKeyPair(rand.Reader).Public)}}
		o.start(0)
		heard := map[byte]bool{} // by first byte
		require.NoError(t, ears.SetReadDeadline(time.Now().Add(2*time.Second)))
		for {
			b := make([]byte, 2048)
			n, _, err := ears.ReadFromUDPAddrPort(b)
			if err != nil {
				require.ErrorIs(t, err, os.ErrDeadlineExceeded)
				break
			}
			require.NotZero(t, n)
			heard[b[0]] = true
		}
		require.Equal(t, allowed, heard[0x21], "local discovery")
		require.Equal(t, allowed, heard[0x02], "a nodes request")
	}
}

// hear listens on the usual port.
func hear(t *testing.T, h *lab.Host) (socket *net.UDPConn) {
	t.Helper()
	require.NoError(t, h.Do(func() (err error) {
		socket, err = net.ListenUDP("udp4", &net.UDPAddr{Port: lab.LANPort})
		return err
	}))
	t.Cleanup(func() { socket.Close() })
	return socket
}
