package sim

import "encoding/binary"

// arena keeps payloads that do not fit into an event, in blocks of a few sizes
// that are used again. A block's number is written into the event's body.
type arena struct {
	classes [3]struct {
		mem  []byte
		free []uint32
	}
}

// blockSizes are the classes of blocks; the last takes any packet.
var blockSizes = [3]int{128, 512, 1408}

func class(size int) int {
	for c, s := range blockSizes {
		if size <= s {
			return c
		}
	}
	panic("sim: payload longer than a packet")
}

// put stores payload p in event e.
func (a *arena) put(e *event, p []byte) {
	e.size = uint16(len(p))
	if len(p) <= inline {
		copy(e.body[:], p)
		return
	}
	c := class(len(p))
	k := &a.classes[c]
	var n uint32
	if last := len(k.free) - 1; last >= 0 {
		n = k.free[last]
		k.free = k.free[:last]
	} else {
		n = uint32(len(k.mem) / blockSizes[c])
		k.mem = append(k.mem, make([]byte, blockSizes[c])...)
	}
	copy(k.mem[int(n)*blockSizes[c]:], p)
	binary.LittleEndian.PutUint32(e.body[:], n)
}

// get is the payload of e, valid until the next put.
func (a *arena) get(e *event) []byte {
	if e.size <= inline {
		return e.body[:e.size]
	}
	c := class(int(e.size))
	n := int(binary.LittleEndian.Uint32(e.body[:])) * blockSizes[c]
	return a.classes[c].mem[n : n+int(e.size) : n+int(e.size)]
}

// drop frees the payload of e.
func (a *arena) drop(e *event) {
	if e.size > inline {
		k := &a.classes[class(int(e.size))]
		k.free = append(k.free, binary.LittleEndian.Uint32(e.body[:]))
	}
}
