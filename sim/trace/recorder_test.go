package trace_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/peers"
	"github.com/tox-rejoin/rejoin/sim"
)

// tick is the recorder's tick in milliseconds; epoch is where clocks begin.
const (
	tick  = 50
	epoch = 1_700_000_000
)

// line is one line of a recording.
type line map[string]any

// recorder is a small network that writes a recording: nodes run one iteration
// a tick, links come and go, and a program of random calls drives them. It goes
// where the recordings of c-toxcore do not: failing calls, several conferences
// and restarts, refused lossy packets, friends added late.
type recorder struct {
	newNode sim.NewNode
	rnd     *rand.Rand
	out     bytes.Buffer
	now     int64
	seq     int
	actors  []*actor
	flights []*flight
	apart   [][]string
	cutAt   int64
	saves   []save
	audio   bool // audio conferences, too
}

// save is one that was written.
type save struct {
	owner   *actor
	data    []byte
	friends []*actor
	saved   []packets.SavedConference
}

// actor is a node of a recorder.
type actor struct {
	r        *recorder
	name     string
	key, dht packets.PublicKey
	node     sim.Node // nil: down
	start    int64
	unix     int64
	nick     []byte
	friends  []*actor
	conns    []*end // by connection number; nil: free
	draws    []string
	invited  []line                  // arguments of joins that nobody has made yet
	lists    map[packets.ID][]string // names of the active peers
}

// end is one actor's end of a friend connection.
type end struct {
	peer           *actor
	friend, engine bool
	up             bool
	session        int   // of the pair; packets of others are lost
	downAt, upAt   int64 // when it goes down or comes up; 0: not known
	deaf           bool  // lossy packets are refused
}

type flight struct {
	seq      int
	from, to *actor
	due      int64
	lossless bool
	session  int
	data     []byte
}

func newRecorder(newNode sim.NewNode, seed uint64, names ...string) *recorder {
	r := &recorder{newNode: newNode, rnd: rand.New(rand.NewPCG(seed, 0))}
	r.emit(line{"type": "meta", "scenario": "recorder", "tick_ms": tick, "one_way_delay_ms": tick, "seed": seed})
	for _, n := range names {
		a := &actor{r: r, name: n, key: r.random32(), nick: []byte("nick-" + n)}
		r.actors = append(r.actors, a)
		a.boot(nil, 0)
	}
	return r
}

func (r *recorder) emit(l line) {
	if l["type"] != "meta" {
		l["t_ms"] = r.now
	}
	b, err := json.Marshal(l)
	if err != nil {
		panic(err)
	}
	r.out.Write(append(b, '\n'))
}

// end finishes the recording and returns it.
func (r *recorder) end() []byte {
	for _, a := range r.actors {
		a.state()
	}
	r.emit(line{"type": "end"})
	return r.out.Bytes()
}

func (r *recorder) random32() (k packets.PublicKey) {
	for i := range k {
		k[i] = byte(r.rnd.Uint32())
	}
	return k
}

func (r *recorder) chance(percent int) bool { return r.rnd.IntN(100) < percent }

func (r *recorder) find(k packets.PublicKey) *actor {
	i := slices.IndexFunc(r.actors, func(a *actor) bool { return a.key == k })
	if i < 0 {
		return nil
	}
	return r.actors[i]
}

// cut tells whether two actors are in different groups of the split.
func (r *recorder) cut(a, b *actor) bool {
	group := func(x *actor) int {
		return slices.IndexFunc(r.apart, func(g []string) bool { return slices.Contains(g, x.name) })
	}
	return r.apart != nil && group(a) != group(b)
}

// step is one tick: the iteration of every node, then what program does.
func (r *recorder) step(program func()) {
	r.now += tick
	for _, a := range r.actors {
		if a.node != nil {
			a.iterate()
		}
	}
	program()
}

// Read gives random bytes and notes them for the recording.
func (a *actor) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(a.r.rnd.Uint32())
	}
	a.draws = append(a.draws, hex.EncodeToString(p))
	return len(p), nil
}

func (a *actor) clock() packets.Time {
	return packets.Time(a.unix)*packets.Second + packets.Time(a.r.now-a.start)
}

