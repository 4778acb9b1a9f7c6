// Package netcrypto is the machine of net_crypto sessions: an authenticated,
// encrypted link over UDP between two long-term keys, with packets that arrive
// in order and once (lossless) and packets that may get lost (lossy).
//
// A session begins with a cookie request (0x18) to the peer's DHT key, the
// cookie response (0x19), a handshake (0x1a) of each side, and is established
// by the first data packet (0x1b) that decrypts. There is at most one session
// per long-term key. Layouts are in wire.go; their source is the transport
// protocol, "Cookie, handshake, crypto connection", checked against
// libtoxcore 0.2.18 and the source of 0.2.23.
//
// What differs from c-toxcore, invisible or compatible on the wire:
//
//   - An accepted handshake is not overwritten by another one until the session
//     is established or given up, and no cookie older than the one of the last
//     accepted handshake counts: replayed handshakes change nothing.
//   - A new handshake of an established peer, with a cookie made later, replaces
//     the session, also when the peer's DHT key or address did not change:
//     c-toxcore ignores it until the old session times out.
//   - A data packet is accepted once, lossy ones too.
//   - First sends and resends share one token bucket, which follows what arrives.
//   - A gap is reported after 200 ms, not only with the next request packet.
//
// The machine is pure: no clock, no randomness but Config.Rand, no goroutine,
// no callback. After each input the host calls Poll once and does what the
// Output says; it calls Tick when Output.Wake has come. Idle peers stay
// connected for ever here: friend connections know when one is dead.
package netcrypto

import (
	"errors"
	"io"
	"net/netip"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/crypto"
)

// What the network decided.
const (
	MaxPayload     = packets.MaxPacket // bytes of a payload, its packet id included
	MaxDatagram    = 1400              // bytes of a data packet
	RingSize       = 32768             // packets that may be on their way
	FirstLossless  = 16                // first packet id of lossless packets
	FirstLossy     = 192               // first packet id of lossy packets
	lastLossy      = 254
	CookieLife     = 15 * packets.Second
	resendInterval = packets.Second     // of cookie requests and handshakes
	maxTries       = 8                  // sends of one of them
	directTimeout  = 8 * packets.Second // an address is direct so long after we heard from it
	requestEvery   = packets.Second     // request packets, at least
	requestMin     = packets.Time(50)   // request packets, at most
	firstRTT       = packets.Second     // until one was measured

	cookieInterval = packets.Time(100) // cookie responses to everybody together
	cookieBurst    = 10
)

// What we decided.
const (
	// MaxPeers is how many long-term keys may be expected, unless Config says
	// otherwise; each has at most one session.
	MaxPeers = 1024

	// FriendPackets and FriendBytes limit what waits in one direction of a
	// session with a friend: unacknowledged packets, or received ones with a
	// gap before them. The others are for peers who are not friends.
	FriendPackets = RingSize
	FriendBytes   = 8 << 20
	OtherPackets  = 2048
	OtherBytes    = 1 << 20

	// MaxHeld limits the bytes that wait in all sessions together.
	MaxHeld = 64 << 20

	gapInterval  = packets.Time(200) // request packets while packets are missing
	rateWindow   = packets.Time(250) // over which the rate of received packets is taken
	busyRate     = 4                 // received packets per second above which requests go faster
	rttWindow    = 10 * packets.Second
	maxTimes     = 255  // sends of a packet that are counted
	replayWindow = 2048 // data packets older than the newest by more are refused

	sourceInterval    = packets.Time(200) // cookie responses to one source
	sourceBurst       = 5
	handshakeInterval = packets.Time(50) // handshakes with a good cookie, everybody together
	handshakeBurst    = 64
	handshakeSource   = packets.Time(200) // handshakes of one source
	handshakeOne      = 10                // burst of one source
	maxSources        = 256
	maxDHTKeys        = 256     // cached keys shared with DHT keys
	maxArena          = 1 << 20 // bytes of Output memory kept for the next one
)

