//go:build oracle && linux && amd64

package oracle

/*
#include "oracle.h"
*/
import "C"

import (
	"fmt"

	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
)

// Create makes a conference. It returns the zero ID when there is no free group
// number.
func (n *node) Create(now packets.Time, t packets.Type) packets.ID {
	if n.quit {
		return packets.ID{}
	}
	n.now, n.dirty = now, true
	group := C.oracle_create(n.c, seconds(now), C.uint8_t(t))
	if group < 0 {
		return packets.ID{}
	}
	n.limitFrozen(C.uint32_t(group), 0)
	c := &n.conferences()[group]
	return packets.ID{Type: packets.Type(c._type), Key: publicKey(&c.id)}
}

// Invite maps -1, -2 and -3 of invite_friend.
func (n *node) Invite(now packets.Time, id packets.ID, friend packets.PublicKey) error {
	group, err := n.find(now, id)
	if err != nil {
		return err
	}
	switch code := C.oracle_invite(n.c, seconds(now), group, key(&friend)); code {
	case 0:
		return nil
	case -1:
		return fmt.Errorf("%w: %v", conference.ErrNoConference, id)
	case -3:
		return fmt.Errorf("%w: %v", conference.ErrNotJoined, id)
	default:
		if !C.oracle_is_friend(n.c, key(&friend)) {
			return fmt.Errorf("%w: %v", conference.ErrNotFriend, friend)
		}
		return fmt.Errorf("%w: to %v", conference.ErrNotSent, friend)
	}
}

// Join maps the results of join_groupchat.
func (n *node) Join(now packets.Time, inv conference.Invited) error {
	if n.quit {
		return conference.ErrQuit
	}
	n.now, n.dirty = now, true
	cookie := packets.Invite{Group: inv.Group, ID: inv.ID}.Cookie()
	code := C.oracle_join(n.c, seconds(now), key(&inv.From), C.uint8_t(inv.ID.Type), mem(cookie), C.uint32_t(len(cookie)))
	switch {
	case code >= 0:
		n.limitFrozen(C.uint32_t(code), 0)
		return nil
	case code == -2:
		return conference.ErrType
	case code == -3:
		return fmt.Errorf("%w: %v", conference.ErrNotFriend, inv.From)
	case code == -4:
		return fmt.Errorf("%w: %v", conference.ErrDuplicate, inv.ID)
	case code == -5:
		return conference.ErrFull
	default:
		return fmt.Errorf("%w: to %v", conference.ErrNotSent, inv.From)
	}
}

// Send maps the results of group_message_send and group_action_send.
func (n *node) Send(now packets.Time, id packets.ID, k packets.MessageKind, text []byte) (uint32, error) {
	group, err := n.find(now, id)
	if err != nil {
		return 0, err
	}
	if len(text) > packets.MaxText {
		return 0, fmt.Errorf("%w: %d bytes", conference.ErrLength, len(text))
	}
	c := &n.conferences()[group]
	switch code := C.oracle_send(n.c, seconds(now), group, C.bool(k == packets.Action), mem(text), C.uint16_t(len(text))); code {
	case 0:
		return uint32(c.message_number), nil
	case -1:
		return 0, fmt.Errorf("%w: %v", conference.ErrNoConference, id)
	case -2:
		return 0, fmt.Errorf("%w: %d bytes", conference.ErrLength, len(text))
	case -3:
		return 0, fmt.Errorf("%w: %v", conference.ErrNotConnected, id)
	default:
		return 0, fmt.Errorf("%w: %v", conference.ErrNotSent, id)
	}
}

// SetTitle maps the results of group_title_send. As the public API does, it cuts
// the length to 8 bits.
func (n *node) SetTitle(now packets.Time, id packets.ID, title []byte) error {
	group, err := n.find(now, id)
	if err != nil {
		return err
	}
	switch code := C.oracle_title(n.c, seconds(now), group, mem(title), C.uint8_t(len(title))); code {
	case 0:
		return nil
	case -1:
		return fmt.Errorf("%w: %v", conference.ErrNoConference, id)
	case -2:
		return fmt.Errorf("%w: %d bytes", conference.ErrLength, len(title))
	default:
		return n.notConnected(group)
	}
}

// SetName changes the messenger's name and tells all conferences.
func (n *node) SetName(now packets.Time, name []byte) error {
	if n.quit {
		return conference.ErrQuit
	}
	if len(name) > packets.MaxName {
		return fmt.Errorf("%w: %d bytes", conference.ErrLength, len(name))
	}
	n.now, n.dirty = now, true
	C.oracle_name(n.c, seconds(now), mem(name), C.uint16_t(len(name)))
	return nil
}

// SetMaxFrozen keeps at most count frozen peers, none if it is negative.
func (n *node) SetMaxFrozen(now packets.Time, id packets.ID, count int) error {
	group, err := n.find(now, id)
	if err != nil {
		return err
	}
	if C.oracle_max_frozen(n.c, seconds(now), group, C.uint32_t(max(count, 0))) != 0 {
		return fmt.Errorf("%w: %v", conference.ErrNoConference, id)
	}
	return nil
}

// SendLossy sends kind and data as one lossy packet.
func (n *node) SendLossy(now packets.Time, id packets.ID, kind byte, data []byte) error {
	group, err := n.find(now, id)
	if err != nil {
		return err
	}
	if id.Type != packets.AV { // what toxav checks before it sends
		return fmt.Errorf("%w: %v", conference.ErrType, id.Type)
	}
	if len(data) > packets.MaxPacket-packets.LossyMin {
		return fmt.Errorf("%w: %d bytes", conference.ErrLength, len(data))
	}
	packet := append([]byte{kind}, data...)
	if C.oracle_send_lossy(n.c, seconds(now), group, mem(packet), C.uint16_t(len(packet))) != 0 {
		return fmt.Errorf("%w: %v", conference.ErrNotConnected, id)
	}
	return nil
}

// Leave leaves for good.
func (n *node) Leave(now packets.Time, id packets.ID) error {
	group, err := n.find(now, id)
	if err != nil {
		return err
	}
	if C.oracle_leave(n.c, seconds(now), group) != 0 {
		return fmt.Errorf("%w: %v", conference.ErrNoConference, id)
	}
	return nil
}

// find is the group number of the first conference with that id. All calls that
// change one begin with it.
func (n *node) find(now packets.Time, id packets.ID) (C.uint32_t, error) {
	if n.quit {
		return 0, conference.ErrQuit
	}
	n.now, n.dirty = now, true
	for i := range n.conferences() {
		c := &n.conferences()[i]
		if c.status != 0 && packets.Type(c._type) == id.Type && publicKey(&c.id) == id.Key {
			return C.uint32_t(i), nil
		}
	}
	return 0, fmt.Errorf("%w: %v", conference.ErrNoConference, id)
}

// notConnected tells apart what group_title_send reports with one code: no
// neighbour online, or none that took the packet.
func (n *node) notConnected(group C.uint32_t) error {
	c := &n.conferences()[group]
	for i := range c.connections {
		if c.status == statusConnected && c.connections[i].status == connectionOnline {
			return conference.ErrNotSent
		}
	}
	return conference.ErrNotConnected
}
