package peers

import (
	"math/rand"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
)

func TestWindow(t *testing.T) {
	type message struct {
		number uint32
		kind   packets.MessageKind
		want   bool
	}
	const text, name, title = packets.NormalMessage, packets.Name, packets.Title
	for what, messages := range map[string][]message{
		"any first number":         {{0xdeadbeef, text, true}},
		"duplicate (C-62)":         {{7, text, true}, {7, text, false}, {7, name, false}},
		"reordered (C-63)":         {{10, text, true}, {12, text, true}, {11, text, true}, {11, text, false}},
		"older name (C-64)":        {{5, name, true}, {4, name, false}, {3, text, true}},
		"name behind title (C-64)": {{5, title, true}, {4, name, true}},
		"older title (C-64)":       {{5, title, true}, {4, title, false}},
		"seven newer (C-65)": {{1, text, true}, {3, text, true}, {4, text, true}, {5, text, true}, {6, text, true},
			{7, text, true}, {8, text, true}, {2, text, true}},
		"eight newer (C-65)": {{1, text, true}, {3, text, true}, {4, text, true}, {5, text, true}, {6, text, true},
			{7, text, true}, {8, text, true}, {9, text, true}, {10, text, true}, {2, text, false}},
		"wrap-around (C-66)":   {{0xffffffff, text, true}, {1, text, true}, {0xffffffff, text, false}},
		"half the circle":      {{1, text, true}, {1 + 1<<31, text, true}},
		"one more than half":   {{1, text, true}, {2 + 1<<31, text, true}},
		"beyond half is older": {{1, text, true}, {3 + 1<<31, text, true}, {3 + 1<<31, text, false}},
	} {
		t.Run(what, func(t *testing.T) {
			var w Window
			for i, m := range messages {
				require.Equal(t, m.want, w.Accept(m.number, m.kind), "message %d, number %d", i, m.number)
			}
		})
	}
}

func TestWindowKeepsNewestFirst(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	for range 200 {
		var w Window
		base := r.Uint32()
		for range 100 {
			w.Accept(base+uint32(r.Intn(40)), packets.NormalMessage)
			for i := 1; i < int(w.used); i++ {
				require.True(t, Newer(w.numbers[i-1], w.numbers[i]))
			}
		}
	}
}

func TestLossyWindow(t *testing.T) {
	var w LossyWindow
	for i, m := range []struct {
		number uint16
		want   bool
	}{ // SPEC C-118
		{0, true}, {0, false}, {65535, true}, {65281, true}, {65280, false}, {300, true}, {45, true}, {44, false},
	} {
		require.Equal(t, m.want, w.Accept(m.number), "packet %d, number %d", i, m.number)
	}
}

// The model remembers every number; a number is accepted once and while it is
// within 255 of the highest.
func TestLossyWindowAgainstModel(t *testing.T) {
	r := rand.New(rand.NewSource(2))
	for range 50 {
		var w LossyWindow
		top := uint16(r.Uint32())
		seen := map[uint16]bool{top: true}
		require.True(t, w.Accept(top))
		for range 3000 {
			n := top + uint16(r.Intn(600)-300)
			switch ahead := int16(n - top); {
			case ahead <= -LossySize:
				require.False(t, w.Accept(n))
			case ahead <= 0:
				require.Equal(t, !seen[n], w.Accept(n))
				seen[n] = true
			default:
				require.True(t, w.Accept(n))
				for k := range seen {
					if int16(k-n) <= -LossySize {
						delete(seen, k)
					}
				}
				seen[n], top = true, n
			}
		}
	}
}

// Numbers all round the circle, each ahead of the one before, are let in once a
// second only, beside the few older ones for which a window has room; what a
// restart skips always is.
func TestLeaps(t *testing.T) {
	const step = 1 << 30
	var w Window
	accepted := 0
	for second := range uint64(10) {
		for i := range uint32(100) {
			if n := i * step; !w.Leaps(n, second) && w.Accept(n, packets.Ping) {
				accepted++
			}
		}
	}
	require.LessOrEqual(t, accepted, 10+WindowSize)

	w = Window{}
	for i := range uint32(3) {
		n := 1 + i*packets.SaveOffset
		require.False(t, w.Leaps(n, 1))
		require.True(t, w.Accept(n, packets.Ping))
	}
	require.True(t, w.Leaps(2+3*packets.SaveOffset, 1))
	require.False(t, w.Leaps(1, 1), "a number of the window is no leap")
	require.False(t, w.Leaps(2+3*packets.SaveOffset, 2))

	var l LossyWindow
	accepted = 0
	for second := range uint64(10) {
		for i := range uint16(100) {
			if n := i % 3 * 20000; !l.Leaps(n, second) && l.Accept(n) {
				accepted++
			}
		}
	}
	require.Equal(t, 10, accepted)
}
