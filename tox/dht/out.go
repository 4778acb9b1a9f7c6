package dht

import (
	"net/netip"

	"github.com/tox-rejoin/rejoin/packets"
)

// Datagram is one UDP packet to write.
type Datagram struct {
	To   netip.AddrPort
	Data []byte
}

// EventKind says what happened.
type EventKind uint8

// The events.
const (
	// Found: the searched Key answered us from Addr. It comes again with every
	// answer, at least once a minute while the node is there.
	Found EventKind = iota + 1
	// Routed: Key sent us a routed request, SubID and Data, through other
	// nodes. The box was sealed by Key; nothing else is known about it.
	Routed
	// PathNode: the node Key at Addr answered and may be used in onion paths.
	PathNode
)

// Event is something for the machines above.
type Event struct {
	Kind  EventKind
	Key   packets.PublicKey
	Addr  netip.AddrPort // Found, PathNode
	SubID byte           // Routed
	Data  []byte         // Routed: behind the sub id
}

// Output is what the owner does after each input: write Sends in order, hand
// Events on, and call Tick at Wake (0: nothing is due). The slices and what
// they hold are valid until the next call that changes the DHT.
type Output struct {
	Sends  []Datagram
	Events []Event
	Wake   packets.Time
}

// outbox collects an Output. buf holds the bytes of all datagrams.
type outbox struct {
	sends  []Datagram
	events []Event
	buf    []byte
	polled bool
}

// begin starts an input: what was polled before is void.
func (d *DHT) begin(now packets.Time) {
	d.now = max(d.now, now)
	if d.out.polled {
		d.out.sends, d.out.events, d.out.buf, d.out.polled = d.out.sends[:0], d.out.events[:0], d.out.buf[:0], false
	}
}

// send queues the bytes of buf from start on for to.
func (d *DHT) send(to netip.AddrPort, start int) {
	end := len(d.out.buf)
	d.out.sends = append(d.out.sends, Datagram{to, d.out.buf[start:end:end]})
}

func (d *DHT) event(e Event) { d.out.events = append(d.out.events, e) }

// Poll returns what the inputs since the last Poll gave; each datagram and
// event once.
func (d *DHT) Poll() Output {
	d.begin(d.now)
	d.out.polled = true
	return Output{Sends: d.out.sends, Events: d.out.events, Wake: d.wake()}
}

// wake is the start of the next second while there is anybody to talk to.
func (d *DHT) wake() packets.Time {
	switch {
	case d.idle():
		return 0
	case d.ticked < d.now.Seconds():
		return d.now
	}
	return packets.Time(d.ticked+1) * packets.Second
}

// idle tells whether a tick would do nothing, whenever it comes.
func (d *DHT) idle() bool {
	if len(d.boots)+len(d.restored)+len(d.maybe.nodes)+len(d.close.named.nodes) > 0 || d.pings.len()+d.asked.len() > 0 {
		return false
	}
	for i := range d.close.buckets {
		if len(d.close.buckets[i]) > 0 {
			return false
		}
	}
	for _, s := range d.searches {
		if len(s.nodes)+len(s.named.nodes) > 0 {
			return false
		}
	}
	return true
}
