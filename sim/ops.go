package sim

import (
	"fmt"
	"strconv"

	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
)

// acceptDelay is how long a user takes to accept an invitation.
const acceptDelay packets.Time = 100

// op records an operation in the trace.
func (w *World) op(code byte, a, b int) {
	w.trace.add(uint64(w.now)<<8|uint64(code), uint64(uint32(a))<<32|uint64(uint32(b)))
}

// other is the peer of node i on l.
func (l *link) other(i uint32) uint32 { return l.peer[0] + l.peer[1] - i }

// called polls node i after a call of its host or its user.
func (w *World) called(i int) {
	w.in = input{kind: inCall}
	w.poll(i)
}

// Befriend makes two nodes friends; their link comes up after a while.
func (w *World) Befriend(a, b int) { w.setFriend(a, b, true) }

// Unfriend ends a friendship. The link stays while both engines want it.
func (w *World) Unfriend(a, b int) { w.setFriend(a, b, false) }

// Friends tells whether two nodes are friends.
func (w *World) Friends(a, b int) bool {
	k, ok := w.nodes[a].table.get(uint32(b))
	return ok && w.links[k].friend
}

func (w *World) setFriend(a, b int, friend bool) {
	k, _ := w.link(uint32(a), uint32(b))
	if w.links[k].friend == friend {
		return
	}
	w.op('f', a, b)
	w.logf("peers %d and %d are friends: %v", a, b, friend)
	w.links[k].friend = friend
	for _, i := range [2]int{a, b} {
		if n := &w.nodes[i]; n.engine != nil {
			n.engine.SetFriend(w.nodes[a+b-i].key, friend)
			w.called(i)
		}
	}
	l := &w.links[k]
	switch {
	case friend && !l.trying && !(l.up[0] && l.up[1]):
		w.attempt(k, l.rand.within(w.laws.FindMin, w.laws.FindMax))
	case !friend && !l.wanted() && (l.up[0] || l.up[1]):
		w.unlink(k)
	}
}

// unlink ends a session that nobody is entitled to any more, on both sides.
func (w *World) unlink(k uint32) {
	for side := range 2 {
		if w.links[k].up[side] {
			w.down(k, side)
		}
	}
}

// Create makes node a found a conference. The first one of a world is the one
// that is watched.
func (w *World) Create(a int, t packets.Type) (packets.ID, error) {
	n := &w.nodes[a]
	if n.engine == nil {
		return packets.ID{}, ErrDown
	}
	w.op('c', a, int(t))
	id := n.engine.Create(w.now-n.skew, t)
	w.logf("peer %d founds conference %s", a, id)
	if !w.found {
		w.group, w.found = id, true
		n.sees, n.member, n.belongs = 1, true, true
		w.version++
	}
	w.called(a)
	if w.audit != nil {
		w.audit.mirror(w, a)
	}
	return id, w.err
}

// Invite makes node a invite its friend b, who accepts.
func (w *World) Invite(a, b int) error {
	w.op('i', a, b)
	w.disturb()
	w.logf("peer %d invites peer %d", a, b)
	return w.call(a, func(n *node, now packets.Time) error {
		return n.engine.Invite(now, w.group, w.nodes[b].key)
	})
}

// join accepts the oldest open invitation of node i, if it still runs.
func (w *World) join(i int, run uint64) {
	n := &w.nodes[i]
	if n.engine == nil || n.runs != run || len(n.invited) == 0 {
		return
	}
	if n.paused {
		w.schedule(w.now+pauseStep, evJoin, uint32(i), 0, uint32(run))
		return
	}
	inv := n.invited[0]
	n.invited = append(n.invited[:0], n.invited[1:]...)
	if err := n.engine.Join(w.now-n.skew, inv); err != nil {
		w.trace.add(uint64(w.now), 3)
		w.logf("peer %d cannot join: %v", i, err)
	} else if inv.ID == w.group {
		n.joining = true
	}
	w.called(i)
}

// call lets the user of node a do something with its engine.
func (w *World) call(a int, f func(n *node, now packets.Time) error) error {
	n := &w.nodes[a]
	if n.engine == nil {
		return ErrDown
	}
	if n.paused {
		return ErrPaused
	}
	if !w.found {
		return ErrGroup
	}
	err := f(n, w.now-n.skew)
	if err != nil {
		w.trace.add(uint64(w.now), 4)
		w.logf("peer %d: %v", a, err)
	}
	w.called(a)
	if w.err != nil {
		return w.err
	}
	return err
}

// Say makes node a send a text.
func (w *World) Say(a int, text string) error {
	w.promise(a, packets.NormalMessage, text)
	return w.say(a, text)
}

func (w *World) say(a int, text string) error {
	w.op('s', a, len(text))
	w.logf("peer %d says %q", a, text)
	return w.call(a, func(n *node, now packets.Time) error {
		_, err := n.engine.Send(now, w.group, packets.NormalMessage, []byte(text))
		return err
	})
}

