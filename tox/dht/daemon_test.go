//go:build toxcore

package dht_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
)

// motd is what the daemons of these tests say.
const motd = "a daemon of a test"

// daemon is a fresh tox-bootstrapd of Debian's toxcore-utils on loopback.
type daemon struct {
	addr netip.AddrPort
	key  packets.PublicKey
}

// startDaemon runs a daemon with a key and port of its own until the test
// ends. It fails the test if there is no tox-bootstrapd.
func startDaemon(t *testing.T) daemon {
	t.Helper()
	program, err := exec.LookPath("tox-bootstrapd")
	require.NoError(t, err, "install toxcore-utils")
	d := daemon{addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), freePort(t))}
	dir := t.TempDir()
	config := filepath.Join(dir, "config")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, `port = %d
keys_file_path = %q
pid_file_path = %q
enable_ipv6 = false
enable_ipv4_fallback = false
enable_lan_discovery = false
enable_tcp_relay = false
enable_motd = true
motd = %q
`, d.addr.Port(), filepath.Join(dir, "keys"), filepath.Join(dir, "pid"), motd), 0o600))

	ctx, stop := context.WithCancel(context.Background())
	command := exec.CommandContext(ctx, program, "--config", config, "--foreground", "--log-backend", "stdout")
	log, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		stop()
		_ = command.Wait() // killed: its error says nothing
	})
	keys := make(chan string, 1)
	go func() {
		for lines := bufio.NewScanner(log); lines.Scan(); {
			if _, key, ok := strings.Cut(lines.Text(), "Public Key: "); ok {
				keys <- strings.TrimSpace(key)
			}
		}
	}()
	select {
	case key := <-keys:
		d.key, err = packets.ParsePublicKey(strings.ToLower(key))
		require.NoError(t, err)
	case <-time.After(10 * time.Second):
		t.Fatal("tox-bootstrapd does not tell its key")
	}
	return d
}

// freePort is a UDP port of loopback that nobody has.
func freePort(t *testing.T) uint16 {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).AddrPort().Port()
}
