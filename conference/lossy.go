package conference

import (
	"fmt"
	"math"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/peers"
)

// receiveLossy relays a new lossy packet and shows audio. It is no activity
// and thaws nobody (SPEC C-81, C-116 to C-119).
func (e *Engine) receiveLossy(l *link, b []byte) error {
	p, err := packets.ParseLossy(b)
	if err != nil {
		return err
	}
	g, at, err := e.byNumberAndLink(p.Group, l)
	if err != nil {
		return err
	}
	if g.id.Type != packets.AV {
		return fmt.Errorf("%w: lossy packet in a conference of type %v", ErrType, g.id.Type)
	}
	if p.PeerNumber == g.self {
		e.drop(DropLossyOwn)
		return nil
	}
	author := g.activeByNumber(p.PeerNumber)
	if author == nil {
		e.drop(DropLossyAuthor)
		return nil
	}
	window := g.peers.Lossy(author)
	if e.better.paceNumbers && window.Leaps(p.Number, e.sec) { // SPEC I-14
		e.drop(DropPace)
		return nil
	}
	if !window.Accept(p.Number) {
		e.drop(DropLossyNumber)
		return nil
	}
	e.sendLossy(g, b, at)
	if p.Kind == packets.LossyAudio {
		ev := e.emit(g, AudioHeard, author, author.Index(), p.Data)
		ev.Number = uint32(p.Number)
	}
	return nil
}

// SendLossy sends a lossy packet of ours, kind 192 (0xc0) for audio. It returns
// ErrType in a text conference, ErrLength, or ErrNotConnected if nobody took
// it; the number is used again then (SPEC C-120).
func (e *Engine) SendLossy(now packets.Time, id packets.ID, kind byte, data []byte) error {
	g, err := e.find(now, id)
	switch {
	case err != nil:
		return err
	case g.id.Type != packets.AV:
		return fmt.Errorf("%w: lossy packet in a conference of type %v", ErrType, g.id.Type)
	case packets.LossyMin+len(data) > packets.MaxPacket:
		return fmt.Errorf("%w: lossy packet of %d bytes", ErrLength, packets.LossyMin+len(data))
	}
	p := packets.Lossy{PeerNumber: g.self, Number: g.lossy, Kind: kind, Data: data}
	start := len(e.arena)
	e.arena = p.Append(e.arena)
	if !e.sendLossy(g, e.arena[start:], -1) {
		return ErrNotConnected
	}
	g.lossy++
	if g.unsavedLoss++; g.unsavedLoss >= saveEveryLossy {
		g.unsavedLoss, e.out.Dirty = 0, true
	}
	return nil
}

// sendLossy sends packet b with each receiver's group number to all online
// neighbours that are not closest, to the nearest closest one below us and to
// the nearest above, never to the one in slot except. It tells whether any
// link took it.
func (e *Engine) sendLossy(g *group, b []byte, except int) bool {
	sent := false
	below, above := -1, -1
	belowBest, aboveBest := uint64(math.MaxUint64), uint64(math.MaxUint64)
	for i := range g.conns {
		c := &g.conns[i]
		if c.state != online || i == except {
			continue
		}
		if c.reasons&ReasonClosest == 0 {
			sent = e.sendLossyTo(c, b) || sent
			continue
		}
		if d := peers.Distance(&e.self, &c.link.key); d < belowBest {
			below, belowBest = i, d
		}
		if d := peers.Distance(&c.link.key, &e.self); d < aboveBest {
			above, aboveBest = i, d
		}
	}
	if below >= 0 {
		sent = e.sendLossyTo(&g.conns[below], b) || sent
	}
	// c-toxcore looks for the second receiver in a broken way and takes slot 0
	// of its table, whoever that is; Reference mode sends to nobody instead.
	if e.better.twoSidedLossy && above >= 0 && above != below { // SPEC I-4b
		sent = e.sendLossyTo(&g.conns[above], b) || sent
	}
	return sent
}

func (e *Engine) sendLossyTo(c *conn, b []byte) bool {
	start := len(e.arena)
	e.arena = packets.AppendForward(e.arena, b, c.group)
	return e.write(c.link, true, start)
}
