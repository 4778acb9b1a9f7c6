// Package peers keeps who is in one conference: the active and the frozen list
// in c-toxcore's order, what each peer has sent, and the four closest peers.
//
// It is pure state and sends nothing. Lists keep the order that other peers
// and clients can see: additions go to the end, a removal moves the last
// element into the hole (SPEC C-135).
package peers

import (
	"errors"
	"fmt"
	"slices"

	"github.com/tox-rejoin/rejoin/packets"
)

// MaxKnown is how many peers, active and frozen, one Set can hold.
const MaxKnown = 1<<16 - 2

// ErrFull is returned when a Set holds MaxKnown peers.
var ErrFull = errors.New("peers: too many peers")

// Peer is one known peer. Pointers to it stay valid until it is removed; they
// survive Freeze and Thaw, and so does everything in it.
type Peer struct {
	Key        packets.PublicKey // long-term key; do not change
	DHT        packets.PublicKey
	LastActive uint64 // Unix time in seconds
	name       string
	Window     Window // message numbers received
	// A Kill in the peer's name, of number LeaveNumber, waits for a word of its own
	// until LeaveAt, Unix time in seconds; 0: none does (SPEC I-16).
	LeaveAt, LeaveNumber uint32
	pos                  uint16 // in its list
	handle               uint16
	Number               uint16 // do not change
	Friend               bool   // a friend when the entry was made (SPEC C-97)
	DHTFresh             bool   // DHT was taken since the peer was added or thawed (SPEC C-103)
	Named                bool   // a name was received (SPEC C-105)
	frozen               bool
}

// Name is the peer's name, at most packets.MaxName bytes.
func (p *Peer) Name() string { return p.name }

// SetName takes a received name and tells whether it changed.
func (p *Peer) SetName(name []byte) (changed bool) {
	p.Named = true
	if p.name == string(name) {
		return false
	}
	p.name = string(name)
	return true
}

// LoadName sets a name that was saved, not received.
func (p *Peer) LoadName(name []byte) { p.name = string(name) }

// Frozen tells in which list the peer is.
func (p *Peer) Frozen() bool { return p.frozen }

// Index is the peer's position in its list, the peer index of the public API.
func (p *Peer) Index() int { return int(p.pos) }

// Set is the peers of one conference. The zero Set is empty.
type Set struct {
	slots    []*Peer // by handle; nil: free
	free     []uint16
	active   []uint16 // handles in list order
	frozen   []uint16
	byNumber index
	byKey    index
	lossy    []*LossyWindow // by handle; empty until the first lossy packet: text conferences never pay for it
	// Saves can hold several peers of one key or number, and c-toxcore keeps
	// them all. Look-ups then search in list order, as it does.
	doubles bool
}

// Active is the length of the active list.
func (s *Set) Active() int { return len(s.active) }

// Frozen is the length of the frozen list.
func (s *Set) Frozen() int { return len(s.frozen) }

// At is the i-th active peer.
func (s *Set) At(i int) *Peer { return s.slots[s.active[i]] }

// FrozenAt is the i-th frozen peer.
func (s *Set) FrozenAt(i int) *Peer { return s.slots[s.frozen[i]] }

// ByNumber is the peer with this peer number, active before frozen, or nil.
func (s *Set) ByNumber(number uint16) *Peer {
	if s.doubles {
		return s.search(func(p *Peer) bool { return p.Number == number })
	}
	for at := s.byNumber.start(numberHash(number)); ; at = s.byNumber.next(at) {
		tag, handle, used := s.byNumber.get(at)
		if !used {
			return nil
		}
		if tag == number {
			return s.slots[handle]
		}
	}
}

// ByKey is the peer with this long-term key, active before frozen, or nil.
func (s *Set) ByKey(key *packets.PublicKey) *Peer {
	if s.doubles {
		return s.search(func(p *Peer) bool { return p.Key == *key })
	}
	hash := keyHash(key)
	for at := s.byKey.start(hash); ; at = s.byKey.next(at) {
		tag, handle, used := s.byKey.get(at)
		if !used {
			return nil
		}
		if tag == uint16(hash) && s.slots[handle].Key == *key {
			return s.slots[handle]
		}
	}
}

// ActiveByKey is the active peer with this key, or nil.
func (s *Set) ActiveByKey(key *packets.PublicKey) *Peer {
	if p := s.ByKey(key); p != nil && !p.frozen {
		return p
	}
	return nil
}

// FrozenByKey is the first frozen peer with this key, or nil.
func (s *Set) FrozenByKey(key *packets.PublicKey) *Peer {
	if !s.doubles {
		if p := s.ByKey(key); p != nil && p.frozen {
			return p
		}
		return nil
	}
	for _, h := range s.frozen {
		if s.slots[h].Key == *key {
			return s.slots[h]
		}
	}
	return nil
}

