package messenger

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/tox-rejoin/rejoin/packets"
)

// Receive takes a packet that came over from's connection, its id first. An
// error means that it was refused. The Machine does not keep p.
func (m *Machine) Receive(now packets.Time, from packets.PublicKey, lossy bool, p []byte) error {
	m.begin(now)
	switch {
	case len(p) == 0 || len(p) > packets.MaxPacket:
		return fmt.Errorf("%w: packet of %d bytes", ErrLength, len(p))
	case lossy != (p[0] >= firstLossy):
		return fmt.Errorf("%w: %d, lossy: %v", ErrPacket, p[0], lossy)
	case p[0] >= packets.PacketOnline && p[0] <= packets.PacketRejoin || p[0] == packets.PacketLossy: // SPEC T-141
		m.event(Event{Kind: Conference, Peer: from, Lossy: lossy, Data: m.copy(p)})
		return nil
	}
	f := m.byKey[from]
	switch {
	case f == nil:
		return fmt.Errorf("%w: %v", ErrStranger, from)
	case !f.linked || !f.ready && p[0] != packetOnline: // SPEC T-129
		return fmt.Errorf("%w: %v", ErrNotReady, from)
	}
	return m.receiveFriend(f, lossy, p)
}

// receiveFriend takes a packet of a friend who is ready or becomes so.
func (m *Machine) receiveFriend(f *friend, lossy bool, p []byte) error {
	id, data := p[0], p[1:]
	switch least, most := bounds(id); {
	case least > most:
		return fmt.Errorf("%w: %d", ErrPacket, id)
	case len(data) < least || len(data) > most:
		return fmt.Errorf("%w: packet %d with %d bytes", ErrLength, id, len(data))
	}
	switch id {
	case packetOnline:
		m.receiveOnline(f)
	case packetOffline: // SPEC T-131
		m.gone(f)
	case packetName:
		if !bytes.Equal(f.saved.Name(), data) {
			f.saved.SetName(data)
			m.changed(Event{Kind: Renamed, Peer: f.key, Data: m.copy(data)})
		}
	case packetStatusText:
		if !bytes.Equal(f.saved.StatusMessage(), data) {
			f.saved.SetStatusMessage(data)
			m.changed(Event{Kind: StatusMessage, Peer: f.key, Data: m.copy(data)})
		}
	case packetStatus:
		s := packets.UserStatus(data[0])
		if s > packets.Busy {
			return fmt.Errorf("%w: status %d", ErrValue, s)
		}
		if f.saved.UserStatus() != s {
			f.saved.SetUserStatus(s)
			m.changed(Event{Kind: Status, Peer: f.key, Status: s})
		}
	case packetTyping:
		if types := data[0] != 0; f.types != types {
			f.types = types
			m.event(Event{Kind: Typing, Peer: f.key, Typing: types})
		}
	case packetMessage, packetAction:
		m.event(Event{Kind: Message, Peer: f.key, Message: Kind(id - packetMessage), Data: m.copy(data)})
	case packetFileOffer: // SPEC T-139
		m.send(f, false, 0, packetFileControl, fileReceived, data[0], fileKill)
	case packets.PacketInvite:
		m.event(Event{Kind: Conference, Peer: f.key, Data: m.copy(p)})
	default:
		m.event(Event{Kind: Custom, Peer: f.key, Lossy: lossy, Data: m.copy(p)})
	}
	return nil
}

// bounds is how many bytes may follow an id; least is more than most for a
// packet that nobody takes (SPEC T-132).
func bounds(id byte) (least, most int) {
	switch id {
	case packetOnline, packetOffline:
		return 0, 0
	case packetName:
		return 0, packets.MaxName
	case packetStatusText:
		return 0, packets.MaxStatusMessage
	case packetStatus, packetTyping:
		return 1, 1
	case packetMessage, packetAction:
		return 1, MaxText
	case packetFileOffer:
		return fileOfferSize - 1, MaxText
	case packets.PacketInvite:
		return 0, MaxText
	}
	if custom(id) {
		return 0, MaxText
	}
	return 1, 0
}

// receiveOnline makes a friend ready and tells it who we are (SPEC T-128, T-130).
func (m *Machine) receiveOnline(f *friend) {
	if f.ready {
		return
	}
	f.ready = true
	f.news = newsAll
	m.tell(f)
	m.confirm(f)
	m.event(Event{Kind: Ready, Peer: f.key})
}

// changed is an event about something that is saved.
func (m *Machine) changed(e Event) {
	m.event(e)
	m.out.Dirty = true
}

// Request takes a friend request. It counts if it carries our nospam and from
// is neither a friend nor among the last who asked. It returns ErrOwnKey,
// ErrLength, ErrNoSpam, ErrFriend or ErrRepeated (SPEC T-137).
func (m *Machine) Request(now packets.Time, from packets.PublicKey, noSpam [packets.NoSpamSize]byte, text []byte) error {
	m.begin(now)
	switch {
	case from == m.self:
		return ErrOwnKey
	case len(text) == 0 || len(text) > maxReceivedText:
		return fmt.Errorf("%w: request of %d bytes", ErrLength, len(text))
	case noSpam != m.noSpam:
		return ErrNoSpam
	case m.byKey[from] != nil:
		return fmt.Errorf("%w: %v", ErrFriend, from)
	case slices.Contains(m.requesters, from):
		return fmt.Errorf("%w: %v", ErrRepeated, from)
	}
	if len(m.requesters) == maxRequesters {
		m.requesters = slices.Delete(m.requesters, 0, 1)
	}
	m.requesters = append(m.requesters, from)
	m.event(Event{Kind: Requested, Peer: from, Data: m.copy(text)})
	return nil
}
