package netcrypto

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
)

// ErrInvariant is what Check finds.
var ErrInvariant = errors.New("netcrypto: invariant")

// Check looks for a contradiction in the state:
//
//   - Each session is that of exactly one expected peer, and is in the address
//     table under exactly its addresses.
//   - A session that resends something is not established, and one that is not
//     confirmed resends.
//   - A ring's counts are those of what it holds, between start and end, within
//     its limits; in the ring of received packets, start itself is missing.
//   - The packets that wait to be sent are counted, from dueFrom on; those from
//     fresh on wait for the first time.
//   - All buffers that are out lie in rings.
//   - There are no more peers and sources than allowed, and a session that has
//     something to do later has asked for a Tick.
func (m *Machine) Check() error {
	fail := func(s *session, what string, args ...any) error {
		return fmt.Errorf("%w: %v: %s", ErrInvariant, s.peer.real, fmt.Sprintf(what, args...))
	}
	links, buffers := map[netip.AddrPort]int{}, 0
	for _, s := range m.sessions {
		if m.peers[s.peer.real] != s.peer || s.peer.session != s {
			return fail(s, "not the session of its peer")
		}
		for i := range s.paths {
			if a := s.paths[i].addr; a.IsValid() {
				links[a]++
				if !slices.Contains(m.byAddr[a], s) {
					return fail(s, "not in the table under %v", a)
				}
			}
		}
		if s.state < CookieRequesting || s.state > Up || (s.resend == nil) != (s.state == Up) || s.tries > maxTries {
			return fail(s, "state %d, resends %d bytes for the %dth time", s.state, len(s.resend), s.tries)
		}
		if err := s.out.check(); err != nil {
			return fail(s, "sent: %v", err)
		}
		if err := s.in.check(); err != nil {
			return fail(s, "received: %v", err)
		}
		if s.in.at(s.in.start) != nil {
			return fail(s, "packet %d was not handed out", s.in.start)
		}
		if s.fresh-s.out.start > s.out.end-s.out.start {
			return fail(s, "sent up to %d of %d to %d", s.fresh, s.out.start, s.out.end)
		}
		due := 0
		for n := s.out.start; n != s.out.end; n++ {
			x := s.out.at(n)
			if never := int32(n-s.fresh) >= 0; never != (x != nil && x.times == 0) || never && !x.due {
				return fail(s, "packet %d, never sent: %v", n, never)
			}
			if x != nil && x.due {
				if due++; int32(n-s.dueFrom) < 0 {
					return fail(s, "packet %d waits before %d", n, s.dueFrom)
				}
			}
		}
		if due != s.due {
			return fail(s, "%d packets wait, %d are counted", due, s.due)
		}
		if s.out.bytes > FriendBytes || s.in.bytes > FriendBytes {
			return fail(s, "%d bytes sent, %d received", s.out.bytes, s.in.bytes)
		}
		if (s.state >= NotConfirmed || s.tries > 0) && m.wake == 0 {
			return fail(s, "no Tick asked for")
		}
		buffers += s.out.bytes + s.in.bytes
	}
	for _, s := range m.sessions {
		for i := range s.paths {
			if a := s.paths[i].addr; a.IsValid() && links[a] != len(m.byAddr[a]) {
				return fail(s, "%d sessions in the table under %v, want %d", len(m.byAddr[a]), a, links[a])
			}
		}
	}
	return m.checkTables(len(links), buffers)
}

// checkTables checks what belongs to no session.
func (m *Machine) checkTables(addresses, buffers int) error {
	switch {
	case addresses != len(m.byAddr):
		return fmt.Errorf("%w: %d addresses in the table, %d in use", ErrInvariant, len(m.byAddr), addresses)
	case buffers != m.pool.taken || buffers > MaxHeld:
		return fmt.Errorf("%w: buffers of %d bytes, %d in rings", ErrInvariant, m.pool.taken, buffers)
	case len(m.peers) > m.cfg.MaxPeers:
		return fmt.Errorf("%w: %d peers", ErrInvariant, len(m.peers))
	case len(m.sources.list) > maxSources || len(m.sources.index) != len(m.sources.list):
		return fmt.Errorf("%w: %d sources", ErrInvariant, len(m.sources.list))
	}
	return nil
}

// check compares a ring's counts with what it holds.
func (r *ring) check() error {
	held, bytes := 0, 0
	for i := range r.slots {
		if d := r.slots[i].data; d != nil {
			held++
			bytes += cap(d)
		}
	}
	found := 0
	for n := r.start; n != r.end; n++ {
		if r.at(n) != nil {
			found++
		}
	}
	if held != r.held || bytes != r.bytes || found != held || r.span() > RingSize {
		return fmt.Errorf("%d packets of %d bytes counted, %d of %d held, %d found among %d",
			r.held, r.bytes, held, bytes, found, r.span())
	}
	return nil
}
