package netcrypto

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// SPEC T-105
func TestWindow(t *testing.T) {
	var w window
	model := map[uint64]bool{}
	r := rand.New(rand.NewPCG(1, 2))
	at := uint64(0)
	for range 200_000 {
		switch r.IntN(40) {
		case 0:
			at += uint64(r.IntN(3 * replayWindow))
		default:
			at += uint64(r.IntN(3))
		}
		i := at - min(at, uint64(r.IntN(replayWindow*5/4)))
		old := i+replayWindow < w.next
		require.Equal(t, !old && !model[i], w.fresh(i))
		if w.fresh(i) {
			w.mark(i)
			model[i] = true
			require.False(t, w.fresh(i))
		}
	}
}

// ring against a plain map.
func TestRing(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 9))
	x := ring{start: 0xffffff00, end: 0xffffff00}
	model := map[uint32][]byte{}
	for step := range 50_000 {
		switch r.IntN(3) {
		case 0, 1:
			n := x.start + uint32(r.IntN(1+r.IntN(3000)))
			if x.at(n) == nil {
				x.put(n, []byte{byte(n), byte(step)})
				model[n] = []byte{byte(n), byte(step)}
				if n-x.start >= x.end-x.start {
					x.end = n + 1
				}
			}
		case 2:
			for range r.IntN(20) {
				if s := x.at(x.start); s != nil {
					require.Equal(t, model[x.start], x.drop(s))
					delete(model, x.start)
				}
				if x.start != x.end {
					x.start++
				}
			}
		}
		if step%500 == 0 {
			require.NoError(t, x.check())
			require.Len(t, model, x.held)
			for n := x.start; n != x.end; n++ {
				s := x.at(n)
				require.Equal(t, model[n] == nil, s == nil)
				if s != nil {
					require.Equal(t, model[n], s.data)
				}
			}
		}
	}
}
