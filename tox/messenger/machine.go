package messenger

import (
	"fmt"
	"slices"

	"github.com/tox-rejoin/rejoin/packets"
)

// Machine is the messenger of one identity. It is not safe for concurrent use
// and never blocks.
type Machine struct {
	self       packets.PublicKey
	noSpam     [packets.NoSpamSize]byte
	name, text []byte
	status     packets.UserStatus
	maxFriends int

	now        packets.Time
	friends    []*friend
	byKey      map[packets.PublicKey]*friend // never ranged over
	requesters []packets.PublicKey           // the latest, at most maxRequesters
	message    uint32                        // the last one

	wake   packets.Time
	out    Output
	arena  []byte // bytes of packets and texts in out
	polled bool   // out has been handed out: the next input begins anew
}

// news is what a friend has to be told. The values are bits.
type news uint8

const (
	newsOnline news = 1 << iota
	newsName
	newsText
	newsStatus
	newsTyping
	newsAll = newsOnline | newsName | newsText | newsStatus | newsTyping
)

// friend is one friend. Stamps are seconds.
type friend struct {
	key    packets.PublicKey
	saved  packets.SavedFriend
	linked bool // the connection is online
	ready  bool // packet 24 came
	types  bool // the friend is typing
	typing bool // we are

	news    news // not sent
	retry   int64
	waiting []receipt // messages, in the order of sending

	asking  bool  // a request has to be sent
	request int64 // when the next one is due
	timeout int64 // until the one after it
}

// receipt is a message that is not acknowledged.
type receipt struct {
	message uint32
	number  uint32 // of its packet
	sent    bool   // number is known
}

// never is a time that does not come, in seconds.
const never = 1 << 40

// New makes a Machine. The connections of all friends are held with its first
// Poll. It returns ErrLength for a name or status message that is too long, and
// ErrValue for an unknown status. Records of a save that c-toxcore ignores are
// left out: unused ones, our own key, a key that comes again.
func New(cfg Config, now packets.Time) (*Machine, error) {
	switch {
	case len(cfg.Name) > packets.MaxName:
		return nil, fmt.Errorf("%w: name of %d bytes", ErrLength, len(cfg.Name))
	case len(cfg.StatusMessage) > packets.MaxStatusMessage:
		return nil, fmt.Errorf("%w: status message of %d bytes", ErrLength, len(cfg.StatusMessage))
	case cfg.Status > packets.Busy:
		return nil, fmt.Errorf("%w: status %d", ErrValue, cfg.Status)
	}
	m := &Machine{
		self: cfg.Self, noSpam: cfg.NoSpam, status: cfg.Status, maxFriends: cfg.MaxFriends, now: now,
		name: slices.Clone(cfg.Name), text: slices.Clone(cfg.StatusMessage),
		byKey: map[packets.PublicKey]*friend{},
	}
	if m.maxFriends <= 0 {
		m.maxFriends = MaxFriends
	}
	for i := range cfg.Friends {
		s := &cfg.Friends[i]
		if k := s.Key(); s.Status() == packets.FriendNone || k == m.self || m.byKey[k] != nil {
			continue
		}
		f := m.add(*s)
		if n := len(s.Request()); s.Status() < packets.FriendConfirmed && n > 0 && n <= MaxRequestText {
			m.ask(f)
		}
	}
	m.out.Dirty = false
	return m, nil
}

// AddFriend adds a friend and sends it a request with 1 to MaxRequestText bytes
// of text, which only counts with the nospam of its Tox address. Asking a
// friend again that has never answered replaces the request. It returns
// ErrOwnKey, ErrLength, ErrFriend or ErrFull.
func (m *Machine) AddFriend(now packets.Time, key packets.PublicKey, noSpam [packets.NoSpamSize]byte, text []byte) error {
	m.begin(now)
	f := m.byKey[key]
	switch {
	case key == m.self:
		return ErrOwnKey
	case len(text) == 0 || len(text) > MaxRequestText:
		return fmt.Errorf("%w: request of %d bytes", ErrLength, len(text))
	case f != nil && f.confirmed():
		return fmt.Errorf("%w: %v", ErrFriend, key)
	case f == nil && len(m.friends) >= m.maxFriends:
		return fmt.Errorf("%w: %d friends", ErrFull, len(m.friends))
	case f == nil:
		var s packets.SavedFriend
		s.SetKey(key)
		f = m.add(s)
	}
	f.saved.SetStatus(packets.FriendAdded)
	f.saved.SetNoSpam(noSpam)
	f.saved.SetRequest(text)
	f.timeout = requestTimeout
	m.ask(f)
	m.out.Dirty = true
	return nil
}

// AcceptFriend adds a friend who has asked, or who is known to have us: nothing
// is sent, the two find each other. It returns ErrOwnKey, ErrFriend or ErrFull (SPEC T-135).
func (m *Machine) AcceptFriend(now packets.Time, key packets.PublicKey) error {
	m.begin(now)
	f := m.byKey[key]
	switch {
	case key == m.self:
		return ErrOwnKey
	case f != nil && f.confirmed():
		return fmt.Errorf("%w: %v", ErrFriend, key)
	case f == nil && len(m.friends) >= m.maxFriends:
		return fmt.Errorf("%w: %d friends", ErrFull, len(m.friends))
	case f == nil:
		var s packets.SavedFriend
		s.SetKey(key)
		f = m.add(s)
	}
	m.confirm(f)
	return nil
}

