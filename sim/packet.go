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
	w.note(l, side, s.Data)
	w.trace.add(uint64(w.now)<<8|uint64(to), uint64(k)<<32|uint64(l.session))
	w.trace.bytes(s.Data)

	at := w.now + l.delay
	if w.network.Delay.Law != FixedDelay {
		at = w.now + w.network.Delay.draw(&l.rand, &l.sample)
	}
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
		at = w.lossy(l, k, flags, at, s.Data)
	} else {
		at = max(at, l.last[to])
		l.last[to] = at
	}
	w.post(at, k, flags, l.session, s.Data)
}

// note keeps what tells later why a conference did not become whole.
func (w *World) note(l *link, side int, b []byte) {
	switch b[0] {
	case packets.PacketRejoin:
		w.stats.Rejoins++
		l.rejoined[side] = w.now
	case packets.PacketOnline:
		l.greeted[side] = w.now
	case packets.PacketDirect:
		switch {
		case len(b) > packets.MaxPacket-packets.PeerEntryMin-packets.MaxName && b[3] == byte(packets.PeerResponse):
			w.hit(ProbeLongList)
		case len(b) > 3 && b[3] == byte(packets.PeerIntroduced):
			w.hit(ProbeIntroduced)
		}
	}
}

// lossy lets a lossy packet be overtaken, or arrive twice, where the network
// does that.
func (w *World) lossy(l *link, k uint32, flags uint8, at packets.Time, data []byte) packets.Time {
	if p := w.network.Reorder; p > 0 && l.rand.Chance(p) {
		w.hit(ProbeReordered)
		at += l.rand.within(1, 4*l.delay+20)
	}
	if p := w.network.Duplicate; p > 0 && l.rand.Chance(p) {
		w.hit(ProbeDuplicated)
		w.post(at+l.rand.within(0, l.delay), k, flags, l.session, data)
	}
	return at
}

// post puts a packet on link k; it arrives at a time.
func (w *World) post(at packets.Time, k uint32, flags uint8, session uint32, data []byte) {
	at = w.turn(w.links[k].peer[flags&^sideLossy], at)
	e := w.queue.alloc()
	ev := &w.queue.slab[e]
	ev.kind, ev.link, ev.side, ev.session = evPacket, k, flags, session
	w.arena.put(ev, data)
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
	case ev.side&sideLossy != 0 && !w.reaches(l, side) && !w.jams.has(l.peer[1-side], l.peer[side]):
		w.lose(e)
	case ev.side&sideLossy == 0 && l.held[side].head != 0 || !w.reaches(l, side):
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
		if e == 0 || l.session != session || !w.reaches(l, side) {
			return
		}
		w.hit(ProbeBurst)
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
		w.cover(int(to), from, data)
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
