package crypto

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/tox-rejoin/rejoin/packets"
)

// Sizes of an address in bytes.
const (
	AddressSize  = packets.KeySize + packets.NoSpamSize + checksumSize
	checksumSize = 2
)

// Errors of addresses.
var (
	ErrAddress   = errors.New("crypto: a Tox ID has 76 hexadecimal digits")
	ErrChecksum  = errors.New("crypto: wrong checksum in Tox ID")
	ErrAddressee = errors.New("crypto: public key in Tox ID has its top bit set")
)

// Address is a Tox ID, what a user hands out to be added: long-term public key,
// nospam, and a checksum against typing errors.
type Address [AddressSize]byte

// NewAddress puts key and nospam (in their order on the wire) together.
func NewAddress(key packets.PublicKey, nospam [packets.NoSpamSize]byte) (a Address) {
	copy(a[:], key[:])
	copy(a[packets.KeySize:], nospam[:])
	sum := a.checksum()
	copy(a[AddressSize-checksumSize:], sum[:])
	return a
}

// ParseAddress reads a Tox ID in hexadecimal of either case; white space around
// it is ignored. It returns ErrAddress, or what Check returns.
func ParseAddress(s string) (Address, error) {
	var a Address
	s = strings.TrimSpace(s)
	if len(s) != 2*AddressSize {
		return Address{}, fmt.Errorf("%w, not %d", ErrAddress, len(s))
	}
	if _, err := hex.Decode(a[:], []byte(s)); err != nil {
		return Address{}, fmt.Errorf("%w: %w", ErrAddress, err)
	}
	if err := a.Check(); err != nil {
		return Address{}, err
	}
	return a, nil
}

// Check returns ErrChecksum or ErrAddressee for an address that nobody has (SPEC T-5).
func (a *Address) Check() error {
	if sum := a.checksum(); sum != [checksumSize]byte(a[AddressSize-checksumSize:]) {
		return fmt.Errorf("%w: %x, want %x", ErrChecksum, a[AddressSize-checksumSize:], sum)
	}
	if a[packets.KeySize-1]&0x80 != 0 {
		return fmt.Errorf("%w: %v", ErrAddressee, a.Key())
	}
	return nil
}

// Key is the long-term public key.
func (a *Address) Key() packets.PublicKey { return packets.PublicKey(a[:packets.KeySize]) }

// NoSpam is what tells those who got the address from those who know the key.
func (a *Address) NoSpam() [packets.NoSpamSize]byte {
	return [packets.NoSpamSize]byte(a[packets.KeySize:])
}

// String is the form that users exchange: upper-case hexadecimal.
func (a Address) String() string { return strings.ToUpper(hex.EncodeToString(a[:])) }

// checksum folds key and nospam into two bytes (SPEC T-5).
func (a *Address) checksum() (sum [checksumSize]byte) {
	for i, b := range a[:AddressSize-checksumSize] {
		sum[i%checksumSize] ^= b
	}
	return sum
}