// RemoveFriend removes a friend, whom it tells so if it is online. It returns
// ErrStranger (SPEC T-143).
func (m *Machine) RemoveFriend(now packets.Time, key packets.PublicKey) error {
	m.begin(now)
	f := m.byKey[key]
	if f == nil {
		return fmt.Errorf("%w: %v", ErrStranger, key)
	}
	if f.linked {
		m.send(f, false, 0, packetOffline)
	}
	m.unlink(f)
	delete(m.byKey, key)
	m.friends = slices.DeleteFunc(m.friends, func(x *friend) bool { return x == f })
	m.requesters = slices.DeleteFunc(m.requesters, func(k packets.PublicKey) bool { return k == key })
	m.out.Conns = append(m.out.Conns, Conn{Peer: key})
	m.out.Dirty = true
	return nil
}

// Friends is the records of all friends, for a save.
func (m *Machine) Friends(now packets.Time) []packets.SavedFriend {
	list := make([]packets.SavedFriend, len(m.friends))
	for i, f := range m.friends {
		list[i] = f.saved
		list[i].SetLastSeen(f.lastSeen(now))
	}
	return list
}

// Friend describes a friend; false if the key is none's.
func (m *Machine) Friend(now packets.Time, key packets.PublicKey) (Friend, bool) {
	f := m.byKey[key]
	if f == nil {
		return Friend{}, false
	}
	return Friend{
		Key: key, Confirmed: f.confirmed(), Linked: f.linked, Ready: f.ready, Typing: f.types,
		Status: f.saved.UserStatus(), Name: slices.Clone(f.saved.Name()),
		StatusMessage: slices.Clone(f.saved.StatusMessage()),
		LastSeen:      f.lastSeen(now), Waiting: len(f.waiting),
	}, true
}

// Tick does what is due.
func (m *Machine) Tick(now packets.Time) {
	m.begin(now)
	if m.wake == 0 || m.now < m.wake {
		return
	}
	m.wake = 0
	for _, f := range m.friends {
		if f.news != 0 && f.retry <= m.sec() {
			m.tell(f)
		}
		if f.asking && f.request <= m.sec() {
			m.ask(f)
		}
		m.wakeFor(f)
	}
}

// Poll returns what has to be done since the last Poll.
func (m *Machine) Poll() Output {
	if m.polled {
		return Output{Wake: m.wake}
	}
	m.polled = true
	m.out.Wake = m.wake
	return m.out
}

// begin starts an input. Time never goes back.
func (m *Machine) begin(now packets.Time) {
	m.now = max(m.now, now)
	if !m.polled {
		return
	}
	m.polled = false
	o := &m.out
	clear(o.Sends)
	clear(o.Requests)
	clear(o.Events)
	o.Sends, o.Conns, o.Requests, o.Events, o.Dirty = o.Sends[:0], o.Conns[:0], o.Requests[:0], o.Events[:0], false
	if cap(m.arena) > maxArena {
		m.arena, m.out = nil, Output{}
	}
	m.arena = m.arena[:0]
}

func (m *Machine) event(e Event) { m.out.Events = append(m.out.Events, e) }

// send queues a packet of an id and parts.
func (m *Machine) send(f *friend, lossy bool, message uint32, id byte, parts ...byte) {
	start := len(m.arena)
	m.arena = append(m.arena, id)
	m.arena = append(m.arena, parts...)
	m.out.Sends = append(m.out.Sends, Send{To: f.key, Lossy: lossy, Message: message, Data: m.since(start)})
}

// copy keeps bytes until the next input.
func (m *Machine) copy(p []byte) []byte {
	start := len(m.arena)
	m.arena = append(m.arena, p...)
	return m.since(start)
}

func (m *Machine) since(start int) []byte { return m.arena[start:len(m.arena):len(m.arena)] }

// sec is the time in whole seconds.
func (m *Machine) sec() int64 { return m.now.Seconds() }

// wakeFor asks for a Tick when something of f is due.
func (m *Machine) wakeFor(f *friend) {
	sec := f.due()
	if sec == never {
		return
	}
	if t := max(m.now, packets.Time(sec)*packets.Second); m.wake == 0 || t < m.wake {
		m.wake = t
	}
}

// due is the second in which Tick has to do something for f.
func (f *friend) due() int64 {
	sec := int64(never)
	if f.asking {
		sec = f.request
	}
	if f.news != 0 {
		sec = min(sec, f.retry)
	}
	return sec
}

func (f *friend) confirmed() bool { return f.saved.Status() >= packets.FriendConfirmed }

func (f *friend) lastSeen(now packets.Time) uint64 {
	if f.ready {
		return uint64(max(0, now.Seconds()))
	}
	return f.saved.LastSeen()
}

// add adds a friend and holds its connection.
func (m *Machine) add(s packets.SavedFriend) *friend {
	f := &friend{key: s.Key(), saved: s, timeout: requestTimeout}
	m.friends = append(m.friends, f)
	m.byKey[f.key] = f
	m.out.Conns = append(m.out.Conns, Conn{Peer: f.key, Hold: true})
	m.out.Dirty = true
	return f
}

// ask has the friend request sent, and again a second later unless RequestSent
// comes (SPEC T-136).
func (m *Machine) ask(f *friend) {
	f.asking, f.request = true, m.sec()+retryAfter
	text := m.copy(f.saved.Request())
	m.out.Requests = append(m.out.Requests, Request{To: f.key, NoSpam: f.saved.NoSpam(), Text: text})
	m.wakeFor(f)
}

// confirm makes a friendship mutual: requests are over.
func (m *Machine) confirm(f *friend) {
	f.asking, f.timeout = false, requestTimeout
	if !f.confirmed() {
		f.saved.SetStatus(packets.FriendConfirmed)
		m.out.Dirty = true
	}
}
