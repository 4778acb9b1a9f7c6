//go:build oracle && linux && amd64

package oracle

import (
	"github.com/tox-rejoin/rejoin/packets"
)

// call is something that a user does.
func (m *mesh) call(n *meshNode) {
	r := m.r
	in := input{now: m.now(n), peer: pick(r, m.keys)}
	if views := n.pair.Views(); len(views) > 0 {
		in.id = pick(r, views).ID
	}
	switch r.IntN(16) {
	case 0:
		if len(m.ids) >= 4 {
			return
		}
		in.op, in.kind = opCreate, byte(r.IntN(2))
	case 1, 2, 3, 4:
		in.op = opInvite
	case 5, 6, 7:
		if len(n.invited) == 0 {
			return
		}
		in.op, in.inv = opJoin, pick(r, n.invited)
	case 8:
		in.op, in.kind, in.data = opSend, byte(packets.NormalMessage), randomBytes(r, r.IntN(40))
	case 9:
		in.op, in.data = opTitle, randomBytes(r, r.IntN(131))
	case 10:
		in.op, in.data = opName, randomBytes(r, r.IntN(129))
		n.name = in.data
	case 11:
		in.op, in.n = opMaxFrozen, pick(r, []int{0, 1, 2, 128})
	case 12, 13:
		in.op, in.kind, in.data = opLossy, packets.LossyAudio, randomBytes(r, r.IntN(40))
	case 14:
		in.op, in.on, in.more = opWritable, r.IntN(3) != 0, r.IntN(3) != 0
		if n.session[m.index(in.peer)] == nil {
			return
		}
	case 15:
		if r.IntN(6) != 0 {
			return
		}
		in.op = opLeave
	}
	if res := n.pair.do(in); in.op == opCreate {
		m.ids = append(m.ids, res.id)
	}
	m.carryOut(n)
}

// fault is something that happens to one or to all.
func (m *mesh) fault() {
	r := m.r
	n := pick(r, m.nodes)
	switch r.IntN(8) {
	case 0, 1: // a split into two
		side := r.Uint32()
		for a := range m.nodes {
			for b := range a {
				if (side>>a^side>>b)&1 != 0 {
					m.cut[[2]int{b, a}] = true
				}
			}
		}
	case 2, 3:
		clear(m.cut)
	case 4:
		n.paused = r.IntN(200)
	case 5:
		if n.pair != nil {
			m.stop(n)
		}
	case 6:
		if n.pair != nil {
			n.saves = append(n.saves, n.pair.Save())
			n.pair.do(input{op: opQuit, now: m.now(n)})
			m.carryOut(n)
			m.stop(n)
		}
	case 7:
		m.befriend(n, r.IntN(len(m.nodes)))
	}
}

func (m *mesh) stop(n *meshNode) {
	n.pair = nil
	clear(n.session)
	clear(n.wanted)
}

func (m *mesh) restart(n *meshNode) {
	var saved []packets.SavedConference
	if len(n.saves) > 0 && m.r.IntN(6) != 0 {
		saved = n.saves[len(n.saves)-1]
		if m.r.IntN(4) == 0 {
			saved = pick(m.r, n.saves)
		}
	}
	m.start(n, saved)
}

// befriend changes a friendship on one side.
func (m *mesh) befriend(n *meshNode, peer int) {
	if n.pair == nil || peer == n.at {
		return
	}
	if n.friends[peer] && n.session[peer] != nil && !n.wanted[peer] {
		delete(n.session, peer)
		n.pair.do(input{op: opOffline, now: m.now(n), peer: m.keys[peer]})
		m.carryOut(n)
		if n.wanted[peer] {
			return
		}
	}
	n.friends[peer] = !n.friends[peer]
	n.pair.do(input{op: opSetFriend, now: m.now(n), peer: m.keys[peer], on: n.friends[peer]})
}
