package netcrypto

import "github.com/tox-rejoin/rejoin/packets"

// slot is the place of one lossless packet in a ring.
type slot struct {
	data  []byte       // nil: no packet
	sent  packets.Time // last time
	times uint8        // sent so often, at most 255
	due   bool         // waits to be sent, the first time or again
}

// minSlots is the size of a ring's first allocation, and what it keeps.
const minSlots = 16

// ring holds lossless packets by number, from start up to end (excluded). Its
// memory follows what it holds: nothing when idle, and slots are a power of
// two that reaches from start to the last packet.
type ring struct {
	start, end uint32
	slots      []slot
	held       int // packets
	bytes      int // of their buffers
}

// span is how many numbers lie between start and end.
func (r *ring) span() int { return int(r.end - r.start) }

// at is the packet's slot, nil if the ring has no such packet.
func (r *ring) at(n uint32) *slot {
	if int(n-r.start) >= len(r.slots) {
		return nil
	}
	if s := &r.slots[int(n)&(len(r.slots)-1)]; s.data != nil {
		return s
	}
	return nil
}

// put gives packet n, which must not be there, a slot. The ring owns data.
func (r *ring) put(n uint32, data []byte) *slot {
	need := int(n-r.start) + 1
	if need > len(r.slots) {
		size := max(minSlots, len(r.slots))
		for size < need {
			size *= 2
		}
		slots := make([]slot, size)
		for i := range len(r.slots) {
			n := int(r.start) + i
			slots[n&(size-1)] = r.slots[n&(len(r.slots)-1)]
		}
		r.slots = slots
	}
	s := &r.slots[int(n)&(len(r.slots)-1)]
	*s = slot{data: data}
	r.held++
	r.bytes += cap(data)
	return s
}

// drop empties a slot and returns the packet's buffer.
func (r *ring) drop(s *slot) []byte {
	data := s.data
	*s = slot{}
	r.held--
	r.bytes -= cap(data)
	if r.held == 0 && len(r.slots) > minSlots {
		r.slots = nil
	}
	return data
}

// pool keeps a few buffers of each size, so that a busy session makes no
// garbage.
type pool struct {
	free  [3][][]byte
	taken int // bytes of buffers that are out
}

// poolKeep is how many free buffers of a size are kept.
const poolKeep = 64

// class is the kind of buffer for n bytes, and its size.
func (*pool) class(n int) (class, size int) {
	switch {
	case n <= 64:
		return 0, 64
	case n <= 256:
		return 1, 256
	}
	return 2, MaxPayload
}

// copy is b in a buffer of the pool's.
func (p *pool) copy(b []byte) []byte {
	c, size := p.class(len(b))
	p.taken += size
	if k := len(p.free[c]); k > 0 {
		x := p.free[c][k-1]
		p.free[c] = p.free[c][:k-1]
		return append(x[:0], b...)
	}
	return append(make([]byte, 0, size), b...)
}

// put takes a buffer back.
func (p *pool) put(b []byte) {
	c, size := p.class(cap(b))
	p.taken -= size
	if len(p.free[c]) < poolKeep {
		p.free[c] = append(p.free[c], b)
	}
}

// window is which data packets have come, by the distance of their nonce from
// the peer's base nonce (SPEC T-105).
type window struct {
	next uint64 // distance of the newest, plus 1
	seen [replayWindow / 64]uint64
}

// fresh tells whether the packet is neither known nor too old.
func (w *window) fresh(i uint64) bool {
	if i >= w.next {
		return true
	}
	return w.next-i <= replayWindow && w.seen[i/64%uint64(len(w.seen))]&(1<<(i%64)) == 0
}

// mark makes the packet known.
func (w *window) mark(i uint64) {
	if i >= w.next {
		if i-w.next >= replayWindow {
			w.seen = [replayWindow / 64]uint64{}
		} else {
			for k := w.next; k < i; k++ {
				w.seen[k/64%uint64(len(w.seen))] &^= 1 << (k % 64)
			}
		}
		w.next = i + 1
	}
	w.seen[i/64%uint64(len(w.seen))] |= 1 << (i % 64)
}
