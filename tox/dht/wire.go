package dht

import (
	"encoding/binary"
	"fmt"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/crypto"
)

// First bytes of the packets that Receive takes.
const (
	PingRequest   = 0x00
	PingResponse  = 0x01
	NodesRequest  = 0x02
	NodesResponse = 0x04
	RoutedRequest = 0x20
	BootstrapInfo = 0xf0
)

// Sub ids of routed requests.
const (
	SubDHTKey  = 156 // "this is my DHT key", for friends; the onion client reads it
	SubNATPing = 254 // asks whether packets get through; we answer, and send none
)

// Layout.
const (
	keySize      = packets.KeySize
	idSize       = 8
	frameHead    = 1 + keySize + crypto.NonceSize // before the box
	pingSize     = frameHead + 1 + idSize + crypto.Overhead
	requestSize  = frameHead + keySize + idSize + crypto.Overhead
	responseHead = frameHead + 1 + idSize + crypto.Overhead // a response without nodes
	nodeSize4    = 1 + 4 + 2 + keySize
	nodeSize6    = 1 + 16 + 2 + keySize
	routedHead   = 1 + 2*keySize
	routedExtra  = routedHead + crypto.NonceSize + 1 + crypto.Overhead // around the data
	infoSize     = 78
	natSize      = 1 + 1 + idSize
	natRequest   = 0
	natResponse  = 1
	// MaxRoutedData is how much data a routed request carries, in bytes.
	MaxRoutedData = maxRouted - routedExtra
)

// ping is the plaintext of ping request and response; kind is the packet id.
type ping struct {
	kind byte
	id   uint64
}

func (x ping) append(dst []byte) []byte {
	return binary.BigEndian.AppendUint64(append(dst, x.kind), x.id)
}

func parsePing(plain []byte, kind byte) (ping, error) {
	if len(plain) != 1+idSize || plain[0] != kind { // SPEC T-14
		return ping{}, fmt.Errorf("%w: ping", ErrPlain)
	}
	return ping{kind, binary.BigEndian.Uint64(plain[1:])}, nil
}

// request is the plaintext of a nodes request.
type request struct {
	wanted packets.PublicKey
	id     uint64
}

func (x request) append(dst []byte) []byte {
	return binary.BigEndian.AppendUint64(append(dst, x.wanted[:]...), x.id)
}

func parseRequest(plain []byte) (request, error) {
	if len(plain) != keySize+idSize {
		return request{}, fmt.Errorf("%w: nodes request", ErrPlain)
	}
	return request{packets.PublicKey(plain), binary.BigEndian.Uint64(plain[keySize:])}, nil
}

// response is the plaintext of a nodes response: 1 to maxNodes nodes. One
// without nodes is refused by everybody, since it would read like a ping (SPEC T-18, T-20).
type response struct {
	count int
	nodes [maxNodes]packets.Node
	id    uint64
}

func (x *response) append(dst []byte) []byte {
	dst = append(dst, byte(x.count))
	dst = packets.NodeList{Nodes: x.nodes[:x.count]}.Append(dst)
	return binary.BigEndian.AppendUint64(dst, x.id)
}

func parseResponse(plain []byte) (x response, err error) {
	if len(plain) < 1+nodeSize4+idSize {
		return x, fmt.Errorf("%w: nodes response", ErrPlain)
	}
	x.count = int(plain[0])
	list, id := plain[1:len(plain)-idSize], plain[len(plain)-idSize:]
	if x.count < 1 || x.count > maxNodes || len(list) > maxNodes*nodeSize6 {
		return x, fmt.Errorf("%w: %d nodes", ErrNodes, x.count)
	}
	l := packets.ParseNodes(list)
	if len(l.Nodes) != x.count || len(l.Rest) > 0 {
		return x, fmt.Errorf("%w: %d of %d nodes, %d bytes behind them", ErrNodes, len(l.Nodes), x.count, len(l.Rest))
	}
	for _, n := range l.Nodes {
		if n.Family != packets.UDP4 && n.Family != packets.UDP6 {
			return x, fmt.Errorf("%w: family %d", ErrNodes, n.Family)
		}
	}
	copy(x.nodes[:], l.Nodes)
	x.id = binary.BigEndian.Uint64(id)
	return x, nil
}

// natPing is the data of a routed request with SubNATPing, sub id included.
type natPing struct {
	kind byte
	id   uint64
}

func (x natPing) append(dst []byte) []byte {
	return binary.BigEndian.AppendUint64(append(dst, SubNATPing, x.kind), x.id)
}

func parseNATPing(plain []byte) (natPing, error) {
	if len(plain) != natSize || plain[0] != SubNATPing || plain[1] > natResponse {
		return natPing{}, fmt.Errorf("%w: NAT ping", ErrPlain)
	}
	return natPing{plain[1], binary.BigEndian.Uint64(plain[2:])}, nil
}

// Info is what a bootstrap node says about itself to anybody.
type Info struct {
	Version uint32 // of the software; c-toxcore's daemon: 1000000000 + 1000000·major + 1000·minor + patch
	MOTD    []byte // at most MaxMOTD bytes; c-toxcore's daemon ends it with a zero byte
}

// Append writes a bootstrap info response behind dst.
func (x Info) Append(dst []byte) []byte {
	return append(binary.BigEndian.AppendUint32(append(dst, BootstrapInfo), x.Version), x.MOTD...)
}

// ParseInfo reads a bootstrap info response; MOTD aliases p. It returns
// ErrKind or ErrLength.
func ParseInfo(p []byte) (Info, error) {
	switch {
	case len(p) < 5 || len(p) > 5+MaxMOTD:
		return Info{}, fmt.Errorf("%w: bootstrap info of %d bytes", ErrLength, len(p))
	case p[0] != BootstrapInfo:
		return Info{}, fmt.Errorf("%w: bootstrap info with first byte %#02x", ErrKind, p[0])
	}
	return Info{binary.BigEndian.Uint32(p[1:]), p[5:]}, nil
}

// AppendInfoRequest writes a bootstrap info request behind dst.
func AppendInfoRequest(dst []byte) []byte {
	return append(append(dst, BootstrapInfo), make([]byte, infoSize-1)...)
}