// Rename changes the name of node a.
func (w *World) Rename(a int, name string) error {
	w.op('m', a, len(name))
	w.logf("peer %d is now called %q", a, name)
	n := &w.nodes[a]
	if n.engine == nil {
		return ErrDown
	}
	if n.paused {
		return ErrPaused
	}
	n.name = []byte(name)
	n.renamed = n.member
	w.promise(a, packets.Name, name)
	if w.audit != nil {
		w.audit.renamed(w, a)
	}
	err := n.engine.SetName(w.now-n.skew, n.name)
	w.in = input{kind: inRename}
	w.poll(a)
	return err
}

// Retitle makes node a change the title.
func (w *World) Retitle(a int, title string) error {
	w.op('t', a, len(title))
	w.logf("peer %d sets the title %q", a, title)
	if w.audit != nil && w.Member(a) {
		w.audit.titled(w, a)
	}
	w.promise(a, packets.Title, title)
	return w.call(a, func(n *node, now packets.Time) error {
		return n.engine.SetTitle(now, w.group, []byte(title))
	})
}

// SetMaxFrozen makes node a keep at most n frozen peers.
func (w *World) SetMaxFrozen(a, most int) error {
	w.op('z', a, most)
	w.logf("peer %d keeps %d frozen peers", a, most)
	err := w.call(a, func(n *node, now packets.Time) error {
		return n.engine.SetMaxFrozen(now, w.group, most)
	})
	if w.audit != nil && w.nodes[a].engine != nil {
		w.audit.changed(w, a, &conference.Output{})
	}
	return err
}

// Leave makes node a leave the conference for good; it goes on running.
func (w *World) Leave(a int) error {
	w.op('l', a, 0)
	w.disturb()
	w.logf("peer %d leaves", a)
	return w.call(a, func(n *node, now packets.Time) error {
		err := n.engine.Leave(now, w.group)
		n.sees, n.member, n.belongs, n.joining = 0, false, false, false
		w.version++
		if w.audit != nil {
			w.audit.reset(a)
		}
		return err
	})
}

// side is the side of node i on l.
func (l *link) side(i uint32) int {
	if l.peer[1] == i {
		return 1
	}
	return 0
}

// Split tears the network apart: nothing passes between nodes of different
// parts. Nodes that are in no part form one more.
func (w *World) Split(parts ...[]int) {
	w.op('|', len(parts), 0)
	w.disturb()
	if w.cfg.Log != nil {
		w.logf("split %s", fmt.Sprint(parts))
	}
	for i := range w.nodes {
		w.nodes[i].part = 0
	}
	for p, nodes := range parts {
		for _, i := range nodes {
			w.op('|', i, p+1)
			w.nodes[i].part = p + 1
		}
	}
	w.reviewAll()
}

// Heal ends every split and every stall.
func (w *World) Heal() {
	w.op('+', 0, 0)
	w.logf("heal")
	for i := range w.nodes {
		w.nodes[i].part = 0
	}
	for i := range w.links {
		w.links[i].stalled = false
	}
	w.reviewAll()
}

func (w *World) reviewAll() {
	w.reachAt = w.now
	for i := range w.links {
		w.review(uint32(i))
	}
}

// Stall lets nothing pass between two nodes, or lets it pass again. What was
// sent meanwhile arrives then, unless the link has been given up.
func (w *World) Stall(a, b int, stalled bool) {
	w.op('%', a, b)
	w.disturb()
	w.logf("link between peers %d and %d stalls: %v", a, b, stalled)
	k, _ := w.link(uint32(a), uint32(b))
	w.links[k].stalled = stalled
	w.review(k)
}

// Reset breaks the session between two nodes, as a router does that forgets
// its mappings; both notice at once and connect again.
func (w *World) Reset(a, b int) {
	w.op('#', a, b)
	w.disturb()
	w.logf("link between peers %d and %d is reset", a, b)
	if k, ok := w.nodes[a].table.get(uint32(b)); ok {
		w.unlink(k)
	}
}

// Neighbours lists the nodes to which node a has a link that is up.
func (w *World) Neighbours(a int) []int {
	var up []int
	for _, k := range w.nodes[a].links {
		if l := &w.links[k]; l.up[0] && l.up[1] {
			up = append(up, int(l.other(uint32(a))))
		}
	}
	return up
}

// nodeName is the name that nodes have at first.
func nodeName(i int) string { return "peer" + strconv.Itoa(i) }

// disturb tells the auditor that something keeps packets from somebody: a fault,
// or a link that comes or goes.
func (w *World) disturb() {
	w.churn, w.churnAt = w.churn+1, w.now
	if w.audit != nil {
		w.audit.disturbed(w)
	}
}
