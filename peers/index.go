package peers

import (
	"encoding/binary"

	"github.com/tox-rejoin/rejoin/packets"
)

// index finds handles by hash: open addressing with linear probing, 4 bytes a
// slot. A slot is 0 when free, else a 16-bit tag and the handle plus one. Keys
// come from the network, so a hostile peer can make a look-up walk the table;
// that is no more than the linear search it replaces.
type index struct {
	slots []uint32 // length is a power of two, or 0
	used  int
}

const minIndex = 8 // slots of the smallest table

// homeFunc is the hash of the peer with a handle.
type homeFunc func(handle uint16) uint64

func numberHash(number uint16) uint64 { return uint64(number) * 0x9e3779b97f4a7c15 }

func keyHash(key *packets.PublicKey) uint64 {
	return (binary.LittleEndian.Uint64(key[8:]) ^ binary.LittleEndian.Uint64(key[:])) * 0x9e3779b97f4a7c15
}

func (s *Set) homeOfNumber(handle uint16) uint64 { return numberHash(s.slots[handle].Number) }

func (s *Set) homeOfKey(handle uint16) uint64 { return keyHash(&s.slots[handle].Key) }

// start is the first slot to look at. The high bits choose it, so that a tag
// taken from the low bits still tells neighbours apart.
func (x *index) start(hash uint64) int {
	if len(x.slots) == 0 {
		return -1
	}
	return int(hash>>40) & (len(x.slots) - 1)
}

func (x *index) next(at int) int { return (at + 1) & (len(x.slots) - 1) }

func (x *index) get(at int) (tag, handle uint16, used bool) {
	if at < 0 {
		return 0, 0, false
	}
	v := x.slots[at]
	return uint16(v >> 16), uint16(v) - 1, v != 0
}

// put adds a handle; grow has made room.
func (x *index) put(hash uint64, tag, handle uint16) {
	at := x.start(hash)
	for x.slots[at] != 0 {
		at = x.next(at)
	}
	x.slots[at] = uint32(tag)<<16 | uint32(handle+1)
	x.used++
}

// remove drops a handle and closes the gap, so that no tombstones gather.
func (x *index) remove(hash uint64, handle uint16, home homeFunc) {
	at := x.start(hash)
	for uint16(x.slots[at])-1 != handle {
		at = x.next(at)
	}
	x.used--
	mask := len(x.slots) - 1
	for hole := at; ; {
		x.slots[hole] = 0
		for {
			at = x.next(at)
			if x.slots[at] == 0 {
				return
			}
			_, h, _ := x.get(at)
			// An entry may fill the hole unless its home lies behind it.
			if (at-x.start(home(h)))&mask >= (at-hole)&mask {
				x.slots[hole] = x.slots[at]
				hole = at
				break
			}
		}
	}
}

// grow makes room for one more at a load of at most three quarters.
func (x *index) grow(home homeFunc) {
	if 4*(x.used+1) <= 3*len(x.slots) {
		return
	}
	old := x.slots
	x.slots = make([]uint32, max(minIndex, 2*len(old)))
	x.used = 0
	for _, v := range old {
		if v != 0 {
			handle := uint16(v) - 1
			x.put(home(handle), uint16(v>>16), handle)
		}
	}
}
