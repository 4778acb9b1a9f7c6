package sim

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ErrFriends is returned for a friend graph that cannot be had.
var ErrFriends = errors.New("sim: impossible friends")

// FriendKind is a shape of friend graph.
type FriendKind uint8

// The shapes.
const (
	Cross FriendKind = iota // those who invited each other, in one group; K friendships between groups
	Ring                    // everybody and the next, the last and the first
	Pairs                   // everybody and the one half way round
	All                     // everybody and everybody
)

// Friends is a friend graph.
type Friends struct {
	Kind FriendKind
	K    int // Cross: friendships between groups, in all
}

// ParseFriends reads "ring", "pairs", "all" or "cross:K". It returns ErrFriends.
func ParseFriends(s string) (Friends, error) {
	switch s {
	case "ring":
		return Friends{Kind: Ring}, nil
	case "pairs":
		return Friends{Kind: Pairs}, nil
	case "all":
		return Friends{Kind: All}, nil
	}
	if n, ok := strings.CutPrefix(s, "cross:"); ok {
		if k, err := strconv.Atoi(n); err == nil && k >= 0 {
			return Friends{Cross, k}, nil
		}
	}
	return Friends{}, fmt.Errorf("%w: %q is none of ring, pairs, all and cross:K", ErrFriends, s)
}

// String is what ParseFriends reads.
func (f Friends) String() string {
	switch f.Kind {
	case Ring:
		return "ring"
	case Pairs:
		return "pairs"
	case All:
		return "all"
	case Cross:
	}
	return "cross:" + strconv.Itoa(f.K)
}

// Edges are the friendships among nodes in groups of the given sizes, which
// are numbered through. It returns ErrFriends if there are not enough for K.
func (f Friends) Edges(groups []int) ([][2]int, error) {
	n := 0
	for _, size := range groups {
		n += size
	}
	var edges [][2]int
	switch f.Kind {
	case Ring:
		for i := range n {
			if j := (i + 1) % n; i != j && (n > 2 || i < j) {
				edges = append(edges, [2]int{i, j})
			}
		}
	case Pairs:
		for i := range n / 2 {
			edges = append(edges, [2]int{i, i + n/2})
		}
	case All:
		for i := range n {
			for j := range i {
				edges = append(edges, [2]int{j, i})
			}
		}
	case Cross:
		return f.cross(groups)
	}
	return edges, nil
}

// cross is a chain in each group, and K friendships that go round the borders
// between each group and the next.
func (f Friends) cross(groups []int) ([][2]int, error) {
	var edges [][2]int
	first := make([]int, len(groups))
	for g, start := 0, 0; g < len(groups); g++ {
		first[g] = start
		for i := start + 1; i < start+groups[g]; i++ {
			edges = append(edges, [2]int{i - 1, i})
		}
		start += groups[g]
	}
	borders := len(groups) - 1
	for k := range f.K {
		if borders == 0 {
			return nil, fmt.Errorf("%w: %v needs two groups", ErrFriends, f)
		}
		g, turn := k%borders, k/borders
		a, b := groups[g], groups[g+1]
		if turn >= a*b {
			return nil, fmt.Errorf("%w: groups of %d and %d have no room for %v", ErrFriends, a, b, f)
		}
		// Different people first, spread over the groups.
		left, right := turn%a, (turn+turn/lcm(a, b))%b
		edges = append(edges, [2]int{first[g] + left, first[g+1] + right})
	}
	return edges, nil
}

func lcm(a, b int) int {
	x, y := a, b
	for y != 0 {
		x, y = y, x%y
	}
	return a / x * b
}

// KeepFriends ends every friendship but these.
func (w *World) KeepFriends(edges [][2]int) {
	keep := make(map[[2]int]bool, len(edges))
	for _, e := range edges {
		keep[[2]int{min(e[0], e[1]), max(e[0], e[1])}] = true
	}
	for k := range w.links {
		l := &w.links[k]
		if p := [2]int{int(l.peer[0]), int(l.peer[1])}; l.friend && !keep[p] {
			w.Unfriend(p[0], p[1])
		}
	}
}

// Sight is how many nodes see how many.
type Sight struct{ Nodes, See int }

// Sights are how many live nodes see how many active peers, most first.
func (w *World) Sights() []Sight {
	count := make([]int, len(w.nodes)+1)
	for i := range w.nodes {
		if n := &w.nodes[i]; n.belongs && n.engine != nil && n.sees < len(count) {
			count[n.sees]++
		}
	}
	var list []Sight
	for see := len(count) - 1; see > 0; see-- {
		if count[see] > 0 {
			list = append(list, Sight{count[see], see})
		}
	}
	return list
}

// Shown counts how many texts node i has been shown that nodes from a to b-1 wrote.
func (w *World) Shown(i, a, b int) int {
	n := 0
	for _, s := range w.nodes[i].shown {
		if int(s.from) >= a && int(s.from) < b {
			n++
		}
	}
	return n
}
