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

// class is the class of the block for a payload, and the size of its blocks;
// the last takes any packet.
func class(payload int) (c, size int) {
	switch {
	case payload <= 128:
		return 0, 128
	case payload <= 512:
		return 1, 512
	}
	return 2, 1408
}

// put stores payload p in event e.
func (a *arena) put(e *event, p []byte) {
	e.size = uint16(len(p))
	if len(p) <= inline {
		copy(e.body[:], p)
		return
	}
	c, size := class(len(p))
	k := &a.classes[c]
	var n uint32
	if last := len(k.free) - 1; last >= 0 {
		n = k.free[last]
		k.free = k.free[:last]
	} else {
		n = uint32(len(k.mem) / size)
		k.mem = append(k.mem, make([]byte, size)...)
	}
	copy(k.mem[int(n)*size:], p)
	binary.LittleEndian.PutUint32(e.body[:], n)
}

// get is the payload of e, valid until the next put.
func (a *arena) get(e *event) []byte {
	if e.size <= inline {
		return e.body[:e.size]
	}
	c, size := class(int(e.size))
	n := int(binary.LittleEndian.Uint32(e.body[:])) * size
	return a.classes[c].mem[n : n+int(e.size) : n+int(e.size)]
}

// drop frees the payload of e.
func (a *arena) drop(e *event) {
	if e.size > inline {
		c, _ := class(int(e.size))
		k := &a.classes[c]
		k.free = append(k.free, binary.LittleEndian.Uint32(e.body[:]))
	}
}
