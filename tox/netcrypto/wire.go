package netcrypto

import (
	"encoding/binary"
	"fmt"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/crypto"
)

// Ids of the datagrams. All numbers on the wire are big endian.
const (
	idCookieRequest  = 0x18
	idCookieResponse = 0x19
	idHandshake      = 0x1a
	idData           = 0x1b
)

// Packet ids inside data packets below FirstLossless; the others are unused.
const (
	idRequest = 1
	idKill    = 2
)

// Sizes in bytes.
const (
	keySize   = packets.KeySize
	hashSize  = 64 // SHA-512
	echoSize  = 8
	stampSize = 8
	boxed     = crypto.NonceSize + crypto.Overhead // what a box with its nonce adds

	cookiePlain = stampSize + 2*keySize
	cookieSize  = boxed + cookiePlain // 112

	requestPlain      = 2*keySize + echoSize
	cookieRequestSize = 1 + keySize + boxed + requestPlain // 145

	responsePlain      = cookieSize + echoSize
	cookieResponseSize = 1 + boxed + responsePlain // 161

	handshakePlain = crypto.NonceSize + keySize + hashSize + cookieSize
	handshakeSize  = 1 + cookieSize + boxed + handshakePlain // 385

	dataHead = 1 + 2 // id and the nonce's low bits
	bodyHead = 4 + 4
	padTo    = 8 // payloads are padded so that what is left to MaxPayload is a multiple
	minData  = dataHead + crypto.Overhead + bodyHead + 1
)

// A cookie lets its maker answer without remembering anything: only the maker
// can open it. This is what is inside:
//
//	stamp (8) | peer's long-term key (32) | peer's DHT key (32)
type cookie struct {
	stamp     int64 // when it was made, in microseconds of packets.Time; no two are equal
	real, dht packets.PublicKey
}

func (c *cookie) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(c.stamp))
	dst = append(dst, c.real[:]...)
	return append(dst, c.dht[:]...)
}

func parseCookie(b []byte) (c cookie, err error) {
	if len(b) != cookiePlain {
		return c, fmt.Errorf("%w: cookie of %d bytes", ErrLength, len(b))
	}
	c.stamp = int64(binary.BigEndian.Uint64(b))
	c.real = packets.PublicKey(b[stampSize:])
	c.dht = packets.PublicKey(b[stampSize+keySize:])
	return c, nil
}

// A cookie request asks for a cookie:
//
//	0x18 | sender's DHT key (32) | nonce (24) | box under the DHT keys of
//	  sender's long-term key (32) | 32 zero bytes | echo id (8)
//
// The zero bytes are ignored on receipt.
type cookieRequest struct {
	real packets.PublicKey
	echo [echoSize]byte
}

func (r *cookieRequest) append(dst []byte) []byte {
	dst = append(dst, r.real[:]...)
	dst = append(dst, make([]byte, keySize)...)
	return append(dst, r.echo[:]...)
}

func parseCookieRequest(b []byte) (r cookieRequest, err error) {
	if len(b) != requestPlain {
		return r, fmt.Errorf("%w: cookie request of %d bytes", ErrLength, len(b))
	}
	r.real = packets.PublicKey(b)
	r.echo = [echoSize]byte(b[2*keySize:])
	return r, nil
}

// A cookie response is
//
//	0x19 | nonce (24) | box under the DHT keys of cookie (112) | echo id (8)
type cookieResponse struct {
	cookie [cookieSize]byte
	echo   [echoSize]byte
}

func (r *cookieResponse) append(dst []byte) []byte {
	dst = append(dst, r.cookie[:]...)
	return append(dst, r.echo[:]...)
}

func parseCookieResponse(b []byte) (r cookieResponse, err error) {
	if len(b) != responsePlain {
		return r, fmt.Errorf("%w: cookie response of %d bytes", ErrLength, len(b))
	}
	r.cookie = [cookieSize]byte(b)
	r.echo = [echoSize]byte(b[cookieSize:])
	return r, nil
}

