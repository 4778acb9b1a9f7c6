package measure

import (
	"container/heap"

	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/sim"
)

// graph is who passes messages on to whom.
type graph [][]int

// graph is that of the conference now: the neighbours online of each node, that
// are so for one of these reasons.
func (t *trial) graph(reasons conference.Reason) graph {
	g := make(graph, len(t.nodes))
	for i, n := range t.nodes {
		for _, v := range n.Views() {
			for k := range v.Neighbours {
				if nb := &v.Neighbours[k]; nb.Online && nb.Reasons&reasons != 0 {
					g[i] = append(g[i], sim.NodeOf(&nb.Key))
				}
			}
		}
	}
	return g
}

// anyReason is all reasons to keep a neighbour.
const anyReason = ^conference.Reason(0)

// depth is how many hops the farthest node is away that node 0 can reach.
func depth(g graph) int {
	hops := make([]int, len(g))
	for i := range hops {
		hops[i] = -1
	}
	hops[0] = 0
	queue := []int{0}
	for k := 0; k < len(queue); k++ {
		for _, n := range g[queue[k]] {
			if hops[n] < 0 {
				hops[n] = hops[queue[k]] + 1
				queue = append(queue, n)
			}
		}
	}
	return hops[queue[len(queue)-1]]
}

// least is when the last node of a graph can have heard from beyond a cut, of
// which these contacts are the first (Healed.Least); negative: somebody cannot.
func least(g graph, first []contact, delay packets.Time) packets.Time {
	at := make([]packets.Time, len(g))
	for i := range at {
		at[i] = -1
	}
	var q news
	for _, c := range first {
		q = append(q, heard{c.a, c.at + delay}, heard{c.b, c.at + delay})
	}
	heap.Init(&q)
	reached, last := 0, packets.Time(-1)
	for q.Len() > 0 {
		h := heap.Pop(&q).(heard)
		if at[h.node] >= 0 {
			continue
		}
		at[h.node], last = h.at, h.at
		reached++
		for _, n := range g[h.node] {
			if at[n] < 0 {
				heap.Push(&q, heard{n, h.at + delay})
			}
		}
	}
	if reached < len(g) {
		return -1
	}
	return last
}

// heard is a node that the news has reached.
type heard struct {
	node int
	at   packets.Time
}

// news is a heap of who hears next.
type news []heard

func (q news) Len() int           { return len(q) }
func (q news) Less(i, k int) bool { return q[i].at < q[k].at }
func (q news) Swap(i, k int)      { q[i], q[k] = q[k], q[i] }

// Push is for container/heap.
func (q *news) Push(h any) { *q = append(*q, h.(heard)) }

// Pop is for container/heap.
func (q *news) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}
