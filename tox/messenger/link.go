package messenger

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/tox-rejoin/rejoin/packets"
)

// Online tells that the connection of a peer came up; strangers and
// repetitions change nothing (SPEC T-128).
func (m *Machine) Online(now packets.Time, peer packets.PublicKey) {
	m.begin(now)
	f := m.byKey[peer]
	if f == nil || f.linked {
		return
	}
	f.linked, f.news = true, newsOnline
	m.tell(f)
}

// Offline tells that a connection went down; strangers and repetitions change
// nothing.
func (m *Machine) Offline(now packets.Time, peer packets.PublicKey) {
	m.begin(now)
	if f := m.byKey[peer]; f != nil {
		m.unlink(f)
	}
}

// unlink ends all that lasts as long as a connection (SPEC T-134).
func (m *Machine) unlink(f *friend) {
	m.gone(f)
	for _, r := range f.waiting {
		m.event(Event{Kind: Lost, Peer: f.key, Number: r.message})
	}
	f.linked, f.news, f.waiting = false, 0, nil
}

// gone makes a friend not ready.
func (m *Machine) gone(f *friend) {
	if !f.ready {
		return
	}
	f.saved.SetLastSeen(f.lastSeen(m.now))
	f.ready, f.types, f.typing = false, false, false
	f.news &= newsOnline
	m.event(Event{Kind: Gone, Peer: f.key})
	m.out.Dirty = true
}

// tell sends a friend its news. Only packet 24 goes to one who is not ready.
func (m *Machine) tell(f *friend) {
	list := f.news
	f.news = 0
	typing := byte(0)
	if f.typing {
		typing = 1
	}
	if list&newsOnline != 0 {
		m.send(f, false, 0, packetOnline)
	}
	if list&newsName != 0 {
		m.send(f, false, 0, packetName, m.name...)
	}
	if list&newsText != 0 {
		m.send(f, false, 0, packetStatusText, m.text...)
	}
	if list&newsStatus != 0 {
		m.send(f, false, 0, packetStatus, byte(m.status))
	}
	if list&newsTyping != 0 {
		m.send(f, false, 0, packetTyping, typing)
	}
}

// Sent tells in which packet number of the session a message was sent. It may
// be called before all of an Output is carried out.
func (m *Machine) Sent(to packets.PublicKey, message, number uint32) {
	f := m.byKey[to]
	if f == nil {
		return
	}
	for i := range f.waiting {
		if r := &f.waiting[i]; r.message == message && !r.sent {
			r.number, r.sent = number, true
		}
	}
}

// Refused tells that a Send failed: what was to be told is told a second later,
// a message is dropped, which the owner tells who sent it. It may be called
// before all of an Output is carried out (SPEC T-130).
func (m *Machine) Refused(now packets.Time, to packets.PublicKey, id byte, message uint32) {
	m.now = max(m.now, now)
	f := m.byKey[to]
	if f == nil || !f.linked {
		return
	}
	var again news
	switch id {
	case packetOnline:
		again = newsAll // what came behind it did not count
	case packetName:
		again = newsName
	case packetStatusText:
		again = newsText
	case packetStatus:
		again = newsStatus
	case packetTyping:
		again = newsTyping
	case packetMessage, packetAction:
		f.waiting = slices.DeleteFunc(f.waiting, func(r receipt) bool { return r.message == message && !r.sent })
	}
	if !f.ready {
		again &= newsOnline
	}
	if again != 0 {
		f.news |= again
		f.retry = m.sec() + retryAfter
		m.wakeFor(f)
	}
}

// RequestSent tells that a friend request was sent. It may be called before all
// of an Output is carried out (SPEC T-136).
func (m *Machine) RequestSent(now packets.Time, to packets.PublicKey) {
	m.now = max(m.now, now)
	f := m.byKey[to]
	if f == nil || !f.asking {
		return
	}
	f.saved.SetStatus(packets.FriendRequested)
	f.request = m.sec() + f.timeout
	f.timeout = min(2*f.timeout, maxRequestTimeout)
	m.wakeFor(f)
}

// Acked tells that all packets before number have arrived at a peer (SPEC T-133).
func (m *Machine) Acked(now packets.Time, peer packets.PublicKey, number uint32) {
	m.begin(now)
	f := m.byKey[peer]
	if f == nil {
		return
	}
	n := 0
	for ; n < len(f.waiting); n++ {
		r := &f.waiting[n]
		if !r.sent || int32(number-r.number) <= 0 {
			break
		}
		m.event(Event{Kind: Received, Peer: peer, Number: r.message})
	}
	f.waiting = slices.Delete(f.waiting, 0, n)
}

