//go:build toxcore

package lab

import (
	"bytes"
	"time"

	"github.com/tox-rejoin/rejoin/tox/toxcore"
)

// A Match selects events.
type Match func(toxcore.Event) bool

// Of selects events of a kind that all the others select, too.
func Of(kind toxcore.Kind, others ...Match) Match {
	return func(e toxcore.Event) bool {
		for _, other := range others {
			if e.Kind != kind || !other(e) {
				return false
			}
		}
		return e.Kind == kind
	}
}

// From selects events about the friend or peer with the key.
func From(key toxcore.Key) Match { return func(e toxcore.Event) bool { return e.Key == key } }

// In selects events of the conference.
func In(conference uint32) Match {
	return func(e toxcore.Event) bool { return e.Conference == conference }
}

// Text selects events with exactly this text or packet.
func Text[T string | []byte](text T) Match {
	return func(e toxcore.Event) bool { return bytes.Equal(e.Data, []byte(text)) }
}

// Prefix selects events whose text or packet begins so.
func Prefix[T string | []byte](prefix T) Match {
	return func(e toxcore.Event) bool { return bytes.HasPrefix(e.Data, []byte(prefix)) }
}

// Value selects events with this connection, status, type or control.
func Value(v uint32) Match { return func(e toxcore.Event) bool { return e.Value == v } }

// Number selects events of this message or file.
func Number(n uint32) Match { return func(e toxcore.Event) bool { return e.Number == n } }

// Wait returns the first event that matches and that no Wait has returned yet,
// even one from before the call. The test fails if there is none within limit;
// what says what was awaited.
func (s *Stock) Wait(limit time.Duration, what string, match Match) (e toxcore.Event) {
	s.t.Helper()
	Eventually(s.t, limit, s.name+": "+what, func() (ok bool) {
		e, ok = s.take(match)
		return ok
	})
	return e
}

// take is Wait without waiting.
func (s *Stock) take(match Match) (toxcore.Event, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.heard {
		if h := &s.heard[i]; !h.taken && match(h.Event) {
			h.taken = true
			return h.Event, true
		}
	}
	return toxcore.Event{}, false
}

// Events are all matching events since StartStock, in order, whether or not a
// Wait has returned them.
func (s *Stock) Events(match Match) []toxcore.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []toxcore.Event
	for _, h := range s.heard {
		if match(h.Event) {
			list = append(list, h.Event)
		}
	}
	return list
}
