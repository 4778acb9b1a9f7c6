// Package onion hides who looks for whom: friends find each other's DHT keys
// through paths of three nodes, none of which knows both ends.
//
// It holds three machines of one shape, each pure state with one owner:
//
//   - Relay is a node of other people's paths (packets 0x80-0x82, 0x8c-0x8e).
//   - Store keeps announcements of others and hands data on to them (0x83, 0x85).
//   - Client announces us, searches our friends, and sends and receives friend
//     requests and DHT keys (0x84, 0x86, 0x88).
//
// A sender wraps a payload in three boxes; each node of the path opens one and
// sends the rest on, with the way back sealed for itself at the end:
//
//	0x80-0x82 forward    nonce 24 | key 32 | box(address 19 | next key 32 | next box) | way back (0, 59, 118)
//	at its end           payload | way back 177
//	0x8c-0x8e return     way back (177, 118, 59) | answer
//	way back             nonce 24 | box(address 19 of the node before | its way back)
//	0x83 announce req.   nonce 24 | requester key 32 | box(ping id 32 | searched key 32 | data key 32 | sendback 8)
//	0x84 its answer      sendback 8 | nonce 24 | box(stored 1 | ping id or data key 32 | 0-4 packed nodes)
//	0x88 newer answer    sendback 8 | nonce 24 | box(stored 1 | ping id or data key 32 | count 1 | packed nodes)
//	0x85 data request    receiver key 32 | nonce 24 | temporary key 32 | box
//	0x86 data response   nonce 24 | temporary key 32 | box(sender key 32 | box(data))
//	data 32              friend request: nospam 4 | text
//	data 156             DHT key: no-replay number 8 | DHT key 32 | 0-4 packed nodes
//
// All three boxes of one packet have the same nonce and different keys. Hop 1
// knows us by our DHT key, the others by a key pair made for the path. Packet
// 156 also goes through the DHT, as a routed request:
// real key 32 | nonce 24 | box(data 156).
//
// Sources: the Tox protocol text, and c-toxcore 0.2.18 to 0.2.23 as observed.
package onion

import (
	"errors"
	"io"
	"net/netip"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/crypto"
	"github.com/tox-rejoin/rejoin/tox/dhtnode"
)

// never is a stamp before all times, in seconds.
const never = -1 << 40

// Errors of Receive. A packet that is refused changes nothing but the budgets
// that count packets.
var (
	ErrKind        = errors.New("onion: not a packet for this machine")
	ErrLength      = errors.New("onion: wrong length")
	ErrSource      = errors.New("onion: from an address that nobody can have")
	ErrFlood       = errors.New("onion: too many packets")
	ErrDestination = errors.New("onion: to an address that we do not send to")
	ErrPayload     = errors.New("onion: carries what onions do not carry")
	ErrPlain       = errors.New("onion: malformed plaintext")
	ErrNodes       = errors.New("onion: malformed list of nodes")
	ErrNotStored   = errors.New("onion: for somebody who is not announced here")
	ErrUnasked     = errors.New("onion: answer to nothing that we asked")
	ErrOwnKey      = errors.New("onion: from our own key")
	ErrStranger    = errors.New("onion: DHT key of somebody who is no friend")
	ErrReplay      = errors.New("onion: has been here before")
	ErrSender      = errors.New("onion: DHT key sent by another one")
)

// Errors of the Client's verbs.
var (
	ErrUnknown = errors.New("onion: not in the list of friends")
	ErrTooMany = errors.New("onion: too many friends")
	ErrText    = errors.New("onion: text of a friend request has 1 to 921 bytes")
)

// Config is what the machines of one node are made from.
type Config struct {
	// Real is the long-term key pair; only the Client needs it.
	Real crypto.KeyPair
	// DHT is the DHT key pair of this run.
	DHT crypto.KeyPair
	// Rand gives keys, nonces, sendbacks and choices. Required.
	Rand io.Reader
	// IPv4Only is set if the node's socket cannot send to IPv6 addresses.
	IPv4Only bool
	// MaxFriends is how many friends a Client searches; 0 means the constant.
	MaxFriends int
}

// Node is a node of the DHT.
type Node = dhtnode.Node

// Datagram is one UDP packet to write.
type Datagram struct {
	To   netip.AddrPort
	Data []byte
}

// Output is what the owner does after each input: write Sends in order, carry
// out the rest, and call Tick at Wake (0: nothing is due). The slices and what
// they hold are valid until the next call that changes the machine.
type Output struct {
	Sends   []Datagram
	Queries []Query  // of a Store: to be answered with Answer
	Routed  []Routed // of a Client: to be sent through the DHT
	Events  []Event  // of a Client
	Wake    packets.Time
}

// Routed is the data of a routed request with sub id 156 to the node with a
// DHT key.
type Routed struct {
	To   packets.PublicKey
	Data []byte
}

// EventKind says what happened.
type EventKind uint8

// The events.
const (
	// DHTKey: the friend Real said that its DHT key of this run is DHTKey, and
	// that Nodes are close to it or relays that it uses.
	DHTKey EventKind = iota + 1
	// FriendRequest: Real, a stranger or not, sent NoSpam and Text.
	FriendRequest
	// SelfOnline: Connected is now Online.
	SelfOnline
)

// Event is something for the machines above.
type Event struct {
	Kind   EventKind
	Real   packets.PublicKey
	DHTKey packets.PublicKey
	Nodes  []packets.Node
	NoSpam [packets.NoSpamSize]byte
	Text   []byte
	Online bool
}

// What outboxes decided: no more than so many bytes are kept for the next input.
const keptBytes = 1 << 16

// outbox collects an Output. buf holds the bytes of all datagrams.
type outbox struct {
	out    Output
	buf    []byte
	now    packets.Time // of the last input; it never goes back
	polled bool
}

// begin starts an input: what was polled before is void.
func (o *outbox) begin(now packets.Time) {
	o.now = max(o.now, now)
	if !o.polled {
		return
	}
	o.polled = false
	if cap(o.buf) > keptBytes {
		o.out, o.buf = Output{}, nil
	}
	o.out.Sends, o.out.Queries = o.out.Sends[:0], o.out.Queries[:0]
	o.out.Routed, o.out.Events = o.out.Routed[:0], o.out.Events[:0]
	o.buf = o.buf[:0]
}

// send queues the bytes of buf from start on for to.
func (o *outbox) send(to netip.AddrPort, start int) {
	o.out.Sends = append(o.out.Sends, Datagram{to, o.since(start)})
}

// since is the bytes of buf from start on.
func (o *outbox) since(start int) []byte { return o.buf[start:len(o.buf):len(o.buf)] }

// poll returns what the inputs since the last poll gave.
func (o *outbox) poll(wake packets.Time) Output {
	if o.polled {
		return Output{Wake: wake}
	}
	o.polled = true
	o.out.Wake = wake
	return o.out
}
