//go:build toxcore

package lab

import (
	"fmt"
	"net/netip"
	"testing"
)

// LANPort is where programs look for others in a local network each time.
const LANPort = 33445

// A LAN is hosts on one switch, each a network namespace, with addresses of a
// private network. Broadcasts reach all of them, and nothing gets out.
type LAN struct {
	network *Network // its router is the switch
	hosts   int
}

// NewLAN makes a local network without hosts. It goes when the test is over.
func NewLAN(t testing.TB) *LAN {
	t.Helper()
	l := &LAN{network: newNetwork(t, "switch")}
	l.network.ip("-n", l.network.router, "link", "add", "switch", "type", "bridge")
	l.network.ip("-n", l.network.router, "link", "set", "switch", "up")
	return l
}

// Host adds a host. The name is for logs and may be of letters and digits.
func (l *LAN) Host(name string) *Host {
	l.network.t.Helper()
	l.hosts++
	n, link := l.network, fmt.Sprintf("host%d", l.hosts)
	h := &Host{name: name, namespace: n.namespace(name), addr: netip.AddrFrom4([4]byte{192, 168, 7, byte(l.hosts)})}
	n.ip("-n", n.router, "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", h.namespace)
	n.ip("-n", n.router, "link", "set", link, "master", "switch", "up")
	n.ip("-n", h.namespace, "address", "add", h.addr.String()+"/24", "broadcast", "+", "dev", "eth0")
	n.ip("-n", h.namespace, "link", "set", "eth0", "up")
	return h
}