// Errors of Receive: the packet was refused; nothing but a token bucket has
// changed.
var (
	ErrLength     = errors.New("netcrypto: wrong length")
	ErrPacket     = errors.New("netcrypto: not a packet of a session")
	ErrBusy       = errors.New("netcrypto: too many of these")
	ErrOwnKey     = errors.New("netcrypto: our own key")
	ErrKey        = errors.New("netcrypto: second form of a key") // X25519 ignores the highest bit, Tox forbids it
	ErrCookie     = errors.New("netcrypto: not a fresh cookie of ours")
	ErrHash       = errors.New("netcrypto: handshake made for another cookie")
	ErrUnexpected = errors.New("netcrypto: nobody expects that key")
	ErrReplay     = errors.New("netcrypto: has been here before")
	ErrHalfOpen   = errors.New("netcrypto: another handshake is waiting for its confirmation")
	ErrNoSession  = errors.New("netcrypto: no session")
	ErrWindow     = errors.New("netcrypto: acknowledges what was never sent")
)

// Further errors of the verbs.
var (
	ErrAddress = errors.New("netcrypto: not an address to send to")
	ErrDHTKey  = errors.New("netcrypto: there is a session with another DHT key")
	ErrFull    = errors.New("netcrypto: no room")
	ErrNoPath  = errors.New("netcrypto: the peer is not reachable at the moment")
)

// Config is what a Machine is made from.
type Config struct {
	Real crypto.KeyPair // long-term key pair
	DHT  crypto.KeyPair // DHT key pair of this run
	Rand io.Reader      // keys, nonces, cookie echoes; required
	// MaxPeers is how many keys may be expected; 0 means the constant.
	MaxPeers int
}

// Output is what the host has to do after one input. Its slices are valid
// until the next call on the Machine.
type Output struct {
	Sends  []Datagram
	Events []Event
	Wake   packets.Time // call Tick then; 0: nothing is due
}

// Datagram is one UDP packet.
type Datagram struct {
	To   netip.AddrPort
	Data []byte
}

// EventKind says what happened.
type EventKind uint8

// The events.
const (
	// Established: packets can be sent to RealKey, whose DHT key is DHTKey.
	Established EventKind = iota + 1
	// Lost: the session, or the attempt to make one, has ended for Reason; not
	// sent after Close and Forget.
	Lost
	// DHTKeyChanged: RealKey has proven that its DHT key now is DHTKey, by a
	// handshake that we accepted. Its session is not established yet; an attempt
	// of ours with another DHT key has ended with it.
	DHTKeyChanged
	// Payload: Data came from RealKey, in order unless Lossy.
	Payload
	// Acked: all lossless packets before Number have arrived.
	Acked
)

// Reason says why a session was lost.
type Reason uint8

// The reasons.
const (
	GaveUp   Reason = iota + 1 // cookie request or handshake went without answer
	Killed                     // the peer closed it
	Replaced                   // the peer began anew: do not dial, another session is being confirmed
)

// Event is something for the owner.
type Event struct {
	Kind    EventKind
	Reason  Reason            // Lost
	Lossy   bool              // Payload
	Number  uint32            // Acked
	RealKey packets.PublicKey // whom it is about
	DHTKey  packets.PublicKey // Established, DHTKeyChanged, Lost: the session's
	Data    []byte            // Payload: packet id and data
}

// State is how far a session has come.
type State uint8

// The states, in order.
const (
	CookieRequesting State = iota + 1 // cookie request sent
	HandshakeSent                     // handshake sent, none accepted
	NotConfirmed                      // handshake accepted
	Up                                // data came: established
)

// Info describes a session.
type Info struct {
	State    State
	DHTKey   packets.PublicKey
	Addr     netip.AddrPort // where packets go; invalid if the peer is silent or was never heard
	RTT      packets.Time   // shortest of the last 10 to 20 s; 1 s until one was measured
	Waiting  int            // lossless packets that are not acknowledged
	Received uint32         // lossless packets handed out
}
