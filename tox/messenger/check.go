package messenger

import (
	"errors"
	"fmt"

	"github.com/tox-rejoin/rejoin/packets"
)

// ErrInvariant is what Check finds.
var ErrInvariant = errors.New("messenger: invariant")

// Check looks for a contradiction in the state:
//
//   - Each friend is in the table under its own key, which is not ours and is
//     that of its record.
//   - Who is ready has a connection and is confirmed; who is confirmed is asked
//     for nothing.
//   - Messages wait, and news are due, only where there is a connection, and
//     only packet 24 for one who is not ready.
//   - Messages wait in the order of their packets' numbers, no more than
//     allowed.
//   - Our name and status message are not too long, and not too many
//     requesters are remembered.
//   - Nothing that is due lies before the Tick that was asked for.
func (m *Machine) Check() error {
	switch {
	case len(m.byKey) != len(m.friends):
		return fmt.Errorf("%w: %d friends, %d in the table", ErrInvariant, len(m.friends), len(m.byKey))
	case len(m.name) > packets.MaxName || len(m.text) > packets.MaxStatusMessage:
		return fmt.Errorf("%w: own profile too long", ErrInvariant)
	case len(m.requesters) > maxRequesters:
		return fmt.Errorf("%w: %d requesters", ErrInvariant, len(m.requesters))
	}
	for _, f := range m.friends {
		if what := m.checkFriend(f); what != "" {
			return fmt.Errorf("%w: %v: %s", ErrInvariant, f.key, what)
		}
	}
	return nil
}

// checkFriend says what is wrong with a friend.
func (m *Machine) checkFriend(f *friend) string {
	switch {
	case m.byKey[f.key] != f || f.key == m.self || f.key != f.saved.Key():
		return "not in the table"
	case f.ready && !(f.linked && f.confirmed()):
		return "ready without a connection"
	case f.asking && f.confirmed():
		return "asked though confirmed"
	case !f.linked && (len(f.waiting) > 0 || f.news != 0):
		return "packets without a connection"
	case !f.ready && (f.news&^newsOnline != 0 || f.types || f.typing):
		return "news for one who is not ready"
	case len(f.waiting) > MaxWaiting:
		return "too many messages wait"
	}
	for i := 1; i < len(f.waiting); i++ {
		a, b := f.waiting[i-1], f.waiting[i]
		if a.sent && b.sent && int32(b.number-a.number) <= 0 {
			return "messages out of order"
		}
	}
	if due := f.due(); due != never && (m.wake == 0 || m.wake > max(m.now, packets.Time(due)*packets.Second)) {
		return "no Tick asked for"
	}
	return ""
}
