package bot

import (
	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
)

// Standing is how much of a group is there.
type Standing uint8

// The standings.
const (
	Joining Standing = iota // we are not in it yet
	Alone                   // nobody else is here
	Partly                  // some are here, and some are frozen
	Whole                   // nobody is frozen
)

// String is the standing in words.
func (s Standing) String() string {
	switch s {
	case Joining:
		return "joining"
	case Alone:
		return "alone"
	case Partly:
		return "partly connected"
	}
	return "whole"
}

// StandingOf is the standing of a group.
func StandingOf(v *conference.View) Standing {
	switch {
	case !v.Connected:
		return Joining
	case len(v.Peers) <= 1: // we ourselves
		return Alone
	case len(v.Frozen) > 0:
		return Partly
	}
	return Whole
}

// Watch remembers what has been said about the standing of groups. The zero
// Watch has said nothing.
type Watch struct{ said map[packets.ID]Standing }

// Changed returns the groups whose standing is another than when it was called
// last.
func (w *Watch) Changed(groups []conference.View) (changed []conference.View) {
	now := make(map[packets.ID]Standing, len(groups))
	for i := range groups {
		v := &groups[i]
		now[v.ID] = StandingOf(v)
		if said, ok := w.said[v.ID]; !ok || said != now[v.ID] {
			changed = append(changed, *v)
		}
	}
	w.said = now
	return changed
}
