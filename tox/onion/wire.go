package onion

import (
	"fmt"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/crypto"
)

// First bytes of the packets. Relay takes Forward1 to Forward3 and Return3 to
// Return1, Store takes AnnounceRequest and DataRequest, Client takes
// AnnounceResponse, GroupAnnounceResponse and DataResponse.
const (
	Forward1              = 0x80
	Forward2              = 0x81
	Forward3              = 0x82
	AnnounceRequest       = 0x83
	AnnounceResponse      = 0x84
	DataRequest           = 0x85
	DataResponse          = 0x86
	GroupAnnounceRequest  = 0x87 // relays carry it; of no use for friends
	GroupAnnounceResponse = 0x88
	Return3               = 0x8c
	Return2               = 0x8d
	Return1               = 0x8e
)

// Layout.
const (
	hops      = 3
	keySize   = packets.KeySize
	nonceSize = crypto.NonceSize
	boxSize   = crypto.Overhead
	maxPacket = 1400

	layerSize = addrSize + keySize + boxSize   // what one hop wraps around a payload
	wayBack1  = nonceSize + boxSize + addrSize // what one hop adds for the way back
	wayBack3  = hops * wayBack1
	// MaxPayload is how long a payload of an onion may be, in bytes.
	MaxPayload = maxPacket - 1 - nonceSize - hops*layerSize

	sendbackSize  = 8
	announcePlain = 3*keySize + sendbackSize
	announceSize  = 1 + nonceSize + keySize + boxSize + announcePlain // without way back
	answerHead    = 1 + sendbackSize + nonceSize                      // before the box
	maxNodes      = 4                                                 // in one answer
	nodeSize6     = 1 + 16 + 2 + keySize
	dataHead      = nonceSize + keySize                                    // nonce and temporary key
	minData       = 1 + dataHead + boxSize + keySize + boxSize + 1         // 0x86
	maxData       = MaxPayload - (1 + keySize + dataHead + boxSize)        // 0x86: as c-toxcore limits it
	maxPlain      = maxData - (1 + dataHead + boxSize + keySize + boxSize) // data with its id
)

// forward is a packet on its way through the path; its slices alias the packet.
type forward struct {
	hop   int // 1 to 3: whom it is for
	nonce crypto.Nonce
	key   packets.PublicKey // shares the box's key with hop
	box   []byte
	back  []byte // way back to the sender, hop-1 times wrapped
}

func parseForward(p []byte) (f forward, err error) {
	if len(p) == 0 || p[0] < Forward1 || p[0] > Forward3 {
		return f, ErrKind
	}
	f.hop = int(p[0]-Forward1) + 1
	back := (f.hop - 1) * wayBack1
	if least := 1 + nonceSize + (hops+1-f.hop)*layerSize + 1 + back; len(p) < least || len(p) > maxPacket {
		return forward{}, fmt.Errorf("%w: packet %#02x of %d bytes", ErrLength, p[0], len(p))
	}
	f.nonce = crypto.Nonce(p[1:])
	f.key = packets.PublicKey(p[1+nonceSize:])
	f.box = p[1+nonceSize+keySize : len(p)-back]
	f.back = p[len(p)-back:]
	return f, nil
}

// appendHead writes what stands before the box.
func (f *forward) appendHead(dst []byte) []byte {
	dst = append(dst, byte(Forward1+f.hop-1))
	dst = append(dst, f.nonce[:]...)
	return append(dst, f.key[:]...)
}

func (f *forward) append(dst []byte) []byte {
	return append(append(f.appendHead(dst), f.box...), f.back...)
}

// returned is an answer on its way back; its slices alias the packet.
type returned struct {
	hop  int    // 3 to 1: whom it is for
	back []byte // sealed by that hop
	data []byte
}

func parseReturned(p []byte) (r returned, err error) {
	if len(p) == 0 || p[0] < Return3 || p[0] > Return1 {
		return r, ErrKind
	}
	hop := hops - int(p[0]-Return3)
	back := hop * wayBack1
	if len(p) <= 1+back || len(p) > maxPacket {
		return r, fmt.Errorf("%w: packet %#02x of %d bytes", ErrLength, p[0], len(p))
	}
	return returned{hop, p[1 : 1+back], p[1+back:]}, nil
}

