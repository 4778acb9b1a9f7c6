// Package dhtnode is what all machines of the transport know of a node of the
// DHT: its key, its address, and who may be told of it.
package dhtnode

import (
	"net/netip"

	"github.com/tox-rejoin/rejoin/packets"
)

// Node is a node of the DHT: its key and where it is. Addr is unmapped.
type Node struct {
	Key  packets.PublicKey
	Addr netip.AddrPort
}

// Pack is the node in the form of packets and save files (SPEC T-9).
func (n Node) Pack() packets.Node {
	p := packets.Node{Family: packets.UDP4, Port: n.Addr.Port(), Key: n.Key}
	if ip := n.Addr.Addr(); ip.Is4() {
		b := ip.As4()
		copy(p.IP[:], b[:])
	} else {
		p.Family, p.IP = packets.UDP6, ip.As16()
	}
	return p
}

// Unpack is the opposite of Pack. It is false for a TCP relay (SPEC T-9).
func Unpack(p packets.Node) (Node, bool) {
	var ip netip.Addr
	switch p.Family {
	case packets.UDP4:
		ip = netip.AddrFrom4([4]byte(p.IP[:4]))
	case packets.UDP6:
		ip = netip.AddrFrom16(p.IP).Unmap()
	default:
		return Node{}, false
	}
	return Node{p.Key, netip.AddrPortFrom(ip, p.Port)}, true
}

// Unmap makes an IPv4 address of a mapped one (SPEC T-10).
func Unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// IsLAN tells whether an address is of a private network or this machine. Such
// addresses are told only to those who have one themselves (SPEC T-12).
func IsLAN(a netip.Addr) bool {
	if a.IsLoopback() || a.IsPrivate() && a.Is4() {
		return true
	}
	if a.Is4() {
		b := a.As4()
		return b[0] == 169 && b[1] == 254 && b[2] != 0 && b[2] != 255 || b[0] == 100 && b[1]&0xc0 == 64
	}
	return a.IsLinkLocalUnicast()
}

// Reachable tells whether one node can have this address: neither unspecified
// nor multicast nor broadcast, without a zone, and with a port (SPEC T-11).
func Reachable(a netip.AddrPort) bool {
	ip := a.Addr()
	return a.IsValid() && a.Port() != 0 && !ip.Is4In6() && !ip.IsUnspecified() && !ip.IsMulticast() &&
		ip.Zone() == "" && ip != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// Closer tells whether a is closer to base than b. Distance is the XOR of two
// keys.
func Closer(base, a, b packets.PublicKey) bool {
	for i := range base {
		if x, y := base[i]^a[i], base[i]^b[i]; x != y {
			return x < y
		}
	}
	return false
}

// Compare orders keys by their distance to base.
func Compare(base, a, b packets.PublicKey) int {
	switch {
	case a == b:
		return 0
	case Closer(base, a, b):
		return -1
	}
	return 1
}
