//go:build toxcore

package lab

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/toxcore"
)

// A Node is where and under which key the network can be entered.
type Node struct {
	Addr  netip.AddrPort // UDP
	Relay netip.AddrPort // TCP; the zero value: none
	Key   toxcore.Key    // of the DHT
}

// A DaemonConfig says how to start tox-bootstrapd. The zero value is one on
// loopback.
type DaemonConfig struct {
	Name  string // for logs; empty: "daemon"
	Host  *Host  // nil: loopback
	MOTD  string // empty: the name
	Nodes []Node // that it enters the network with
}

// A Daemon is a tox-bootstrapd with a key and ports of its own, a TCP relay too.
type Daemon struct {
	*Process
	Node
}

// StartDaemon starts a daemon and waits until it is ready.
func StartDaemon(t testing.TB, cfg DaemonConfig) *Daemon {
	t.Helper()
	if cfg.Name == "" {
		cfg.Name = "daemon"
	}
	if cfg.MOTD == "" {
		cfg.MOTD = cfg.Name
	}
	addr := cfg.Host.Addr()
	d := &Daemon{Node: Node{Addr: netip.AddrPortFrom(addr, Port(t)), Relay: netip.AddrPortFrom(addr, Port(t))}}
	dir := t.TempDir()
	file := filepath.Join(dir, "config")
	if err := os.WriteFile(file, d.config(dir, cfg), 0o600); err != nil {
		t.Fatal(err)
	}
	d.Process = NewProcess(t, cfg.Name, cfg.Host, "tox-bootstrapd", "--config", file, "--foreground", "--log-backend", "stdout")
	d.start()
	return d
}

// Restart starts the daemon again, after Kill or Terminate, with the same key and
// ports.
func (d *Daemon) Restart() {
	d.t.Helper()
	d.start()
}

func (d *Daemon) start() {
	d.t.Helper()
	ready := make(chan packets.PublicKey, 1)
	d.Start(func(line []byte) {
		d.Log("%s", line)
		if digits, ok := bytes.CutPrefix(line, []byte("Public Key: ")); ok {
			if key, err := packets.ParsePublicKey(string(bytes.TrimSpace(digits))); err == nil {
				ready <- key
			}
		}
	})
	select {
	case key := <-ready:
		d.Key = toxcore.Key(key)
	case <-d.Exited():
		d.t.Fatalf("%s ended before it was ready", d.name)
	case <-time.After(patience):
		d.t.Fatalf("%s prints no public key", d.name)
	}
}

func (d *Daemon) config(dir string, cfg DaemonConfig) []byte {
	b := fmt.Appendf(nil, `port = %d
keys_file_path = %q
pid_file_path = %q
enable_ipv6 = false
enable_ipv4_fallback = true
enable_lan_discovery = false
enable_tcp_relay = true
tcp_relay_ports = [%d]
enable_motd = true
motd = %q
`, d.Addr.Port(), filepath.Join(dir, "keys"), filepath.Join(dir, "pid"), d.Relay.Port(), cfg.MOTD)
	if len(cfg.Nodes) == 0 {
		return b
	}
	b = append(b, "bootstrap_nodes = (\n"...)
	for i, n := range cfg.Nodes {
		if i > 0 {
			b = append(b, ",\n"...)
		}
		b = fmt.Appendf(b, "  { address = %q, port = %d, public_key = %q }", n.Addr.Addr(), n.Addr.Port(), n.Key.Hex())
	}
	return append(b, "\n)\n"...)
}
