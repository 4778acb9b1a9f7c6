package onion

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/tox-rejoin/rejoin/packets"
)

// addrSize is the length of an address inside an onion: family 1 | IP, padded
// with zeros to 16 | port 2.
const addrSize = 1 + 16 + 2

// appendAddr writes an address behind dst.
func appendAddr(dst []byte, a netip.AddrPort) []byte {
	var ip [16]byte
	family := packets.UDP6
	if a.Addr().Is4() {
		family = packets.UDP4
		b := a.Addr().As4()
		copy(ip[:], b[:])
	} else {
		ip = a.Addr().As16()
	}
	dst = append(append(dst, byte(family)), ip[:]...)
	return binary.BigEndian.AppendUint16(dst, a.Port())
}

// parseAddr reads an address; what pads an IPv4 address is ignored, and an
// IPv4 address in IPv6 form becomes one. It returns ErrDestination for other
// families: relays seal addresses of TCP clients for themselves that way.
func parseAddr(b []byte) (netip.AddrPort, error) {
	if len(b) < addrSize {
		return netip.AddrPort{}, fmt.Errorf("%w: address of %d bytes", ErrLength, len(b))
	}
	var ip netip.Addr
	switch packets.Family(b[0]) {
	case packets.UDP4:
		ip = netip.AddrFrom4([4]byte(b[1:]))
	case packets.UDP6:
		ip = netip.AddrFrom16([16]byte(b[1:])).Unmap()
	default:
		return netip.AddrPort{}, fmt.Errorf("%w: family %d", ErrDestination, b[0])
	}
	return netip.AddrPortFrom(ip, binary.BigEndian.Uint16(b[17:])), nil
}

// unmap makes an IPv4 address of a mapped one.
func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// reachable tells whether one node can have this address: neither unspecified
// nor multicast nor broadcast, and with a port.
func reachable(a netip.AddrPort) bool {
	ip := a.Addr()
	return a.IsValid() && a.Port() != 0 && !ip.Is4In6() && !ip.IsUnspecified() && !ip.IsMulticast() &&
		ip.Zone() == "" && ip != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// isLAN tells whether an address is of a private network or this machine.
func isLAN(a netip.Addr) bool {
	if a.IsLoopback() || a.IsPrivate() && a.Is4() {
		return true
	}
	if a.Is4() {
		b := a.As4()
		return b[0] == 169 && b[1] == 254 && b[2] != 0 && b[2] != 255 || b[0] == 100 && b[1]&0xc0 == 64
	}
	return a.IsLinkLocalUnicast()
}

// pack is the node in the form of packets.
func (n Node) pack() packets.Node {
	p := packets.Node{Family: packets.UDP4, Port: n.Addr.Port(), Key: n.Key}
	if ip := n.Addr.Addr(); ip.Is4() {
		b := ip.As4()
		copy(p.IP[:], b[:])
	} else {
		p.Family, p.IP = packets.UDP6, ip.As16()
	}
	return p
}

// unpack is the opposite of pack. It is false for a TCP relay.
func unpack(p packets.Node) (Node, bool) {
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

// compare is negative if a is closer to base than b, 0 if they are the same.
// Distance is the XOR of two keys.
func compare(base, a, b packets.PublicKey) int {
	for i := range base {
		a[i] ^= base[i]
		b[i] ^= base[i]
	}
	return bytes.Compare(a[:], b[:])
}
