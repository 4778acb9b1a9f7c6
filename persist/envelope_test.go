package persist

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestEncryptedVectors(t *testing.T) {
	n := 0
	for _, v := range saveVectors(t) {
		if v.password == nil {
			assert.False(t, Encrypted(v.raw), v.name)
			continue
		}
		n++
		t.Run(v.name, func(t *testing.T) {
			require.True(t, Encrypted(v.raw))
			assert.Len(t, v.raw, len(v.plain)+EnvelopeSize)
			key, err := KeyOf(v.raw, v.password)
			require.NoError(t, err)
			plain, err := key.Decrypt(v.raw)
			require.NoError(t, err)
			assert.Equal(t, v.plain, plain)

			// With the same salt and nonce the same file comes out.
			nonce := v.raw[len(magic)+saltSize : headSize]
			again, err := key.Encrypt(bytes.NewReader(nonce), plain)
			require.NoError(t, err)
			assert.Equal(t, v.raw, again)

			wrong, err := KeyOf(v.raw, append(v.password, '\n'))
			require.NoError(t, err)
			_, err = wrong.Decrypt(v.raw)
			assert.ErrorIs(t, err, ErrPassword)
		})
	}
	assert.GreaterOrEqual(t, n, 2, "encrypted vectors")
}

func TestNewKey(t *testing.T) {
	var source seeded
	key, err := NewKey(&source, []byte("open"))
	require.NoError(t, err)
	other, err := NewKey(&source, []byte("open"))
	require.NoError(t, err)
	assert.NotEqual(t, *key, *other, "two salts")

	first, err := key.Encrypt(&source, []byte("plain"))
	require.NoError(t, err)
	second, err := key.Encrypt(&source, []byte("plain"))
	require.NoError(t, err)
	assert.NotEqual(t, first[headSize:], second[headSize:], "two nonces")
	plain, err := key.Decrypt(second)
	require.NoError(t, err)
	assert.Equal(t, "plain", string(plain))
	_, err = other.Decrypt(second)
	assert.ErrorIs(t, err, ErrPassword)

	// What another process makes of the file.
	reader, err := KeyOf(second, []byte("open"))
	require.NoError(t, err)
	assert.Equal(t, *key, *reader)
}

func TestNoRandomness(t *testing.T) {
	broken := errors.New("broken")
	_, err := NewKey(iotest.ErrReader(broken), nil)
	assert.ErrorIs(t, err, broken)
	_, err = NewKey(strings.NewReader("short"), nil)
	assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
	_, err = new(Key).Encrypt(iotest.ErrReader(broken), nil)
	assert.ErrorIs(t, err, broken)
}

func TestEnvelopeCut(t *testing.T) {
	var source seeded
	key := new(Key)
	file, err := key.Encrypt(&source, []byte("plain"))
	require.NoError(t, err)
	for n := range file {
		_, err := key.Decrypt(file[:n])
		_, keyErr := KeyOf(file[:min(n, EnvelopeSize)], nil)
		switch {
		case n < len(magic):
			assert.ErrorIs(t, err, ErrNotEncrypted, n)
			assert.ErrorIs(t, keyErr, ErrNotEncrypted, n)
		case n <= EnvelopeSize:
			assert.ErrorIs(t, err, ErrEnvelopeShort, n)
			assert.ErrorIs(t, keyErr, ErrEnvelopeShort, n)
		default:
			assert.ErrorIs(t, err, ErrPassword, n)
		}
	}
	for i := range file {
		bad := bytes.Clone(file)
		bad[i] ^= 1
		_, err := key.Decrypt(bad)
		assert.Error(t, err, "byte %d", i)
	}
}

func TestKeyDoesNotShow(t *testing.T) {
	key := &Key{key: [32]byte{0xab, 0xcd, 0xef}}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		assert.Equal(t, "key", fmt.Sprintf(verb, key))
		assert.Equal(t, "key", fmt.Sprintf(verb, *key))
	}
}

// FuzzEnvelope opens files with a key at hand: deriving one for each input
// would leave no time for anything else.
func FuzzEnvelope(f *testing.F) {
	var source seeded
	key := new(Key)
	for _, plain := range []string{"", "p", "plain"} {
		file, err := key.Encrypt(&source, []byte(plain))
		require.NoError(f, err)
		f.Add(file)
	}
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, file []byte) {
		plain, err := key.Decrypt(file)
		if err != nil {
			return
		}
		again, err := key.Encrypt(bytes.NewReader(file[len(magic)+saltSize:headSize]), plain)
		require.NoError(t, err)
		assert.Equal(t, file, again)
	})
}
