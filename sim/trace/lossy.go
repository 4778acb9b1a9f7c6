package trace

import (
	"strings"

	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/peers"
)

// c-toxcore sends a lossy packet, besides the receivers that we choose, to the
// friend connection whose number stands in slot 0 of the connection table,
// whether or not that slot is in use (rule 5 of the recordings' README). Our
// engine does not. What it would send is worked out here and compared with the
// recording like all else.

// slotZero is what stands in slot 0 of a conference's connection table, in use
// or not.
type slotZero struct {
	number int    // of the friend connection
	group  uint16 // the neighbour's group number
}

// watchSlots takes over what stands in slot 0 of audio conferences.
func (in *instance) watchSlots() {
	if len(in.slots) == 0 {
		return
	}
	for _, v := range in.node.Views() {
		if v.ID.Type != packets.AV {
			continue
		}
		for _, n := range v.Neighbours {
			if n.Slot != 0 {
				continue
			}
			if _, number := in.table.find(n.Key); number >= 0 {
				in.slots[v.Group] = slotZero{number, n.Group}
			}
		}
	}
}

// giveLossy gives an input that may send lossy packets of the conference with
// that number: a lossy packet of from, or one of our own.
func (in *instance) giveLossy(s *segment, number int64, from packets.PublicKey, do func()) {
	v := in.view(number)
	chosen, ok := in.chosen(v, from)
	if !ok || chosen.Slot == 0 || v.ID.Type != packets.AV {
		in.give(s, do)
		return
	}
	slot := in.slots[v.Group]
	// If only the packet to slot 0 is accepted, c-toxcore has sent one and
	// counts on. For us, the chosen one has to take it then.
	if from == in.key && onlyLastAccepted(s.outs) {
		in.spared = chosen.Key
	}
	in.give(s, do)
	sent := in.lossyTo(chosen.Key)
	if in.spared == chosen.Key {
		in.spared = packets.PublicKey{}
		if n := len(in.pending.sends); n == 1 {
			in.pending.refused = append(in.pending.refused, "refused "+strings.TrimPrefix(in.pending.sends[0], "packet "))
			in.pending.sends = nil
		}
	}
	if sent == nil {
		return // not one to send on
	}
	in.rp.counts.Quirks++
	data := packets.AppendForward(nil, sent, slot.group)
	conn, to := in.table.at(slot.number), noConnection
	if conn != nil {
		to = in.rp.name(conn.peer)
	}
	refused := describeRefused(in.name, to, false, data)
	if conn == nil || !conn.up || describeNth(s.outs, in.pending.packets()) == refused {
		in.pending.refused = append(in.pending.refused, refused)
		return
	}
	in.pending.sends = append(in.pending.sends, describePacket(in.name, to, false, data))
}

// chosen is the online closest neighbour nearest below us on the ring of keys,
// to whom the engine sends; from is passed over.
func (in *instance) chosen(v conference.View, from packets.PublicKey) (best conference.Neighbour, ok bool) {
	for _, n := range v.Neighbours {
		if !n.Online || n.Reasons&conference.ReasonClosest == 0 || n.Key == from {
			continue
		}
		if !ok || peers.Distance(&in.key, &n.Key) < peers.Distance(&in.key, &best.Key) {
			best, ok = n, true
		}
	}
	return best, ok
}

// lossyTo is the lossy packet to peer in the last output, sent or refused; nil
// if there was none.
func (in *instance) lossyTo(peer packets.PublicKey) []byte {
	for _, s := range in.lossy {
		if s.To == peer {
			return s.Data
		}
	}
	return nil
}

// onlyLastAccepted tells whether of several packets all but the last were
// refused.
func onlyLastAccepted(outs []*record) bool {
	refused, accepted := 0, 0
	for _, r := range outs {
		switch r.body.(type) {
		case *refusedLine:
			if accepted > 0 {
				return false
			}
			refused++
		case *packetLine:
			accepted++
		}
	}
	return refused > 0 && accepted == 1
}

// describeNth is the n-th packet, accepted or refused, among outs as text; ""
// if there are not so many.
func describeNth(outs []*record, n int) string {
	for _, r := range outs {
		switch r.body.(type) {
		case *packetLine, *refusedLine:
			if n == 0 {
				return describe(r)
			}
			n--
		}
	}
	return ""
}
