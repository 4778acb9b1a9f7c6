package dht

import (
	"fmt"
	"net/netip"

	"github.com/tox-rejoin/rejoin/packets"
)

// Route sends data, at most MaxRoutedData bytes, to the node with a searched
// key: directly if it answered us lately, else through all nodes that named
// its address to us, which pass it on. It returns how many datagrams that
// made, 0 when there is no way, or ErrTooLong.
func (d *DHT) Route(now packets.Time, to packets.PublicKey, subID byte, data []byte) (int, error) {
	d.begin(now)
	if len(data) > MaxRoutedData {
		return 0, fmt.Errorf("%w: %d bytes", ErrTooLong, len(data))
	}
	s := d.byKey[to]
	if s == nil {
		return 0, nil
	}
	ways := d.ways(now.Seconds(), s)
	return len(ways), d.sendRouted(now, to, ways, append(append(d.plain[:0], subID), data...))
}

// ways are the addresses through which packets get to the searched key, valid
// until the next call (SPEC T-45).
func (d *DHT) ways(sec int64, s *search) []netip.AddrPort {
	d.routes = d.routes[:0]
	if at, ok := s.found(sec); ok {
		d.routes = append(d.routes, at)
		return d.routes
	}
	for i := range s.nodes {
		for j := range s.nodes[i].at {
			if x := &s.nodes[i].at[j]; s.nodes[i].key != s.key && x.toldLately(sec) {
				d.routes = append(d.routes, x.addr)
				break
			}
		}
	}
	return d.routes
}

// sendRouted seals one packet for the key and sends it on all ways.
func (d *DHT) sendRouted(now packets.Time, to packets.PublicKey, ways []netip.AddrPort, plain []byte) error {
	if len(ways) == 0 {
		return nil
	}
	key, err := d.keys.Shared(now, to)
	if err != nil {
		return err
	}
	start := len(d.out.buf)
	d.out.buf = append(append(append(d.out.buf, RoutedRequest), to[:]...), d.self[:]...)
	d.out.buf = key.SealRandom(d.out.buf, d.rand, plain)
	for _, at := range ways {
		d.send(at, start)
	}
	return nil
}

// receiveRouted passes a routed request on to the neighbour that it is for, or
// reads it if it is for us.
func (d *DHT) receiveRouted(now packets.Time, from netip.AddrPort, p []byte) error {
	if err := between(p, routedExtra, maxRouted); err != nil {
		return err
	}
	receiver, sender := packets.PublicKey(p[1:]), packets.PublicKey(p[1+keySize:])
	if sender == d.self {
		return ErrOwnKey
	}
	if receiver != d.self {
		return d.forward(now, from, receiver, p)
	}
	if err := d.admit(now, from); err != nil {
		return err
	}
	key, err := d.keys.Shared(now, sender)
	if err != nil {
		return err
	}
	start := len(d.out.buf)
	buf, err := key.OpenPrefixed(d.out.buf, p[routedHead:])
	if err != nil {
		return err
	}
	plain := buf[start:len(buf):len(buf)]
	switch plain[0] { // SPEC T-44
	case SubDHTKey:
		d.out.buf = buf // the event keeps it
		d.event(Event{Kind: Routed, Key: sender, SubID: plain[0], Data: plain[1:]})
		return nil
	case SubNATPing:
		return d.receiveNATPing(now, sender, plain)
	}
	return fmt.Errorf("%w: %d", ErrSubID, plain[0])
}

// forward sends a routed request on, unchanged, to a neighbour that has the
// receiver's key. Peers behind NAT find each other that way (SPEC T-43).
func (d *DHT) forward(now packets.Time, from netip.AddrPort, receiver packets.PublicKey, p []byte) error {
	e := d.close.find(receiver)
	if e == nil {
		return fmt.Errorf("%w: %v", ErrNotNeighbour, receiver)
	}
	s := e.latest(now.Seconds(), deadAfter, true)
	if s == nil || s.addr == from {
		return fmt.Errorf("%w: %v", ErrNotNeighbour, receiver)
	}
	if err := d.admit(now, from); err != nil {
		return err
	}
	start := len(d.out.buf)
	d.out.buf = append(d.out.buf, p...)
	d.send(s.addr, start)
	return nil
}

// receiveNATPing answers a searched key that asks whether packets get through
// to us, by one way only (SPEC T-46).
func (d *DHT) receiveNATPing(now packets.Time, sender packets.PublicKey, plain []byte) error {
	x, err := parseNATPing(plain)
	if err != nil {
		return err
	}
	if x.kind != natRequest {
		return fmt.Errorf("%w: NAT ping response of %v", ErrUnasked, sender)
	}
	s := d.byKey[sender]
	if s == nil {
		return fmt.Errorf("%w: %v", ErrStranger, sender)
	}
	ways := d.ways(now.Seconds(), s)
	if len(ways) > 1 {
		i := d.random(len(ways))
		ways = ways[i : i+1]
	}
	var answer [natSize]byte
	return d.sendRouted(now, sender, ways, natPing{natResponse, x.id}.append(answer[:0]))
}
