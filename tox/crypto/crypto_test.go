package crypto_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/nacl/secretbox"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/crypto"
)

func source(seed byte) *rand.ChaCha8 { return rand.NewChaCha8([32]byte{seed}) }

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}

// The test vectors of NaCl's own "tests/": both secret keys, the shared key,
// and one message sealed with it.
const (
	naclAlice  = "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"
	naclAliceP = "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"
	naclBob    = "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"
	naclBobP   = "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"
	naclShared = "1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389"
	naclNonce  = "69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37"
	naclPlain  = "be075fc53c81f2d5cf141316ebeb0c7b5228c52a4c62cbd44b66849b64244ffc" +
		"e5ecbaaf33bd751a1ac728d45e6c61296cdc3c01233561f41db66cce314adb31" +
		"0e3be8250c46f06dceea3a7fa1348057e2f6556ad6b1318a024a838f21af1fde" +
		"048977eb48f59ffd4924ca1c60902e52f0a089bc76897040e082f93776384864" +
		"5e0705"
	naclBox = "f3ffc7703f9400e52a7dfb4b3d3305d98e993b9f48681273c29650ba32fc76ce" +
		"48332ea7164d96a4476fb8c531a1186ac0dfc17c98dce87b4da7f011ec48c972" +
		"71d2c20f9b928fe2270d6fb863d51738b48eeee314a7cc8ab932164548e526ae" +
		"90224368517acfeabd6bb3732bc0e9da99832b61ca01b6de56244a9e88d5f9b3" +
		"7973f622a43d14a6599b1f654cb45a74e355a5"
)

// SPEC T-1
func TestNaClVectors(t *testing.T) {
	alice, err := crypto.KeyPairFromSecret(packets.SecretKey(unhex(t, naclAlice)))
	require.NoError(t, err)
	bob, err := crypto.KeyPairFromSecret(packets.SecretKey(unhex(t, naclBob)))
	require.NoError(t, err)
	require.Equal(t, naclAliceP, alice.Public.Hex())
	require.Equal(t, naclBobP, bob.Public.Hex())

	key, err := alice.Shared(bob.Public)
	require.NoError(t, err)
	require.Equal(t, naclShared, hex.EncodeToString(key[:]))
	other, err := bob.Shared(alice.Public)
	require.NoError(t, err)
	require.Equal(t, key, other, "both directions share one key")

	nonce := crypto.Nonce(unhex(t, naclNonce))
	box := key.Seal([]byte("head"), &nonce, unhex(t, naclPlain))
	require.Equal(t, "head"+string(unhex(t, naclBox)), string(box))
	plain, err := key.Open([]byte("head"), &nonce, box[4:])
	require.NoError(t, err)
	require.Equal(t, "head"+string(unhex(t, naclPlain)), string(plain))
}

// savedSelf is what the vectors of real save files say about their owner.
type savedSelf struct {
	File string
	Self struct {
		PK     string
		Secret string `json:"secret_key"`
		ToxID  string `json:"tox_id"`
	}
	Friends []struct{ PK string }
}

func savedSelves(t testing.TB) (list []savedSelf) {
	t.Helper()
	files, err := filepath.Glob("../../testdata/vectors/saves/*.json")
	require.NoError(t, err)
	for _, name := range files {
		b, err := os.ReadFile(name)
		require.NoError(t, err)
		var s savedSelf
		require.NoError(t, json.Unmarshal(b, &s), name)
		if s.Self.Secret != "" {
			list = append(list, s)
		}
	}
	require.NotEmpty(t, list)
	return list
}

// Keys and addresses that real clients made.
// SPEC T-5
func TestRealKeysAndAddresses(t *testing.T) {
	for _, s := range savedSelves(t) {
		pair, err := crypto.KeyPairFromSecret(packets.SecretKey(unhex(t, s.Self.Secret)))
		require.NoError(t, err, s.File)
		require.Equal(t, s.Self.PK, pair.Public.Hex(), s.File)
		require.Equal(t, s.Self.Secret, hex.EncodeToString(secret(pair)), s.File)

		a, err := crypto.ParseAddress(s.Self.ToxID)
		require.NoError(t, err, s.File)
		require.Equal(t, pair.Public, a.Key(), s.File)
		require.Equal(t, a, crypto.NewAddress(pair.Public, a.NoSpam()), s.File)
		again, err := crypto.ParseAddress(" " + a.String() + "\n")
		require.NoError(t, err, s.File)
		require.Equal(t, a, again, s.File)
	}
}

func secret(k crypto.KeyPair) []byte {
	s := k.Secret()
	return s[:]
}