// SetName sets our name and tells it to friends. It returns ErrLength for more
// than packets.MaxName bytes.
func (m *Machine) SetName(now packets.Time, name []byte) error {
	m.begin(now)
	if len(name) > packets.MaxName {
		return fmt.Errorf("%w: name of %d bytes", ErrLength, len(name))
	}
	if !bytes.Equal(m.name, name) {
		m.name = slices.Clone(name)
		m.announce(newsName)
	}
	return nil
}

// SetStatusMessage sets our status message and tells it to friends. It returns
// ErrLength for more than packets.MaxStatusMessage bytes.
func (m *Machine) SetStatusMessage(now packets.Time, text []byte) error {
	m.begin(now)
	if len(text) > packets.MaxStatusMessage {
		return fmt.Errorf("%w: status message of %d bytes", ErrLength, len(text))
	}
	if !bytes.Equal(m.text, text) {
		m.text = slices.Clone(text)
		m.announce(newsText)
	}
	return nil
}

// SetStatus sets our status and tells it to friends. It returns ErrValue.
func (m *Machine) SetStatus(now packets.Time, s packets.UserStatus) error {
	m.begin(now)
	if s > packets.Busy {
		return fmt.Errorf("%w: status %d", ErrValue, s)
	}
	if m.status != s {
		m.status = s
		m.announce(newsStatus)
	}
	return nil
}

// announce tells all friends who are ready.
func (m *Machine) announce(n news) {
	m.out.Dirty = true
	for _, f := range m.friends {
		if f.ready {
			f.news |= n
			m.tell(f)
		}
	}
}

// SetTyping tells a friend whether we are typing. It returns ErrStranger or
// ErrNotReady.
func (m *Machine) SetTyping(now packets.Time, to packets.PublicKey, typing bool) error {
	m.begin(now)
	f, err := m.readyFriend(to)
	if err != nil {
		return err
	}
	if f.typing != typing {
		f.typing = typing
		f.news |= newsTyping
		m.tell(f)
	}
	return nil
}

// Self is our profile.
func (m *Machine) Self() Profile {
	return Profile{
		NoSpam: m.noSpam, Name: bytes.Clone(m.name), StatusMessage: bytes.Clone(m.text), Status: m.status,
	}
}

// SetNoSpam changes the nospam that friend requests to us must carry.
func (m *Machine) SetNoSpam(now packets.Time, noSpam [packets.NoSpamSize]byte) {
	m.begin(now)
	m.out.Dirty = m.out.Dirty || m.noSpam != noSpam
	m.noSpam = noSpam
}

// SendMessage sends 1 to MaxText bytes of text and returns the number, never 0
// and of this run, that Received or Lost will carry. It returns ErrStranger, ErrNotReady,
// ErrLength, ErrValue, or ErrFull when too many messages wait for receipts.
func (m *Machine) SendMessage(now packets.Time, to packets.PublicKey, kind Kind, text []byte) (uint32, error) {
	m.begin(now)
	f, err := m.readyFriend(to)
	switch {
	case err != nil:
		return 0, err
	case len(text) == 0 || len(text) > MaxText:
		return 0, fmt.Errorf("%w: message of %d bytes", ErrLength, len(text))
	case kind > Action:
		return 0, fmt.Errorf("%w: kind %d", ErrValue, kind)
	case len(f.waiting) >= MaxWaiting: // SPEC T-142
		return 0, fmt.Errorf("%w: %d messages wait", ErrFull, len(f.waiting))
	}
	if m.message++; m.message == 0 {
		m.message++
	}
	f.waiting = append(f.waiting, receipt{message: m.message})
	m.send(f, false, m.message, packetMessage+byte(kind), text...)
	return m.message, nil
}

// SendCustom sends a custom packet, its id first: 160 to 191 lossless, 192 to
// 254 but 199 lossy. It returns ErrStranger, ErrNotReady, ErrLength or
// ErrPacket.
func (m *Machine) SendCustom(now packets.Time, to packets.PublicKey, p []byte) error {
	m.begin(now)
	f, err := m.readyFriend(to)
	switch {
	case err != nil:
		return err
	case len(p) == 0 || len(p) > packets.MaxPacket:
		return fmt.Errorf("%w: custom packet of %d bytes", ErrLength, len(p))
	case !custom(p[0]):
		return fmt.Errorf("%w: %d is no custom packet", ErrPacket, p[0])
	}
	m.send(f, p[0] >= firstLossy, 0, p[0], p[1:]...)
	return nil
}

// custom tells whether an id is that of a custom packet (SPEC T-140).
func custom(id byte) bool {
	return id >= firstCustom && id <= lastLossy && id != packets.PacketLossy
}

// readyFriend is a friend who can be written to.
func (m *Machine) readyFriend(key packets.PublicKey) (*friend, error) {
	f := m.byKey[key]
	switch {
	case f == nil:
		return nil, fmt.Errorf("%w: %v", ErrStranger, key)
	case !f.ready:
		return nil, fmt.Errorf("%w: %v", ErrNotReady, key)
	}
	return f, nil
}
