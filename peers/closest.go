package peers

import (
	"encoding/binary"

	"github.com/tox-rejoin/rejoin/packets"
)

// Closest peers: two on each side of us on the ring of keys.
const (
	ClosestSize = 4
	closestSide = ClosestSize / 2
)

// Change is what happened to the closest peers since the last refresh.
type Change uint8

// The changes; Removed asks for refilling from the list.
const (
	Unchanged Change = iota
	Added
	Removed
)

// Slot is one place of Closest. DHT is the key known when the peer was entered.
type Slot struct {
	Used bool
	Key  packets.PublicKey
	DHT  packets.PublicKey
}

// Closest is the peers that everybody with the same list connects to: slots 0
// and 1 hold the two nearest below us on the ring, 2 and 3 the two nearest
// above (SPEC C-37). The metric is the first 8 bytes of the key.
type Closest struct {
	Slots  [ClosestSize]Slot
	Change Change
}

// Distance is how far b is below a on the ring of keys.
func Distance(a, b *packets.PublicKey) uint64 {
	return binary.BigEndian.Uint64(a[:]) - binary.BigEndian.Uint64(b[:])
}

// Insert enters a peer if it is closer than one of the slots. A displaced peer
// is tried again: it may be closer than the other side's.
func (c *Closest) Insert(self, key, dht *packets.PublicKey) {
	if *key == *self || c.Find(key) != nil {
		return
	}
	at := c.place(self, key)
	if at < 0 {
		return
	}
	old := c.Slots[at]
	c.Slots[at] = Slot{Used: true, Key: *key, DHT: *dht}
	if old.Used {
		c.Insert(self, &old.Key, &old.DHT)
	}
	if c.Change == Unchanged {
		c.Change = Added
	}
}

// place is the slot for a peer: the first free one, else the farthest of those
// farther than the peer, counted over both sides (SPEC C-37); -1: none.
func (c *Closest) place(self, key *packets.PublicKey) int {
	for i := range c.Slots {
		if !c.Slots[i].Used {
			return i
		}
	}
	at, farthest := -1, uint64(0)
	for i := range c.Slots {
		slot := &c.Slots[i].Key
		theirs, ours := Distance(self, slot), Distance(self, key)
		if i >= closestSide {
			theirs, ours = Distance(slot, self), Distance(key, self)
		}
		if theirs > ours && theirs > farthest {
			at, farthest = i, theirs
		}
	}
	return at
}

// Find is the slot of a peer, or nil.
func (c *Closest) Find(key *packets.PublicKey) *Slot {
	for i := range c.Slots {
		if c.Slots[i].Used && c.Slots[i].Key == *key {
			return &c.Slots[i]
		}
	}
	return nil
}

// Remove frees the slot of a peer, if it has one.
func (c *Closest) Remove(key *packets.PublicKey) {
	if slot := c.Find(key); slot != nil {
		slot.Used = false
		c.Change = Removed
	}
}

// Refill enters all active peers again after a removal (SPEC C-38).
func (c *Closest) Refill(self *packets.PublicKey, s *Set) {
	if c.Change != Removed {
		return
	}
	for i := range s.Active() {
		p := s.At(i)
		c.Insert(self, &p.Key, &p.DHT)
	}
}
