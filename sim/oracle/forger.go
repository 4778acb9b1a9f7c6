//go:build oracle && linux && amd64

package oracle

import (
	"math/rand/v2"
	"slices"

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

// forger makes up packets for a pair.
type forger struct {
	r       *rand.Rand
	pair    *Pair
	keys    []packets.PublicKey // the first one is the pair's own
	ids     []packets.ID
	numbers []uint16              // peer numbers beside those in the lists
	counts  map[uint16]uint32     // last message number by author
	kinds   []packets.MessageKind // of messages, the common ones repeated
	forms   [numForms]int         // weights of the packets
	mutate  float64
}

// newForger draws what it is fond of.
func newForger(r *rand.Rand, keys []packets.PublicKey) forger {
	f := forger{r: r, keys: keys, counts: map[uint16]uint32{}, mutate: pick(r, []float64{0, 0, 0.02, 0.2})}
	for n := 1 + r.IntN(12); n > 0; n-- {
		f.numbers = append(f.numbers, pick(r, []uint16{uint16(n), uint16(r.Uint32()), 0, 65535}))
	}
	f.kinds = []packets.MessageKind{packets.Ping, packets.NewPeer, packets.KillPeer, packets.FreezePeer, packets.Name,
		packets.Title, packets.NormalMessage, packets.Action, 66}
	for range 12 {
		f.kinds = append(f.kinds, pick(r, f.kinds))
	}
	for i := range f.forms {
		f.forms[i] = pick(r, []int{0, 1, 3, 10})
	}
	f.forms[formMessage] += 5
	return f
}

// stayAll forgets the messages that make somebody go.
func (f *forger) stayAll() {
	f.kinds = slices.DeleteFunc(f.kinds, func(k packets.MessageKind) bool {
		return k == packets.KillPeer || k == packets.FreezePeer
	})
}

func (f *forger) dht() packets.PublicKey {
	return packets.PublicKey{0: 0xd0, 1: byte(f.r.IntN(6))}
}

func (f *forger) id() packets.ID {
	if len(f.ids) == 0 || f.r.IntN(30) == 0 {
		return packets.ID{Type: packets.Type(f.r.IntN(3)), Key: packets.PublicKey{1, byte(f.r.IntN(3))}}
	}
	return pick(f.r, f.ids)
}

func (f *forger) form() form {
	total := 0
	for _, w := range f.forms {
		total += w
	}
	at := f.r.IntN(total)
	k := form(0)
	for at >= f.forms[k] {
		at -= f.forms[k]
		k++
	}
	return k
}

// packet makes up a packet that fits the state as far as chance has it.
func (f *forger) packet() []byte {
	r := f.r
	views := f.pair.Views()
	v := conference.View{ID: f.id()}
	if len(views) > 0 {
		v = pick(r, views)
	}
	group := v.Group
	if r.IntN(40) == 0 {
		group = uint16(r.IntN(4))
	}
	var p []byte
	switch f.form() {
	case formMessage:
		p = f.message(v, group)
	case formDirect:
		p = f.direct(group)
	case formOnline:
		p = packets.Online{Group: uint16(r.IntN(3)), ID: v.ID}.Append(nil)
	case formRejoin:
		p = packets.Rejoin{ID: v.ID}.Append(nil)
	case formAnswer:
		p = packets.Invite{
			Kind:  pick(r, []packets.InviteKind{packets.KindAccept, packets.KindAccept, packets.KindMember}),
			Group: uint16(r.IntN(3)), To: group, ID: v.ID, PeerNumber: f.number(v),
		}.Append(nil)
	case formInvite:
		p = packets.Invite{Group: uint16(r.IntN(3)), ID: pick(r, []packets.ID{f.id(), v.ID})}.Append(nil)
	case formLossy:
		p = packets.Lossy{
			Group: group, PeerNumber: f.number(v), Number: pick(r, []uint16{1, 2, 3, 250, 300, 65535, uint16(r.Uint32())}),
			Kind: pick(r, []byte{packets.LossyAudio, packets.LossyAudio, 1}), Data: randomBytes(r, r.IntN(20)),
		}.Append(nil)
	}
	if r.Float64() < f.mutate {
		p = mutated(r, p)
	}
	return p
}

// number is somebody's peer number, mostly of the conference.
func (f *forger) number(v conference.View) uint16 {
	n := f.r.IntN(10)
	switch {
	case n < 6 && len(v.Peers) > 0:
		return pick(f.r, v.Peers).Number
	case n < 8 && len(v.Frozen) > 0:
		return pick(f.r, v.Frozen).Number
	}
	return pick(f.r, f.numbers)
}

func (f *forger) message(v conference.View, group uint16) []byte {
	r := f.r
	m := packets.Message{Group: group, PeerNumber: f.number(v), Kind: pick(r, f.kinds)}
	last := f.counts[m.PeerNumber]
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
		f.counts[m.PeerNumber] = m.Number
	}
	switch m.Kind {
	case packets.NewPeer:
		key, dht := pick(r, f.keys), f.dht()
		if len(v.Peers) > 0 && r.IntN(2) == 0 {
			key = pick(r, v.Peers).Key
		}
		m.Data = packets.AppendNewPeer(nil, f.number(v), &key, &dht)
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

func (f *forger) direct(group uint16) []byte {
	r := f.r
	d := packets.Direct{Group: group, Kind: pick(r, []packets.DirectKind{1, 8, 8, 9, 9, 9, 9, 10, 10, 11})}
	switch d.Kind {
	case packets.PeerResponse:
		var list []byte
		for n := r.IntN(7); n > 0; n-- {
			key, dht := pick(r, f.keys), f.dht()
			list = packets.AppendPeer(list, pick(r, f.numbers), &key, &dht, string(randomBytes(r, pick(r, []int{0, 3, 30, 128}))))
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