// SPEC T-5
func TestBadAddresses(t *testing.T) {
	good := savedSelves(t)[0].Self.ToxID
	a, err := crypto.ParseAddress(good)
	require.NoError(t, err)
	for i := range a { // no single wrong byte passes
		bad := a
		bad[i] ^= 0x10
		require.ErrorIs(t, bad.Check(), crypto.ErrChecksum, "byte %d", i)
	}
	for _, s := range []string{"", good[:75], good + "00", good[:74] + "zz"} {
		_, err := crypto.ParseAddress(s)
		require.ErrorIs(t, err, crypto.ErrAddress, s)
	}
	key := a.Key()
	key[31] |= 0x80
	b := crypto.NewAddress(key, a.NoSpam())
	_, err = crypto.ParseAddress(b.String())
	require.ErrorIs(t, err, crypto.ErrAddressee)
}

// Every point of small order, in all its encodings below 2^255.
// SPEC T-2
func TestLowOrderIsRefused(t *testing.T) {
	pair := crypto.NewKeyPair(source(1))
	cache := crypto.NewCache(pair, 0)
	for _, s := range []string{
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
		"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	} {
		_, err := pair.Shared(packets.PublicKey(unhex(t, s)))
		require.ErrorIs(t, err, crypto.ErrLowOrder, s)
		_, err = cache.Shared(0, packets.PublicKey(unhex(t, s)))
		require.ErrorIs(t, err, crypto.ErrLowOrder, s)
	}
	require.Zero(t, cache.Len())
}

// A seeded source gives the same keys again, and exactly 32 bytes of it go.
func TestKeyPairComesFromTheSource(t *testing.T) {
	r := bytes.NewReader(bytes.Repeat([]byte{7}, 33))
	k := crypto.NewKeyPair(r)
	require.Equal(t, 1, r.Len())
	again, err := crypto.KeyPairFromSecret(packets.SecretKey(bytes.Repeat([]byte{7}, 32)))
	require.NoError(t, err)
	require.Equal(t, again.Public, k.Public)
	require.Panics(t, func() { crypto.NewKeyPair(r) }, "a source that runs dry")
}

func TestSecretsDoNotPrint(t *testing.T) {
	k := crypto.NewKeyPair(source(2))
	shared := crypto.NewSharedKey(source(3))
	for _, s := range []string{fmt.Sprint(k), fmt.Sprintf("%+v", k), fmt.Sprintf("%#v", k)} {
		require.NotContains(t, s, hex.EncodeToString(secret(k)))
		require.Contains(t, s, k.Public.String())
	}
	for _, s := range []string{fmt.Sprint(shared), fmt.Sprintf("%+v", shared), fmt.Sprintf("%#v", shared), fmt.Sprintf("%v", &shared)} {
		require.NotContains(t, s, fmt.Sprint(shared[0]))
		require.NotContains(t, s, hex.EncodeToString(shared[:2]))
	}
}

// SPEC T-3
func TestOpenRefuses(t *testing.T) {
	key := crypto.NewSharedKey(source(1))
	nonce := crypto.NewNonce(source(2))
	box := key.Seal(nil, &nonce, []byte("x"))
	require.Len(t, box, 1+crypto.Overhead)
	for i := range box {
		bad := bytes.Clone(box)
		bad[i] ^= 1
		_, err := key.Open(nil, &nonce, bad)
		require.ErrorIs(t, err, crypto.ErrOpen, "byte %d", i)
	}
	for n := range box {
		_, err := key.Open(nil, &nonce, box[:n])
		require.ErrorIs(t, err, crypto.ErrOpen, "%d bytes", n)
	}
	wrong := nonce.Add(1)
	_, err := key.Open(nil, &wrong, box)
	require.ErrorIs(t, err, crypto.ErrOpen)
	require.Panics(t, func() { key.Seal(nil, &nonce, nil) })
	empty := secretbox.Seal(nil, nil, (*[crypto.NonceSize]byte)(&nonce), (*[32]byte)(&key))
	_, err = key.Open(nil, &nonce, empty)
	require.ErrorIs(t, err, crypto.ErrOpen, "a box of nothing")
	_, err = key.OpenPrefixed(nil, append(nonce[:], empty...))
	require.ErrorIs(t, err, crypto.ErrOpen, "a box of nothing")
}

func TestPrefixedNonce(t *testing.T) {
	key := crypto.NewSharedKey(source(1))
	b := key.SealRandom([]byte("id"), source(2), []byte("text"))
	require.Len(t, b, 2+crypto.NonceSize+4+crypto.Overhead)
	require.NotEqual(t, b, key.SealRandom([]byte("id"), source(3), []byte("text")))
	plain, err := key.OpenPrefixed([]byte("> "), b[2:])
	require.NoError(t, err)
	require.Equal(t, "> text", string(plain))
	for n := range b[2:] {
		_, err := key.OpenPrefixed(nil, b[2:2+n])
		require.ErrorIs(t, err, crypto.ErrOpen, "%d bytes", n)
	}
}

