package trace

import (
	"fmt"
	"slices"

	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/sim"
)

// instance is one recorded run of a node, replayed.
type instance struct {
	rp     *replay
	name   string
	key    packets.PublicKey
	node   sim.Node
	start  int64        // t_ms of its node line
	unix   int64        // its clock at the start, in seconds
	last   int64        // t_ms of its last iteration, start before the first
	wake   packets.Time // of the last Output
	ending bool         // killed or crashed

	friends map[int64]packets.PublicKey // by friend number
	table   connTable
	groups  map[packets.ID]uint16              // our conferences and their numbers
	members map[packets.ID][]packets.PublicKey // their active lists, as the events have it
	slots   map[uint16]slotZero                // of audio conferences, by group number
	lossy   []conference.Send                  // lossy packets of the last output, sent and refused
	spared  packets.PublicKey                  // a peer whose refusals are passed over
	muted   bool                               // an invitation refused in this input shows nowhere

	draws   []*record // random lines of this segment
	drawn   int       // how many of them the engine has drawn
	pending outputs   // put out and not yet found in the recording
	result  *outcome  // of the call under way, nil after its result line
	fault   string    // what the engine did that no line can show
}

// outputs is what an engine put out, as text, in order for each kind.
type outputs struct {
	sends, refused, conns, events []string
}

// list is the queue in which a recorded line has to be found; nil if it is not
// of a kind that is queued.
func (o *outputs) list(r *record) *[]string {
	switch r.body.(type) {
	case *packetLine:
		return &o.sends
	case *refusedLine:
		return &o.refused
	case *connectionLine:
		return &o.conns
	case *eventLine:
		return &o.events
	}
	return nil
}

// next is any of the outputs; "" if there is none.
func (o *outputs) next() string {
	for _, l := range [][]string{o.sends, o.refused, o.conns, o.events} {
		if len(l) > 0 {
			return l[0]
		}
	}
	return ""
}

// behind appends later behind o, kind by kind.
func (o *outputs) behind(later outputs) {
	o.sends = append(o.sends, later.sends...)
	o.refused = append(o.refused, later.refused...)
	o.conns = append(o.conns, later.conns...)
	o.events = append(o.events, later.events...)
}

// packets is how many packets the engine has tried to send.
func (o *outputs) packets() int { return len(o.sends) + len(o.refused) }

// now is the instance's clock at t_ms.
func (in *instance) now(t int64) packets.Time {
	return packets.Time(in.unix)*packets.Second + packets.Time(t-in.start)
}

// Read serves the recorded random draws: each Read has to be one of them.
func (in *instance) Read(p []byte) (int, error) {
	clear(p)
	if in.drawn == len(in.draws) {
		in.blame("a random draw of %d bytes", len(p))
		return len(p), nil
	}
	r := in.draws[in.drawn]
	in.drawn++
	data := r.body.(*randomLine).Data
	if len(data) != len(p) {
		in.blame("a random draw of %d bytes instead of the %d recorded in line %d", len(p), len(data), r.line)
	}
	return copy(p, data), nil
}

// blame notes the first thing that no line can show.
func (in *instance) blame(format string, args ...any) {
	if in.fault == "" {
		in.fault = fmt.Sprintf(format, args...)
	}
}

// collect takes over what the node puts out after an input, and looks after
// what changes with it.
func (in *instance) collect() {
	out := in.node.Poll()
	in.wake = out.Wake
	defer func() { in.muted = false }()
	in.lossy = nil
	for _, s := range slices.Concat(out.Sends, out.Refused) {
		if s.Lossy {
			s.Data = slices.Clone(s.Data)
			in.lossy = append(in.lossy, s)
		}
	}
	for _, s := range out.Sends {
		in.pending.sends = append(in.pending.sends, describePacket(in.name, in.rp.name(s.To), !s.Lossy, s.Data))
	}
	for _, s := range out.Refused {
		if in.muted && isInvite(s.Data) {
			continue
		}
		in.pending.refused = append(in.pending.refused, describeRefused(in.name, in.rp.name(s.To), !s.Lossy, s.Data))
	}
	for _, c := range out.Conns {
		in.connect(c)
	}
	for i := range out.Events {
		in.event(&out.Events[i])
	}
	if in.rp.options.Invariants {
		if err := in.node.Check(); err != nil {
			in.blame("an engine in a state that it must not be in: %v", err)
		}
	}
	in.watchSlots()
}