// A handshake is
//
//	0x1a | receiver's cookie (112) | nonce (24) | box under the long-term keys of
//	  sender's base nonce (24) | sender's session key (32) |
//	  SHA-512 of the cookie in front (64) | a cookie of the sender's (112)
type handshake struct {
	base    crypto.Nonce
	session packets.PublicKey
	hash    [hashSize]byte
	cookie  [cookieSize]byte
}

func (h *handshake) append(dst []byte) []byte {
	dst = append(dst, h.base[:]...)
	dst = append(dst, h.session[:]...)
	dst = append(dst, h.hash[:]...)
	return append(dst, h.cookie[:]...)
}

func parseHandshake(b []byte) (h handshake, err error) {
	if len(b) != handshakePlain {
		return h, fmt.Errorf("%w: handshake of %d bytes", ErrLength, len(b))
	}
	h.base = crypto.Nonce(b)
	b = b[crypto.NonceSize:]
	h.session = packets.PublicKey(b)
	b = b[keySize:]
	h.hash = [hashSize]byte(b)
	h.cookie = [cookieSize]byte(b[hashSize:])
	return h, nil
}

// A data packet is
//
//	0x1b | low 16 bits of the nonce (2) | box under the session keys of
//	  recv_start (4) | number (4) | zero bytes | payload
//
// recv_start is the first lossless packet that the sender has not received.
// number is the packet's own if it is lossless, else the one that the sender's
// next lossless packet will have. A payload begins with its packet id, never 0.
type body struct {
	recvStart, number uint32
	payload           []byte
}

func (x *body) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, x.recvStart)
	dst = binary.BigEndian.AppendUint32(dst, x.number)
	for range (MaxPayload - len(x.payload)) % padTo {
		dst = append(dst, 0)
	}
	return append(dst, x.payload...)
}

// parseBody reads a body; its payload aliases b. It returns ErrLength if there
// is no payload, or one longer than can be (SPEC T-101).
func parseBody(b []byte) (body, error) {
	if len(b) < bodyHead {
		return body{}, fmt.Errorf("%w: body of %d bytes", ErrLength, len(b))
	}
	x := body{recvStart: binary.BigEndian.Uint32(b), number: binary.BigEndian.Uint32(b[4:])}
	for b = b[bodyHead:]; len(b) > 0 && b[0] == 0; b = b[1:] {
	}
	if len(b) == 0 || len(b) > MaxPayload {
		return body{}, fmt.Errorf("%w: payload of %d bytes", ErrLength, len(b))
	}
	x.payload = b
	return x, nil
}

// The list of a request packet (packet id 1, then the list) names missing
// lossless packets between recv_start and number by distances: byte n says that
// the n-th packet behind the last one named is missing, 0 that the next 255 are
// there. The first distance counts from recv_start - 1.

// maxStep is the longest distance.
const maxStep = 255

// appendMissing appends the list of those numbers from start up to end
// (excluded) for which have is false, until dst is limit bytes long (SPEC T-108).
func appendMissing(dst []byte, limit int, start, end uint32, have func(uint32) bool) []byte {
	step := 1
	for n := start; n != end && len(dst) < limit; n++ {
		switch {
		case !have(n):
			dst = append(dst, byte(step))
			step = 1
		case step == maxStep:
			dst = append(dst, 0)
			step = 1
		default:
			step++
		}
	}
	return dst
}

// eachMissing walks over the numbers from start up to end as far as the list
// goes and tells of each whether it is missing. It returns ErrPacket where the
// list has a 0 out of place or goes beyond end; until there it has walked (SPEC T-108).
func eachMissing(list []byte, start, end uint32, tell func(n uint32, missing bool)) error {
	step := 1
	for n := start; len(list) > 0; n++ {
		if n == end {
			return fmt.Errorf("%w: request for packets behind the last", ErrPacket)
		}
		missing := int(list[0]) == step
		tell(n, missing)
		switch {
		case missing:
			list, step = list[1:], 1
		case step == maxStep:
			if list[0] != 0 {
				return fmt.Errorf("%w: request with a distance out of place", ErrPacket)
			}
			list, step = list[1:], 1
		default:
			step++
		}
	}
	return nil
}
