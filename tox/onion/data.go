package onion

import (
	"encoding/binary"
	"fmt"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/crypto"
)

// First bytes of data, which friends and those who want to be send each other.
const (
	dataRequest = 32  // a friend request
	dataDHTKey  = 156 // "this is my DHT key"
)

// Layout of data.
const (
	requestHead = 1 + packets.NoSpamSize
	dhtKeyHead  = 1 + 8 + keySize
	maxDHTKey   = dhtKeyHead + maxNodes*nodeSize6
	routedHead  = keySize + nonceSize // of a DHT key through the DHT, before its box
	// MaxRequestText is the longest text of a friend request in bytes.
	MaxRequestText = 921
)

// dataPacket is a data response, or a data request without its receiver and
// way back; box aliases the packet.
type dataPacket struct {
	nonce crypto.Nonce // of both boxes
	temp  packets.PublicKey
	box   []byte
}

func parseDataResponse(p []byte) (d dataPacket, err error) {
	switch {
	case len(p) == 0 || p[0] != DataResponse:
		return d, ErrKind
	case len(p) < minData || len(p) > maxData:
		return d, fmt.Errorf("%w: data response of %d bytes", ErrLength, len(p))
	}
	return dataPacket{crypto.Nonce(p[1:]), packets.PublicKey(p[1+nonceSize:]), p[1+dataHead:]}, nil
}

func (d *dataPacket) append(dst []byte) []byte {
	return append(d.appendHead(append(dst, DataResponse)), d.box...)
}

// appendHead writes what stands before the box.
func (d *dataPacket) appendHead(dst []byte) []byte {
	return append(append(dst, d.nonce[:]...), d.temp[:]...)
}

// transit is a data request as the node sees it that keeps the receiver's
// announcement; its slices alias the packet.
type transit struct {
	receiver packets.PublicKey
	body     []byte // nonce, temporary key and box, which go on unchanged
	back     []byte // way back to the sender, of no use: data has no answer
}

func parseTransit(p []byte) (t transit, err error) {
	const least = 1 + keySize + dataHead + boxSize + 1 + wayBack3
	switch {
	case len(p) == 0 || p[0] != DataRequest:
		return t, ErrKind
	case len(p) < least || len(p) > MaxPayload+wayBack3:
		return t, fmt.Errorf("%w: data request of %d bytes", ErrLength, len(p))
	}
	end := len(p) - wayBack3
	return transit{packets.PublicKey(p[1:]), p[1+keySize : end], p[end:]}, nil
}

func (t *transit) append(dst []byte) []byte {
	dst = append(append(dst, DataRequest), t.receiver[:]...)
	return append(append(dst, t.body...), t.back...)
}

// request is a friend request; text aliases the data.
type request struct {
	noSpam [packets.NoSpamSize]byte
	text   []byte
}

func parseRequest(data []byte) (r request, err error) {
	if len(data) <= requestHead || len(data) > maxPlain || data[0] != dataRequest {
		return r, fmt.Errorf("%w: friend request of %d bytes", ErrPlain, len(data))
	}
	return request{[packets.NoSpamSize]byte(data[1:]), data[requestHead:]}, nil
}

func (r *request) append(dst []byte) []byte {
	return append(append(append(dst, dataRequest), r.noSpam[:]...), r.text...)
}

// dhtKey is a packet that tells the sender's DHT key.
type dhtKey struct {
	number uint64 // no-replay: Unix seconds; must be higher each time
	key    packets.PublicKey
	count  int
	nodes  [maxNodes]packets.Node // close to the sender, or TCP relays that it uses
}

// parseDHTKey reads one. Nodes that cannot be read, and those behind them, are
// left out: the key is what counts (SPEC T-83).
func parseDHTKey(data []byte) (d dhtKey, err error) {
	if len(data) < dhtKeyHead || len(data) > maxPlain || data[0] != dataDHTKey {
		return d, fmt.Errorf("%w: DHT key of %d bytes", ErrPlain, len(data))
	}
	d.number = binary.BigEndian.Uint64(data[1:])
	copy(d.key[:], data[1+8:])
	d.count = copy(d.nodes[:], packets.ParseNodes(data[dhtKeyHead:]).Nodes)
	return d, nil
}

func (d *dhtKey) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(append(dst, dataDHTKey), d.number)
	dst = append(dst, d.key[:]...)
	return packets.NodeList{Nodes: d.nodes[:d.count]}.Append(dst)
}
