package persist

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"golang.org/x/crypto/nacl/secretbox"
	"golang.org/x/crypto/scrypt"

	"github.com/tox-rejoin/rejoin/packets"
)

// The layout of an encrypted save file (toxencryptsave): magic, salt, nonce,
// then the secretbox of the plain file.
const (
	magic     = packets.EncryptedMagic
	saltSize  = 32
	nonceSize = 24
	headSize  = len(magic) + saltSize + nonceSize
	// EnvelopeSize is how many bytes an encrypted file is longer than its plain file.
	EnvelopeSize = headSize + secretbox.Overhead
)

// The cost of a guess at the passphrase. It is what libsodium makes of
// toxencryptsave's limits (2^20 operations, 2^24 bytes) and part of the format.
const (
	scryptN = 1 << 14
	scryptR = 8
	scryptP = 2
)

// Errors of an encrypted file.
var (
	// ErrPassword is a wrong password. Damaged encrypted data looks the same:
	// only the right password could tell the two apart.
	ErrPassword = errors.New("persist: wrong password, or the encrypted data is damaged")
	// ErrNoPassword says that the file is encrypted and no password was given.
	ErrNoPassword = errors.New("persist: the file is encrypted and needs a password")
	// ErrEnvelopeShort is an encrypted file that ends before its data begins.
	ErrEnvelopeShort = errors.New("persist: the encrypted file is cut off")
	// ErrNotEncrypted is a file that does not begin as an encrypted one.
	ErrNotEncrypted = errors.New("persist: the file is not encrypted")
)

// Encrypted tells whether a file begins as toxencryptsave's files do.
func Encrypted(file []byte) bool {
	return len(file) >= len(magic) && string(file[:len(magic)]) == magic
}

// Key encrypts and decrypts files. It belongs to one passphrase and one salt.
// Making one is slow on purpose, so a host keeps it for as long as it saves.
type Key struct {
	salt [saltSize]byte
	key  [32]byte
}

// NewKey makes the key of a passphrase (any bytes, also none) with a new salt,
// for which it reads 32 bytes of rand.
func NewKey(rand io.Reader, passphrase []byte) (*Key, error) {
	var salt [saltSize]byte
	if _, err := io.ReadFull(rand, salt[:]); err != nil {
		return nil, fmt.Errorf("persist: salt: %w", err)
	}
	return deriveKey(passphrase, salt)
}

// KeyOf makes the key that opens file if the passphrase is right; whether it
// is, only Decrypt can tell. It errs with ErrNotEncrypted or ErrEnvelopeShort.
func KeyOf(file, passphrase []byte) (*Key, error) {
	if err := checkEnvelope(file); err != nil {
		return nil, err
	}
	return deriveKey(passphrase, [saltSize]byte(file[len(magic):]))
}

func deriveKey(passphrase []byte, salt [saltSize]byte) (*Key, error) {
	hash := sha256.Sum256(passphrase)
	key, err := scrypt.Key(hash[:], salt[:], scryptN, scryptR, scryptP, 32)
	if err != nil {
		return nil, fmt.Errorf("persist: key: %w", err)
	}
	return &Key{salt: salt, key: [32]byte(key)}, nil
}

// Encrypt returns the encrypted file of a plain one, with a new nonce, for
// which it reads 24 bytes of rand. The result shares no memory with plain.
func (k *Key) Encrypt(rand io.Reader, plain []byte) ([]byte, error) {
	var nonce [nonceSize]byte
	if _, err := io.ReadFull(rand, nonce[:]); err != nil {
		return nil, fmt.Errorf("persist: nonce: %w", err)
	}
	file := make([]byte, 0, EnvelopeSize+len(plain))
	file = append(file, magic...)
	file = append(file, k.salt[:]...)
	file = append(file, nonce[:]...)
	return secretbox.Seal(file, plain, &nonce, &k.key), nil
}

// Decrypt returns the plain file inside an encrypted one. It errs with
// ErrNotEncrypted, ErrEnvelopeShort or ErrPassword.
func (k *Key) Decrypt(file []byte) ([]byte, error) {
	if err := checkEnvelope(file); err != nil {
		return nil, err
	}
	if [saltSize]byte(file[len(magic):]) != k.salt {
		return nil, fmt.Errorf("%w (the key has another salt)", ErrPassword)
	}
	nonce := [nonceSize]byte(file[len(magic)+saltSize:])
	plain, ok := secretbox.Open(nil, file[headSize:], &nonce, &k.key)
	if !ok {
		return nil, ErrPassword
	}
	return plain, nil
}

// String hides the key from logs.
func (Key) String() string { return "key" }

// GoString hides the key from logs.
func (Key) GoString() string { return "key" }

// checkEnvelope refuses what libtoxcore refuses before it tries a password.
func checkEnvelope(file []byte) error {
	switch {
	case !Encrypted(file):
		return ErrNotEncrypted
	case len(file) <= EnvelopeSize:
		return fmt.Errorf("%w: %d bytes, need more than %d", ErrEnvelopeShort, len(file), EnvelopeSize)
	}
	return nil
}