// search is the linear look-up for a Set with doubles.
func (s *Set) search(is func(*Peer) bool) *Peer {
	for _, list := range [][]uint16{s.active, s.frozen} {
		for _, h := range list {
			if is(s.slots[h]) {
				return s.slots[h]
			}
		}
	}
	return nil
}

// Add appends an active peer with an empty name and empty windows. The caller
// has made sure that neither key nor number is in use. It returns ErrFull.
func (s *Set) Add(key, dht *packets.PublicKey, number uint16) (*Peer, error) {
	return s.add(key, dht, number, false)
}

// Load appends a frozen peer of a save, even if its key or number is in use.
// It returns ErrFull.
func (s *Set) Load(key, dht *packets.PublicKey, number uint16) (*Peer, error) {
	if s.ByNumber(number) != nil || s.ByKey(key) != nil {
		s.doubles = true
	}
	return s.add(key, dht, number, true)
}

func (s *Set) add(key, dht *packets.PublicKey, number uint16, frozen bool) (*Peer, error) {
	if len(s.active)+len(s.frozen) >= MaxKnown {
		return nil, fmt.Errorf("%w: %d", ErrFull, MaxKnown)
	}
	p := &Peer{Key: *key, DHT: *dht, Number: number, frozen: frozen}
	if n := len(s.free); n > 0 {
		p.handle = s.free[n-1]
		s.free = s.free[:n-1]
		s.slots[p.handle] = p
	} else {
		p.handle = uint16(len(s.slots))
		s.slots = grow(s.slots, p)
	}
	s.link(p)
	s.byNumber.grow(s.homeOfNumber)
	s.byNumber.put(numberHash(number), number, p.handle)
	hash := keyHash(key)
	s.byKey.grow(s.homeOfKey)
	s.byKey.put(hash, uint16(hash), p.handle)
	return p, nil
}

// Lossy is the window of a peer's lossy numbers. It survives Freeze and Thaw.
func (s *Set) Lossy(p *Peer) *LossyWindow {
	for len(s.lossy) <= int(p.handle) {
		s.lossy = append(s.lossy, nil)
	}
	if s.lossy[p.handle] == nil {
		s.lossy[p.handle] = new(LossyWindow)
	}
	return s.lossy[p.handle]
}

// Remove forgets a peer of either list.
func (s *Set) Remove(p *Peer) {
	s.unlink(p)
	s.byNumber.remove(numberHash(p.Number), p.handle, s.homeOfNumber)
	s.byKey.remove(keyHash(&p.Key), p.handle, s.homeOfKey)
	s.slots[p.handle] = nil
	if int(p.handle) < len(s.lossy) {
		s.lossy[p.handle] = nil
	}
	s.free = append(s.free, p.handle)
}

// Freeze moves an active peer to the end of the frozen list.
func (s *Set) Freeze(p *Peer) { s.move(p, true) }

// Thaw moves a frozen peer to the end of the active list. Name and windows
// stay; its DHT key may be taken from a Peer Response once (SPEC C-94, C-103).
func (s *Set) Thaw(p *Peer) {
	s.move(p, false)
	p.DHTFresh = false
}

// Trim cuts the frozen list to its best limit peers: friends first, then the
// most recently active. Below the limit the order is left alone (SPEC C-97).
func (s *Set) Trim(limit int) {
	if len(s.frozen) <= limit {
		return
	}
	slices.SortStableFunc(s.frozen, func(a, b uint16) int {
		return before(s.slots[a], s.slots[b])
	})
	for i, h := range s.frozen {
		s.slots[h].pos = uint16(i)
	}
	for len(s.frozen) > limit {
		s.Remove(s.FrozenAt(len(s.frozen) - 1))
	}
}

// before orders frozen peers by how much they are worth keeping.
func before(a, b *Peer) int {
	switch {
	case a.Friend != b.Friend && a.Friend:
		return -1
	case a.Friend != b.Friend:
		return 1
	case a.LastActive > b.LastActive:
		return -1
	case a.LastActive < b.LastActive:
		return 1
	}
	return 0
}

func (s *Set) list(frozen bool) *[]uint16 {
	if frozen {
		return &s.frozen
	}
	return &s.active
}

func (s *Set) link(p *Peer) {
	list := s.list(p.frozen)
	p.pos = uint16(len(*list))
	*list = grow(*list, p.handle)
}

func (s *Set) unlink(p *Peer) {
	list := s.list(p.frozen)
	last := len(*list) - 1
	moved := (*list)[last]
	(*list)[p.pos] = moved
	s.slots[moved].pos = p.pos
	*list = (*list)[:last]
}

func (s *Set) move(p *Peer, frozen bool) {
	s.unlink(p)
	p.frozen = frozen
	s.link(p)
}

// grow appends with little slack: a thousand conferences of a thousand peers
// should not pay for room they never use.
func grow[T any](list []T, v T) []T {
	if len(list) == cap(list) {
		wider := make([]T, len(list), len(list)+len(list)/8+4)
		copy(wider, list)
		list = wider
	}
	return append(list, v)
}
