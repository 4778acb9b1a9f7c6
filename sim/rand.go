package sim

import "math/bits"

const golden = 0x9e3779b97f4a7c15

// mix is the finalizer of splitmix64: a bijection that spreads every bit.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Mix is the hash of what happened in a seed's world, mixed with the seed, so
// that a sum over many seeds says whether each had the same.
func Mix(hash, seed uint64) uint64 { return mix(hash ^ mix(seed)) }

// The streams of one seed. Each node, link and run draws from its own, so that
// one more draw in one place changes nothing in another.
const (
	streamKey   uint64 = iota + 1 // a node's long-term key
	streamDHT                     // the DHT key of one run of a node
	streamNode                    // Config.Rand of one run of a node
	streamLink                    // everything that happens to one link
	streamPlan                    // what a sweep does to the world
	streamFault                   // what a fault scenario is drawn from
)

// Stream is a counter-based source of random numbers: draw n is a function of
// (seed, stream, n) alone.
type Stream struct{ key, n uint64 }

func newStream(seed, kind, id uint64) Stream {
	return Stream{key: mix(mix(seed+golden) ^ mix(kind<<56|id))}
}

// NewStream is where the scenario of a seed is drawn from.
func NewStream(seed uint64) Stream { return newStream(seed, streamFault, 0) }

func (s *Stream) next() uint64 {
	s.n++
	return mix(s.key + s.n*golden)
}

// Below draws from 0 to n-1; n is positive.
func (s *Stream) Below(n int) int {
	hi, _ := bits.Mul64(s.next(), uint64(n))
	return int(hi)
}

// Between draws from lo to hi, both included.
func (s *Stream) Between(lo, hi int) int { return lo + s.Below(hi-lo+1) }

// Chance is true with probability p.
func (s *Stream) Chance(p float64) bool { return float64(s.next()>>11) < p*(1<<53) }

// Read fills b; it never fails.
func (s *Stream) Read(b []byte) (int, error) {
	for i := 0; i < len(b); {
		v := s.next()
		for k := 0; k < 8 && i < len(b); k++ {
			b[i] = byte(v >> (8 * k))
			i++
		}
	}
	return len(b), nil
}
