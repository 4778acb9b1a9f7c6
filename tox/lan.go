package tox

import (
	"fmt"
	"net/netip"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/crypto"
	"github.com/tox-rejoin/rejoin/tox/dht"
	"github.com/tox-rejoin/rejoin/tox/dhtnode"
)

// Local discovery: a node tells its DHT key to the broadcast addresses of its
// networks, 33 bytes without a box. Who hears that from a private address asks
// the sender for nodes, once, as it would ask a bootstrap node.
//
//	0x21 | DHT key
//
// The usual port is tried each time, and ten others of the usual range in turn.
// IPv6 has no part in it: there, one would be heard from a link-local address,
// which says nothing without the name of an interface.
const (
	lanDiscovery  = 0x21
	lanSize       = 1 + packets.KeySize
	lanEvery      = 11    // seconds: c-toxcore waits until more than 10 have passed
	firstLANPort  = 33445 // the one that is tried each time
	lastLANPort   = 33544
	portsPerRound = 10 // besides the first

	// What we decided.
	maxBroadcasts  = 16 // addresses of Config.Broadcast that are used
	lanSourceBurst = 4  // packets of one source at once
	lanSourceRate  = 1  // and a second; a stock node sends 2 every 11 s
	lanTotalBurst  = 32
	lanTotalRate   = 8
)

// lan is the state of local discovery.
type lan struct {
	on    bool
	to    []netip.Addr
	next  uint16 // port
	limit *crypto.Limiter
}

// newLAN prepares local discovery. What is no IPv4 address is left out.
func newLAN(on bool, broadcast []netip.Addr) lan {
	l := lan{on: on, next: firstLANPort + 1}
	if !on {
		return l
	}
	l.limit = crypto.NewLimiter(crypto.Rate{Burst: lanSourceBurst, Second: lanSourceRate}, crypto.Rate{Burst: lanTotalBurst, Second: lanTotalRate})
	for _, a := range broadcast {
		if a = a.Unmap(); a.Is4() && len(l.to) < maxBroadcasts {
			l.to = append(l.to, a)
		}
	}
	return l
}

// receiveLAN takes a packet of somebody who looks for nodes. Our own broadcasts
// come back to us, too.(SPEC T-149).
func (n *Node) receiveLAN(from netip.AddrPort, p []byte) error {
	switch {
	case !n.lan.on: // SPEC T-147
		return fmt.Errorf("%w: %#x, local discovery is off", ErrKind, p[0])
	case len(p) != lanSize:
		return fmt.Errorf("%w: %d bytes", ErrLAN, len(p))
	case !dhtnode.IsLAN(from.Addr()) || !dhtnode.Reachable(from):
		return fmt.Errorf("%w: from %v", ErrLAN, from)
	}
	key := packets.PublicKey(p[1:])
	switch {
	case key == n.dht.Key():
		return fmt.Errorf("%w: our own", ErrLAN)
	case !n.lan.limit.Allow(n.now, from): // SPEC T-150
		return fmt.Errorf("%w: too many", ErrLAN)
	}
	n.dht.Ask(n.now, dht.Node{Key: key, Addr: from}, n.dht.Key())
	return nil
}

// tickLAN looks for nodes, if that is due (SPEC T-148).
func (n *Node) tickLAN() {
	at := &n.wake[theLAN.index()]
	if *at == 0 || *at > n.now {
		return
	}
	*at = packets.Time(n.now.Seconds()+lanEvery) * packets.Second
	key := n.dht.Key()
	p := append([]byte{lanDiscovery}, key[:]...)
	n.callLAN(firstLANPort, p)
	for i := 0; i < portsPerRound && n.lan.next <= lastLANPort; i++ {
		n.callLAN(n.lan.next, p)
		n.lan.next++
	}
	if n.lan.next > lastLANPort {
		n.lan.next = firstLANPort + 1
	}
}

// callLAN sends a packet to one port of all who may listen.
func (n *Node) callLAN(port uint16, p []byte) {
	for _, to := range n.lan.to {
		n.out[n.fill].send(netip.AddrPortFrom(to, port), p)
	}
}