func (r *returned) append(dst []byte) []byte {
	dst = append(dst, byte(Return3+hops-r.hop))
	return append(append(dst, r.back...), r.data...)
}

// announce is an announce request; box and back alias the packet. back is what
// the path added behind it, empty while it is being made.
type announce struct {
	nonce     crypto.Nonce
	requester packets.PublicKey
	box       []byte
	back      []byte
}

func parseAnnounce(p []byte) (a announce, err error) {
	switch {
	case len(p) == 0 || p[0] != AnnounceRequest:
		return a, ErrKind
	case len(p) != announceSize+wayBack3: // SPEC T-56
		return a, fmt.Errorf("%w: announce request of %d bytes", ErrLength, len(p))
	}
	return announce{
		nonce: crypto.Nonce(p[1:]), requester: packets.PublicKey(p[1+nonceSize:]),
		box: p[1+nonceSize+keySize : announceSize], back: p[announceSize:],
	}, nil
}

func (a *announce) append(dst []byte) []byte {
	dst = append(dst, AnnounceRequest)
	dst = append(dst, a.nonce[:]...)
	dst = append(dst, a.requester[:]...)
	return append(append(dst, a.box...), a.back...)
}

// question is the plaintext of an announce request.
type question struct {
	pingID   packets.PublicKey // zero: only a search
	searched packets.PublicKey
	data     packets.PublicKey // of whom wants to be found, zero for a search
	sendback [sendbackSize]byte
}

func parseQuestion(plain []byte) (q question, err error) {
	if len(plain) != announcePlain {
		return q, fmt.Errorf("%w: announce request of %d bytes", ErrPlain, len(plain))
	}
	copy(q.pingID[:], plain)
	copy(q.searched[:], plain[keySize:])
	copy(q.data[:], plain[2*keySize:])
	copy(q.sendback[:], plain[3*keySize:])
	return q, nil
}

func (q *question) append(dst []byte) []byte {
	dst = append(append(append(dst, q.pingID[:]...), q.searched[:]...), q.data[:]...)
	return append(dst, q.sendback[:]...)
}

// The first byte of an answer: what the node keeps.
const (
	notStored    = 0 // the token is a ping id
	othersStored = 1 // the searched key is announced; the token is its data key
	selfStored   = 2 // the requester is announced as it asked; the token is a ping id
)

// answer is the plaintext of an announce response.
type answer struct {
	stored byte
	token  packets.PublicKey
	count  int
	nodes  [maxNodes]packets.Node
}

// parseAnswer reads the plaintext of an AnnounceResponse, or of a
// GroupAnnounceResponse if counted.
func parseAnswer(plain []byte, counted bool) (a answer, err error) {
	head := 1 + keySize
	if counted {
		head++
	}
	if len(plain) < head || len(plain) > head+maxNodes*nodeSize6 || plain[0] > selfStored {
		return a, fmt.Errorf("%w: announce response of %d bytes", ErrPlain, len(plain))
	}
	l := packets.ParseNodes(plain[head:])
	if len(l.Nodes) > maxNodes || len(l.Rest) > 0 || counted && len(l.Nodes) != int(plain[head-1]) {
		return a, fmt.Errorf("%w: %d nodes, %d bytes behind them", ErrNodes, len(l.Nodes), len(l.Rest))
	}
	for _, n := range l.Nodes {
		if n.Family != packets.UDP4 && n.Family != packets.UDP6 {
			return a, fmt.Errorf("%w: family %d", ErrNodes, n.Family)
		}
	}
	a.stored, a.token, a.count = plain[0], packets.PublicKey(plain[1:]), len(l.Nodes)
	copy(a.nodes[:], l.Nodes)
	return a, nil
}

func (a *answer) append(dst []byte, counted bool) []byte {
	dst = append(append(dst, a.stored), a.token[:]...)
	if counted {
		dst = append(dst, byte(a.count))
	}
	return packets.NodeList{Nodes: a.nodes[:a.count]}.Append(dst)
}
