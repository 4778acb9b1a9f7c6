package sim

import (
	"bytes"

	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/peers"
)

// window is the auditor's model of the numbers that a peer remembers of
// another, newest first (SPEC C-62 to C-66).
type window struct {
	list [8]seen
	used int
}

// seen is a message that was received.
type seen struct {
	number uint32
	kind   packets.MessageKind
}

// take enters a message and tells whether it has to be processed.
func (w *window) take(number uint32, kind packets.MessageKind) bool {
	place := w.used
	for i, e := range w.list[:w.used] {
		if number == e.number {
			return false
		}
		if ahead := number - e.number; ahead <= 1<<31+1 { // newer, if not equal
			place = i
			break
		}
		if kind == e.kind && (kind == packets.Name || kind == packets.Title) {
			return false
		}
	}
	if place == len(w.list) {
		return false
	}
	w.used = min(w.used+1, len(w.list))
	for i := w.used - 1; i > place; i-- {
		w.list[i] = w.list[i-1]
	}
	w.list[place] = seen{number, kind}
	return true
}

// guess is what a node has to do with the packet that it is about to get. It is
// made before, when the lists are still those that the packet meets.
type guess struct {
	message bool // of the watched conference
	known   bool // its author is in a list that counts
	author  uint32
	forged  bool // it is in the node's own name, of a number that it has not used in this life (SPEC I-12)
	thaws   bool // the packet's author or sender is frozen
	rejoin  bool // a Rejoin of the watched conference, from somebody in a list
	admits  bool // an Online that ends the introduction of its sender, an active peer
}

// before looks at a packet for node i.
func (a *auditor) before(w *World, i int, from uint32, b []byte) {
	a.guess = guess{}
	n := &a.nodes[i]
	switch b[0] {
	case packets.PacketMessage:
		m, err := packets.ParseMessage(b)
		if err != nil || len(n.active)+len(n.frozen) == 0 || m.Group != n.group {
			return
		}
		e, active := n.find(m.PeerNumber)
		a.guess.message = true
		if e != nil && (active || m.Kind != packets.FreezePeer) {
			a.guess.known, a.guess.author, a.guess.thaws = true, e.who, !active
			if v := w.view(i); int(e.who) == i && v != nil && !w.cfg.Reference {
				a.guess.forged = v.Connected && m.PeerNumber == v.PeerNumber && peers.Newer(m.Number, v.Number)
			}
		}
	case packets.PacketRejoin:
		p, err := packets.ParseRejoin(b)
		if err == nil && p.ID == w.group && n.has(from) {
			a.guess.rejoin, a.guess.thaws = true, n.hasFrozen(from)
		}
	case packets.PacketOnline:
		p, err := packets.ParseOnline(b)
		a.guess.admits = err == nil && p.ID == w.group && n.has(from) && !n.hasFrozen(from) && introducing(w, i, from)
	}
}

// received judges what node i did with a packet that it took, and tells whether
// its lists have to be read again.
func (a *auditor) received(w *World, i int, out *conference.Output, now int64) (reread bool) {
	n := &a.nodes[i]
	g := a.guess
	switch {
	case g.rejoin:
		h := &n.peers[w.in.from]
		h.least, h.most = now, now
		h.dht, h.dhtSure = w.toldDHT(i, w.in.from), true
		a.answered(w, i, out)
		return true
	case g.admits:
		a.announced(w, i, out)
		return false
	case w.in.packet[0] == packets.PacketInvite:
		n.peers[w.in.from].most = now // an Accept or Member is activity
		return false
	case !g.message:
		return false
	}
	m, _ := packets.ParseMessage(w.in.packet)
	shown, relayed, back := a.effects(w, out)
	if !g.known {
		if shown+relayed > 0 {
			w.fail(i, "shows or relays message %d of peer number %d, who is in none of its lists", m.Number, m.PeerNumber)
		}
		return false
	}
	h := &n.peers[g.author]
	if g.thaws && !thaws(w, out, g.author) {
		w.fail(i, "does not thaw peer %d, whose message it got", g.author)
	}
	if m.Kind != packets.FreezePeer {
		h.least, h.most = now, now
	}
	fresh := h.window.take(m.Number, m.Kind)
	want := 0
	if fresh && !g.forged && len(m.Data) > 0 && (m.Kind == packets.NormalMessage || m.Kind == packets.Action) {
		want = 1
	}
	switch {
	case w.copies > 0: // two may go by one number, and count their messages each for itself
	case shown != want:
		w.fail(i, "shows message %d of peer %d %d times, want %d", m.Number, g.author, shown, want)
	case back && w.in.from != g.author:
		w.fail(i, "sends message %d of peer %d back to its relay %d", m.Number, g.author, w.in.from)
	case relayed > 0 && !fresh:
		w.fail(i, "relays message %d of peer %d, a duplicate or too old", m.Number, g.author)
	case relayed == 0 && fresh && a.relays(w, i, &m, g.author):
		w.fail(i, "does not relay message %d of peer %d", m.Number, g.author)
	}
	if fresh {
		a.news(w, i, &m, h, now)
	}
	return false
}

