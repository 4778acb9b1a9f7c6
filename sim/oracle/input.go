//go:build oracle && linux && amd64

package oracle

import (
	"fmt"
	"strings"

	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/sim"
)

// op is a method of sim.Node that is an input.
type op uint8

const (
	opSetFriend op = iota
	opOnline
	opOffline
	opReady
	opWritable
	opReceive
	opTick
	opCreate
	opInvite
	opJoin
	opSend
	opTitle
	opName
	opMaxFrozen
	opLossy
	opLeave
	opQuit
	numOps
)

// String is the method's name.
func (o op) String() string {
	names := [...]string{"SetFriend", "Online", "Offline", "FriendReady", "SetWritable", "Receive", "Tick", "Create",
		"Invite", "Join", "Send", "SetTitle", "SetName", "SetMaxFrozen", "SendLossy", "Leave", "Quit"}
	if int(o) < len(names) {
		return names[o]
	}
	return fmt.Sprintf("op %d", uint8(o))
}

// input is one call of a sim.Node as data, so that it can be made on two nodes,
// printed, left out and made again. Which fields count depends on the op.
type input struct {
	op       op
	now      packets.Time
	peer     packets.PublicKey
	dht      packets.PublicKey
	id       packets.ID
	inv      conference.Invited
	kind     byte
	n        int
	on, more bool
	data     []byte
}

// result is what the call returned.
type result struct {
	id     packets.ID
	number uint32
	err    error
}

func (in input) apply(n sim.Node) result {
	var r result
	switch in.op {
	case opSetFriend:
		n.SetFriend(in.peer, in.on)
	case opOnline:
		n.Online(in.now, in.peer, in.dht)
	case opOffline:
		n.Offline(in.now, in.peer)
	case opReady:
		n.FriendReady(in.now, in.peer)
	case opWritable:
		n.SetWritable(in.peer, in.on, in.more)
	case opReceive:
		r.err = n.Receive(in.now, in.peer, in.data)
	case opTick:
		n.Tick(in.now)
	case opCreate:
		r.id = n.Create(in.now, packets.Type(in.kind))
	case opInvite:
		r.err = n.Invite(in.now, in.id, in.peer)
	case opJoin:
		r.err = n.Join(in.now, in.inv)
	case opSend:
		r.number, r.err = n.Send(in.now, in.id, packets.MessageKind(in.kind), in.data)
	case opTitle:
		r.err = n.SetTitle(in.now, in.id, in.data)
	case opName:
		r.err = n.SetName(in.now, in.data)
	case opMaxFrozen:
		r.err = n.SetMaxFrozen(in.now, in.id, in.n)
	case opLossy:
		r.err = n.SendLossy(in.now, in.id, in.kind, in.data)
	case opLeave:
		r.err = n.Leave(in.now, in.id)
	case opQuit:
		n.Quit(in.now)
	}
	return r
}

// String is the call with what counts in it.
func (in input) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d.%03d %v", in.now.Seconds(), in.now%packets.Second, in.op)
	switch in.op {
	case opSetFriend:
		fmt.Fprintf(&b, " %v %v", in.peer, in.on)
	case opOnline:
		fmt.Fprintf(&b, " %v dht %v", in.peer, in.dht)
	case opOffline, opReady:
		fmt.Fprintf(&b, " %v", in.peer)
	case opWritable:
		fmt.Fprintf(&b, " %v lossless %v lossy %v", in.peer, in.on, in.more)
	case opReceive:
		fmt.Fprintf(&b, " from %v %s", in.peer, describe(in.data))
	case opCreate:
		fmt.Fprintf(&b, " type %d", in.kind)
	case opInvite:
		fmt.Fprintf(&b, " %v to %v", in.peer, in.id)
	case opJoin:
		fmt.Fprintf(&b, " %v of %v, group number %d", in.inv.ID, in.inv.From, in.inv.Group)
	case opSend, opLossy:
		fmt.Fprintf(&b, " %v kind %d, %d bytes", in.id, in.kind, len(in.data))
	case opTitle, opName:
		fmt.Fprintf(&b, " %v %d bytes", in.id, len(in.data))
	case opMaxFrozen:
		fmt.Fprintf(&b, " %v %d", in.id, in.n)
	case opLeave:
		fmt.Fprintf(&b, " %v", in.id)
	}
	return b.String()
}

// describe is a packet for a person: its form, its numbers, the first bytes of
// its data.
func describe(p []byte) string {
	if m, err := packets.ParseMessage(p); err == nil {
		return fmt.Sprintf("message to %d by %d number %d kind %d, %d bytes %s",
			m.Group, m.PeerNumber, m.Number, m.Kind, len(m.Data), head(m.Data))
	}
	if d, err := packets.ParseDirect(p); err == nil && d.Kind == packets.PeerResponse {
		return fmt.Sprintf("peer response to %d: %s", d.Group, describePeers(d.Data))
	} else if err == nil {
		return fmt.Sprintf("direct to %d kind %d, %d bytes %s", d.Group, d.Kind, len(d.Data), head(d.Data))
	}
	if o, err := packets.ParseOnline(p); err == nil {
		return fmt.Sprintf("online of %d for %v", o.Group, o.ID)
	}
	if i, err := packets.ParseInvite(p); err == nil {
		return fmt.Sprintf("invite %d group %d to %d for %v number %d", i.Kind, i.Group, i.To, i.ID, i.PeerNumber)
	}
	if l, err := packets.ParseLossy(p); err == nil {
		return fmt.Sprintf("lossy to %d by %d number %d kind %d, %d bytes", l.Group, l.PeerNumber, l.Number, l.Kind, len(l.Data))
	}
	if r, err := packets.ParseRejoin(p); err == nil {
		return fmt.Sprintf("rejoin %v, %d bytes", r.ID, len(p))
	}
	return fmt.Sprintf("%d bytes %s", len(p), head(p))
}

func describePeers(l packets.PeerList) string {
	var b strings.Builder
	for {
		p, rest, more, err := l.Next()
		if !more {
			fmt.Fprintf(&b, "rest %d", len(l))
			return b.String()
		}
		fmt.Fprintf(&b, "[%d %v dht %v name %d] ", p.Number, p.Key, p.DHT, len(p.Name))
		if err != nil {
			b.WriteString("bad name")
			return b.String()
		}
		l = rest
	}
}

func head(b []byte) string { return fmt.Sprintf("%x", b[:min(len(b), 12)]) }
