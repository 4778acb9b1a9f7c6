package dht

import (
	"encoding/binary"
	"io"
	"net/netip"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/crypto"
)

// question waits for the answer of one node.
type question struct {
	id uint64 // 0: answered
	to Node
	at packets.Time
}

// pending is the questions of the last seconds. An answer counts once, with
// the right id, from whom was asked, at the address that was asked. When the
// table is full the oldest question makes room (SPEC T-19).
type pending struct {
	ring        []question // the low bits of an id are its place
	first, next uint64     // ring[first..next) modulo its length are in use
	at          map[netip.AddrPort]int
}

func newPending() pending {
	return pending{ring: make([]question, outstanding), at: make(map[netip.AddrPort]int)}
}

// len is how many questions are in the table, those answered included.
func (p *pending) len() int { return int(p.next - p.first) }

// add notes a question to n and returns its id, which nobody can guess and
// which is not 0.
func (p *pending) add(now packets.Time, n Node, rand io.Reader) uint64 {
	p.expire(now)
	if p.next-p.first == outstanding {
		p.drop()
	}
	place := p.next % outstanding
	p.next++
	var b [idSize]byte
	crypto.Random(rand, b[:])
	id := binary.BigEndian.Uint64(b[:])&^(outstanding-1) | place
	if id == 0 {
		id = outstanding
	}
	p.ring[place] = question{id, n, now}
	p.at[n.Addr]++
	return id
}

// expects tells whether a question went to the address. It is asked before the
// box of an answer is opened, so that answers to nothing cost nothing.
func (p *pending) expects(from netip.AddrPort) bool { return p.at[from] > 0 }

// take removes the question that n's answer with id belongs to; false if there
// is none.
func (p *pending) take(now packets.Time, id uint64, n Node) bool {
	q := &p.ring[id%outstanding]
	if id == 0 || q.id != id || q.to != n || now-q.at > answerIn {
		return false
	}
	p.answered(q)
	return true
}

// answered empties the place of q.
func (p *pending) answered(q *question) {
	if q.id == 0 {
		return
	}
	if p.at[q.to.Addr]--; p.at[q.to.Addr] == 0 {
		delete(p.at, q.to.Addr)
	}
	*q = question{at: q.at}
}

// drop forgets the oldest question.
func (p *pending) drop() {
	p.answered(&p.ring[p.first%outstanding])
	p.first++
}

// expire forgets the questions that are too old to be answered.
func (p *pending) expire(now packets.Time) {
	for p.first < p.next && now-p.ring[p.first%outstanding].at > answerIn {
		p.drop()
	}
}
