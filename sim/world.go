package sim

import (
	"encoding/binary"
	"errors"

	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
)

// Epoch is the time at which every world begins, in milliseconds since 1970.
const Epoch packets.Time = 1_700_000_000_000

// frame is the grid of the engines' wakes (conference.Config.Frame).
const frame packets.Time = 50

// Errors of a world's operations.
var (
	ErrDown      = errors.New("sim: the node is not running")
	ErrRunning   = errors.New("sim: the node is running")
	ErrGroup     = errors.New("sim: the node has no such conference")
	ErrNotJoined = errors.New("sim: the conference did not form")
)

// Config is what a World is made from.
type Config struct {
	Seed      uint64
	Laws      Laws    // the zero value means DefaultLaws
	NewNode   NewNode // nil means NewEngine
	Reference bool    // the engines do exactly what c-toxcore does
	MaxFrozen int     // as in conference.Config
	KeepSaves bool    // keep older saves of each node, for RestartWith
	Check     bool    // Check every engine after everything that happens to it
	Sparse    bool    // of the checks leave those out behind what was only relayed or dropped
	Audit     bool    // run the auditors, which judge the engines by what they see
	// Log takes one line for everything worth telling; nil: nobody listens.
	Log func(at packets.Time, line string)
	// Watch is called every WatchEvery while the world runs.
	Watch      func()
	WatchEvery packets.Time
}

// World is a virtual network of nodes. It is not safe for concurrent use; worlds
// share nothing, so many may run at the same time.
type World struct {
	cfg   Config
	laws  Laws
	now   packets.Time
	group packets.ID // the conference that is watched: the first created
	found bool       // group is valid
	lost  bool       // c-toxcore's weakness: somebody's own entry was taken from it (SPEC I-8)
	nodes []node
	links []link
	queue queue
	arena arena
	walls pairs // from whom to whom nothing passes
	jams  pairs // from whom to whom everything waits

	network Network
	cells   [numCells]uint64
	probes  [NumProbes]uint64
	// oddSaves counts the starts from other saves than a node's newest.
	oddSaves   int
	copies     int               // of those, from another's
	joinsApart int               // who joined while somebody was away
	used       map[uint16]uint32 // by peer number: the last message number of the runs that have ended
	zone       []int             // which nodes can reach each other after the faults; nil: all

	trace traceHash
	stats Stats
	audit *auditor
	err   error

	// version counts the changes of who is there and how many each sees; whole is
	// what Whole found out about one of them.
	version uint64
	churn   uint64       // counts the changes of links and faults
	churnAt packets.Time // the last of them
	reachAt packets.Time // the last change of who reaches whom
	whole   struct {
		at  uint64
		yes bool
	}

	watch packets.Time // when Watch is called next; 0: never
	in    input        // the input in hand
	rx    [packets.MaxPacket]byte
}

// Stats counts what happened in a world.
type Stats struct {
	Packets    uint64 // sent
	Deliveries uint64 // received
	Lost       uint64 // that never arrived
	Bytes      uint64 // of sent payload
	Ticks      uint64
	Refused    uint64 // packets that an engine did not take
	Saves      uint64
	Links      uint64 // sessions that came up
	Rejoins    uint64 // Rejoin packets sent
	Events     uint64 // everything that happened
}

// node is one identity and, while it runs, its engine.
type node struct {
	engine  Node // nil: not running
	key     packets.PublicKey
	dht     packets.PublicKey
	name    []byte
	skew    packets.Time // the instance clock is now - skew
	wake    packets.Time // due in world time; 0: never
	sched   packets.Time // when its evWake comes; 0: none on the way
	saved   []packets.SavedConference
	links   []uint32 // every link it ever had, in order of making
	table   linkTable
	part    int // which part of a split it is in
	fault       // what is wrong with it
	runs    uint64
	rand    Stream
	sees    int  // active peers it lists in the watched conference, itself included; 0: not in it
	member  bool // Connected in the watched conference
	joining bool // it waits for the list of its inviter
	renamed bool // SetName was called while it was a member
	belongs bool // it was a member and has not left, running or not
	invited []conference.Invited
	shown   []shown
}

// shown is a text of the watched conference as a node's user saw it.
type shown struct {
	from uint32
	text string
}

// inputKind says what a node's engine is given.
type inputKind uint8

const (
	inCall inputKind = iota // a call of the application or the host
	inOnline
	inOffline
	inReady
	inReceive
	inTick
	inRename // SetName in the watched conference
)

// input is what a node's engine has just been given.
type input struct {
	kind   inputKind
	from   uint32 // the peer it is about
	packet []byte
	err    error // what Receive said
}

// New makes an empty world.
func New(cfg Config) *World {
	if cfg.NewNode == nil {
		cfg.NewNode = NewEngine
	}
	w := &World{cfg: cfg, laws: cfg.Laws, now: Epoch}
	if w.laws == (Laws{}) {
		w.laws = DefaultLaws()
	}
	w.queue.init(Epoch)
	if cfg.Audit {
		w.audit = &auditor{}
	}
	if cfg.Watch != nil && cfg.WatchEvery > 0 {
		w.watch = Epoch + cfg.WatchEvery
	}
	w.trace.add(cfg.Seed, 0)
	return w
}

// Now is the world's time.
func (w *World) Now() packets.Time { return w.now }