func (a *actor) emit(kind string, l line) {
	l["type"], l["node"] = kind, a.name
	a.r.emit(l)
}

// boot starts an instance, from a save if there is one; number is the save's.
func (a *actor) boot(s *save, number int) {
	a.start, a.unix = a.r.now, epoch+a.r.now/1000+int64(a.r.rnd.IntN(3))
	a.dht, a.conns, a.invited, a.lists = a.r.random32(), nil, nil, map[packets.ID][]string{}
	if s == nil {
		a.friends = nil
	} else {
		a.friends = slices.Clone(s.friends)
		names := []string{}
		for _, f := range a.friends {
			names = append(names, f.name)
		}
		a.emit("call", line{"op": "load", "save": number, "size": len(s.data), "friends": names})
	}
	a.emit("node", line{"pk": a.key.Hex(), "dht_pk": a.dht.Hex(), "loaded": s != nil, "name_hex": hex.EncodeToString(a.nick)})
	a.emit("clock", line{"unix_time_s": a.unix})
	cfg := conference.Config{Self: a.key, DHTKey: a.dht, Name: a.nick, Rand: a, Frame: tick, Reference: true}
	var saved []packets.SavedConference
	for _, f := range a.friends {
		cfg.Friends = append(cfg.Friends, f.key)
		a.open(f).friend = true
	}
	if s != nil {
		saved = s.saved
	}
	node, err := a.r.newNode(cfg, saved, a.clock())
	if err != nil {
		panic(err)
	}
	a.node = node
	for _, f := range a.friends {
		node.SetFriend(f.key, true)
	}
	a.relist()
	a.take(nil)
}

// relist takes over the active lists of conferences that are new.
func (a *actor) relist() {
	lists := map[packets.ID][]string{}
	for _, v := range a.node.Views() {
		lists[v.ID] = a.lists[v.ID]
		if lists[v.ID] == nil {
			for _, p := range v.Peers {
				lists[v.ID] = append(lists[v.ID], a.r.find(p.Key).name)
			}
		}
	}
	a.lists = lists
}

// changed is the active list after the event.
func (a *actor) changed(e *conference.Event) []string {
	list := slices.Clone(a.lists[e.ID])
	if e.Kind == conference.PeerJoined || e.Kind == conference.PeerThawed {
		list = append(list, a.r.find(e.Peer).name)
	} else {
		list[e.Index] = list[len(list)-1]
		list = list[:len(list)-1]
	}
	a.lists[e.ID] = list
	return list
}

// conn is the actor's end of the connection to peer, and its number.
func (a *actor) conn(peer *actor) (*end, int) {
	for i, e := range a.conns {
		if e != nil && e.peer == peer {
			return e, i
		}
	}
	return nil, -1
}

// open is the connection to peer; a new one gets the lowest free number.
func (a *actor) open(peer *actor) *end {
	if e, _ := a.conn(peer); e != nil {
		return e
	}
	e := &end{peer: peer}
	number := slices.Index(a.conns, nil)
	if number < 0 {
		number = len(a.conns)
		a.conns = append(a.conns, nil)
	}
	a.conns[number] = e
	a.emit("connection", line{"op": "open", "peer": peer.name, "connection": number})
	return e
}

// close drops the connection; the other end notices in the next tick.
func (a *actor) close(number int) {
	peer := a.conns[number].peer
	a.conns[number] = nil
	a.emit("connection", line{"op": "close", "peer": peer.name, "connection": number})
	a.hangUp(peer, a.r.now+tick)
}

// hangUp lets the other end's link go down at the given time.
func (a *actor) hangUp(peer *actor, at int64) {
	if e, _ := peer.conn(a); e != nil && e.up && (e.downAt == 0 || e.downAt > at) {
		e.downAt = at
	}
}

// iterate is one iteration: links, deliveries, the periodic step.
func (a *actor) iterate() {
	for n, e := range a.conns {
		if e == nil || a.conns[n] != e {
			continue
		}
		a.link(e)
	}
	for _, f := range slices.Clone(a.r.flights) {
		if f.to == a && f.due <= a.r.now {
			a.arrive(f)
		}
	}
	a.node.Tick(a.clock())
	a.take(nil)
}

