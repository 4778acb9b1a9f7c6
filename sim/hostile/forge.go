package hostile

import (
	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
)

// attack sends the packets of one blow to a neighbour.
func (a *attacker) attack(n *conference.Neighbour, what Attack) {
	v := a.victim()
	switch what {
	case Texts:
		a.message(n, what, v.Number, a.following(v.Number), packets.NormalMessage, []byte("not mine"))
	case Mute:
		ahead := a.last[v.Number] + 1<<30 + uint32(a.r.IntN(1000))
		a.message(n, what, v.Number, ahead, packets.Ping, nil)
	case Kill:
		a.message(n, what, v.Number, a.following(v.Number), packets.KillPeer, number(v.Number))
	case Freeze:
		a.message(n, what, v.Number, a.following(v.Number), packets.FreezePeer, number(v.Number))
	case Names:
		a.message(n, what, v.Number, a.following(v.Number), packets.Name, a.bytes(packets.MaxName))
	case Titles:
		a.message(n, what, v.Number, a.following(v.Number), packets.Title, a.bytes(packets.MaxName))
	case Renumber:
		a.newPeer(n, what, v.Key, v.DHT, uint16(a.r.Uint32()))
	case Steal:
		a.message(n, what, v.Number, a.following(v.Number), packets.KillPeer, number(v.Number))
		b := a.somebody()
		a.newPeer(n, what, b.key, b.dht, v.Number)
	case Announce, Eclipse:
		b := a.somebody()
		if what == Eclipse {
			copy(b.key[:7], v.Key[:7]) // the same place on the ring, nearly
		}
		a.newPeer(n, what, b.key, b.dht, b.number)
	case Queries:
		a.direct(n, what, packets.PeerQuery, nil)
	case Unknown:
		author := uint16(a.r.Uint32())
		a.message(n, what, author, a.r.Uint32(), packets.Ping, nil)
	case Respond:
		a.respond(n)
	case Replay:
		a.replay(n)
	case Rejoins:
		a.rejoin(n)
	case Invites:
		a.invite(n)
	case Lossy:
		p := packets.Lossy{
			Group: n.Group, PeerNumber: v.Number, Number: uint16(a.r.Uint32()), Kind: packets.LossyAudio, Data: a.bytes(200),
		}
		a.sends = append(a.sends, conference.Send{To: n.Key, Lossy: true, Data: p.Append(nil)})
		a.counts[what]++
	case Garbage:
		a.garbage(n)
	}
}

// victim is a member other than the attacker; without one, nobody.
func (a *attacker) victim() conference.Peer {
	if len(a.view.Peers) < 2 {
		return conference.Peer{}
	}
	for {
		if p := a.view.Peers[a.r.IntN(len(a.view.Peers))]; p.Key != a.self {
			return p
		}
	}
}

// following is the number that an author would use next, as far as anybody knows.
func (a *attacker) following(author uint16) uint32 {
	a.last[author]++
	return a.last[author]
}

// somebody is a peer that does not exist: a new one, until there are too many.
func (a *attacker) somebody() bogus {
	if len(a.bogus) >= max(1, a.most) {
		return a.bogus[a.r.IntN(len(a.bogus))]
	}
	b := bogus{key: packets.PublicKey(a.bytes(packets.KeySize)), dht: packets.PublicKey(a.bytes(packets.KeySize))}
	b.number = uint16(a.r.Uint32())
	a.bogus = append(a.bogus, b)
	return b
}

func (a *attacker) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(a.r.Uint32())
	}
	return b
}

func number(n uint16) []byte { return []byte{byte(n >> 8), byte(n)} }

func (a *attacker) send(to packets.PublicKey, what Attack, p []byte) {
	a.sends = append(a.sends, conference.Send{To: to, Data: p[:min(len(p), packets.MaxPacket)]})
	a.counts[what]++
}

func (a *attacker) message(
	n *conference.Neighbour, what Attack, author uint16, num uint32, kind packets.MessageKind, data []byte,
) {
	m := packets.Message{Group: n.Group, PeerNumber: author, Number: num, Kind: kind, Data: data}
	a.send(n.Key, what, m.Append(nil))
}

// newPeer announces a peer, in the attacker's own name.
func (a *attacker) newPeer(n *conference.Neighbour, what Attack, key, dht packets.PublicKey, num uint16) {
	author := a.view.PeerNumber
	a.message(n, what, author, a.following(author), packets.NewPeer, packets.AppendNewPeer(nil, num, &key, &dht))
}

