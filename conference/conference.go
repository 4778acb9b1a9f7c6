// Package conference is the engine of Tox conferences: every conference of one
// identity, with persistence ("minpgc").
//
// It is pure: no clock, no randomness but Config.Rand, no goroutine, no
// callback. The host gives it inputs, each with the time, and after each input
// calls Poll once and does what the Output says, in this order: write Sends,
// carry out Conns, save if Dirty, publish Events. It delivers all inputs of a
// frame (Config.Frame), then calls Tick once if Output.Wake has come.
//
// The rules are numbered in SPEC.md and cited where the code follows them.
package conference

import (
	"errors"
	"io"

	"github.com/tox-rejoin/rejoin/packets"
)

// Errors of Receive: the packet was refused and nothing has changed.
var (
	ErrNoLink       = errors.New("conference: no connection to the sender")
	ErrNotFriend    = errors.New("conference: not a friend")
	ErrNoConference = errors.New("conference: no such conference")
	ErrNoEntry      = errors.New("conference: the sender has no entry in that conference")
	ErrUnknownPeer  = errors.New("conference: the sender is in no list of that conference")
	ErrTooLong      = errors.New("conference: longer than a packet can be")
	ErrPacket       = errors.New("conference: not a conference packet")
)

// Errors of the application's calls.
var (
	ErrNotConnected = errors.New("conference: no neighbour is online")
	ErrNotJoined    = errors.New("conference: still joining")
	ErrNotSent      = errors.New("conference: no connection could take the packet")
	ErrLength       = errors.New("conference: text has a forbidden length")
	ErrDuplicate    = errors.New("conference: already in that conference")
	ErrType         = errors.New("conference: the conference has another type")
	ErrFull         = errors.New("conference: no free group number")
	ErrQuit         = errors.New("conference: the engine has quit")
)

// Config is what an Engine is made from.
type Config struct {
	Self    packets.PublicKey   // long-term key
	DHTKey  packets.PublicKey   // DHT key of this run
	Name    []byte              // own name, at most packets.MaxName bytes
	Rand    io.Reader           // Create draws 32 bytes, each candidate peer number 2; required
	Friends []packets.PublicKey // known at load: saved peers remember whether they are friends
	// MaxFrozen is how many frozen peers a conference keeps; 0 means 128,
	// negative none.
	MaxFrozen int
	// Frame is the grid of Output.Wake in milliseconds; 0 means 50.
	Frame packets.Time
	// Reference makes the engine do exactly what c-toxcore 0.2.23 does,
	// without the improvements listed in improve.go.
	Reference bool
}

// Output is what the host has to do after one input. Its slices are valid
// until the next call on the Engine.
type Output struct {
	Sends   []Send       // packets to write, in order
	Refused []Send       // packets that were due but whose link could not take them; for statistics
	Conns   []Conn       // friend connections to keep or let go, in order
	Dirty   bool         // Save has something new that is worth writing
	Events  []Event      // for the application, in order
	Wake    packets.Time // call Tick then; 0: nothing is due
}

// Send is one packet for one peer.
type Send struct {
	To    packets.PublicKey
	Lossy bool
	Data  []byte // at most packets.MaxPacket bytes
}

// ConnOp says what to do with the engine's reference to a friend connection.
type ConnOp uint8

// The operations on a friend connection.
const (
	Want    ConnOp = iota + 1 // find the peer and keep a connection; DHT is where to look first
	Release                   // the engine needs it no more
)

// Conn is an operation on the one reference that the engine holds per peer.
// The host adds references of its own for friends. After the Release of a
// non-friend the engine takes the link for down; the host reports no Offline.
type Conn struct {
	Op   ConnOp
	Peer packets.PublicKey
	DHT  packets.PublicKey // Want only
}

// EventKind says what happened.
type EventKind uint8

// The events. All but Invitation belong to a conference of ours.
const (
	Invitation  EventKind = iota + 1 // a friend (Peer) invites us; answer with Join(Invited)
	Connected                        // a join is complete
	PeerJoined                       // Peer was appended to the active list
	PeerLeft                         // Peer was removed from the active list, for good
	PeerFrozen                       // Peer was removed from the active list and is about to be frozen
	PeerThawed                       // a frozen Peer was appended to the active list
	PeerRenamed                      // Text is Peer's new name
	Titled                           // Text is the new title; Index is -1 if it came by Title Response
	Texted                           // Text is a message of Peer (Message says which kind), our own echo included
	AudioHeard                       // Text is the data of a lossy packet of Peer, behind its kind
)

// Event is something for the application. It carries what was true when it
// happened: later input may have changed it.
type Event struct {
	Kind    EventKind
	ID      packets.ID
	Peer    packets.PublicKey   // whom it is about
	Index   int                 // Peer's position in the active list, before a removal and after an addition; -1: none
	Active  int                 // number of active peers, ourselves included, after the change
	Frozen  int                 // number of frozen peers; during PeerFrozen still without Peer (SPEC C-136)
	Message packets.MessageKind // Texted: NormalMessage or Action
	Number  uint32              // Texted: the author's message number; AudioHeard: the lossy number
	Text    []byte
	Invited Invited // Invitation
}

// Invited is an invitation as Join takes it.
type Invited struct {
	From  packets.PublicKey // the inviting friend
	ID    packets.ID
	Group uint16 // the inviter's group number
}

// View is a snapshot of one conference. It shares no memory with the engine.
type View struct {
	ID          packets.ID
	Group       uint16 // our group number
	Connected   bool   // false: joining
	Title       []byte
	TitleFresh  bool
	PeerNumber  uint16 // our own, once Connected
	Number      uint32 // last used message number
	LossyNumber uint16 // next lossy number
	MaxFrozen   int
	Peers       []Peer // active, ourselves included, in list order
	Frozen      []Peer
	Closest     [4]Closest // two nearest below us on the ring of keys, two above
	Neighbours  []Neighbour
}

// Peer is a member in a View.
type Peer struct {
	Key        packets.PublicKey
	DHT        packets.PublicKey
	Number     uint16
	Name       []byte
	LastActive int64 // Unix time in seconds
	Friend     bool  // when the entry was made
}

// Closest is one of the four slots for the closest peers in a View.
type Closest struct {
	Used bool
	Key  packets.PublicKey
	DHT  packets.PublicKey
}

// Neighbour is a used entry of the connection table in a View.
type Neighbour struct {
	Slot    int
	Key     packets.PublicKey
	Online  bool // both sides have an entry
	Reasons Reason
	Group   uint16 // the neighbour's group number; stale unless Online
}