// link lets a link go down or come up if it is time.
func (a *actor) link(e *end) {
	other, _ := e.peer.conn(a)
	apart := a.r.cut(a, e.peer)
	switch {
	case e.up && apart && e.downAt == 0:
		e.downAt = a.r.now + 26_000 + int64(a.r.rnd.IntN(120))*tick
	case e.up && !apart && other != nil && other.up && other.session == e.session && e.downAt > a.r.now+tick:
		e.downAt = 0 // healed in time
	}
	if deaf := e.up && apart && a.r.now > a.r.cutAt+5000; deaf != e.deaf {
		e.deaf = deaf
		if e.up {
			a.node.SetWritable(e.peer.key, true, !deaf)
		}
	}
	switch {
	case e.up && e.downAt != 0 && e.downAt <= a.r.now:
		e.up, e.downAt, e.upAt, e.deaf = false, 0, 0, false
		a.setLink(e)
	case e.up || apart || other == nil || e.peer.node == nil:
		if !e.up {
			e.upAt = 0
		}
	case other.up && other.downAt == 0 && other.session != e.session:
		a.hangUp(e.peer, a.r.now+tick) // it still holds an older session
	case e.upAt == 0 && !other.up:
		e.upAt = a.r.now + int64(2+a.r.rnd.IntN(40))*tick
		other.upAt = e.upAt
	case e.upAt != 0 && e.upAt <= a.r.now:
		if !other.up {
			e.session = max(e.session, other.session) + 1
			other.session = e.session
			other.upAt = a.r.now + tick
		}
		e.up, e.downAt, e.upAt = true, 0, 0
		a.setLink(e)
	}
}

func (a *actor) setLink(e *end) {
	_, number := a.conn(e.peer)
	a.emit("link", line{"peer": e.peer.name, "online": e.up, "connection": number, "peer_dht_pk": e.peer.dht.Hex()})
	if e.up {
		a.node.Online(a.clock(), e.peer.key, e.peer.dht)
		if e.friend {
			a.node.FriendReady(a.clock(), e.peer.key)
		}
	} else {
		a.node.Offline(a.clock(), e.peer.key)
	}
	a.take(nil)
}

// arrive delivers a packet, or drops it, or leaves it until a cut is over.
func (a *actor) arrive(f *flight) {
	e, _ := a.conn(f.from)
	lost := e == nil || !e.up || e.session != f.session
	if !lost && a.r.cut(f.from, a) {
		if f.lossless {
			return
		}
		lost = true
	}
	a.r.flights = slices.DeleteFunc(a.r.flights, func(x *flight) bool { return x == f })
	if lost {
		return
	}
	a.r.emit(line{"type": "deliver", "seq": f.seq, "from": f.from.name, "to": a.name})
	var lossy *fan
	if p, err := packets.ParseLossy(f.data); err == nil {
		lossy = a.fanOut(p.Group, &f.from.key)
	}
	_ = a.node.Receive(a.clock(), f.from.key, f.data) // the nodes know what to drop
	a.take(lossy)
}

// fan is who gets a lossy packet without the one to slot 0: how many, and how
// many of them refuse it.
type fan struct{ own, refused int }

// fanOut is the fan of the conference with that number; except is passed over.
func (a *actor) fanOut(group uint16, except *packets.PublicKey) *fan {
	var f fan
	var chosen *packets.PublicKey
	add := func(k packets.PublicKey) {
		f.own++
		if e, _ := a.conn(a.r.find(k)); e.deaf {
			f.refused++
		}
	}
	for _, v := range a.node.Views() {
		if v.Group != group {
			continue
		}
		for _, x := range v.Neighbours {
			switch {
			case !x.Online || except != nil && x.Key == *except:
			case x.Reasons&conference.ReasonClosest == 0:
				add(x.Key)
			case chosen == nil || peers.Distance(&a.key, &x.Key) < peers.Distance(&a.key, chosen):
				chosen = &x.Key
			}
		}
	}
	if chosen != nil {
		add(*chosen)
	}
	return &f
}