func (a *attacker) direct(n *conference.Neighbour, what Attack, kind packets.DirectKind, data []byte) {
	a.send(n.Key, what, packets.Direct{Group: n.Group, Kind: kind, Data: data}.Append(nil))
}

// respond sends a full Peer Response: peers that do not exist, members under
// other numbers, others under members' numbers, and sometimes a broken end.
func (a *attacker) respond(n *conference.Neighbour) {
	var list []byte
	for {
		b := a.somebody()
		name := ""
		if a.r.IntN(4) == 0 {
			name = string(a.bytes(a.r.IntN(packets.MaxName + 2)))
		}
		switch v := a.victim(); a.r.IntN(6) {
		case 0:
			b.key = v.Key
		case 1:
			b.number = v.Number
		}
		entry := packets.AppendPeer(nil, b.number, &b.key, &b.dht, name)
		if packets.DirectMin+len(list)+len(entry) > packets.MaxPacket {
			list = append(list, entry[:packets.MaxPacket-packets.DirectMin-len(list)]...)
			break
		}
		list = append(list, entry...)
	}
	a.direct(n, Respond, packets.PeerResponse, list)
	a.direct(n, Respond, packets.TitleResponse, a.bytes(1+a.r.IntN(packets.MaxPacket-packets.DirectMin)))
}

// old is a packet that the attacker has received.
func (a *attacker) old() []byte {
	if len(a.heard) == 0 {
		return []byte{packets.PacketMessage}
	}
	return a.heard[a.r.IntN(len(a.heard))]
}

// replay sends an old packet as if the receiver were its next hop.
func (a *attacker) replay(n *conference.Neighbour) {
	p := a.old()
	switch p[0] {
	case packets.PacketMessage, packets.PacketDirect, packets.PacketLossy:
		if len(p) > packets.DirectMin {
			p = packets.AppendForward(nil, p, n.Group)
		}
	}
	a.send(n.Key, Replay, append([]byte(nil), p...))
}

// rejoin lets the receiver drop its entry for the attacker and make a new one.
func (a *attacker) rejoin(n *conference.Neighbour) {
	switch a.r.IntN(3) {
	case 0:
		a.direct(n, Rejoins, packets.PeerIntroduced, nil)
	case 1:
		a.send(n.Key, Rejoins, packets.Rejoin{ID: a.view.ID}.Append(nil))
	}
	a.send(n.Key, Rejoins, packets.Online{Group: a.view.Group, ID: a.view.ID}.Append(nil))
	if a.r.IntN(4) == 0 {
		a.direct(n, Rejoins, packets.PeerQuery, nil)
	}
}

// invite sends packets 0x60: real and bogus conferences, real and chosen numbers.
func (a *attacker) invite(n *conference.Neighbour) {
	p := packets.Invite{Kind: packets.KindInvite, Group: a.view.Group, To: n.Group, ID: a.view.ID}
	switch a.r.IntN(4) {
	case 0:
		p.ID.Key = packets.PublicKey(a.bytes(packets.KeySize))
	case 1:
		p.Kind = packets.KindAccept
	case 2:
		p.Kind, p.PeerNumber = packets.KindMember, uint16(a.r.Uint32())
		if a.r.IntN(2) == 0 {
			p.PeerNumber = a.victim().Number
		}
	}
	a.send(n.Key, Invites, p.Append(nil))
}

// garbage sends an old packet with changes, or nothing that makes sense.
func (a *attacker) garbage(n *conference.Neighbour) {
	p := append([]byte(nil), a.old()...)
	if len(p) > packets.DirectMin && a.r.IntN(2) == 0 {
		p = packets.AppendForward(nil, p, n.Group)
	}
	switch a.r.IntN(4) {
	case 0:
		p = a.bytes(1 + a.r.IntN(packets.MaxPacket))
		p[0] = packets.PacketInvite + byte(a.r.IntN(5))
	case 1:
		p = p[:1+a.r.IntN(len(p))]
	case 2:
		p = append(p, a.bytes(1+a.r.IntN(100))...)
	}
	for range 1 + a.r.IntN(4) {
		p[a.r.IntN(len(p))] ^= 1 << a.r.IntN(8)
	}
	a.send(n.Key, Garbage, p)
}
