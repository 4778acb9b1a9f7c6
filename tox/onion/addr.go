package onion

import (
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
// families: relays seal addresses of TCP clients for themselves that way (SPEC T-55).
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
