package packets

import (
	"encoding/binary"
	"fmt"
)

// Packet ids, the first byte of a payload (SPEC.md, "Packets").
const (
	PacketInvite  byte = 0x60 // lossless, between friends: Invite, Accept, Member
	PacketOnline  byte = 0x61 // lossless
	PacketDirect  byte = 0x62 // lossless, never relayed
	PacketMessage byte = 0x63 // lossless, flooded
	PacketRejoin  byte = 0x64 // lossless
	PacketLossy   byte = 0xc7 // lossy, flooded, audio conferences only
)

// MinPacket is the length below which packets 0x61 to 0x64 are dropped unread.
const MinPacket = 4

// Lengths of the fixed packets and least lengths of the others, in bytes.
const (
	InviteSize     = 37
	AcceptSize     = 39
	MemberSize     = 41
	OnlineSize     = 36
	DirectMin      = 4
	MessageMin     = 10
	RejoinSize     = 34
	LossyMin       = 8
	CookieSize     = 35                // the part of an Invite that a client hands back to join
	PeerEntryMin   = 2 + 2*KeySize + 1 // an entry of a Peer Response with an empty name
	NewPeerSize    = 2 + 2*KeySize     // data of a New Peer message
	PeerNumberSize = 2                 // data of a Kill or Freeze message
)

// InviteKind is the second byte of packet 0x60.
type InviteKind uint8

// The three forms of packet 0x60.
const (
	KindInvite InviteKind = 0
	KindAccept InviteKind = 1
	KindMember InviteKind = 2
)

// Invite is any form of packet 0x60, between friends.
type Invite struct {
	Kind       InviteKind
	Group      uint16 // the sender's own group number
	To         uint16 // the receiver's group number; Accept and Member
	ID         ID
	PeerNumber uint16 // the sender's peer number; Member
}

// ParseInvite reads packet 0x60. It returns ErrTooShort, ErrKind or ErrLength.
func ParseInvite(b []byte) (Invite, error) {
	var p Invite
	if len(b) < 3 || b[0] != PacketInvite {
		return p, headError(b, PacketInvite, 3)
	}
	p.Kind = InviteKind(b[1])
	size := p.Kind.size()
	if size == 0 {
		return p, fmt.Errorf("%w: invite %d", ErrKind, b[1])
	}
	if len(b) != size { // SPEC C-5
		return p, fmt.Errorf("%w: invite %d of %d bytes, want %d", ErrLength, b[1], len(b), size)
	}
	p.Group = binary.BigEndian.Uint16(b[2:])
	rest := b[4:]
	if p.Kind != KindInvite {
		p.To = binary.BigEndian.Uint16(rest)
		rest = rest[2:]
	}
	p.ID = parseID(rest)
	if p.Kind == KindMember {
		p.PeerNumber = binary.BigEndian.Uint16(rest[1+KeySize:])
	}
	return p, nil
}

// Append writes the packet behind dst. An unknown Kind writes an Invite.
func (p Invite) Append(dst []byte) []byte {
	dst = append(dst, PacketInvite, byte(p.Kind))
	dst = binary.BigEndian.AppendUint16(dst, p.Group)
	if p.Kind == KindAccept || p.Kind == KindMember {
		dst = binary.BigEndian.AppendUint16(dst, p.To)
	}
	dst = appendID(dst, p.ID)
	if p.Kind == KindMember {
		dst = binary.BigEndian.AppendUint16(dst, p.PeerNumber)
	}
	return dst
}

// size is the length of the whole packet, 0 for an unknown kind.
func (k InviteKind) size() int {
	switch k {
	case KindInvite:
		return InviteSize
	case KindAccept:
		return AcceptSize
	case KindMember:
		return MemberSize
	}
	return 0
}

// Online is packet 0x61: "I have an entry for you; my group number is Group".
type Online struct {
	Group uint16 // the sender's
	ID    ID
}

// ParseOnline reads packet 0x61. It returns ErrLength or ErrKind.
func ParseOnline(b []byte) (Online, error) {
	if len(b) != OnlineSize { // SPEC C-6
		return Online{}, fmt.Errorf("%w: online of %d bytes, want %d", ErrLength, len(b), OnlineSize)
	}
	if b[0] != PacketOnline {
		return Online{}, headError(b, PacketOnline, OnlineSize)
	}
	return Online{Group: binary.BigEndian.Uint16(b[1:]), ID: parseID(b[3:])}, nil
}

// Append writes the packet behind dst.
func (p Online) Append(dst []byte) []byte {
	dst = append(dst, PacketOnline)
	dst = binary.BigEndian.AppendUint16(dst, p.Group)
	return appendID(dst, p.ID)
}

// DirectKind is the fourth byte of packet 0x62.
type DirectKind uint8

