// Package packets holds the values that Tox conference peers exchange and save,
// and turns them into bytes and back.
//
// It has no state and imports nothing of this module. Every ParseX accepts
// exactly what c-toxcore accepts; every Append writes the one canonical form.
// Layouts are tabulated in SPEC.md, "Packets" and "Save file".
package packets

import (
	"encoding/hex"
	"errors"
	"fmt"
)

// Limits that the network decided (SPEC.md, "Constants").
const (
	KeySize       = 32   // bytes of a public key and of a conference id
	MaxPacket     = 1373 // bytes of a payload, its packet id included
	MaxName       = 128  // bytes of a name and of a title
	MaxText       = 1363 // bytes of data in one conference message
	MaxPeerNumber = 1<<16 - 1
)

// Errors of the parsers. They are wrapped with the value that was wrong.
var (
	ErrTooShort = errors.New("packets: too short")
	ErrLength   = errors.New("packets: wrong length")
	ErrKind     = errors.New("packets: unknown kind")
	ErrName     = errors.New("packets: name longer than the packet or than 128 bytes")
)

// PublicKey is an X25519 public key: a peer's long-term key (its identity) or
// the DHT key of one of its runs.
type PublicKey [KeySize]byte

// String is the key's first 4 bytes in hexadecimal, the form used in logs.
func (k PublicKey) String() string { return hex.EncodeToString(k[:4]) }

// Hex is the whole key in lower-case hexadecimal.
func (k PublicKey) Hex() string { return hex.EncodeToString(k[:]) }

// ParsePublicKey reads 64 hexadecimal digits. It returns ErrLength or a
// hex error.
func ParsePublicKey(s string) (PublicKey, error) {
	var k PublicKey
	if len(s) != 2*KeySize {
		return k, fmt.Errorf("%w: %d hexadecimal digits, want %d", ErrLength, len(s), 2*KeySize)
	}
	_, err := hex.Decode(k[:], []byte(s))
	return k, err
}

// Type is the type byte of a conference. Unknown values are carried unchanged.
type Type uint8

// The two types in use.
const (
	Text Type = 0
	AV   Type = 1 // audio; the only type that uses lossy packets
)

// String is "text", "av" or the number.
func (t Type) String() string {
	switch t {
	case Text:
		return "text"
	case AV:
		return "av"
	}
	return fmt.Sprintf("type %d", uint8(t))
}

// ID names a conference: its type and the 32 random bytes of its founder.
type ID struct {
	Type Type
	Key  [KeySize]byte
}

// String is the id's first 4 bytes in hexadecimal, the form used in logs.
func (id ID) String() string { return hex.EncodeToString(id.Key[:4]) }

// Time is the instance clock in milliseconds: Unix time at the start, in whole
// seconds, plus the monotonic time since. Conference timers use Seconds.
type Time int64

// Second is one second of Time.
const Second Time = 1000

// Seconds is the time in whole seconds, rounded down.
func (t Time) Seconds() int64 { return int64(t / Second) }
