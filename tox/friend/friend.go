// Package friend is the machine of friend connections: the links to friends,
// and to neighbours in a conference who need not be friends.
//
// There is one connection for each long-term key that some user holds: the
// friend list, the conferences, or both. It searches the peer through the
// onion until it knows the peer's DHT key, searches that key in the DHT until
// it knows an address, dials, and dials again whenever the session is lost. A
// session that the peer begins is accepted if the key is held, so two peers
// who are not friends connect only while both want it.
//
// Packets that this layer sends and consumes, all lossless:
//
//	16 alive           nothing; every 8 s, a peer silent for 32 s is offline
//	17 share relays    packed nodes; ignored, there are no TCP relays here
//	18 friend request  nospam 4 | text; the same as through the onion
//
// All others go up, in the order in which they came: first to the messenger,
// then to the conferences.
//
// A DHT key is forgotten 122 s after it was told last, or after the peer went
// offline, and an address as long after it was found. Times are whole seconds,
// like c-toxcore's. Sources: the Tox protocol text, and c-toxcore 0.2.18 to
// 0.2.23 as observed. Unlike there, a DHT key that others tell of a peer never
// replaces one that the peer told itself.
//
// The machine is pure and knows no other machine. After each input its owner
// calls Poll, carries out the commands, in order, on the DHT, the onion client
// and the sessions, and then hands on the events. What these machines have to
// tell is input here. Several inputs may come before one Poll.
package friend

import (
	"errors"
	"net/netip"

	"github.com/tox-rejoin/rejoin/packets"
)

// Packet ids of this layer.
const (
	PacketAlive   = 16
	PacketRelays  = 17
	PacketRequest = 18
)

// What the network decided. Times are whole seconds.
const (
	aliveEvery   = 8
	aliveTimeout = 32
	keyLife      = 122 // of a DHT key and of an address

	firstLossless = 16
	firstLossy    = 192
	lastLossy     = 254
	requestHead   = 1 + packets.NoSpamSize
)

// What we decided.
const (
	// MaxPeers is how many keys may be held. It is the number of keys that a
	// DHT machine searches, so that no search is refused.
	MaxPeers = 512

	redialAfter = 1       // second between two dials of one peer
	maxArena    = 1 << 20 // bytes of Output memory kept for the next one
)

// Errors of the inputs. Nothing has changed.
var (
	ErrOwnKey  = errors.New("friend: our own key")
	ErrUser    = errors.New("friend: not one user")
	ErrFull    = errors.New("friend: too many connections")
	ErrUnknown = errors.New("friend: nobody holds that key")
	ErrKey     = errors.New("friend: not a DHT key")
	ErrHearsay = errors.New("friend: the peer itself told another DHT key")
	ErrAddress = errors.New("friend: not an address")
	ErrOffline = errors.New("friend: not online")
	ErrLength  = errors.New("friend: wrong length")
	ErrPacket  = errors.New("friend: packet id of another kind of packet")
)

// User is who holds a connection. The values are bits.
type User uint8

// The users.
const (
	FriendList  User = 1 << iota // the peer is a friend
	Conferences                  // the peer is a neighbour in some conference
)

// Source is who told a DHT key.
type Source uint8

// The sources, the most trusted last.
const (
	Hearsay Source = iota + 1 // others, for example a conference's list of peers
	Told                      // the peer, through the onion or the DHT
	Proven                    // the peer, by a handshake
)

// Config is what a Machine is made from.
type Config struct {
	Real, DHT packets.PublicKey // our own keys
	// MaxPeers is how many keys may be held; 0 means the constant.
	MaxPeers int
}

// CommandKind says which verb of which machine is meant.
type CommandKind uint8

// The commands.
const (
	// Expect: the sessions accept handshakes of Real, who is a friend or not.
	// It comes again when Friend changes.
	Expect CommandKind = iota + 1
	// Forget: the sessions close the one with Real and expect it no more.
	Forget
	// Dial: begin a session with Real, whose DHT key is DHT, at Addrs; if there
	// is one with that key, only set the addresses. If this fails, tell
	// SessionDown once all commands are carried out.
	Dial
	// CloseSession: end the session with Real, or the attempt to make one.
	CloseSession
	// Send: Data to Real, lossless. If this fails, nothing has to be done.
	Send
	// SearchDHT and StopDHT: the DHT looks for DHT; each search is stopped once.
	SearchDHT
	StopDHT
	// SearchOnion and StopOnion: the onion client looks for Real.
	SearchOnion
	StopOnion
	// OnionKey: tell the onion client that Real's DHT key is DHT; zero means
	// that it is not known.
	OnionKey
	// OnionOnline: tell the onion client that Real went Online or offline.
	OnionOnline
)

// Command is something for another machine.
type Command struct {
	Kind   CommandKind
	Friend bool              // Expect
	Online bool              // OnionOnline
	Real   packets.PublicKey // all but SearchDHT and StopDHT
	DHT    packets.PublicKey // Dial, SearchDHT, StopDHT, OnionKey
	Addrs  []netip.AddrPort  // Dial: at most one of each family
	Data   []byte            // Send
}

// EventKind says what happened.
type EventKind uint8

// The events.
const (
	// Online: packets can be sent to Real, whose DHT key is DHT. It comes again
	// when a further user holds a connection that is online.
	Online EventKind = iota + 1
	// Offline: they cannot any more.
	Offline
	// Payload: Data came from Real, in order unless Lossy.
	Payload
	// Request: Real, who need not be a friend, sent a friend request over its
	// connection: NoSpam, and Data is the text.
	Request
)

// Event is something for the machines above.
type Event struct {
	Kind EventKind
	// Released is set if a connection is offline because nobody holds it.
	Released bool
	Lossy    bool
	Real     packets.PublicKey
	DHT      packets.PublicKey // Online
	NoSpam   [packets.NoSpamSize]byte
	Data     []byte
}

// Output is what the owner has to do after one input. Its slices are valid
// until the next call on the Machine.
type Output struct {
	Commands []Command
	Events   []Event
	Wake     packets.Time // call Tick then; 0: nothing is due
}

// Info describes a connection.
type Info struct {
	Users  User
	Online bool
	Dialed bool              // there is an attempt to make a session
	DHT    packets.PublicKey // zero if it is not known
	Source Source            // of DHT; 0 if it is not known
}