// The kinds of packet 0x62. Receivers ignore others.
const (
	PeerIntroduced DirectKind = 1
	PeerQuery      DirectKind = 8
	PeerResponse   DirectKind = 9
	TitleResponse  DirectKind = 10
)

// Direct is packet 0x62, from neighbour to neighbour.
type Direct struct {
	Group uint16 // the receiver's
	Kind  DirectKind
	Data  []byte // Peer Response: a PeerList; Title Response: the title; aliases the packet
}

// ParseDirect reads packet 0x62 of any kind. It returns ErrTooShort or ErrKind.
func ParseDirect(b []byte) (Direct, error) {
	if len(b) < DirectMin || b[0] != PacketDirect {
		return Direct{}, headError(b, PacketDirect, DirectMin)
	}
	return Direct{Group: binary.BigEndian.Uint16(b[1:]), Kind: DirectKind(b[3]), Data: b[4:]}, nil
}

// Append writes the packet behind dst.
func (p Direct) Append(dst []byte) []byte {
	dst = append(dst, PacketDirect, byte(p.Group>>8), byte(p.Group), byte(p.Kind))
	return append(dst, p.Data...)
}

// PeerEntry is one peer of a Peer Response. Its pointers and its name alias
// the packet.
type PeerEntry struct {
	Number uint16
	Key    *PublicKey // long-term key
	DHT    *PublicKey
	Name   []byte
}

// PeerList is the data of a Peer Response: entries without count.
type PeerList []byte

// Next reads the first entry and returns what follows it. More is false when
// fewer than PeerEntryMin bytes are left. On ErrName the number and keys are
// valid all the same, and nothing can be read behind them (SPEC C-96).
func (l PeerList) Next() (p PeerEntry, rest PeerList, more bool, err error) {
	if len(l) < PeerEntryMin {
		return p, nil, false, nil
	}
	p.Number = binary.BigEndian.Uint16(l)
	p.Key = (*PublicKey)(l[2:])
	p.DHT = (*PublicKey)(l[2+KeySize:])
	n := int(l[PeerEntryMin-1])
	if n > MaxName || n > len(l)-PeerEntryMin {
		return p, nil, true, ErrName
	}
	p.Name = l[PeerEntryMin : PeerEntryMin+n : PeerEntryMin+n]
	return p, l[PeerEntryMin+n:], true, nil
}

// AppendPeer writes one entry behind dst, which starts as Direct.Append of an
// empty Peer Response. A name longer than MaxName is cut.
func AppendPeer(dst []byte, number uint16, key, dht *PublicKey, name string) []byte {
	if len(name) > MaxName {
		name = name[:MaxName]
	}
	dst = append(dst, byte(number>>8), byte(number))
	dst = append(dst, key[:]...)
	dst = append(dst, dht[:]...)
	dst = append(dst, byte(len(name)))
	return append(dst, name...)
}

// MessageKind is the kind byte of packet 0x63.
type MessageKind uint8

// The kinds of packet 0x63. Receivers neither show nor relay others.
const (
	Ping          MessageKind = 0
	NewPeer       MessageKind = 16
	KillPeer      MessageKind = 17 // the author leaves for good
	FreezePeer    MessageKind = 18 // the author quits and will be back
	Name          MessageKind = 48
	Title         MessageKind = 49
	NormalMessage MessageKind = 64
	Action        MessageKind = 65
)

// Message is packet 0x63, flooded through the conference. A relay changes
// nothing but Group.
type Message struct {
	Group      uint16 // the receiver's
	PeerNumber uint16 // of the author
	Number     uint32 // counts the author's messages of all kinds; never 0
	Kind       MessageKind
	Data       []byte // aliases the packet
}

// ParseMessage reads packet 0x63 of any kind. It returns ErrTooShort or ErrKind.
func ParseMessage(b []byte) (Message, error) {
	if len(b) < MessageMin || b[0] != PacketMessage {
		return Message{}, headError(b, PacketMessage, MessageMin)
	}
	return Message{
		Group:      binary.BigEndian.Uint16(b[1:]),
		PeerNumber: binary.BigEndian.Uint16(b[3:]),
		Number:     binary.BigEndian.Uint32(b[5:]),
		Kind:       MessageKind(b[9]),
		Data:       b[10:],
	}, nil
}

// Append writes the packet behind dst.
func (p Message) Append(dst []byte) []byte {
	dst = append(dst, PacketMessage,
		byte(p.Group>>8), byte(p.Group),
		byte(p.PeerNumber>>8), byte(p.PeerNumber),
		byte(p.Number>>24), byte(p.Number>>16), byte(p.Number>>8), byte(p.Number),
		byte(p.Kind))
	return append(dst, p.Data...)
}

