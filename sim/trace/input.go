package trace

import (
	"fmt"

	"github.com/tox-rejoin/rejoin/packets"
)

// input gives the node the input of a segment.
func (in *instance) input(t int64, s *segment) *Mismatch {
	switch b := s.input.body.(type) {
	case *stateLine:
		in.rp.counts.States++
		return in.compareState(t, s.input, b)
	case *linkLine:
		return in.link(t, s, b)
	case *deliverLine:
		return in.deliver(t, s, b)
	case *callLine:
		return in.call(t, s, b)
	}
	return nil // the node line: the start is done already
}

// give does one input and collects what comes of it. The links that refuse
// packets while they are up do so for as long.
func (in *instance) give(s *segment, do func()) {
	lift := in.hinder(s.outs, 0)
	do()
	in.collect()
	lift()
}

// hinder makes the links unwritable that refuse packets, by the lines among
// outs behind the first skip packets, while they are up; lift makes them
// writable again.
func (in *instance) hinder(outs []*record, skip int) (lift func()) {
	type kind struct {
		peer     packets.PublicKey
		lossless bool
	}
	seen := map[kind]bool{} // whether its first packet was refused
	var peers []packets.PublicKey
	note := func(name string, lossless, refused bool) {
		if skip > 0 {
			skip--
			return
		}
		peer, ok := in.rp.key(name)
		if _, again := seen[kind{peer, lossless}]; again || !ok {
			return
		}
		seen[kind{peer, lossless}] = refused
		if refused && in.table.isUp(peer) && peer != in.spared {
			peers = append(peers, peer)
		}
	}
	for _, r := range outs {
		switch b := r.body.(type) {
		case *packetLine:
			note(b.To, b.Lossless, false)
		case *refusedLine:
			to := noConnection
			if b.To != nil {
				to = *b.To
			}
			note(to, b.Lossless, true)
		}
	}
	for _, p := range peers {
		in.node.SetWritable(p, !seen[kind{p, true}], !seen[kind{p, false}])
	}
	return func() {
		for _, p := range peers {
			if in.table.isUp(p) {
				in.node.SetWritable(p, true, true)
			}
		}
	}
}

func (in *instance) link(t int64, s *segment, b *linkLine) *Mismatch {
	peer, ok := in.rp.key(b.Peer)
	c, number := in.table.find(peer)
	if !ok || c == nil || number != b.Number {
		want := fmt.Sprintf("%s over connection %d", describe(s.input), b.Number)
		return &Mismatch{s.input.line, want, fmt.Sprintf("connection %d", number)}
	}
	c.up = b.Online
	isFriend := c.holders&byFriendList != 0
	now := in.now(t)
	in.give(s, func() {
		if !b.Online {
			in.node.Offline(now, peer)
			return
		}
		in.node.Online(now, peer, packets.PublicKey(b.DHT))
		if isFriend {
			in.node.FriendReady(now, peer)
		}
	})
	return nil
}

func (in *instance) deliver(t int64, s *segment, b *deliverLine) *Mismatch {
	p := in.rp.rec.sent[b.Seq]
	from, ok := in.rp.key(b.From)
	if p == nil || !ok {
		return &Mismatch{s.input.line, "the delivery of a packet that was sent", describe(s.input)}
	}
	now := in.now(t)
	receive := func() {
		// An error means that nothing has changed, and that is compared.
		_ = in.node.Receive(now, from, p.Data)
	}
	if l, err := packets.ParseLossy(p.Data); err == nil {
		in.giveLossy(s, int64(l.Group), from, receive)
		return nil
	}
	in.give(s, receive)
	return nil
}

// isFriend tells whether peer is in the friend list.
func (in *instance) isFriend(peer packets.PublicKey) bool {
	c, _ := in.table.find(peer)
	return c != nil && c.holders&byFriendList != 0
}

// idOf is the id of the conference with that number.
func (in *instance) idOf(number int64) (packets.ID, bool) {
	for id, n := range in.groups {
		if int64(n) == number {
			return id, true
		}
	}
	return packets.ID{}, false
}
