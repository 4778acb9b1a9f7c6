//go:build toxcore

package dht_test

import (
	"net/netip"
	"testing"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/toxcore/lab"
)

// motd is what the daemons of these tests say.
const motd = "a daemon of a test"

// daemon is a fresh tox-bootstrapd of Debian's toxcore-utils on loopback.
type daemon struct {
	addr netip.AddrPort
	key  packets.PublicKey
}

func startDaemon(t *testing.T) daemon {
	t.Helper()
	d := lab.StartDaemon(t, lab.DaemonConfig{MOTD: motd})
	return daemon{addr: d.Addr, key: packets.PublicKey(d.Key)}
}