// connect carries out an operation on a friend connection.
func (in *instance) connect(c conference.Conn) {
	if in.ending {
		return // not recorded
	}
	var number int
	var changed bool
	op := "open"
	if c.Op == conference.Want {
		number, changed = in.table.hold(c.Peer, byEngine)
	} else {
		op = "close"
		number, changed = in.table.drop(c.Peer, byEngine)
	}
	if changed {
		in.pending.conns = append(in.pending.conns, describeConnection(in.name, op, in.rp.name(c.Peer), number))
	}
}

// number is the conference number of id; -1 if it is none of ours.
func (in *instance) number(id packets.ID) int64 {
	if n, ok := in.groups[id]; ok {
		return int64(n)
	}
	return -1
}

// event takes over an event of the engine.
func (in *instance) event(e *conference.Event) {
	if in.ending {
		return // callbacks are not made any more
	}
	number := in.number(e.ID)
	by := func(name string) string {
		return byPeer(in.name, name, number, int64(e.Index), in.rp.known(e.Peer), e.Peer[:])
	}
	var text string
	switch e.Kind {
	case conference.Invitation:
		cookie := packets.Invite{Group: e.Invited.Group, ID: e.Invited.ID}.Cookie()
		text = describeInvite(in.name, in.friendNumber(e.Invited.From), e.Invited.ID.Type.String(), cookie)
	case conference.Connected:
		text = fmt.Sprintf("event %s conference_connected in %d", in.name, number)
	case conference.PeerJoined, conference.PeerThawed, conference.PeerLeft, conference.PeerFrozen:
		text = in.membersChanged(e, number)
	case conference.PeerRenamed:
		text = fmt.Sprintf("%s: %q", by("conference_peer_name"), e.Text)
	case conference.Titled:
		text = fmt.Sprintf("%s: %q", by("conference_title"), e.Text)
	case conference.Texted:
		kind := "normal"
		if e.Message == packets.Action {
			kind = "action"
		}
		text = fmt.Sprintf("%s: %s %q", by("conference_message"), kind, e.Text)
	case conference.AudioHeard:
		return
	default:
		text = fmt.Sprintf("event %s of unknown kind %d", in.name, e.Kind)
	}
	in.pending.events = append(in.pending.events, text)
}

// membersChanged keeps our copy of an active list and returns the event as text.
func (in *instance) membersChanged(e *conference.Event, number int64) string {
	list := in.members[e.ID]
	if e.Kind == conference.PeerJoined || e.Kind == conference.PeerThawed {
		list = append(list, e.Peer)
		if e.Index != len(list)-1 {
			in.blame("index %d of peer %s, appended at %d", e.Index, in.rp.name(e.Peer), len(list)-1)
		}
	} else if e.Index < 0 || e.Index >= len(list) || list[e.Index] != e.Peer {
		in.blame("the removal of peer %s at index %d, where it is not", in.rp.name(e.Peer), e.Index)
	} else {
		last := len(list) - 1
		list[e.Index] = list[last]
		list = list[:last]
	}
	if e.Active != len(list) {
		in.blame("%d active peers in an event, while there are %d", e.Active, len(list))
	}
	in.members[e.ID] = list
	names := make([]string, len(list))
	for i, k := range list {
		names[i] = in.rp.known(k)
	}
	return describePeers(in.name, number, names, e.Frozen)
}

// friendNumber is the number of a friend; -1 if it is none.
func (in *instance) friendNumber(k packets.PublicKey) int64 {
	for n, f := range in.friends {
		if f == k {
			return n
		}
	}
	return -1
}

// refresh takes over which conferences there are, after a call that can change
// it. A new one starts with ourselves as its only peer, if it has any.
func (in *instance) refresh() {
	groups := map[packets.ID]uint16{}
	for _, v := range in.node.Views() {
		groups[v.ID] = v.Group
		if _, old := in.groups[v.ID]; old {
			continue
		}
		keys := make([]packets.PublicKey, len(v.Peers))
		for i, p := range v.Peers {
			keys[i] = p.Key
		}
		in.members[v.ID] = keys
		if v.ID.Type == packets.AV {
			in.slots[v.Group] = slotZero{}
		}
	}
	for id, n := range in.groups {
		if _, still := groups[id]; !still {
			delete(in.members, id)
			delete(in.slots, n)
		}
	}
	in.groups = groups
}

// view is the conference with that number; the zero View if there is none.
func (in *instance) view(number int64) conference.View {
	for _, v := range in.node.Views() {
		if int64(v.Group) == number {
			return v
		}
	}
	return conference.View{}
}
