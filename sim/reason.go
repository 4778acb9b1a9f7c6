package sim

import (
	"slices"

	"github.com/tox-rejoin/rejoin/conference"
)

// Reason says in one word why a conference did not become whole. The list is
// closed: SPEC.md, "Reasons", tells of each.
type Reason uint8

// The reasons. Those before firstBlamed are limits of the protocol, the others
// failures.
const (
	Whole            Reason = iota // it is whole
	NoFriendship                   // no friendship joins the parts
	NeverMet                       // friends are in different parts, and one of them has never listed the other
	Removed                        // friends are in different parts, and one of them was told that the other left
	Evicted                        // friends are in different parts, and one of them forgot the other: too many frozen
	ForgotFriend                   // friends are in different parts, and one of them started from a save without the other
	NumberTaken                    // somebody's peer number is another's for somebody
	NumbersUsed                    // somebody started from an old save and repeats message numbers
	OwnRemoved                     // somebody's own entry was taken from it (Reference only, SPEC I-8)
	WrongAct                       // an engine did something that no rule allows
	NotConnected                   // friends in different parts have no session though packets pass
	RejoinUnanswered               // a Rejoin was sent and no Online came back
	RejoinUnsent                   // friends in different parts have a session, and none sent a Rejoin
	SlotsFull                      // somebody's connection table is full
	ListDropped                    // a Peer Query or list was dropped, and somebody is missing
	NotTold                        // all are connected, and somebody was never told of somebody
	StillListed                    // somebody who is away is still listed
	TextLost                       // a text did not reach somebody: its number was taken for an old one
	TextTwice                      // a text was shown twice
	Differ                         // names, DHT keys or titles differ where they must not
	Unexplained                    // none of these
	NumReasons
)

const firstBlamed = WrongAct

// Blamed tells whether the engines have to answer for it.
func (r Reason) Blamed() bool { return r >= firstBlamed }

// String is the reason as scenario files and reports write it.
func (r Reason) String() string {
	names := [NumReasons]string{
		"whole", "no-friendship", "never-met", "removed", "evicted", "forgot-friend", "number-taken",
		"numbers-used", "own-removed", "wrong-act", "not-connected", "rejoin-unanswered", "rejoin-unsent",
		"slots-full", "list-dropped", "not-told", "still-listed", "text-lost", "text-twice", "differ", "unexplained",
	}
	if r >= NumReasons {
		return "no reason"
	}
	return names[r]
}

// ParseReason reads what String writes.
func ParseReason(s string) (r Reason, ok bool) {
	for r = range NumReasons {
		if r.String() == s {
			return r, true
		}
	}
	return 0, false
}

// zoneOf is the number of the zone of node i.
func (w *World) zoneOf(i int) int {
	if w.zone == nil {
		return 0
	}
	return w.zone[i]
}

// findZones finds out which live nodes can reach each other, over other live ones
// as well. Whoever joins later may join zones.
func (w *World) findZones() {
	w.zone, w.version = nil, w.version+1
	if w.walls.n+w.jams.n == 0 {
		return
	}
	w.zone = make([]int, len(w.nodes))
	for i := range w.zone {
		w.zone[i] = i
	}
	for i := range w.nodes {
		for j := range i {
			if w.zone[i] == w.zone[j] || !w.live(i) || !w.live(j) || !w.Passes(i, j) || !w.Passes(j, i) {
				continue
			}
			from, to := w.zone[i], w.zone[j]
			for k, z := range w.zone {
				if z == from {
					w.zone[k] = to
				}
			}
		}
	}
}

// zones counts the zones that have somebody live.
func (w *World) zones() int {
	var seen []int
	for i := range w.nodes {
		if w.live(i) && !slices.Contains(seen, w.zoneOf(i)) {
			seen = append(seen, w.zoneOf(i))
		}
	}
	return len(seen)
}

// excuse is the limit of the protocol, if any, that can keep the conference from
// becoming whole whatever the friendships and the network are.
func (w *World) excuse(v *Verdict) Reason {
	switch {
	case w.lost:
		return OwnRemoved
	case w.oddSaves+w.joinsApart > 0 && w.numberTaken():
		return NumberTaken
	case v.behind || w.anyBehind():
		return NumbersUsed
	}
	return Whole
}

