//go:build oracle && linux && amd64

package oracle

/*
#include "oracle.h"
*/
import "C"

import (
	"unsafe"

	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
)

// Values of the status fields.
const (
	statusConnected   = 2 // of a conference
	connectionOnline  = 2 // of a connection; 0 is an unused slot
	conferenceUnused  = 0
	connectionNowhere = 0
)

// conferences is c-toxcore's own table, valid until the next call.
func (n *node) conferences() []C.struct_conference {
	g := C.oracle_conferences(n.c)
	if g == nil {
		return nil
	}
	return unsafe.Slice(g.list, int(g.count))
}

// Views reads all conferences in order of group number; none after Quit.
func (n *node) Views() []conference.View {
	var views []conference.View
	for i, c := range n.conferences() {
		if c.status != conferenceUnused {
			views = append(views, n.view(i))
		}
	}
	return views
}

func (n *node) view(group int) conference.View {
	c := &n.conferences()[group]
	v := conference.View{
		ID:          packets.ID{Type: packets.Type(c._type), Key: publicKey(&c.id)},
		Group:       uint16(group),
		Connected:   c.status == statusConnected,
		Title:       clone(&c.title[0], c.title_size),
		TitleFresh:  c.title_fresh != 0,
		PeerNumber:  uint16(c.self_number),
		Number:      uint32(c.message_number),
		LossyNumber: uint16(c.lossy_number),
		MaxFrozen:   int(c.max_frozen),
		Peers:       peers(c.peers, c.peer_count),
		Frozen:      peers(c.frozen, c.frozen_count),
	}
	for i := range c.closest {
		if s := &c.closest[i]; s.used != 0 {
			v.Closest[i] = conference.Closest{Used: true, Key: publicKey(&s.key), DHT: publicKey(&s.dht)}
		}
	}
	for i := range c.connections {
		k := &c.connections[i]
		if k.status == connectionNowhere {
			continue
		}
		v.Neighbours = append(v.Neighbours, conference.Neighbour{
			Slot:    i,
			Key:     publicKey(&unsafe.Slice(n.c.links, n.c.link_count)[k.link].key),
			Online:  k.status == connectionOnline,
			Reasons: conference.Reason(k.reasons),
			Group:   uint16(k.remote_group),
		})
	}
	return v
}

func peers(list *C.struct_peer, count C.uint32_t) []conference.Peer {
	if count == 0 {
		return nil
	}
	out := make([]conference.Peer, count)
	for i := range out {
		p := &unsafe.Slice(list, int(count))[i]
		out[i] = conference.Peer{
			Key:        publicKey(&p.key),
			DHT:        publicKey(&p.dht),
			Number:     uint16(p.number),
			Name:       clone(&p.name[0], p.name_size),
			LastActive: int64(p.last_active),
			Friend:     p.is_friend != 0,
		}
	}
	return out
}
