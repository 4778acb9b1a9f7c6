// Package tox is a whole Tox node: the machines of the packages below it, wired
// together.
//
// Node is a pure machine of the same shape as its parts. It has one owner, who
// gives it datagrams and the time, and does what Poll says; the parts know
// nothing of each other, so Node carries what one has to tell to the others
// until nobody has anything left to say. Runner gives a Node a UDP socket and a
// clock.
//
//	0x00-0x04, 0x20, 0xf0  dht: neighbours, searches, routed requests
//	0x80-0x82, 0x8c-0x8e   onion.Relay: other people's paths
//	0x83, 0x85             onion.Store: other people's announcements
//	0x84, 0x86, 0x88       onion.Client: being found, finding friends
//	0x18-0x1b              netcrypto: sessions, whose packets go to friend
//	0x21                   Node itself: local discovery, unless it is off
//
// Friend connections hand what comes through sessions to the messenger, and that
// tells the owner, in order, what friends say; the packets of conferences pass
// through it unread.
package tox

import (
	"errors"
	"io"
	"net/netip"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/crypto"
	"github.com/tox-rejoin/rejoin/tox/messenger"
)

// First bytes of the packets of sessions.
const (
	cookieRequest  = 0x18
	cookieResponse = 0x19
	handshake      = 0x1a
	sessionData    = 0x1b
)

// What we decided.
const (
	// maxRounds is how often all parts are asked what they have to tell after
	// one input. The longest chain that is known takes 4.
	maxRounds = 32
	maxArena  = 1 << 20 // bytes of Output memory that are kept for the next one
	toldNodes = 4       // neighbours that friends are told with our DHT key
)

// Errors of the Node itself; the parts have their own.
var (
	ErrKind    = errors.New("tox: not a packet that a node takes")
	ErrOffline = errors.New("tox: not online")
	ErrPacket  = errors.New("tox: not a packet of conferences")
	ErrLAN     = errors.New("tox: local discovery that leads nowhere")
)

// ErrInvariant is what Check finds in the wiring.
var ErrInvariant = errors.New("tox: invariant")

// Config is what a Node is made from.
type Config struct {
	// Real is the long-term key pair. Required.
	Real crypto.KeyPair
	// DHT is the DHT key pair of this run; with the zero value one is drawn
	// from Rand, as it should be for all but bootstrap nodes.
	DHT crypto.KeyPair
	// Rand gives all keys, nonces and choices. Required.
	Rand io.Reader
	// IPv4Only is set if the socket cannot send to IPv6 addresses.
	IPv4Only bool
	// MOTD and Version answer bootstrap info requests; with a nil MOTD none is
	// answered. MOTD has at most dht.MaxMOTD bytes.
	MOTD    []byte
	Version uint32
	// LAN lets the node look for others in its local networks, and be found
	// there. If it is false, local discovery of others is refused.
	LAN bool
	// Broadcast are the IPv4 addresses at which it looks for them, the first 16;
	// with none it only hears others.
	Broadcast []netip.Addr

	// What friends see, and who they are: of a save, or empty.
	NoSpam        [packets.NoSpamSize]byte
	Name          []byte // at most packets.MaxName bytes
	StatusMessage []byte // at most packets.MaxStatusMessage bytes
	Status        packets.UserStatus
	// Friends beyond friend.MaxPeers are kept, but there is no connection with
	// them.
	Friends []packets.SavedFriend
}

// Datagram is one UDP packet to write.
type Datagram struct {
	To   netip.AddrPort
	Data []byte
}

// EventKind says what happened.
type EventKind uint8

// The events.
const (
	// Online: packets of conferences can be sent to Peer, whose DHT key is DHT.
	// It comes again when a peer who is online becomes a friend or is wanted.
	// A friend may be invited only when its messenger is Ready.
	Online EventKind = iota + 1
	// Offline: they cannot any more. Released is set if that is because nobody
	// holds the peer.
	Offline
	// Messenger: the messenger tells what Messenger says; conference packets
	// come so, too.
	Messenger
	// SelfOnline: friends can now find us through the onion, or no longer
	// (Node.Announced).
	SelfOnline
)

// Event is something for the owner.
type Event struct {
	Kind      EventKind
	Released  bool              // Offline
	Peer      packets.PublicKey // all but SelfOnline
	DHT       packets.PublicKey // Online
	Messenger messenger.Event   // Messenger
}

// Output is what the owner does after each input: write Sends in order, look at
// Events, and call Tick at Wake (0: nothing is due). The slices and what they
// hold are valid until the next Poll.
type Output struct {
	Sends  []Datagram
	Events []Event
	Dirty  bool // friends or the own profile have changed
	Wake   packets.Time
}

// outbox collects an Output; buf holds the bytes of all of it.
type outbox struct {
	sends  []Datagram
	events []Event
	buf    []byte
}

func (o *outbox) send(to netip.AddrPort, p []byte) {
	o.sends = append(o.sends, Datagram{to, o.copy(p)})
}

func (o *outbox) copy(p []byte) []byte {
	start := len(o.buf)
	o.buf = append(o.buf, p...)
	return o.buf[start:len(o.buf):len(o.buf)]
}

func (o *outbox) empty() {
	clear(o.sends)
	clear(o.events)
	if cap(o.buf) > maxArena {
		*o = outbox{}
	}
	o.sends, o.events, o.buf = o.sends[:0], o.events[:0], o.buf[:0]
}
