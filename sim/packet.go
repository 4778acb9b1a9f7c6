package sim

import (
	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
)

// send puts a packet of node i on its way.
func (w *World) send(i int, s *conference.Send) {
	p, ok := w.indexOf(&s.To)
	k, known := uint32(0), false
	if ok {
		k, known = w.nodes[i].table.get(p)
	}
	side := 0
	if uint32(i) > p {
		side = 1
	}
	if !known || !w.links[k].up[side] {
		w.fail(i, "sends to %s, to whom it has no link", s.To)
		return
	}
	if len(s.Data) == 0 || len(s.Data) > packets.MaxPacket {
		w.fail(i, "sends a packet of %d bytes", len(s.Data))
		return
	}
	l := &w.links[k]
	to := 1 - side
	w.stats.Packets++
	w.stats.Bytes += uint64(len(s.Data))
	if s.Data[0] == packets.PacketRejoin {
		w.stats.Rejoins++
	}
	w.trace.add(uint64(w.now)<<8|uint64(to), uint64(k)<<32|uint64(l.session))
	w.trace.bytes(s.Data)

	at := w.now + l.delay
	if loss := w.laws.Loss; loss > 0 {
		for n := 0; n < mostResends && l.rand.Chance(loss); n++ {
			if s.Lossy {
				w.stats.Lost++
				return
			}
			at += w.laws.resend(l.delay)
		}
	}
	flags := uint8(to)
	if s.Lossy {
		flags |= sideLossy
	} else {
		at = max(at, l.last[to])
		l.last[to] = at
	}
	e := w.queue.alloc()
	ev := &w.queue.slab[e]
	ev.kind, ev.link, ev.side, ev.session = evPacket, k, flags, l.session
	w.arena.put(ev, s.Data)
	w.queue.push(at, e)
}

// arrive is the moment when packet e reaches its receiver, or does not.
func (w *World) arrive(e uint32) {
	ev := &w.queue.slab[e]
	l := &w.links[ev.link]
	side := int(ev.side &^ sideLossy)
	switch {
	case l.session != ev.session || !l.up[side]:
		w.lose(e)
	case ev.side&sideLossy != 0 && !w.reaches(l):
		w.lose(e)
	case ev.side&sideLossy == 0 && (l.held[side].head != 0 || !w.reaches(l)):
		if !l.up[1-side] { // nobody is there to send it again
			w.lose(e)
			return
		}
		h := &l.held[side]
		if h.head == 0 {
			h.head = e
		} else {
			w.queue.slab[h.tail].next = e
		}
		h.tail = e
	default:
		w.deliver(e)
	}
}

// flush delivers what a cut has held up, if the cut is over.
func (w *World) flush(i uint32, side int, session uint32) {
	for w.err == nil {
		l := &w.links[i]
		e := l.held[side].head
		if e == 0 || l.session != session || !w.reaches(l) {
			return
		}
		l.held[side].head = w.queue.slab[e].next
		w.deliver(e)
	}
}

// deliver gives packet e to the engine of its receiver.
func (w *World) deliver(e uint32) {
	ev := &w.queue.slab[e]
	l := &w.links[ev.link]
	side := int(ev.side &^ sideLossy)
	to, from := l.peer[side], l.peer[1-side]
	data := w.rx[:copy(w.rx[:], w.arena.get(ev))]
	w.arena.drop(ev)
	w.queue.release(e)

	w.stats.Deliveries++
	n := &w.nodes[to]
	if w.audit != nil && w.found {
		w.audit.before(w, int(to), from, data)
	}
	w.in = input{kind: inReceive, from: from, packet: data}
	w.in.err = n.engine.Receive(w.now-n.skew, w.nodes[from].key, data)
	if w.in.err != nil {
		w.stats.Refused++
		w.trace.add(uint64(w.now), 2)
	}
	w.poll(int(to))
}

// lose frees packet e, which does not arrive.
func (w *World) lose(e uint32) {
	w.stats.Lost++
	w.arena.drop(&w.queue.slab[e])
	w.queue.release(e)
}