// numberTaken tells whether a live node's number stands for another in some
// live node's lists.
func (w *World) numberTaken() bool {
	owner := make(map[uint16]int, len(w.nodes))
	views := make([]*conference.View, len(w.nodes))
	for i := range w.nodes {
		if !w.live(i) {
			continue
		}
		if views[i] = w.view(i); views[i] == nil {
			continue
		}
		if _, twice := owner[views[i].PeerNumber]; twice {
			return true
		}
		owner[views[i].PeerNumber] = i
	}
	for _, v := range views {
		if v == nil {
			continue
		}
		for _, list := range [2][]conference.Peer{v.Peers, v.Frozen} {
			for k := range list {
				if i, ok := owner[list[k].Number]; ok && list[k].Key != w.nodes[i].key {
					return true
				}
			}
		}
	}
	return false
}

// anyBehind tells whether a live node is behind.
func (w *World) anyBehind() bool {
	if w.oddSaves == 0 {
		return false
	}
	for i := range w.nodes {
		if v := w.view(i); v != nil && w.live(i) && w.behind(v) {
			return true
		}
	}
	return false
}

// apart finds out why parts did not come together over friendships that cross
// them: the strongest of the reasons that hold for any.
func (w *World) apart(parts [][]int) Reason {
	part := make([]int, len(w.nodes))
	for k, nodes := range parts {
		for _, i := range nodes {
			part[i] = k + 1
		}
	}
	found := NoFriendship
	for k := range w.links {
		l := &w.links[k]
		a, b := int(l.peer[0]), int(l.peer[1])
		if !l.friend || part[a] == 0 || part[b] == 0 || part[a] == part[b] || w.zoneOf(a) != w.zoneOf(b) {
			continue
		}
		for _, p := range [2][2]int{{a, b}, {b, a}} {
			if v := w.view(p[0]); v == nil || !lists(v, &w.nodes[p[1]].key) {
				found = max(found, w.unlisted(p[0], p[1]))
			}
		}
	}
	return found
}

// unlisted says why node i does not list node j.
func (w *World) unlisted(i, j int) Reason {
	if w.audit == nil {
		return NeverMet
	}
	switch h := &w.audit.nodes[i].peers[j]; {
	case h.trimmed:
		return Evicted
	case h.met:
		return Removed
	case w.nodes[i].runs > 1:
		return ForgotFriend
	}
	return NeverMet
}

// blame says why a conference that could have become whole did not; parts are
// those whom links join.
func (w *World) blame(v *Verdict, parts [][]int, drops uint64) Reason {
	if v.WholeAt != 0 {
		return w.blameDetails(v)
	}
	part := make([]int, len(w.nodes))
	for k, nodes := range parts {
		for _, i := range nodes {
			part[i] = k + 1
		}
	}
	found := Whole
	for k := range w.links {
		l := &w.links[k]
		a, b := l.peer[0], l.peer[1]
		if !l.friend || part[a] == 0 || part[b] == 0 || part[a] == part[b] || !l.open {
			continue
		}
		switch {
		case !l.up[0] || !l.up[1]:
			return NotConnected
		case l.rejoined[0] == 0 && l.rejoined[1] == 0:
			found = RejoinUnsent
		case l.rejoined[0] > l.greeted[1] || l.rejoined[1] > l.greeted[0]:
			return RejoinUnanswered
		}
	}
	switch {
	case found != Whole:
		return found
	case w.tableFull():
		return SlotsFull
	case w.listsDead():
		return StillListed
	case w.listDrops() > drops:
		return ListDropped
	case len(parts) <= w.zones():
		return NotTold
	}
	return Unexplained
}

func (w *World) tableFull() bool {
	for i := range w.nodes {
		if v := w.view(i); v != nil && w.live(i) && len(v.Neighbours) >= conference.MaxNeighbours-2 {
			return true
		}
	}
	return false
}

// listsDead tells whether a live node lists somebody as active who is not live.
func (w *World) listsDead() bool {
	for i := range w.nodes {
		v := w.view(i)
		if v == nil || !w.live(i) {
			continue
		}
		for k := range v.Peers {
			if who, ok := w.indexOf(&v.Peers[k].Key); ok && !w.live(int(who)) {
				return true
			}
		}
	}
	return false
}

// listDrops counts the Peer Queries and lists that live nodes have dropped.
func (w *World) listDrops() uint64 {
	sum := uint64(0)
	for i := range w.nodes {
		if d, ok := w.nodes[i].engine.(dropper); ok {
			drops := d.Drops()
			sum += drops[conference.DropQuery] + drops[conference.DropEntry]
		}
	}
	return sum
}

// blameDetails says what is wrong with a conference whose members agree.
func (w *World) blameDetails(v *Verdict) Reason {
	switch {
	case v.lost > 0:
		return TextLost
	case v.twice > 0:
		return TextTwice
	case len(v.Why) > 0:
		return Differ
	}
	return Unexplained
}
