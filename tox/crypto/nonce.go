package crypto

import (
	"encoding/binary"
	"io"
	"math/bits"
)

// NonceSize is the length of a nonce in bytes.
const NonceSize = 24

// Nonce is a 192-bit big-endian number that wraps around.
type Nonce [NonceSize]byte

// NewNonce is a random nonce, from 24 bytes of rand.
func NewNonce(rand io.Reader) (n Nonce) {
	Random(rand, n[:])
	return n
}

// Next returns the nonce and counts it up, so that a counted nonce is used
// only once: key.Seal(dst, &used, plain) with used := n.Next() (SPEC T-4).
func (n *Nonce) Next() Nonce {
	used := *n
	*n = n.Add(1)
	return used
}

// Add is n+x.
func (n Nonce) Add(x uint64) Nonce {
	low, carry := bits.Add64(binary.BigEndian.Uint64(n[16:]), x, 0)
	middle, carry := bits.Add64(binary.BigEndian.Uint64(n[8:]), 0, carry)
	high, _ := bits.Add64(binary.BigEndian.Uint64(n[:]), 0, carry)
	binary.BigEndian.PutUint64(n[16:], low)
	binary.BigEndian.PutUint64(n[8:], middle)
	binary.BigEndian.PutUint64(n[:], high)
	return n
}

// Low is the number's last 16 bits, all that a data packet tells of it.
func (n *Nonce) Low() uint16 { return binary.BigEndian.Uint16(n[NonceSize-2:]) }
