package sim

import (
	"math/bits"

	"github.com/tox-rejoin/rejoin/packets"
)

// eventKind says what an event does when its time has come.
type eventKind uint8

const (
	evPacket  eventKind = iota // a packet arrives over a link
	evClose                    // a side's session ends: the other side closed it
	evDead                     // a side notices that its link is dead
	evConnect                  // a session comes up
	evReady                    // a friend's messenger is online
	evFlush                    // packets held up by a cut get through
	evJoin                     // a node's user accepts an invitation
	evWake                     // a node's engine asked for a Tick
)

// inline is how many payload bytes fit into an event: all packets of fixed
// length but New Peer.
const inline = 48

// event is one thing to come. It holds no pointer and fills one cache line;
// longer payloads lie in the arena.
type event struct {
	next    uint32 // of the slot, the held queue or the free list; 0: none
	link    uint32 // the link; evWake, evJoin: the node
	session uint32 // what the event belongs to: the link's session, its cut, its attempt
	size    uint16 // of the payload
	kind    eventKind
	side    uint8 // of the link that is acted on; bit 7: lossy packet
	body    [inline]byte
}

const sideLossy = 1 << 7

// Slots of the wheel, one millisecond each.
const (
	wheelBits = 10
	wheelSize = 1 << wheelBits
)

// list is a queue of events linked by their next fields.
type list struct{ head, tail uint32 }

// queue orders events by time, then class (inputs before wakes), then order of
// insertion. The next second lies in a wheel with a list per millisecond; what
// comes later in a heap.
type queue struct {
	now   packets.Time // every event before now has been taken
	slots [2][wheelSize]list
	used  [2][wheelSize / 64]uint64
	near  int // events in the wheel
	far   []farEvent
	seq   uint64
	slab  []event // slab[0] is never used
	free  uint32
}

// farEvent is an entry of the 4-ary heap of later events.
type farEvent struct {
	at  packets.Time
	seq uint64
	ev  uint32
}

func (a farEvent) before(b farEvent) bool { return a.at < b.at || a.at == b.at && a.seq < b.seq }

func (q *queue) init(now packets.Time) {
	q.now = now
	q.slab = make([]event, 1, 256)
}

// alloc returns the number of a fresh event. Pointers into the slab are valid
// until the next alloc.
func (q *queue) alloc() uint32 {
	if i := q.free; i != 0 {
		q.free = q.slab[i].next
		q.slab[i].next = 0
		return i
	}
	q.slab = append(q.slab, event{})
	return uint32(len(q.slab) - 1)
}

func (q *queue) release(i uint32) {
	q.slab[i].next = q.free
	q.free = i
}

// push inserts event i; at is not in the past.
func (q *queue) push(at packets.Time, i uint32) {
	if at < q.now {
		panic("sim: event in the past")
	}
	if at < q.now+wheelSize {
		q.insert(at, i)
		return
	}
	q.seq++
	q.pushFar(farEvent{at, q.seq, i})
}

func (q *queue) insert(at packets.Time, i uint32) {
	c := 0
	if q.slab[i].kind == evWake {
		c = 1
	}
	s := uint(at) % wheelSize
	l := &q.slots[c][s]
	if l.head == 0 {
		l.head = i
		q.used[c][s/64] |= 1 << (s % 64)
	} else {
		q.slab[l.tail].next = i
	}
	l.tail = i
	q.near++
}

// pop takes the next event that is due at or before limit and sets now to its
// time. With none, now becomes limit and pop returns 0.
func (q *queue) pop(limit packets.Time) uint32 {
	for {
		if q.near == 0 {
			if len(q.far) == 0 || q.far[0].at > limit {
				q.advance(limit)
				return 0
			}
			q.advance(q.far[0].at)
		}
		at := q.nextNear()
		if at > limit {
			q.advance(limit)
			return 0
		}
		q.advance(at)
		s := uint(at) % wheelSize
		for c := range q.slots {
			if l := &q.slots[c][s]; l.head != 0 {
				i := l.head
				l.head = q.slab[i].next
				if l.head == 0 {
					q.used[c][s/64] &^= 1 << (s % 64)
				}
				q.slab[i].next = 0
				q.near--
				return i
			}
		}
	}
}

// advance moves the wheel's window so that it begins at t, and takes in what
// the window now reaches. Doing so before anything else is inserted there keeps
// the order of insertion.
func (q *queue) advance(t packets.Time) {
	if t <= q.now {
		return
	}
	q.now = t
	for len(q.far) > 0 && q.far[0].at < t+wheelSize {
		f := q.popFar()
		q.insert(f.at, f.ev)
	}
}

// nextNear is the time of the first event in the wheel, which is not empty.
func (q *queue) nextNear() packets.Time {
	start := uint(q.now) % wheelSize
	word, bit := start/64, start%64
	mask := ^uint64(0) << bit
	for k := uint(0); ; k++ {
		w := (word + k) % (wheelSize / 64)
		if b := (q.used[0][w] | q.used[1][w]) & mask; b != 0 {
			s := w*64 + uint(bits.TrailingZeros64(b))
			return q.now + packets.Time((s-start)%wheelSize)
		}
		mask = ^uint64(0)
	}
}

func (q *queue) pushFar(f farEvent) {
	q.far = append(q.far, f)
	i := len(q.far) - 1
	for i > 0 {
		p := (i - 1) / 4
		if !f.before(q.far[p]) {
			break
		}
		q.far[i] = q.far[p]
		i = p
	}
	q.far[i] = f
}

func (q *queue) popFar() farEvent {
	top := q.far[0]
	n := len(q.far) - 1
	f := q.far[n]
	q.far = q.far[:n]
	if n == 0 {
		return top
	}
	i := 0
	for {
		first := 4*i + 1
		if first >= n {
			break
		}
		m := first
		for c := first + 1; c < min(first+4, n); c++ {
			if q.far[c].before(q.far[m]) {
				m = c
			}
		}
		if !q.far[m].before(f) {
			break
		}
		q.far[i] = q.far[m]
		i = m
	}
	q.far[i] = f
	return top
}