// news notes what a new message told node i.
func (a *auditor) news(w *World, i int, m *packets.Message, from *heard, now int64) {
	n := &a.nodes[i]
	switch m.Kind {
	case packets.Name:
		from.name, from.named = string(m.Data), true
	case packets.NewPeer:
		p, err := packets.ParseNewPeer(m.Data)
		if err != nil {
			return
		}
		if who, ok := w.indexOf(p.Key); ok {
			h := &n.peers[who]
			h.most = now
			h.dhtSure = false
			if e, _ := n.find(p.Number); e != nil && e.who == who {
				h.dht, h.dhtSure = *p.DHT, true
			}
		}
	}
}

// relays tells whether node i certainly has a neighbour to relay a message to:
// a text that is neither its own nor from its only link.
func (a *auditor) relays(w *World, i int, m *packets.Message, author uint32) bool {
	if m.Kind != packets.NormalMessage || len(m.Data) == 0 || int(author) == i {
		return false
	}
	v := w.view(i)
	if v == nil {
		return false
	}
	for k := range v.Neighbours {
		nb := &v.Neighbours[k]
		if nb.Online && (w.in.from == author || nb.Key != w.nodes[w.in.from].key) {
			return true
		}
	}
	return false
}

// effects counts how often out shows the message in hand and how often it
// relays it, and tells whether also to where it came from.
func (a *auditor) effects(w *World, out *conference.Output) (shown, relayed int, back bool) {
	for k := range out.Events {
		if e := &out.Events[k]; e.ID == w.group && e.Kind == conference.Texted {
			shown++
		}
	}
	for k := range out.Sends {
		d := out.Sends[k].Data
		if len(d) == len(w.in.packet) && d[0] == packets.PacketMessage && bytes.Equal(d[3:], w.in.packet[3:]) {
			relayed++
			back = back || out.Sends[k].To == w.nodes[w.in.from].key
		}
	}
	return shown, relayed, back
}

// introducing tells whether node i has an entry for a peer that is not online
// yet and that it introduces.
func introducing(w *World, i int, peer uint32) bool {
	v := w.view(i)
	if v == nil || !v.Connected {
		return false
	}
	for k := range v.Neighbours {
		nb := &v.Neighbours[k]
		if nb.Key == w.nodes[peer].key {
			return !nb.Online && nb.Reasons&conference.ReasonIntroducing != 0
		}
	}
	return false
}

// announced judges whether node i told all its neighbours about w.in.from, whom
// it introduces.
func (a *auditor) announced(w *World, i int, out *conference.Output) {
	v := w.view(i)
	if v == nil {
		return
	}
	dht := w.toldDHT(i, w.in.from)
	for k := range v.Neighbours {
		if nb := &v.Neighbours[k]; nb.Online && !announces(w, out, &nb.Key, &dht) {
			w.fail(i, "introduces peer %d and does not tell neighbour %s", w.in.from, nb.Key)
		}
	}
}

// toldDHT is the DHT key of a peer that node i was told when their session came
// up. What is still on its way belongs to that one.
func (w *World) toldDHT(i int, peer uint32) packets.PublicKey {
	k, side := w.link(uint32(i), peer)
	return w.links[k].dht[1-side]
}

// announces tells whether out has a New Peer about w.in.from for a neighbour.
func announces(w *World, out *conference.Output, to, dht *packets.PublicKey) bool {
	for k := range out.Sends {
		s := &out.Sends[k]
		m, err := packets.ParseMessage(s.Data)
		if err != nil || m.Kind != packets.NewPeer || s.To != *to {
			continue
		}
		p, err := packets.ParseNewPeer(m.Data)
		if err == nil && *p.Key == w.nodes[w.in.from].key && *p.DHT == *dht {
			return true
		}
	}
	return false
}

// answered judges what node i did with a Rejoin from w.in.from.
func (a *auditor) answered(w *World, i int, out *conference.Output) {
	from := w.in.from
	if a.guess.thaws && !thaws(w, out, from) {
		w.fail(i, "does not thaw peer %d, whose Rejoin it got", from)
	}
	v := w.view(i)
	if v == nil {
		return
	}
	for k := range v.Neighbours {
		if v.Neighbours[k].Key != w.nodes[from].key {
			continue
		}
		w.hit(ProbeRejoin)
		if !sends(w, out, from, packets.PacketOnline) {
			w.fail(i, "does not answer the Rejoin of peer %d with Online", from)
		}
	}
}

// thaws tells whether out thaws a node.
func thaws(w *World, out *conference.Output, who uint32) bool {
	key := w.nodes[who].key
	for k := range out.Events {
		if e := &out.Events[k]; e.ID == w.group && e.Kind == conference.PeerThawed && e.Peer == key {
			return true
		}
	}
	return false
}
