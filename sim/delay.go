package sim

import (
	"math/bits"

	"github.com/tox-rejoin/rejoin/packets"
)

// Network says what all links do to packets beside the Laws of the links. Its
// zero value does nothing.
type Network struct {
	Delay Delay
	// Loss, Duplicate and Reorder are probabilities. A lost lossless packet is
	// sent again a round trip later (Laws.Loss); lossy ones can also arrive twice
	// or be overtaken.
	Loss, Duplicate, Reorder float64
}

// DelayLaw is a distribution of one-way delays.
type DelayLaw uint8

// The laws. All but FixedDelay draw anew for each packet; lossless packets of a
// session stay in order all the same.
const (
	FixedDelay       DelayLaw = iota // as Laws.Delay and Laws.Spread say
	ConstantDelay                    // Least
	UniformDelay                     // from Least to Scale, evenly
	ExponentialDelay                 // Least and, beyond it, Scale on average
	LognormalDelay                   // Scale is the median, Shape the deviation of the logarithm
	ParetoDelay                      // Least at least, Shape the exponent of the tail
	RecordedDelay                    // Recorded, one after the other, each link from a place of its own
)

// MostDelay is the longest delay that any law gives.
const MostDelay = 10 * packets.Second

// Delay is a law with its parameters, in milliseconds but for Shape.
type Delay struct {
	Law          DelayLaw
	Least, Scale packets.Time
	Shape        float64
	Recorded     []packets.Time
}

// draw is the delay of one packet. It computes in integers: the same on every
// machine. n counts what a link took of a recording.
func (d *Delay) draw(s *Stream, n *uint32) packets.Time {
	t := d.Least
	switch d.Law {
	case UniformDelay:
		t = s.within(d.Least, max(d.Least, d.Scale))
	case ExponentialDelay:
		t += d.Scale * packets.Time(minusLog2(s.next())) / fixed(1/ln2)
	case LognormalDelay:
		z := int64(-6 * fixedOne) // twelve draws from 0 to 1 less six are nearly normal
		for range 3 {
			for x, k := s.next(), 0; k < 4; x, k = x>>16, k+1 {
				z += int64(x & (fixedOne - 1))
			}
		}
		t = scale(d.Scale, z*int64(fixed(d.Shape/ln2))/fixedOne)
	case ParetoDelay:
		t = scale(d.Least, minusLog2(s.next())*fixedOne/max(1, int64(fixed(d.Shape))))
	case RecordedDelay:
		if *n == 0 {
			*n = 1 + uint32(s.Below(len(d.Recorded)))
		}
		t = d.Recorded[int(*n)%len(d.Recorded)]
		*n++
	case FixedDelay, ConstantDelay:
	}
	return min(max(t, 1), MostDelay)
}

// fixedOne is 1 in the fixed point numbers of this file.
const fixedOne = 1 << 16

const ln2 = 0.6931471805599453

func fixed(x float64) packets.Time { return packets.Time(x * fixedOne) }

// minusLog2 is -log2 of u taken as a fraction of 2^64.
func minusLog2(u uint64) int64 {
	u |= 1
	zeros := bits.LeadingZeros64(u)
	x := u << zeros >> 32 // from 2^31 to 2^32: its logarithm's fraction, bit by bit
	fraction := int64(0)
	for bit := int64(fixedOne / 2); bit > 0; bit /= 2 {
		x = x * x >> 31
		if x >= 1<<32 {
			x >>= 1
			fraction += bit
		}
	}
	return int64(zeros+1)*fixedOne - fraction
}

// scale is t times 2 to the power of e, which is in fixed point; MostDelay at
// most.
func scale(t packets.Time, e int64) packets.Time {
	whole, part := e>>16, e&(fixedOne-1)
	// 2^part to the third degree is exact to a thousandth.
	p := fixedOne + part*(45426+part*(15753+part*3638/fixedOne)/fixedOne)/fixedOne
	t = t * packets.Time(p) / fixedOne
	switch {
	case whole < -20:
		return 0
	case whole < 0:
		return t >> -whole
	case whole > 20:
		return MostDelay
	}
	return min(t<<whole, MostDelay)
}
