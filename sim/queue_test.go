package sim

import (
	"sort"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
)

// The queue gives back what a sort by time, class and order of insertion gives.
func TestQueueOrder(t *testing.T) {
	type item struct {
		at   packets.Time
		wake bool
		n    uint32
	}
	var q queue
	q.init(Epoch)
	draw := newStream(1, streamPlan, 1)
	var waiting []item
	next := uint32(0)
	push := func(at packets.Time) {
		i := q.alloc()
		it := item{at, draw.Chance(0.3), next}
		q.slab[i].kind, q.slab[i].session = evPacket, next
		if it.wake {
			q.slab[i].kind = evWake
		}
		next++
		q.push(at, i)
		waiting = append(waiting, it)
	}
	for range 20_000 {
		for range draw.Below(4) {
			push(q.now + packets.Time([]int{0, draw.Below(50), draw.Below(2000), draw.Below(100_000)}[draw.Below(4)]))
		}
		limit := q.now + packets.Time(draw.Below(300))
		sort.SliceStable(waiting, func(a, b int) bool {
			x, y := waiting[a], waiting[b]
			if x.at != y.at {
				return x.at < y.at
			}
			return !x.wake && y.wake
		})
		i := q.pop(limit)
		if len(waiting) == 0 || waiting[0].at > limit {
			require.Zero(t, i)
			require.Equal(t, limit, q.now)
			continue
		}
		require.NotZero(t, i)
		require.Equal(t, waiting[0].at, q.now)
		require.Equal(t, waiting[0].n, q.slab[i].session)
		waiting = waiting[1:]
		q.release(i)
	}
	assert.Less(t, len(q.slab), 1<<16, "events are used again")
}

func TestQueuePast(t *testing.T) {
	var q queue
	q.init(Epoch)
	assert.Panics(t, func() { q.push(Epoch-1, q.alloc()) })
}

// An event is one cache line, and what it carries comes out as it went in.
func TestPayloads(t *testing.T) {
	var q queue
	var a arena
	q.init(Epoch)
	var held []uint32
	sizes := []int{1, inline, inline + 1, 128, 129, 512, 513, packets.MaxPacket}
	for round := range 3 {
		for _, size := range sizes {
			p := make([]byte, size)
			for i := range p {
				p[i] = byte(i*7 + size + round)
			}
			e := q.alloc()
			a.put(&q.slab[e], p)
			held = append(held, e)
			assert.Equal(t, p, a.get(&q.slab[e]))
		}
		for k, e := range held {
			assert.Len(t, a.get(&q.slab[e]), sizes[k])
			a.drop(&q.slab[e])
			q.release(e)
		}
		held = held[:0]
	}
	blocks := 0
	for c, size := range []int{128, 512, 1408} {
		blocks += len(a.classes[c].mem) / size
	}
	assert.Equal(t, 6, blocks, "blocks are used again")
}

func TestStreams(t *testing.T) {
	a, b, c := newStream(1, streamNode, 1), newStream(1, streamNode, 2), newStream(2, streamNode, 1)
	same := newStream(1, streamNode, 1)
	x := a.next()
	assert.Equal(t, x, same.next())
	assert.NotEqual(t, x, b.next())
	assert.NotEqual(t, x, c.next())
	var counts [5]int
	for range 10_000 {
		counts[a.Between(10, 14)-10]++
	}
	for _, n := range counts {
		assert.InDelta(t, 2000, n, 200)
	}
	yes := 0
	for range 10_000 {
		if a.Chance(0.1) {
			yes++
		}
	}
	assert.InDelta(t, 1000, yes, 150)
}
