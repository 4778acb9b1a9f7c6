// Package messenger is the machine of what friends tell each other: friend
// requests, names, statuses, messages and their receipts, custom packets. It
// passes the packets of conferences through.
//
// A friend's messenger is ready once it has sent packet 24; until then nothing
// else of it counts. It gets packet 24 when the connection comes up, and again
// as an answer to its own, because it may have become our friend in between.
// Packets of a session, their id first; lossless unless noted:
//
//	24      online          nothing
//	25      offline         nothing; we are no longer its friend
//	48      name            0-128
//	49      status message  0-1007
//	50      status          1: 0 available, 1 away, 2 busy
//	51      typing          1: 0 or 1
//	64, 65  message, action 1-1372
//	80      file offer      number 1 | kind 4 | size 8 | id 32 | name 0-255
//	81      file control    direction 1 | number 1 | control 1; 1 | number | 2 refuses an offer
//	96      conference invite, of ready friends only
//	97-100  conference packets, of any connection
//	160-191 custom          chosen by applications
//	192-254 custom, lossy; but 199 is a conference packet of any connection
//
// A message has been received when the number of its packet was acknowledged;
// there is no packet for that. A friend request is sent again after 5 s, 10 s,
// and so on, until the friend is ready.
//
// Sources: the Tox protocol text, and c-toxcore 0.2.18 to 0.2.23 as observed.
//
// The machine is pure. After each input its owner calls Poll, writes Sends in
// order, then carries out Conns and Requests, and then hands on the events.
// Several inputs may come before one Poll.
package messenger

import (
	"errors"

	"github.com/tox-rejoin/rejoin/packets"
)

// Packet ids.
const (
	packetOnline      = 24
	packetOffline     = 25
	packetName        = 48
	packetStatusText  = 49
	packetStatus      = 50
	packetTyping      = 51
	packetMessage     = 64
	packetAction      = 65
	packetFileOffer   = 80
	packetFileControl = 81
	firstCustom       = 160
	firstLossy        = 192
	lastLossy         = 254
)

// What the network decided. Times are whole seconds.
const (
	MaxText        = packets.MaxPacket - 1 // bytes of a message
	MaxRequestText = 921                   // bytes of the text of a friend request that we send

	maxReceivedText = 943 // of one that we receive
	fileOfferSize   = 46  // without its name
	fileReceived    = 1   // direction in file control: of a file that the sender of the packet would receive
	fileKill        = 2
	requestTimeout  = 5 // first time to wait for a friend after a request
	maxRequesters   = 32
)

// What we decided.
const (
	// MaxFriends is how many friends may be added, unless Config says
	// otherwise. Those of a save are all kept.
	MaxFriends = 512
	// MaxWaiting is how many messages to one friend may wait for receipts.
	MaxWaiting = 4096

	retryAfter        = 1       // second after which what could not be sent is tried again
	maxRequestTimeout = 1 << 20 // seconds, about 12 days
	maxArena          = 1 << 20 // bytes of Output memory kept for the next one
)

// Errors of Receive and Request: refused; nothing has changed.
var (
	ErrLength   = errors.New("messenger: wrong length")
	ErrPacket   = errors.New("messenger: packet that nobody takes")
	ErrValue    = errors.New("messenger: no such value")
	ErrStranger = errors.New("messenger: not a friend")
	ErrNotReady = errors.New("messenger: the friend is not online")
	ErrNoSpam   = errors.New("messenger: friend request with another nospam")
	ErrRepeated = errors.New("messenger: friend request that is known")
	ErrFriend   = errors.New("messenger: a friend already")
)

// Further errors of the verbs.
var (
	ErrOwnKey = errors.New("messenger: our own key")
	ErrFull   = errors.New("messenger: too many")
)

// Config is what a Machine is made from.
type Config struct {
	Self          packets.PublicKey
	NoSpam        [packets.NoSpamSize]byte
	Name          []byte // at most packets.MaxName bytes
	StatusMessage []byte // at most packets.MaxStatusMessage bytes
	Status        packets.UserStatus
	Friends       []packets.SavedFriend // of a save
	MaxFriends    int                   // 0 means the constant
}

// Kind is the kind of a message.
type Kind uint8

// The kinds.
const (
	Normal Kind = iota // said
	Action             // done, "/me waves"
)

// Send is a packet to write to a connection.
type Send struct {
	To      packets.PublicKey
	Lossy   bool
	Message uint32 // not 0: a message; its packet number must be told to Sent
	Data    []byte // its id first
}

// Request is a friend request to send over To's connection if that is online,
// or through the onion. If it was sent, RequestSent must be told; if not, it
// comes again a second later.
type Request struct {
	To     packets.PublicKey
	NoSpam [packets.NoSpamSize]byte
	Text   []byte
}

// Conn says that a connection is needed from now on, or not any more. If the
// connection is online already, Online must be told after a Hold.
type Conn struct {
	Peer packets.PublicKey
	Hold bool
}

// EventKind says what happened.
type EventKind uint8

// The events.
const (
	// Requested: Peer wants to be our friend and says Data.
	Requested EventKind = iota + 1
	// Ready: the friend is online; it may be written to and invited.
	Ready
	// Gone: it is not any more.
	Gone
	// Renamed: the friend's name is Data.
	Renamed
	// StatusMessage: the friend's status message is Data.
	StatusMessage
	// Status: the friend's status has changed.
	Status
	// Typing: the friend began or stopped to type.
	Typing
	// Message: the friend says or does Data.
	Message
	// Received: the friend's machine has our message Number.
	Received
	// Lost: the connection ended before our message Number was acknowledged. It
	// may have arrived or not.
	Lost
	// Custom: the friend sent the custom packet Data, its id first.
	Custom
	// Conference: Peer, a friend or not, sent the conference packet Data, its
	// id first.
	Conference
)

// Event is something for the application or the conferences.
type Event struct {
	Kind    EventKind
	Lossy   bool               // Custom, Conference
	Typing  bool               // Typing
	Message Kind               // Message
	Status  packets.UserStatus // Status
	Number  uint32             // Received, Lost
	Peer    packets.PublicKey
	Data    []byte
}

// Output is what the owner has to do after one input. Its slices are valid
// until the next call on the Machine but Sent, RequestSent and Refused.
type Output struct {
	Sends    []Send
	Conns    []Conn
	Requests []Request
	Events   []Event
	Dirty    bool         // Friends or the own profile have changed
	Wake     packets.Time // call Tick then; 0: nothing is due
}

// Profile is what friends see of us, and what their requests must carry.
type Profile struct {
	NoSpam        [packets.NoSpamSize]byte
	Name          []byte // a copy, as is StatusMessage
	StatusMessage []byte
	Status        packets.UserStatus
}

// Friend describes a friend.
type Friend struct {
	Key           packets.PublicKey
	Confirmed     bool // has been ready at least once, or was accepted by us
	Linked        bool // has a connection
	Ready         bool
	Typing        bool
	Status        packets.UserStatus
	Name          []byte // a copy, as are all slices here
	StatusMessage []byte
	LastSeen      uint64 // Unix time in seconds; 0: never
	Waiting       int    // messages without receipt
}