// take writes what the node puts out. If the input was about a lossy packet, f
// is its fan: the packet to slot 0 comes behind, whether it is accepted or not.
func (a *actor) take(f *fan) {
	out := a.node.Poll()
	for _, d := range a.draws {
		a.emit("random", line{"hex": d})
	}
	a.draws = nil
	if f != nil && len(out.Refused) > f.refused {
		a.send(out.Sends)
		a.refuse(out.Refused)
	} else {
		a.refuse(out.Refused)
		a.send(out.Sends)
	}
	for _, c := range out.Conns {
		a.connect(c)
	}
	for i := range out.Events {
		a.event(&out.Events[i])
	}
}

func (a *actor) connect(c conference.Conn) {
	peer := a.r.find(c.Peer)
	if c.Op == conference.Want {
		a.open(peer).engine = true
		return
	}
	e, number := a.conn(peer)
	if e.engine = false; !e.friend {
		a.close(number)
	}
}

func (a *actor) send(list []conference.Send) {
	for _, s := range list {
		a.r.seq++
		to := a.r.find(s.To)
		e, _ := a.conn(to)
		a.r.emit(line{"type": "packet", "seq": a.r.seq, "from": a.name, "to": to.name, "lossless": !s.Lossy, "hex": hex.EncodeToString(s.Data)})
		a.r.flights = append(a.r.flights, &flight{a.r.seq, a, to, a.r.now + tick, !s.Lossy, e.session, bytes.Clone(s.Data)})
	}
}

func (a *actor) refuse(list []conference.Send) {
	for _, s := range list {
		var name any
		if to := a.r.find(s.To); to != nil {
			name = to.name
		}
		a.r.emit(line{"type": "refused", "from": a.name, "to": name, "lossless": !s.Lossy, "hex": hex.EncodeToString(s.Data)})
	}
}

// event writes an event and answers an invitation, at once or never or later.
func (a *actor) event(e *conference.Event) {
	l := line{"event": "", "peer_index": e.Index, "peer_pk": e.Peer.Hex(), "peer": nil}
	if p := a.r.find(e.Peer); p != nil {
		l["peer"] = p.name
	}
	for _, v := range a.node.Views() {
		if v.ID == e.ID {
			l["conference"] = v.Group
		}
	}
	if e.Index < 0 {
		l["peer_index"] = nil
	}
	switch text := hex.EncodeToString(e.Text); e.Kind {
	case conference.Invitation:
		friend := slices.IndexFunc(a.friends, func(f *actor) bool { return f.key == e.Invited.From })
		cookie := packets.Invite{Group: e.Invited.Group, ID: e.Invited.ID}.Cookie()
		kind := e.Invited.ID.Type.String()
		a.emit("event", line{"event": "conference_invite", "friend": friend, "conference_type": kind, "cookie": hex.EncodeToString(cookie)})
		join := line{"op": "conference_join", "friend": friend, "cookie": hex.EncodeToString(cookie)}
		if kind == "av" {
			join["op"] = "conference_join_av"
		}
		if a.r.chance(70) {
			join["in_callback"] = true
			a.join(join)
		} else {
			a.invited = append(a.invited, join)
		}
		return
	case conference.PeerJoined, conference.PeerLeft, conference.PeerFrozen, conference.PeerThawed:
		l["event"], l["peers"], l["offline_count"] = "conference_peer_list_changed", a.changed(e), e.Frozen
	case conference.Connected:
		l["event"] = "conference_connected"
	case conference.PeerRenamed:
		l["event"], l["name_hex"] = "conference_peer_name", text
	case conference.Titled:
		l["event"], l["title_hex"] = "conference_title", text
	case conference.Texted:
		l["event"], l["message_hex"], l["kind"] = "conference_message", text, "normal"
		if e.Message == packets.Action {
			l["kind"] = "action"
		}
	case conference.AudioHeard:
		l["event"] = "conference_audio"
	}
	a.emit("event", l)
}

// clip is at most n bytes of a random text.
func (r *recorder) clip(n int) []byte {
	return []byte(strings.Repeat(fmt.Sprintf("%07x ", r.rnd.Uint32()), n/8+1))[:n]
}
