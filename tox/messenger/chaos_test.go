package messenger

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
)

// chaos lets four nodes ask, accept, remove, talk, lose connections and start
// anew at random while links refuse packets; then all is healed.
func chaos(t *testing.T, seed uint64) *world {
	w := newWorld(t, seed, "abcd")
	w.full = 0.2
	pick := func() *node { return w.nodes[w.rand.IntN(len(w.nodes))] }
	for k := range 400 {
		a, b := pick(), pick()
		if a == b {
			continue
		}
		switch w.rand.IntN(16) {
		case 0, 1:
			_ = a.AddFriend(w.now, b.key, b.noSpam, []byte("hi")) // b may be a friend already
		case 2:
			_ = a.AcceptFriend(w.now, b.key)
		case 3:
			_ = a.RemoveFriend(w.now, b.key)
		case 4, 5, 6, 7:
			w.join(a, b)
		case 8:
			w.cut(a, b)
			w.pass(delay)
		case 9:
			if w.rand.IntN(8) == 0 {
				a.start(a.Friends(w.now))
				w.pass(delay)
			}
		case 10:
			require.NoError(t, a.SetName(w.now, fmt.Append(nil, "name ", k)))
		case 11:
			_ = a.SetTyping(w.now, b.key, w.rand.IntN(2) == 0)
		case 12:
			w.onion = !w.onion
		default:
			_, _ = a.SendMessage(w.now, b.key, Kind(w.rand.IntN(2)), []byte{byte(k)})
		}
		a.drain()
		w.pass(packets.Time(w.rand.IntN(3000)))
	}
	w.full = 0
	w.pass(5 * packets.Second)
	for _, a := range w.nodes {
		for _, b := range w.nodes {
			w.join(a, b)
		}
	}
	w.pass(60 * packets.Second)
	return w
}

// Whatever happened: in the end mutual friends are ready and know each other's
// names, and every message was either received or lost, once.
func TestChaosSettles(t *testing.T) {
	ready, seeds := 0, uint64(25)
	if testing.Short() {
		seeds = 6
	}
	for seed := range seeds {
		w := chaos(t, seed)
		for _, a := range w.nodes {
			require.Len(t, a.Friends(w.now), len(a.friends))
			for _, b := range w.nodes {
				if !a.held[b.key] || !b.held[a.key] {
					continue
				}
				f, ok := a.Friend(w.now, b.key)
				require.True(t, ok && f.Ready, "seed %d: %c and %c", seed, a.name, b.name)
				require.Equal(t, b.Machine.name, f.Name)
				require.Zero(t, f.Waiting)
				ready++
			}
			seen := map[string]bool{}
			for _, e := range a.events {
				if e == "start" {
					clear(seen) // numbers are those of one run
				}
				if e[0] == '9' || e[:2] == "10" {
					_, number, _ := strings.Cut(e, " ")
					require.False(t, seen[number], "message %s ends twice", number)
					seen[number] = true
				}
			}
		}
	}
	require.NotZero(t, ready)
}

func TestDeterminism(t *testing.T) {
	for seed := range uint64(3) {
		first := chaos(t, seed)
		require.Equal(t, first.trace, chaos(t, seed).trace)
	}
	require.NotEqual(t, chaos(t, 0).trace, chaos(t, 1).trace)
}
