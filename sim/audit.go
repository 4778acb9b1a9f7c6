package sim

import (
	"bytes"

	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
)

// auditor judges engines by what goes in and comes out, knowing nothing of
// their code: its own model of every duplicate window, the Rejoins and Names
// that are due, who may be frozen when, and who may be trimmed.
type auditor struct {
	nodes    []audited
	guess    guess
	titles   titleBook
	promises []promise // by when they are due
}

// audited is what the auditor knows of one node: the watched conference as it
// showed it after its last change of members, and what it was told since.
type audited struct {
	self, group uint16
	active      []entry
	frozen      []entry
	peers       []heard // by node index
	owesName    bool    // it thawed somebody since its last tick
}

// entry is a peer in a node's list.
type entry struct {
	who    uint32
	number uint16
	friend bool
	last   int64 // last active, in seconds
}

// heard is what one node received of another.
type heard struct {
	window  window
	least   int64  // the latest activity that certainly counted, in seconds
	most    int64  // the latest activity that may have counted
	name    string // in the last accepted Name
	named   bool   // there was one
	dht     packets.PublicKey
	dhtSure bool         // dht came fresh and nothing since may have replaced it
	thawed  packets.Time // last thaw
	met     bool         // it has been listed
	trimmed bool         // it was forgotten to make room
}

// freezeAfter is the silence, in seconds, after which a peer is frozen
// (SPEC C-80); freezeSlack is how late that may be: one tick may pass
// over a peer that has just changed its place, and the clock counts in seconds.
const (
	freezeAfter = 60
	freezeSlack = 2
)

func (a *auditor) grow() {
	a.nodes = append(a.nodes, audited{})
	for i := range a.nodes {
		for len(a.nodes[i].peers) < len(a.nodes) {
			a.nodes[i].peers = append(a.nodes[i].peers, heard{})
		}
	}
}

// reset forgets what node i knew: it starts with what it saved, or has left.
func (a *auditor) reset(i int) {
	n := &a.nodes[i]
	clear(n.peers)
	n.active, n.frozen = n.active[:0], n.frozen[:0]
	n.owesName = false
}

// find is the peer with a number in either list of n.
func (n *audited) find(number uint16) (e *entry, active bool) {
	for i := range n.active {
		if n.active[i].number == number {
			return &n.active[i], true
		}
	}
	for i := range n.frozen {
		if n.frozen[i].number == number {
			return &n.frozen[i], false
		}
	}
	return nil, false
}

func (n *audited) hasFrozen(who uint32) bool {
	for i := range n.frozen {
		if n.frozen[i].who == who {
			return true
		}
	}
	return false
}

// mirror reads the lists of node i anew.
func (a *auditor) mirror(w *World, i int) *conference.View {
	n := &a.nodes[i]
	n.active, n.frozen = n.active[:0], n.frozen[:0]
	v := w.view(i)
	if v == nil {
		return nil
	}
	if len(v.Neighbours) >= conference.MaxNeighbours-2 {
		w.hit(ProbeTableFull)
	}
	n.self, n.group = v.PeerNumber, v.Group
	n.active = a.list(w, n.active, v.Peers)
	n.frozen = a.list(w, n.frozen, v.Frozen)
	for k := range n.frozen {
		n.peers[n.frozen[k].who].met = true
	}
	return v
}

func (a *auditor) list(w *World, to []entry, from []conference.Peer) []entry {
	for k := range from {
		p := &from[k]
		if who, ok := w.indexOf(&p.Key); ok {
			to = append(to, entry{who, p.Number, p.Friend, p.LastActive})
		}
	}
	return to
}

// view is what node i shows of the watched conference, or nil.
func (w *World) view(i int) *conference.View {
	if w.nodes[i].engine == nil {
		return nil
	}
	views := w.nodes[i].engine.Views()
	for k := range views {
		if views[k].ID == w.group {
			return &views[k]
		}
	}
	return nil
}

// after judges what node i did with the input w.in.
func (a *auditor) after(w *World, i int, out *conference.Output) {
	if len(a.promises) > 0 {
		a.keep(w)
	}
	n := &a.nodes[i]
	now := (w.now - w.nodes[i].skew).Seconds()
	in := &w.in
	reread := false
	switch in.kind {
	case inReceive:
		if in.err != nil {
			if len(out.Sends)+len(out.Conns)+len(out.Events) > 0 || out.Dirty {
				w.fail(i, "refuses a packet (%v) and acts on it all the same", in.err)
			}
			return
		}
		reread = a.received(w, i, out, now)
	case inOnline:
		if n.hasFrozen(in.from) && !sends(w, out, in.from, packets.PacketRejoin) {
			w.fail(i, "sends no Rejoin to frozen peer %d whose link came up", in.from)
		}
	}
	members := false
	for k := range out.Events {
		if e := &out.Events[k]; e.ID == w.group {
			members = a.event(w, i, e, out, now) || members
		}
	}
	if members || reread {
		a.changed(w, i, out)
	}
	switch in.kind {
	case inTick:
		a.silent(w, i, now)
		fallthrough
	case inRename:
		if n.owesName || in.kind == inRename {
			a.named(w, i, out)
		}
		n.owesName = false
	}
}