// ParseNewPeer reads the data of a New Peer message; the keys alias it. It
// returns ErrLength.
func ParseNewPeer(data []byte) (PeerEntry, error) {
	if len(data) != NewPeerSize {
		return PeerEntry{}, fmt.Errorf("%w: new peer of %d bytes, want %d", ErrLength, len(data), NewPeerSize)
	}
	return PeerEntry{
		Number: binary.BigEndian.Uint16(data),
		Key:    (*PublicKey)(data[2:]),
		DHT:    (*PublicKey)(data[2+KeySize:]),
	}, nil
}

// AppendNewPeer writes the data of a New Peer message behind dst.
func AppendNewPeer(dst []byte, number uint16, key, dht *PublicKey) []byte {
	dst = append(dst, byte(number>>8), byte(number))
	dst = append(dst, key[:]...)
	return append(dst, dht[:]...)
}

// ParsePeerNumber reads the data of a Kill or Freeze message. It returns
// ErrLength.
func ParsePeerNumber(data []byte) (uint16, error) {
	if len(data) != PeerNumberSize {
		return 0, fmt.Errorf("%w: peer number of %d bytes, want %d", ErrLength, len(data), PeerNumberSize)
	}
	return binary.BigEndian.Uint16(data), nil
}

// Rejoin is packet 0x64: "I have you in my list of ID; let us connect again".
type Rejoin struct {
	ID ID
}

// ParseRejoin reads packet 0x64; surplus bytes are ignored. It returns
// ErrTooShort or ErrKind.
func ParseRejoin(b []byte) (Rejoin, error) {
	if len(b) < RejoinSize || b[0] != PacketRejoin { // SPEC C-7
		return Rejoin{}, headError(b, PacketRejoin, RejoinSize)
	}
	return Rejoin{ID: parseID(b[1:])}, nil
}

// Append writes the packet behind dst.
func (p Rejoin) Append(dst []byte) []byte {
	return appendID(append(dst, PacketRejoin), p.ID)
}

// LossyAudio is the kind byte of Opus audio in packet 0xc7.
const LossyAudio byte = 0xc0

// Lossy is packet 0xc7, flooded through audio conferences without guarantee.
type Lossy struct {
	Group      uint16 // the receiver's
	PeerNumber uint16 // of the author
	Number     uint16 // counts the author's lossy packets
	Kind       byte
	Data       []byte // aliases the packet
}

// ParseLossy reads packet 0xc7. It returns ErrTooShort or ErrKind.
func ParseLossy(b []byte) (Lossy, error) {
	if len(b) < LossyMin || b[0] != PacketLossy {
		return Lossy{}, headError(b, PacketLossy, LossyMin)
	}
	return Lossy{
		Group:      binary.BigEndian.Uint16(b[1:]),
		PeerNumber: binary.BigEndian.Uint16(b[3:]),
		Number:     binary.BigEndian.Uint16(b[5:]),
		Kind:       b[7],
		Data:       b[8:],
	}, nil
}

// Append writes the packet behind dst.
func (p Lossy) Append(dst []byte) []byte {
	dst = append(dst, PacketLossy,
		byte(p.Group>>8), byte(p.Group),
		byte(p.PeerNumber>>8), byte(p.PeerNumber),
		byte(p.Number>>8), byte(p.Number),
		p.Kind)
	return append(dst, p.Data...)
}

// AppendForward writes packet b (0x62, 0x63 or 0xc7) behind dst with another
// receiver's group number and nothing else changed. b has at least 3 bytes.
func AppendForward(dst, b []byte, group uint16) []byte {
	dst = append(dst, b[0], byte(group>>8), byte(group))
	return append(dst, b[3:]...)
}

// headError is ErrTooShort if b has fewer than least bytes, and else ErrKind,
// for a packet other than id.
func headError(b []byte, id byte, least int) error {
	if len(b) < least {
		return fmt.Errorf("%w: packet %#x of %d bytes, want %d or more", ErrTooShort, id, len(b), least)
	}
	return fmt.Errorf("%w: packet %#x, want %#x", ErrKind, b[0], id)
}

func parseID(b []byte) ID {
	id := ID{Type: Type(b[0])}
	copy(id.Key[:], b[1:1+KeySize])
	return id
}

func appendID(dst []byte, id ID) []byte {
	return append(append(dst, byte(id.Type)), id.Key[:]...)
}

// Cookie is the part of an Invite that a client hands back to join: group
// number, type and id, CookieSize bytes.
func (p Invite) Cookie() []byte {
	p.Kind = KindInvite
	return p.Append(nil)[2:]
}

// ParseCookie reads what Cookie wrote. It returns ErrLength.
func ParseCookie(b []byte) (Invite, error) {
	if len(b) != CookieSize {
		return Invite{}, fmt.Errorf("%w: cookie of %d bytes, want %d", ErrLength, len(b), CookieSize)
	}
	return Invite{Group: binary.BigEndian.Uint16(b), ID: parseID(b[2:])}, nil
}
