package sim

import (
	"encoding/binary"
	"math/bits"
)

// traceHash sums up, in order, everything that happened in a world. It is a
// checksum against accidents, not against an adversary.
type traceHash uint64

func (h *traceHash) add(a, b uint64) {
	hi, lo := bits.Mul64(uint64(*h)^a^golden, b^0xd6e8feb86659fd93)
	*h = traceHash(hi ^ lo ^ bits.RotateLeft64(uint64(*h), 23))
}

func (h *traceHash) bytes(b []byte) {
	h.add(uint64(len(b)), 1)
	for len(b) >= 16 {
		h.add(binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:]))
		b = b[16:]
	}
	var tail [16]byte
	copy(tail[:], b)
	h.add(binary.LittleEndian.Uint64(tail[:]), binary.LittleEndian.Uint64(tail[8:]))
}
