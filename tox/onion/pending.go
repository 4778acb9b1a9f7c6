package onion

import (
	"encoding/binary"
	"io"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/crypto"
)

const (
	answerIn    = 10 * packets.Second // what the network decided
	outstanding = 1024                // questions, what we decided
)

// waiting is an announce request without its answer yet.
type waiting struct {
	sendback uint64 // 0: answered
	list     *list  // for which the node was asked
	node     Node
	key      crypto.SharedKey
	path     uint32
	at       packets.Time
}

// pending is the announce requests of the last seconds. When it is full the
// oldest makes room.
type pending struct {
	ring        []waiting // the low bits of a sendback are its place
	first, next uint64    // ring[first..next) modulo its length are in use
}

// add notes a question and returns its sendback, which nobody can guess.
func (p *pending) add(now packets.Time, w waiting, rand io.Reader) (sendback [sendbackSize]byte) {
	if p.ring == nil {
		p.ring = make([]waiting, outstanding)
	}
	p.expire(now)
	if p.next-p.first == outstanding {
		p.ring[p.first%outstanding] = waiting{}
		p.first++
	}
	place := p.next % outstanding
	p.next++
	crypto.Random(rand, sendback[:])
	w.at = now
	w.sendback = binary.BigEndian.Uint64(sendback[:])&^(outstanding-1) | place
	if w.sendback == 0 {
		w.sendback = outstanding // the same place
	}
	p.ring[place] = w
	binary.BigEndian.PutUint64(sendback[:], w.sendback)
	return sendback
}

// find is the question with a sendback, nil if there is none. It is valid until
// the next add (SPEC T-75).
func (p *pending) find(now packets.Time, sendback [sendbackSize]byte) *waiting {
	id := binary.BigEndian.Uint64(sendback[:])
	if p.ring == nil || id == 0 {
		return nil
	}
	if w := &p.ring[id%outstanding]; w.sendback == id && now-w.at <= answerIn {
		return w
	}
	return nil
}

// take forgets a question that was answered.
func (p *pending) take(w *waiting) { *w = waiting{at: w.at} }

// forget forgets the questions for a list.
func (p *pending) forget(l *list) {
	for i := range p.ring {
		if p.ring[i].list == l {
			p.take(&p.ring[i])
		}
	}
}

// expire forgets the questions that are too old to be answered.
func (p *pending) expire(now packets.Time) {
	for p.first < p.next && now-p.ring[p.first%outstanding].at > answerIn {
		p.ring[p.first%outstanding] = waiting{}
		p.first++
	}
}
