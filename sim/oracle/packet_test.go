//go:build oracle && linux && amd64

package oracle

import (
	"math/rand/v2"

	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
)

// form is a sort of packet.
type form int

const (
	formMessage form = iota
	formDirect
	formOnline
	formRejoin
	formAnswer
	formInvite
	formLossy
	numForms
)

func (s *solo) form() form {
	total := 0
	for _, w := range s.forms {
		total += w
	}
	at := s.r.IntN(total)
	f := form(0)
	for at >= s.forms[f] {
		at -= s.forms[f]
		f++
	}
	return f
}

// packet makes up a packet that fits the state as far as chance has it.
func (s *solo) packet(from packets.PublicKey) []byte {
	r := s.r
	views := s.pair.Views()
	v := conference.View{ID: s.id()}
	if len(views) > 0 {
		v = pick(r, views)
	}
	group := v.Group
	if r.IntN(40) == 0 {
		group = uint16(r.IntN(4))
	}
	var p []byte
	switch s.form() {
	case formMessage:
		p = s.message(v, group)
	case formDirect:
		p = s.direct(group)
	case formOnline:
		p = packets.Online{Group: uint16(r.IntN(3)), ID: v.ID}.Append(nil)
	case formRejoin:
		p = packets.Rejoin{ID: v.ID}.Append(nil)
	case formAnswer:
		p = packets.Invite{
			Kind:  pick(r, []packets.InviteKind{packets.KindAccept, packets.KindAccept, packets.KindMember}),
			Group: uint16(r.IntN(3)), To: group, ID: v.ID, PeerNumber: s.number(v),
		}.Append(nil)
	case formInvite:
		p = packets.Invite{Group: uint16(r.IntN(3)), ID: pick(r, []packets.ID{s.id(), v.ID})}.Append(nil)
	case formLossy:
		p = packets.Lossy{
			Group: group, PeerNumber: s.number(v), Number: pick(r, []uint16{1, 2, 3, 250, 300, 65535, uint16(r.Uint32())}),
			Kind: pick(r, []byte{packets.LossyAudio, packets.LossyAudio, 1}), Data: randomBytes(r, r.IntN(20)),
		}.Append(nil)
	}
	if r.Float64() < s.mutate {
		p = mutated(r, p)
	}
	return p
}

// number is somebody's peer number, mostly of the conference.
func (s *solo) number(v conference.View) uint16 {
	n := s.r.IntN(10)
	switch {
	case n < 6 && len(v.Peers) > 0:
		return pick(s.r, v.Peers).Number
	case n < 8 && len(v.Frozen) > 0:
		return pick(s.r, v.Frozen).Number
	}
	return pick(s.r, s.numbers)
}

func (s *solo) message(v conference.View, group uint16) []byte {
	r := s.r
	m := packets.Message{Group: group, PeerNumber: s.number(v), Kind: pick(r, s.kinds)}
	last := s.counts[m.PeerNumber]
	switch n := r.IntN(20); {
	case n < 14:
		m.Number = last + 1
	case n < 18:
		m.Number = last - uint32(r.IntN(10))
	case n < 19:
		m.Number = last + uint32(r.IntN(1<<20))
	default:
		m.Number = r.Uint32()
	}
	if m.Number > last || r.IntN(50) == 0 {
		s.counts[m.PeerNumber] = m.Number
	}
	switch m.Kind {
	case packets.NewPeer:
		key, dht := pick(r, s.keys), s.dht()
		if len(v.Peers) > 0 && r.IntN(2) == 0 {
			key = pick(r, v.Peers).Key
		}
		m.Data = packets.AppendNewPeer(nil, s.number(v), &key, &dht)
	case packets.KillPeer, packets.FreezePeer:
		m.Data = []byte{byte(m.PeerNumber >> 8), byte(m.PeerNumber)}
		if r.IntN(10) == 0 {
			m.Data[1]++
		}
	case packets.Ping:
		m.Data = randomBytes(r, pick(r, []int{0, 0, 0, 3}))
	case packets.Name:
		m.Data = randomBytes(r, pick(r, []int{0, 1, 4, 128, 129, 200}))
	case packets.Title:
		m.Data = randomBytes(r, pick(r, []int{0, 1, 4, 128, 129, 256, 257, 300}))
	default:
		m.Data = randomBytes(r, pick(r, []int{0, 1, 20, 1363}))
	}
	return m.Append(nil)
}

func (s *solo) direct(group uint16) []byte {
	r := s.r
	d := packets.Direct{Group: group, Kind: pick(r, []packets.DirectKind{1, 8, 8, 9, 9, 9, 9, 10, 10, 11})}
	switch d.Kind {
	case packets.PeerResponse:
		var list []byte
		for n := r.IntN(7); n > 0; n-- {
			key, dht := pick(r, s.keys), s.dht()
			list = packets.AppendPeer(list, pick(r, s.numbers), &key, &dht, string(randomBytes(r, pick(r, []int{0, 3, 30, 128}))))
			if r.IntN(20) == 0 {
				list[len(list)-1-r.IntN(4)] ^= 0x80
			}
		}
		if r.IntN(10) == 0 && len(list) > 0 {
			list = list[:r.IntN(len(list))]
		}
		if len(list) > packets.MaxPacket-packets.DirectMin {
			list = list[:packets.MaxPacket-packets.DirectMin]
		}
		d.Data = list
	case packets.TitleResponse:
		d.Data = randomBytes(r, pick(r, []int{0, 1, 4, 128, 129, 256, 300}))
	}
	return d.Append(nil)
}

// mutated cuts, lengthens or changes a packet.
func mutated(r *rand.Rand, p []byte) []byte {
	p = append([]byte(nil), p...)
	switch r.IntN(4) {
	case 0:
		return p[:r.IntN(len(p)+1)]
	case 1:
		p = append(p, randomBytes(r, 1+r.IntN(4))...)
		return p[:min(len(p), packets.MaxPacket)]
	case 2:
		p[r.IntN(len(p))] ^= 1 << r.IntN(8)
	default:
		p[r.IntN(len(p))] = byte(r.Uint32())
	}
	return p
}
