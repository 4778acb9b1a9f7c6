package tox

import (
	"net"
	"net/netip"
	"slices"

	"github.com/tox-rejoin/rejoin/tox/dhtnode"
)

// broadcastAddresses are those of the private IPv4 networks that this machine is
// in now, and that a socket with the local address can send to (SPEC T-151).
func broadcastAddresses(local netip.Addr) ([]netip.Addr, error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	const wanted = net.FlagUp | net.FlagBroadcast
	var list []netip.Addr
	for _, x := range interfaces {
		if x.Flags&wanted != wanted {
			continue
		}
		addrs, err := x.Addrs()
		if err != nil {
			return nil, err
		}
		for _, a := range addrs {
			p, err := netip.ParsePrefix(a.String())
			if err != nil || !local.IsUnspecified() && local.Unmap() != p.Addr() {
				continue
			}
			if b, ok := broadcastOf(p); ok && !slices.Contains(list, b) {
				list = append(list, b)
			}
		}
	}
	return list, nil
}

// broadcastOf is the broadcast address of the network of an address; false if it
// has none, or if nobody there would listen to us (SPEC T-151).
func broadcastOf(p netip.Prefix) (netip.Addr, bool) {
	const longest = 30 // bits of a network that has one
	ip := p.Addr()
	if !ip.Is4() || ip.IsLoopback() || p.Bits() > longest || !dhtnode.IsLAN(ip) {
		return netip.Addr{}, false
	}
	b := ip.As4()
	for i := p.Bits(); i < 8*len(b); i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	return netip.AddrFrom4(b), true
}

// allowBroadcast makes the system let a socket send to broadcast addresses, or
// refuse it. Go allows it from the first (SPEC T-147).
func allowBroadcast(socket *net.UDPConn, yes bool) error {
	raw, err := socket.SyscallConn()
	if err != nil {
		return err
	}
	value := 0
	if yes {
		value = 1
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = setBroadcast(fd, value) }); err != nil {
		return err
	}
	return failed
}
