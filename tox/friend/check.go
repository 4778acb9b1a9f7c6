package friend

import (
	"errors"
	"fmt"

	"github.com/tox-rejoin/rejoin/packets"
)

// ErrInvariant is what Check finds.
var ErrInvariant = errors.New("friend: invariant")

// Check looks for a contradiction in the state:
//
//   - Each connection is in the table under its own key, which is not ours,
//     and has a user; there are no more than allowed.
//   - A DHT key and its source are known together, and is not our own; an
//     address is known only of a DHT key.
//   - The DHT key of a connection that is online is proven.
//   - Nothing that is due lies before the Tick that was asked for.
func (m *Machine) Check() error {
	if len(m.byKey) != len(m.links) || len(m.links) > m.cfg.MaxPeers {
		return fmt.Errorf("%w: %d connections, %d in the table", ErrInvariant, len(m.links), len(m.byKey))
	}
	for _, l := range m.links {
		fail := func(what string) error { return fmt.Errorf("%w: %v: %s", ErrInvariant, l.real, what) }
		switch {
		case m.byKey[l.real] != l || l.real == m.cfg.Real:
			return fail("not in the table")
		case l.users == 0 || l.users&^(FriendList|Conferences) != 0:
			return fail("nobody holds it")
		case (l.source == 0) != (l.dht == packets.PublicKey{}):
			return fail("a DHT key of nobody")
		case l.source == 0 && l.reachable():
			return fail("an address without a DHT key")
		case l.state == up && l.source != Proven:
			return fail("online with a DHT key that is not proven")
		case l.state > up:
			return fail("no such state")
		}
		if due := l.due(); due != never && (m.wake == 0 || m.wake > max(m.now, packets.Time(due)*packets.Second)) {
			return fail("no Tick asked for")
		}
	}
	return nil
}
