//go:build oracle && linux && amd64

package oracle

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/sim"
)

var mixedSeeds = flag.Uint64("mixed", 60, "how many seeds of groups that are half ours, half theirs")

// mixed is a group of both kinds that is cut in two and merges.
type mixed struct {
	r     *rand.Rand
	w     *sim.World
	kinds []Kind
	nodes []sim.Node
	side  []int // of each node in the cut
	words int
}

// arrangement draws who is who.
func arrangement(r *rand.Rand, n int) (name string, kinds []Kind) {
	kinds = slices.Repeat([]Kind{Ours}, n)
	switch r.IntN(6) {
	case 0:
		name = "interleaved"
		for i := r.IntN(2); i < n; i += 2 {
			kinds[i] = Theirs
		}
	case 1:
		name = "blocks"
		for i := range n / 2 {
			kinds[i] = Theirs
		}
		if r.IntN(2) == 0 {
			slices.Reverse(kinds)
		}
	case 2:
		name = "pairs along the chain"
		for i := range n {
			if i/2%2 == 0 {
				kinds[i] = Theirs
			}
		}
	case 3:
		name = "one of theirs"
		kinds[r.IntN(n)] = Theirs
	case 4:
		name = "one of ours"
		kinds = slices.Repeat([]Kind{Theirs}, n)
		kinds[r.IntN(n)] = Ours
	default:
		name = "shuffled halves"
		for _, i := range r.Perm(n)[:n/2] {
			kinds[i] = Theirs
		}
	}
	return name, kinds
}

// sides draws the cut: two halves of the chain, every second, or anybody.
func sides(r *rand.Rand, n int) []int {
	side := make([]int, n)
	switch r.IntN(3) {
	case 0:
		for i := n / 2; i < n; i++ {
			side[i] = 1
		}
	case 1:
		for i := range side {
			side[i] = i % 2
		}
	default:
		for _, i := range r.Perm(n)[:1+r.IntN(n-1)] {
			side[i] = 1
		}
	}
	return side
}

// parts are the nodes of each side.
func parts(side []int) [][]int {
	p := make([][]int, 2)
	for i, s := range side {
		p[s] = append(p[s], i)
	}
	return p
}

// keep remembers the nodes that are made.
func (m *mixed) keep(inner sim.NewNode) sim.NewNode {
	return func(cfg conference.Config, saved []packets.SavedConference, now packets.Time) (sim.Node, error) {
		n, err := inner(cfg, saved, now)
		m.nodes = append(m.nodes, n)
		return n, err
	}
}

// say makes a node say something new.
func (m *mixed) say(i int) error {
	m.words++
	return m.w.Say(i, fmt.Sprint("text", m.words))
}

// shown is how often each node has been shown texts of each.
func (m *mixed) shown() [][]int {
	all := make([][]int, len(m.kinds))
	for i := range all {
		for a := range m.kinds {
			all[i] = append(all[i], m.w.Shown(i, a, a+1))
		}
	}
	return all
}

// listed is whom each node lists as active.
func (m *mixed) listed() [][]bool {
	all := make([][]bool, len(m.kinds))
	for i := range all {
		all[i] = make([]bool, len(m.kinds))
		for _, v := range m.nodes[i].Views() {
			for k := range v.Peers {
				for a := range m.kinds {
					all[i][a] = all[i][a] || v.Peers[k].Key == m.w.Key(a)
				}
			}
		}
	}
	return all
}

// apart checks that what was said during the cut was shown once to each who and
// whose author had each other listed, and to nobody beyond the cut. A small side can
// break into pieces: who had all its neighbours beyond the cut is alone.
func (m *mixed) apart(before [][]int, listed [][]bool) error {
	for i, now := range m.shown() {
		for a := range now {
			want, got := 0, now[a]-before[i][a]
			if listed[i][a] && listed[a][i] && (i != a || m.w.Sees(i) > 1) {
				want = 1
			}
			if listed[i][a] != listed[a][i] && got <= 1 {
				continue // one of the two is about to freeze the other
			}
			if got != want || want == 1 && m.side[i] != m.side[a] {
				return fmt.Errorf("apart, %d (%c) was shown %d texts of %d (%c), want %d", i, m.kinds[i], got, a, m.kinds[a], want)
			}
		}
	}
	return nil
}

// TestMixedGroups has groups of our engine, in product mode, and c-toxcore in
// one network, in all sorts of arrangements: they form, talk, are cut apart for
// more than 60 s, talk on both sides, heal, and are whole again.
func TestMixedGroups(t *testing.T) {
	for seed := uint64(1); seed <= *mixedSeeds; seed++ {
		r := rand.New(rand.NewPCG(seed, 5))
		n := 2 + r.IntN(13)
		name, kinds := arrangement(r, n)
		m := &mixed{r: r, kinds: kinds, side: sides(r, n)}
		m.w = sim.New(sim.Config{Seed: seed, NewNode: m.keep(Kinds(kinds)), Check: true, Audit: true})
		require.NoError(t, m.run(), "seed %d: %s %s, cut %v", seed, name, kinds, m.side)
	}
}

func (m *mixed) run() error {
	w, n := m.w, len(m.kinds)
	var friends [][2]int
	for i := range n {
		for j := range i {
			if m.r.IntN(4) == 0 {
				friends = append(friends, [2]int{j, i})
			}
		}
	}
	if err := w.Gather(n, friends...); err != nil {
		return err
	}
	if err := w.Retitle(m.r.IntN(n), "before"); err != nil {
		return err
	}
	before := m.shown()
	for i := range n {
		if err := m.say(i); err != nil {
			return err
		}
	}
	if err := w.Run(w.Now() + 10*packets.Second); err != nil {
		return err
	}
	for i, now := range m.shown() {
		for a := range now {
			if now[a] != before[i][a]+1 {
				return fmt.Errorf("together, %d (%c) was shown %d texts of %d (%c)", i, m.kinds[i], now[a]-before[i][a], a, m.kinds[a])
			}
		}
	}
	w.Split(parts(m.side)...)
	if err := w.Run(w.Now() + packets.Time(100+m.r.IntN(60))*packets.Second); err != nil {
		return err
	}
	if err := m.talkApart(); err != nil {
		return err
	}
	w.Heal()
	v, err := w.Settle(nil)
	switch {
	case err != nil:
		return err
	case !v.Recoverable:
		return fmt.Errorf("not recoverable: %v", v.Parts)
	case !v.Converged:
		return fmt.Errorf("not whole: %v", v.Why)
	}
	return nil
}

// talkApart has everybody say something in a cut, and two change their names.
func (m *mixed) talkApart() error {
	w := m.w
	before, listed := m.shown(), m.listed()
	for i := range m.kinds {
		if err := m.say(i); err != nil && w.Sees(i) > 1 {
			return fmt.Errorf("%d (%c): %w", i, m.kinds[i], err)
		}
	}
	for _, p := range parts(m.side) {
		i := p[m.r.IntN(len(p))]
		if err := w.Rename(i, fmt.Sprint("renamed", i)); err != nil {
			return err
		}
	}
	if err := w.Run(w.Now() + 10*packets.Second); err != nil {
		return err
	}
	return m.apart(before, listed)
}
