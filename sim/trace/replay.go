package trace

import (
	"fmt"
	"maps"

	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
)

// replay runs all instances of a recording.
type replay struct {
	rec     *recording
	options Options
	names   map[string]packets.PublicKey // of nodes; a later start may change one
	live    map[string]*instance
	order   []*instance            // those that run, in order of their starts
	loads   map[string]*callLine   // the load line before a start
	saves   map[int64]packets.Save // by number
	turns   []*turn                // of this t_ms, in order of their first lines
	byName  map[string]*turn       // the last one of each node
	counts  Result
}

// turn is what one instance has in one t_ms.
type turn struct {
	in    *instance // nil until its node line is played
	lines []*record
}

// replayRecording replays rec and returns the first difference.
func replayRecording(rec *recording, o Options) (Result, *Mismatch) {
	rp := &replay{
		rec: rec, options: o,
		names: maps.Clone(rec.names),
		live:  map[string]*instance{},
		loads: map[string]*callLine{},
		saves: map[int64]packets.Save{},
	}
	var diff *Mismatch
	rec.ticks(func(group []*record) bool {
		diff = rp.tick(group)
		return diff == nil
	})
	return rp.counts, diff
}

// tick replays one t_ms: the iterations of all instances, and calls.
func (rp *replay) tick(group []*record) *Mismatch {
	t := group[0].t
	rp.turns, rp.byName = nil, map[string]*turn{}
	for _, r := range group {
		if m := rp.share(r); m != nil {
			return m
		}
	}
	var diff *Mismatch
	for _, in := range rp.order {
		m := in.catchUp(t, group[0].line)
		if _, busy := rp.byName[in.name]; m == nil && !busy {
			m = in.idle(t, group[0].line)
		}
		diff = first(diff, m)
	}
	for _, u := range rp.turns {
		diff = first(diff, rp.play(t, u))
	}
	return diff
}

// share gives a line to the turn that it belongs to.
func (rp *replay) share(r *record) *Mismatch {
	if r.node == "" {
		return nil
	}
	u := rp.byName[r.node]
	switch b := r.body.(type) {
	case *clockLine:
		return nil // read with the node line
	case *callLine:
		if b.Op == "load" {
			rp.loads[r.node] = b
			return nil
		}
	case *eventLine:
		if !isConferenceEvent(b.Event) {
			return nil
		}
	case *nodeLine:
		u = nil
	}
	_, starts := r.body.(*nodeLine)
	if u == nil {
		in := rp.live[r.node]
		if in == nil && !starts {
			return &Mismatch{r.line, "a line of a node that is running", describe(r)}
		}
		u = &turn{in: in}
		if starts {
			u.in = nil
		}
		rp.turns = append(rp.turns, u)
		rp.byName[r.node] = u
	}
	u.lines = append(u.lines, r)
	return nil
}

// play replays one turn.
func (rp *replay) play(t int64, u *turn) *Mismatch {
	if u.in == nil {
		r := u.lines[0]
		in, m := rp.begin(r, r.body.(*nodeLine))
		if m != nil {
			return m
		}
		u.in = in
	}
	m := u.in.play(t, u.lines)
	if u.in.ending {
		rp.end(u.in.name)
	}
	return m
}

// begin makes the instance of a node line, without what it puts out.
func (rp *replay) begin(r *record, b *nodeLine) (*instance, *Mismatch) {
	rp.end(r.node)
	rp.counts.Nodes++
	rp.names[r.node] = packets.PublicKey(b.Key)
	in := &instance{
		rp: rp, name: r.node, key: packets.PublicKey(b.Key),
		start: r.t, last: r.t,
		friends: map[int64]packets.PublicKey{},
		members: map[packets.ID][]packets.PublicKey{},
		slots:   map[uint16]slotZero{},
	}
	for _, next := range rp.rec.records {
		if c, ok := next.body.(*clockLine); ok && next.line > r.line && next.node == r.node {
			in.unix = c.Unix
			break
		}
	}
	cfg := conference.Config{
		Self: in.key, DHTKey: packets.PublicKey(b.DHT), Name: b.Name,
		Rand: in, Frame: packets.Time(rp.rec.tick), Reference: true,
	}
	var saved []packets.SavedConference
	if b.Loaded {
		var err error
		if cfg.Friends, saved, err = rp.loaded(r.node); err != nil {
			return nil, &Mismatch{r.line, "a save that can be loaded", err.Error()}
		}
	}
	for n, f := range cfg.Friends {
		in.friends[int64(n)] = f
		in.befriend(f)
	}
	node, err := rp.options.New(cfg, saved, in.now(r.t))
	if err != nil {
		return nil, &Mismatch{r.line, "an instance", err.Error()}
	}
	in.node = node
	for _, f := range cfg.Friends {
		node.SetFriend(f, true)
	}
	in.refresh()
	in.collect()
	rp.live[r.node] = in
	rp.order = append(rp.order, in)
	return in, nil
}

// loaded is the friends and conferences of the save that node has loaded.
func (rp *replay) loaded(node string) ([]packets.PublicKey, []packets.SavedConference, error) {
	call := rp.loads[node]
	if call == nil {
		return nil, nil, fmt.Errorf("no load line of %s", node)
	}
	save, ok := rp.saves[call.Save]
	if !ok {
		return nil, nil, fmt.Errorf("no save %d", call.Save)
	}
	data, _ := save.Section(packets.SectionFriends)
	records, err := packets.ParseFriends(data)
	if err != nil {
		return nil, nil, err
	}
	var friends []packets.PublicKey
	for i := range records {
		if records[i].Status() != 0 {
			friends = append(friends, records[i].Key())
		}
	}
	if len(friends) != len(call.Friends) {
		return nil, nil, fmt.Errorf("%d friends in the save, %d in the load line", len(friends), len(call.Friends))
	}
	if size := len(packets.AppendSave(nil, save)); int64(size) != call.Size {
		return nil, nil, fmt.Errorf("%d bytes in the save, %d in the load line", size, call.Size)
	}
	for i, name := range call.Friends {
		if k, known := rp.key(name); known && k != friends[i] {
			return nil, nil, fmt.Errorf("friend %d is %s in the save, %s in the load line", i, rp.name(friends[i]), name)
		}
	}
	conferences, err := save.Conferences()
	return friends, conferences, err
}

// end forgets the instance of node.
func (rp *replay) end(node string) {
	if rp.live[node] == nil {
		return
	}
	for i, in := range rp.order {
		if in == rp.live[node] {
			rp.order = append(rp.order[:i:i], rp.order[i+1:]...)
			break
		}
	}
	delete(rp.live, node)
}

// name is how the recording calls a peer; its key in hexadecimal if it is none
// of the recorded nodes.
func (rp *replay) name(k packets.PublicKey) string {
	if n, ok := rp.rec.keys[k]; ok {
		return n
	}
	return k.Hex()
}

// known is the name of a recorded node, or unknownPeer.
func (rp *replay) known(k packets.PublicKey) string {
	if n, ok := rp.rec.keys[k]; ok {
		return n
	}
	return unknownPeer
}

// key is the peer of that name, or of that key in hexadecimal.
func (rp *replay) key(name string) (packets.PublicKey, bool) {
	if k, ok := rp.names[name]; ok {
		return k, true
	}
	k, err := packets.ParsePublicKey(name)
	return k, err == nil
}