// Since is the time since the world began.
func (w *World) Since() packets.Time { return w.now - Epoch }

// Hash sums up everything that happened so far, in order.
func (w *World) Hash() uint64 { return uint64(w.trace) }

// Stats counts what happened so far.
func (w *World) Stats() Stats { return w.stats }

// Err is the first thing that an engine did wrong, or nil.
func (w *World) Err() error { return w.err }

// Len is the number of nodes, running or not.
func (w *World) Len() int { return len(w.nodes) }

// Running tells whether node i runs.
func (w *World) Running(i int) bool { return w.nodes[i].engine != nil }

// alive tells whether node i runs and is not paused.
func (w *World) alive(i int) bool { return w.nodes[i].engine != nil && !w.nodes[i].paused }

// Member tells whether node i runs and is connected in the watched conference.
func (w *World) Member(i int) bool { return w.nodes[i].engine != nil && w.nodes[i].member }

// Sees is how many active peers node i lists in the watched conference, itself
// included; 0 if it is not running or not in it.
func (w *World) Sees(i int) int {
	if !w.Member(i) {
		return 0
	}
	return w.nodes[i].sees
}

// Key is the long-term key of node i. Its last 4 bytes are i, so that a key
// leads to its node without a search.
func (w *World) Key(i int) packets.PublicKey { return w.nodes[i].key }

// NodeOf is the number of the node whose key World.Key returns.
func NodeOf(key *packets.PublicKey) int {
	return int(binary.LittleEndian.Uint32(key[packets.KeySize-4:]))
}

// indexOf is the node with that key, if there is one.
func (w *World) indexOf(key *packets.PublicKey) (uint32, bool) {
	i := NodeOf(key)
	return uint32(i), i < len(w.nodes) && w.nodes[i].key == *key
}

func (w *World) drawKey(kind, id uint64, index int) packets.PublicKey {
	var k packets.PublicKey
	s := newStream(w.cfg.Seed, kind, id)
	_, _ = s.Read(k[:])
	binary.LittleEndian.PutUint32(k[packets.KeySize-4:], uint32(index))
	return k
}

// Run lets the world go on until t. It stops at the first failure and returns
// it, then and ever after.
func (w *World) Run(t packets.Time) error {
	return w.RunUntil(t, nil)
}

// RunUntil lets the world go on until t, or until stop says so after something
// happened.
func (w *World) RunUntil(t packets.Time, stop func() bool) error {
	for w.err == nil {
		limit := t
		if w.watch != 0 {
			limit = min(t, w.watch)
		}
		i := w.queue.pop(limit)
		w.now = w.queue.now
		if i == 0 && limit == t {
			break
		}
		if i == 0 {
			w.cfg.Watch()
			w.watch += w.cfg.WatchEvery
			continue
		}
		w.happen(i)
		if stop != nil && stop() {
			break
		}
	}
	return w.err
}

// happen carries out event i and frees it.
func (w *World) happen(i uint32) {
	e := &w.queue.slab[i]
	w.stats.Events++
	w.trace.add(uint64(w.now)<<16|uint64(e.kind)<<8|uint64(e.side), uint64(e.link)<<32|uint64(e.session))
	if e.kind == evPacket {
		w.arrive(i)
		return
	}
	ev := *e
	w.queue.release(i)
	switch ev.kind {
	case evWake:
		w.tick(int(ev.link))
	case evClose:
		w.closed(ev.link, int(ev.side), ev.session)
	case evDead:
		w.dead(ev.link, int(ev.side), ev.session)
	case evConnect:
		w.connect(ev.link, ev.session)
	case evReady:
		w.ready(ev.link, int(ev.side), ev.session)
	case evFlush:
		w.flush(ev.link, int(ev.side), ev.session)
	case evJoin:
		w.join(int(ev.link), uint64(ev.session))
	}
}

func (w *World) schedule(at packets.Time, kind eventKind, link uint32, side int, session uint32) {
	i := w.queue.alloc()
	e := &w.queue.slab[i]
	e.kind, e.link, e.side, e.session, e.size = kind, link, uint8(side), session, 0
	w.queue.push(at, i)
}

// tick ticks node i if its wake has come.
func (w *World) tick(i int) {
	n := &w.nodes[i]
	if n.sched != w.now {
		return // an earlier wake was scheduled after this one
	}
	n.sched = 0
	if n.engine == nil || n.wake == 0 || n.paused {
		return
	}
	if n.wake > w.now && (n.slow == 0 || n.wake > w.now+frame) { // one look is one frame
		w.setWake(i, n.wake)
		return
	}
	w.stats.Ticks++
	n.engine.Tick(w.now - n.skew)
	w.in = input{kind: inTick}
	w.poll(i)
	if n.engine != nil && n.wake != 0 && n.wake <= w.now {
		w.fail(i, "asks for another tick at once: wake %d, now %d", n.wake-Epoch, w.now-Epoch)
	}
}

// setWake makes sure that an evWake comes at or before t.
func (w *World) setWake(i int, t packets.Time) {
	n := &w.nodes[i]
	n.wake = t
	if t == 0 {
		return
	}
	t = w.turn(uint32(i), max(t, w.now))
	if n.sched != 0 && n.sched <= t {
		return
	}
	n.sched = t
	w.schedule(t, evWake, uint32(i), 0, 0)
}
