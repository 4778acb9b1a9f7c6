package friend

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
)

// chaos lets six nodes hold, release, be cut off and start anew at random,
// then heals the network and lets it settle.
func chaos(t *testing.T, seed uint64) *world {
	w := newWorld(t, seed, "abcdef")
	w.loss = 0.3
	pick := func() *node { return w.nodes[w.rand.IntN(len(w.nodes))] }
	for range 150 {
		a, b := pick(), pick()
		user := User(1 + w.rand.IntN(2))
		switch op := w.rand.IntN(12); {
		case a == b:
		case op < 6:
			a.hold(user, b, w.rand.IntN(2) == 0)
		case op < 8:
			a.release(user, b)
		case op < 9:
			wants := map[*node]User{}
			for _, o := range w.nodes {
				if u := a.wants[o.real]; u != 0 {
					wants[o] = u
				}
			}
			a.start()
			for _, o := range w.nodes {
				if u := wants[o]; u&FriendList != 0 {
					a.hold(FriendList, o, false)
				}
				if u := wants[o]; u&Conferences != 0 {
					a.hold(Conferences, o, w.rand.IntN(2) == 0)
				}
			}
		case op < 11:
			one, other := pick(), pick()
			w.cut = func(x, y *node) bool { return x == one || y == one || x == other && y == pair(w, other) }
		default:
			w.cut = nil
		}
		if s := a.sessions[b.real]; s != nil {
			a.write(b, false, []byte{64, byte(w.rand.IntN(256))})
		}
		w.pass(packets.Time(w.rand.IntN(int(20 * packets.Second))))
	}
	w.cut, w.loss = nil, 0
	w.pass(300 * packets.Second)
	return w
}

// pair is the node after n.
func pair(w *world, n *node) *node {
	for i := range w.nodes {
		if w.nodes[i] == n {
			return w.nodes[(i+1)%len(w.nodes)]
		}
	}
	return nil
}

// Whatever happened: two nodes are connected in the end if both want it, and
// only then.
func TestChaosSettles(t *testing.T) {
	online, seeds := 0, uint64(30)
	if testing.Short() {
		seeds = 6
	}
	for seed := range seeds {
		w := chaos(t, seed)
		for _, a := range w.nodes {
			for _, b := range w.nodes {
				if a == b {
					continue
				}
				want := a.wants[b.real] != 0 && b.wants[a.real] != 0
				require.Equal(t, want, a.online[b.real], "seed %d: %c to %c", seed, a.name, b.name)
				if want {
					online++
				}
			}
			searches := 0
			for _, n := range a.searches {
				require.LessOrEqual(t, n, 1)
				searches += n
			}
			require.LessOrEqual(t, searches, len(a.links))
			require.Len(t, a.onions, len(a.links))
		}
	}
	require.NotZero(t, online)
}

func TestDeterminism(t *testing.T) {
	for seed := range uint64(3) {
		first := chaos(t, seed)
		require.Equal(t, first.trace, chaos(t, seed).trace)
	}
	require.NotEqual(t, chaos(t, 0).trace, chaos(t, 1).trace)
}
