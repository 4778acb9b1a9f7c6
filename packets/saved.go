package packets

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// Numbers added to the counters in a save, so that a restarted peer does not
// reuse a number it sent after saving (SPEC C-121).
const (
	SaveOffset      uint32 = 1 << 16
	SaveOffsetLossy uint16 = 1 << 13
)

// Lengths of the records of a conferences section without their texts, in bytes.
const (
	SavedConferenceMin = 1 + KeySize + 4 + 2 + 2 + 4 + 1
	SavedPeerMin       = 2*KeySize + 2 + 8 + 1
)

// SavedConference is one conference of a save file, in the file's terms.
type SavedConference struct {
	ID          ID
	Number      uint32      // last used message number + SaveOffset, modulo 2^32
	LossyNumber uint16      // next lossy number + SaveOffsetLossy, modulo 2^16
	PeerNumber  uint16      // our own
	Title       []byte      // at most MaxName bytes; empty: no title
	Peers       []SavedPeer // all but ourselves, active before frozen
}

// SavedPeer is one peer of a SavedConference.
type SavedPeer struct {
	Key        PublicKey
	DHT        PublicKey
	Number     uint16
	LastActive uint64 // Unix time in seconds
	Name       []byte // at most MaxName bytes
}

// ParseConferences reads the data of a conferences section. Titles and names
// alias it, empty ones are nil. A rest of fewer than SavedConferenceMin bytes
// is ignored (SPEC C-128). Any other fault fails the whole section (SPEC C-127)
// with a *SaveError that wraps ErrCut or ErrName; its Offset counts from the
// beginning of data.
func ParseConferences(data []byte) ([]SavedConference, error) {
	r := confReader{data: data}
	for r.left() >= SavedConferenceMin {
		if err := r.conference(); err != nil {
			return nil, err
		}
	}
	return r.out, nil
}

// AppendConferences writes the data of a conferences section behind dst. A
// title or name longer than MaxName is cut.
func AppendConferences(dst []byte, conferences []SavedConference) []byte {
	for i := range conferences {
		c := &conferences[i]
		dst = appendID(dst, c.ID)
		dst = binary.LittleEndian.AppendUint32(dst, c.Number)
		dst = binary.LittleEndian.AppendUint16(dst, c.LossyNumber)
		dst = binary.LittleEndian.AppendUint16(dst, c.PeerNumber)
		dst = binary.LittleEndian.AppendUint32(dst, uint32(len(c.Peers)))
		dst = appendText(dst, c.Title)
		for j := range c.Peers {
			p := &c.Peers[j]
			dst = append(dst, p.Key[:]...)
			dst = append(dst, p.DHT[:]...)
			dst = binary.LittleEndian.AppendUint16(dst, p.Number)
			dst = binary.LittleEndian.AppendUint64(dst, p.LastActive)
			dst = appendText(dst, p.Name)
		}
	}
	return dst
}

// CheckOwnNumber returns ErrOwnNumber if c has a peer under our own number that
// is not us. Such a record makes a whole profile unloadable (SPEC C-126).
func (c *SavedConference) CheckOwnNumber(self PublicKey) error {
	i := slices.IndexFunc(c.Peers, func(p SavedPeer) bool { return p.Number == c.PeerNumber })
	if i < 0 || c.Peers[i].Key == self {
		return nil
	}
	return fmt.Errorf("%w: conference %v, number %d, peer %v", ErrOwnNumber, c.ID, c.PeerNumber, c.Peers[i].Key)
}

// confReader reads conferences one field after the other. After an error out
// ends with what could be read of the conference that has the fault.
type confReader struct {
	data []byte
	pos  int
	out  []SavedConference
}

func (r *confReader) left() int { return len(r.data) - r.pos }

// conference reads one conference; at least SavedConferenceMin bytes are left.
func (r *confReader) conference() error {
	b := r.data[r.pos:]
	c := SavedConference{
		ID:          parseID(b),
		Number:      binary.LittleEndian.Uint32(b[33:]),
		LossyNumber: binary.LittleEndian.Uint16(b[37:]),
		PeerNumber:  binary.LittleEndian.Uint16(b[39:]),
	}
	count := int64(binary.LittleEndian.Uint32(b[41:]))
	r.pos += SavedConferenceMin - 1
	title, err := r.text("title")
	if err != nil {
		r.out = append(r.out, c)
		return err
	}
	c.Title = title
	// The count is only a claim: no more is reserved than the data can hold.
	room := min(count, int64(r.left()/SavedPeerMin))
	for i := range count {
		p, err := r.peer(i, count)
		if err != nil {
			r.out = append(r.out, c)
			return err
		}
		if c.Peers == nil {
			c.Peers = make([]SavedPeer, 0, room)
		}
		c.Peers = append(c.Peers, p)
	}
	r.out = append(r.out, c)
	return nil
}

func (r *confReader) peer(i, count int64) (SavedPeer, error) {
	if r.left() < SavedPeerMin {
		return SavedPeer{}, r.fault(r.pos, ErrCut, "peer %d of %d: %d bytes left, want %d or more", i, count, r.left(), SavedPeerMin)
	}
	b := r.data[r.pos:]
	p := SavedPeer{
		Key:        PublicKey(b[:KeySize]),
		DHT:        PublicKey(b[KeySize : 2*KeySize]),
		Number:     binary.LittleEndian.Uint16(b[64:]),
		LastActive: binary.LittleEndian.Uint64(b[66:]),
	}
	start := r.pos
	r.pos += SavedPeerMin - 1
	name, err := r.text(fmt.Sprintf("name of peer %d of %d", i, count))
	if err != nil {
		r.pos = start
		return SavedPeer{}, err
	}
	p.Name = name
	return p, nil
}

// text reads a length byte and that many bytes.
func (r *confReader) text(what string) ([]byte, error) {
	n := int(r.data[r.pos])
	if n > MaxName {
		return nil, r.fault(r.pos, ErrName, "%s of %d bytes", what, n)
	}
	if n > r.left()-1 {
		return nil, r.fault(r.pos, ErrCut, "%s of %d bytes, %d left", what, n, r.left()-1)
	}
	r.pos++
	if n == 0 {
		return nil, nil
	}
	b := r.data[r.pos : r.pos+n : r.pos+n]
	r.pos += n
	return b, nil
}

func (r *confReader) fault(offset int, err error, format string, args ...any) error {
	what := fmt.Sprintf("conference %d: ", len(r.out)) + fmt.Sprintf(format, args...)
	return &SaveError{Section: SectionConferences, Offset: offset, What: what, Err: err}
}

// appendText writes a length byte and at most MaxName bytes of text.
func appendText(dst, text []byte) []byte {
	text = text[:min(len(text), MaxName)]
	return append(append(dst, byte(len(text))), text...)
}