// event notes one event of the watched conference and tells whether it changed
// the lists.
func (a *auditor) event(w *World, i int, e *conference.Event, out *conference.Output, now int64) bool {
	n := &a.nodes[i]
	who, ok := w.indexOf(&e.Peer)
	if e.Kind == conference.Connected {
		return true
	}
	if !ok {
		return false
	}
	h := &n.peers[who]
	switch e.Kind {
	case conference.PeerJoined:
		*h = heard{least: now, most: now, met: true}
	case conference.PeerLeft:
		*h = heard{met: true}
	case conference.PeerThawed:
		h.least, h.most, h.thawed, h.dhtSure = now, now, w.now, false
		if w.in.kind == inReceive && w.in.packet[0] == packets.PacketRejoin && who == w.in.from {
			h.dht, h.dhtSure = w.toldDHT(i, who), true
		}
		n.owesName = true
	case conference.PeerFrozen:
		if w.in.kind == inTick && now < h.least+freezeAfter {
			w.fail(i, "freezes peer %d after %d s", who, now-h.least)
		}
		k, side := w.link(uint32(i), who)
		if l := &w.links[k]; l.friend && l.up[side] && !sends(w, out, who, packets.PacketRejoin) {
			w.fail(i, "freezes its friend %d, whose link is up, and sends no Rejoin", who)
		}
	default:
		return false
	}
	return true
}

// changed compares the frozen list with what it was: only the limit may drop
// peers from it, those first that are worth least.
func (a *auditor) changed(w *World, i int, out *conference.Output) {
	n := &a.nodes[i]
	before := append([]entry(nil), n.frozen...)
	for k := range out.Events {
		if e := &out.Events[k]; e.ID == w.group && e.Kind == conference.PeerFrozen {
			if who, ok := w.indexOf(&e.Peer); ok {
				for _, m := range n.active {
					if m.who == who {
						m.last = 0 // not known exactly
						before = append(before, m)
					}
				}
			}
		}
	}
	v := a.mirror(w, i)
	if v == nil {
		return
	}
	for _, r := range before {
		if n.has(r.who) || left(w, out, r.who) {
			continue
		}
		w.hit(ProbeTrimmed)
		n.peers[r.who].trimmed = true
		if len(n.frozen) < v.MaxFrozen {
			w.fail(i, "forgets frozen peer %d with %d of %d places taken", r.who, len(n.frozen), v.MaxFrozen)
		}
		for _, k := range n.frozen {
			if r.friend && !k.friend || r.friend == k.friend && r.last > k.last {
				w.fail(i, "forgets frozen peer %d (friend %v) and keeps %d (friend %v)", r.who, r.friend, k.who, k.friend)
			}
		}
	}
}

// has tells whether a node is in either list.
func (n *audited) has(who uint32) bool {
	for i := range n.active {
		if n.active[i].who == who {
			return true
		}
	}
	return n.hasFrozen(who)
}

// left tells whether out says that a peer left, so that it is in no list.
func left(w *World, out *conference.Output, who uint32) bool {
	key := w.nodes[who].key
	for k := range out.Events {
		if e := &out.Events[k]; e.ID == w.group && e.Kind == conference.PeerLeft && e.Peer == key {
			return true
		}
	}
	return false
}

// silent judges whom node i has not frozen in a tick although it was silent.
func (a *auditor) silent(w *World, i int, now int64) {
	n := &a.nodes[i]
	if w.nodes[i].joining || w.now < w.nodes[i].calmAt { // SPEC C-80
		return
	}
	now -= (8 * w.nodes[i].slow).Seconds() // each look passes over some
	for _, m := range n.active {
		if h := &n.peers[m.who]; m.number != n.self && h.most+freezeAfter+freezeSlack < now {
			w.fail(i, "has not heard peer %d for %d s and keeps it active", m.who, now-h.most)
		}
	}
}

// named judges whether node i told all its neighbours its name.
func (a *auditor) named(w *World, i int, out *conference.Output) {
	v := w.view(i)
	if v == nil || !v.Connected {
		return
	}
	for k := range v.Neighbours {
		nb := &v.Neighbours[k]
		who, ok := w.indexOf(&nb.Key)
		if nb.Online && ok && !saysName(w, i, out, v, who) {
			w.fail(i, "thawed somebody or was renamed, and does not say its name to neighbour %d", who)
		}
	}
}

// saysName tells whether out has node i's name for a neighbour.
func saysName(w *World, i int, out *conference.Output, v *conference.View, to uint32) bool {
	for k := range out.Sends {
		s := &out.Sends[k]
		if s.To != w.nodes[to].key {
			continue
		}
		m, err := packets.ParseMessage(s.Data)
		if err == nil && m.Kind == packets.Name && m.PeerNumber == v.PeerNumber && bytes.Equal(m.Data, w.nodes[i].name) {
			return true
		}
	}
	return false
}

// sends tells whether out has a packet of a kind for a node, about the watched
// conference where the packet says which.
func sends(w *World, out *conference.Output, to uint32, kind byte) bool {
	for k := range out.Sends {
		s := &out.Sends[k]
		if s.To != w.nodes[to].key || len(s.Data) == 0 || s.Data[0] != kind {
			continue
		}
		switch kind {
		case packets.PacketRejoin:
			if p, err := packets.ParseRejoin(s.Data); err == nil && p.ID == w.group {
				return true
			}
		case packets.PacketOnline:
			if p, err := packets.ParseOnline(s.Data); err == nil && p.ID == w.group {
				return true
			}
		}
	}
	return false
}
