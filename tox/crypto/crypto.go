// Package crypto is the cryptography that all Tox packets share: key pairs,
// the boxes of NaCl, counted nonces, Tox addresses and a cache of shared keys.
//
// Two peers share one key for both directions, HSalsa20 of their X25519 secret
// (crypto_box_beforenm of NaCl); a box is XSalsa20-Poly1305 under it, 16 bytes
// of tag in front. Layouts: transport protocol, "Crypto conventions".
//
// A random source that fails is a fault of the program and panics: there is
// nothing that a node without randomness could do. crypto/rand never fails.
package crypto

import (
	"crypto/ecdh"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"

	"golang.org/x/crypto/nacl/secretbox"
	"golang.org/x/crypto/salsa20/salsa" //nolint:staticcheck // Tox is built on HSalsa20, which lives nowhere else

	"github.com/tox-rejoin/rejoin/packets"
)

// Overhead is how many bytes a box is longer than its plaintext.
const Overhead = secretbox.Overhead

// Errors of this package. They are wrapped with the value that was wrong,
// never with a secret.
var (
	ErrLowOrder = errors.New("crypto: public key of low order")
	ErrSecret   = errors.New("crypto: not a secret key")
	ErrOpen     = errors.New("crypto: box does not open")
)

// KeyPair is an X25519 key pair. It is a value; copies share the secret key.
// The zero value has no secret key and may only be replaced.
type KeyPair struct {
	Public packets.PublicKey
	secret *ecdh.PrivateKey
}

// NewKeyPair makes a key pair of exactly 32 bytes of rand, so that a seeded
// source gives the same keys again.
func NewKeyPair(rand io.Reader) KeyPair {
	var s packets.SecretKey
	Random(rand, s[:])
	k, err := KeyPairFromSecret(s)
	if err != nil {
		panic(err) // any 32 bytes are a secret key
	}
	return k
}

// KeyPairFromSecret computes the public key. It returns ErrSecret if the
// secret cannot be one.
func KeyPairFromSecret(s packets.SecretKey) (KeyPair, error) {
	secret, err := ecdh.X25519().NewPrivateKey(s[:])
	if err != nil {
		return KeyPair{}, ErrSecret
	}
	return KeyPair{Public: packets.PublicKey(secret.PublicKey().Bytes()), secret: secret}, nil
}

// Secret is the secret key, for a save file.
func (k KeyPair) Secret() packets.SecretKey { return packets.SecretKey(k.secret.Bytes()) }

// String is the public key's prefix; the secret never prints.
func (k KeyPair) String() string { return "key pair " + k.Public.String() }

// GoString hides the secret from %#v.
func (k KeyPair) GoString() string { return "crypto.KeyPair{" + k.Public.String() + "}" }

// Shared is the key shared with peer. It costs one X25519 (about 40 µs), so
// callers cache it, and returns ErrLowOrder for a key with which everybody
// would share the same (SPEC T-1, T-2).
func (k KeyPair) Shared(peer packets.PublicKey) (SharedKey, error) {
	public, err := ecdh.X25519().NewPublicKey(peer[:])
	if err != nil {
		return SharedKey{}, fmt.Errorf("%w: %v", ErrLowOrder, peer)
	}
	x, err := k.secret.ECDH(public)
	if err != nil {
		return SharedKey{}, fmt.Errorf("%w: %v", ErrLowOrder, peer)
	}
	var zero [16]byte
	var out, in [32]byte
	copy(in[:], x)
	salsa.HSalsa20(&out, &zero, &in, &salsa.Sigma)
	return SharedKey(out), nil
}

// SharedKey seals and opens boxes: the key that two key pairs share, or one
// node's own symmetric key.
type SharedKey [32]byte

// NewSharedKey is a random symmetric key, from 32 bytes of rand.
func NewSharedKey(rand io.Reader) (k SharedKey) {
	Random(rand, k[:])
	return k
}

// String hides the key.
func (SharedKey) String() string { return "shared key" }

// GoString hides the key from %#v.
func (SharedKey) GoString() string { return "crypto.SharedKey{}" }

// Seal appends the box of plain, which is len(plain)+Overhead bytes. dst must
// not overlap plain. No two plaintexts may be sealed with the same nonce.
// Empty plaintext is legal nowhere in Tox, so it panics.
func (k *SharedKey) Seal(dst []byte, n *Nonce, plain []byte) []byte {
	if len(plain) == 0 {
		panic("crypto: empty plaintext")
	}
	return secretbox.Seal(dst, plain, (*[NonceSize]byte)(n), (*[32]byte)(k))
}

// Open appends the plaintext of box, at least one byte. dst must not overlap
// box. It returns ErrOpen, and nothing, for a box that k and n did not seal or
// that is empty.
func (k *SharedKey) Open(dst []byte, n *Nonce, box []byte) ([]byte, error) {
	if len(box) <= Overhead { // SPEC T-3
		return nil, ErrOpen
	}
	plain, ok := secretbox.Open(dst, box, (*[NonceSize]byte)(n), (*[32]byte)(k))
	if !ok {
		return nil, ErrOpen
	}
	return plain, nil
}

// SealRandom appends a random nonce and the box of plain: the form of most Tox
// packets, NonceSize+len(plain)+Overhead bytes.
func (k *SharedKey) SealRandom(dst []byte, rand io.Reader, plain []byte) []byte {
	start := len(dst)
	dst = append(dst, make([]byte, NonceSize)...)
	n := (*Nonce)(dst[start:]) // in place: what a reader fills is on the heap anyway
	Random(rand, n[:])
	return k.Seal(dst, n, plain)
}

// OpenPrefixed appends the plaintext of a nonce and a box. It returns ErrOpen
// like Open.
func (k *SharedKey) OpenPrefixed(dst, nonceAndBox []byte) ([]byte, error) {
	if len(nonceAndBox) <= NonceSize+Overhead {
		return nil, ErrOpen
	}
	n := Nonce(nonceAndBox[:NonceSize])
	return k.Open(dst, &n, nonceAndBox[NonceSize:])
}

// Equal compares in a time that depends on the lengths only.
func Equal(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }

// Random fills b from rand. It panics if rand fails.
func Random(rand io.Reader, b []byte) {
	if _, err := io.ReadFull(rand, b); err != nil {
		panic(fmt.Errorf("crypto: random source: %w", err))
	}
}
