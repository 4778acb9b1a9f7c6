//go:build oracle && linux && amd64

package oracle

import (
	"errors"
	"math/rand/v2"
)

// replay makes a new pair and the inputs again.
func replay(like *Pair, inputs []input) *Difference {
	b := like.begin
	cfg := b.cfg
	cfg.Rand = repeat{b.random.drawn, rand.New(rand.NewPCG(7, 7)), new(int)}
	p, err := newPair(cfg, b.saved, b.now)
	if err != nil {
		d := (*Difference)(nil)
		errors.As(err, &d)
		return d
	}
	p.lazy = like.lazy
	for _, in := range inputs {
		if p.do(in); p.diff != nil {
			return p.diff
		}
	}
	return nil
}

// repeat gives what was drawn before, and goes on with something else.
type repeat struct {
	drawn []byte
	r     *rand.Rand
	at    *int
}

func (a repeat) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(a.r.Uint32())
		if *a.at < len(a.drawn) {
			b[i] = a.drawn[*a.at]
		}
		*a.at++
	}
	return len(b), nil
}

// shrink leaves out inputs, in ever smaller pieces, while some difference of
// the same sort remains.
func shrink(p *Pair, d *Difference) ([]input, *Difference) {
	inputs := p.inputs[:p.count]
	for size := len(inputs) / 2; size > 0; {
		smaller := false
		for at := 0; at+size <= len(inputs); {
			less := append(append([]input(nil), inputs[:at]...), inputs[at+size:]...)
			if x := replay(p, less); x != nil && x.What == d.What {
				inputs, d, smaller = less[:x.Input+1], x, true
				continue
			}
			at += size
		}
		if !smaller || size > len(inputs) {
			size /= 2
		}
	}
	return inputs, d
}