func TestEqual(t *testing.T) {
	require.True(t, crypto.Equal([]byte{1, 2}, []byte{1, 2}))
	require.False(t, crypto.Equal([]byte{1, 2}, []byte{1, 3}))
	require.False(t, crypto.Equal([]byte{1, 2}, []byte{1, 2, 0}))
}

// SPEC T-4
func TestNonceCounts(t *testing.T) {
	r := source(4)
	mod := new(big.Int).Lsh(big.NewInt(1), 192)
	starts := []crypto.Nonce{{}, {23: 0xff}, {16: 0xff, 17: 0xff, 18: 0xff, 19: 0xff, 20: 0xff, 21: 0xff, 22: 0xff, 23: 0xff}}
	all := crypto.Nonce(bytes.Repeat([]byte{0xff}, crypto.NonceSize))
	starts = append(starts, all, crypto.NewNonce(r))
	for _, n := range starts {
		for _, x := range []uint64{0, 1, 21845, 1 << 32, 1<<64 - 1} {
			want := new(big.Int).Add(new(big.Int).SetBytes(n[:]), new(big.Int).SetUint64(x))
			got := n.Add(x)
			require.Zero(t, want.Mod(want, mod).Cmp(new(big.Int).SetBytes(got[:])), "%x + %d", n, x)
		}
	}
	require.Equal(t, crypto.Nonce{}, all.Add(1))
	n := crypto.Nonce{22: 0xab, 23: 0xff}
	require.Equal(t, uint16(0xabff), n.Low())
	require.Equal(t, crypto.Nonce{22: 0xab, 23: 0xff}, n.Next())
	require.Equal(t, crypto.Nonce{22: 0xac}, n)
	require.Equal(t, uint16(0xac00), n.Low())
}

func FuzzParseAddress(f *testing.F) {
	for _, s := range savedSelves(f) {
		f.Add(s.Self.ToxID)
	}
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		a, err := crypto.ParseAddress(s)
		if err != nil {
			return
		}
		again, err := crypto.ParseAddress(a.String())
		require.NoError(t, err)
		require.Equal(t, a, again)
		require.Equal(t, a, crypto.NewAddress(a.Key(), a.NoSpam()))
	})
}

func FuzzOpen(f *testing.F) {
	key := crypto.NewSharedKey(source(1))
	f.Add(key.SealRandom(nil, source(2), []byte("text")))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		plain, err := key.OpenPrefixed(nil, b)
		require.Equal(t, before, b, "reads only")
		if err == nil {
			n := crypto.Nonce(b[:crypto.NonceSize])
			require.Equal(t, b[crypto.NonceSize:], key.Seal(nil, &n, plain))
		}
	})
}

func TestNoAllocations(t *testing.T) {
	key, nonce := crypto.NewSharedKey(source(1)), crypto.NewNonce(source(2))
	plain := make([]byte, packets.MaxPacket)
	box, out := make([]byte, 0, 2000), make([]byte, 0, 2000)
	cache := crypto.NewCache(crypto.NewKeyPair(source(3)), 0)
	peer := crypto.NewKeyPair(source(4)).Public
	require.Zero(t, testing.AllocsPerRun(50, func() {
		used := nonce.Next()
		box = key.Seal(box[:0], &used, plain)
		if _, err := key.Open(out[:0], &used, box); err != nil {
			panic(err)
		}
		if _, err := cache.Shared(1, peer); err != nil {
			panic(err)
		}
	}))
}

func benchmarkSeal(b *testing.B, size int) {
	key, nonce := crypto.NewSharedKey(source(1)), crypto.NewNonce(source(2))
	plain, box := make([]byte, size), make([]byte, 0, size+crypto.Overhead)
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		used := nonce.Next()
		box = key.Seal(box[:0], &used, plain)
	}
}

func BenchmarkSeal64(b *testing.B)   { benchmarkSeal(b, 64) }
func BenchmarkSeal1373(b *testing.B) { benchmarkSeal(b, 1373) }

func BenchmarkOpen1373(b *testing.B) {
	key, nonce := crypto.NewSharedKey(source(1)), crypto.NewNonce(source(2))
	box := key.Seal(nil, &nonce, make([]byte, 1373))
	out := make([]byte, 0, 1373)
	b.SetBytes(1373)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := key.Open(out[:0], &nonce, box); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkShared(b *testing.B) {
	pair, peer := crypto.NewKeyPair(source(1)), crypto.NewKeyPair(source(2)).Public
	b.ReportAllocs()
	for b.Loop() {
		if _, err := pair.Shared(peer); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCacheHit(b *testing.B) {
	cache := crypto.NewCache(crypto.NewKeyPair(source(1)), 0)
	peer := crypto.NewKeyPair(source(2)).Public
	b.ReportAllocs()
	for b.Loop() {
		if _, err := cache.Shared(1, peer); err != nil {
			b.Fatal(err)
		}
	}
}
