package measure

import (
	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/sim"
)

const (
	// Cut is how long a group is cut: long enough for everybody to freeze everybody
	// beyond it.
	Cut = 120 * packets.Second
	// rest is how long a group is left alone before the cut: everybody pings.
	rest = 30 * packets.Second
)

// Heal is a group that forms, is cut into halves, and heals.
type Heal struct {
	Seed    uint64
	Peers   int         // at least 2
	Friends sim.Friends // the only friendships from the cut on; the zero value has none across
	Laws    sim.Laws    // the zero value means sim.DefaultLaws
	NewNode sim.NewNode // nil means sim.NewEngine
	// Reference judges the nodes as c-toxcore; our own are in Reference mode then,
	// else in product mode.
	Reference bool
	// Watch, if not nil, is called every virtual second with what is going on and
	// the time since the world began.
	Watch func(phase string, since packets.Time)
	// Causes, if not nil, becomes what delayed the heal. Counting takes a while.
	Causes *Causes
	// Log, if not nil, takes a line for everything that happens from the heal on,
	// with the time since.
	Log func(at packets.Time, line string)
}

// Healed is what came of a Heal.
type Healed struct {
	// Whole tells whether everybody listed everybody in the end, and stayed so.
	Whole bool
	// Reason says why it is not whole, or what went wrong after it was.
	Reason sim.Reason
	// Took is the time from the heal until everybody listed everybody, for good.
	// It means nothing unless Whole.
	Took packets.Time
	// Least is the theoretical minimum of Took for the graph of this very world:
	// the earliest moment at which a word from beyond the former cut can have
	// reached the last peer.
	//
	// A friendship across the cut carries its first word when its session is up
	// again: Laws.Reconnect after the heal, or BackOffMin to BackOffMax if both
	// sides had backed off, as this world drew it. With the session comes the
	// Rejoin, which takes the link's delay. From there the news goes as New Peer
	// does: each hop takes the delay of a link, along the connections of the
	// conference that were online in that half when the heal came. Nobody hears it
	// another way, for a peer seeks nobody who is frozen (SPEC C-100). Computing
	// costs no time. Least is the time of whoever hears it last, in either half.
	//
	// That is a bound for whatever an engine may do with these sessions. To list a
	// peer it must be heard as well, so the news goes out and the names come back:
	// two to three times the hops are usual.
	//
	// Negative: the news cannot reach everybody.
	Least packets.Time
	// Packets were sent from the heal until all were whole: Pings are those of
	// them that are pings, own or passed on, which are sent at all times.
	Packets, Pings, Rejoins uint64
	// Crossing is how long a ping of node 0 took to the last of the others, before
	// the cut; Hops is how many hops away the farthest of them was. RingHops is the
	// same without the shortcuts: over connections to closest peers alone. Who
	// invited whom makes shortcuts.
	Crossing       packets.Time
	Hops, RingHops int
	// Deliveries counts what the whole world received, Virtual is how long it
	// lived, Hash sums up what happened.
	Deliveries uint64
	Virtual    packets.Time
	Hash       uint64
}

// Run plays it. The error is sim.ErrFriends, or a failure of the nodes; that the
// group stays apart is none.
func (h Heal) Run() (Healed, error) {
	halves := []int{h.Peers - h.Peers/2, h.Peers / 2}
	edges, err := h.Friends.Edges(halves)
	if err != nil {
		return Healed{}, err
	}
	if h.NewNode == nil {
		h.NewNode = sim.NewEngine
	}
	if h.Laws == (sim.Laws{}) {
		h.Laws = sim.DefaultLaws()
	}
	t := &trial{Heal: h, half: halves[0], phase: "forming"}
	cfg := sim.Config{Seed: h.Seed, NewNode: t.watch, Reference: h.Reference, Laws: h.Laws}
	if h.Watch != nil {
		cfg.Watch, cfg.WatchEvery = func() { h.Watch(t.phase, t.world.Since()) }, packets.Second
	}
	if h.Log != nil {
		cfg.Log = t.log
	}
	if h.Causes != nil {
		*h.Causes = Causes{}
	}
	t.world = sim.New(cfg)
	if err := t.run(edges); err != nil {
		return Healed{}, err
	}
	t.Deliveries, t.Virtual, t.Hash = t.world.Stats().Deliveries, t.world.Since(), t.world.Hash()
	return t.Healed, nil
}

// trial plays one Heal.
type trial struct {
	Heal
	Healed
	world *sim.World
	half  int // nodes from here on are beyond the cut
	phase string
	nodes []*watched // of each node

	ping   ping
	count  bool // the heal is going on
	pings  uint64
	healed packets.Time
	first  []contact // friendships across that are up again
	across int       // entries online across the cut, both ends counted; only for Causes
}

// log passes on what happens from the heal on.
func (t *trial) log(_ packets.Time, line string) {
	if t.count {
		t.Log(t.world.Now()-t.healed, line)
	}
}

// contact is a session between friends across the former cut.
type contact struct {
	a, b int
	at   packets.Time // since the heal
}

func (t *trial) run(edges [][2]int) error {
	w := t.world
	if err := w.Gather(t.Peers, edges...); err != nil {
		return err
	}
	w.KeepFriends(edges)
	t.phase = "resting"
	t.Hops, t.RingHops = depth(t.graph(anyReason)), depth(t.graph(conference.ReasonClosest))
	t.ping.wanted = true
	if err := w.Run(w.Now() + rest); err != nil {
		return err
	}
	t.Crossing = t.ping.last - t.ping.at
	t.phase = "cut"
	w.Split(numbers(0, t.half), numbers(t.half, t.Peers))
	if err := w.Run(w.Now() + Cut); err != nil {
		return err
	}
	t.phase = "healing"
	graph, before := t.graph(anyReason), w.Stats()
	t.count, t.healed = true, w.Now()
	w.Heal()
	whole := false
	v, err := w.Settle(func() bool {
		if is := w.Whole(); is != whole {
			if whole = is; is {
				t.phase = "whole"
				after := w.Stats()
				t.Packets, t.Rejoins, t.Pings = after.Packets-before.Packets, after.Rejoins-before.Rejoins, t.pings
			}
		}
		return false
	})
	if err != nil {
		return err
	}
	t.Whole, t.Reason = v.WholeAt != 0, v.Reason
	if t.Whole {
		t.Took = v.WholeAt - t.healed
	}
	t.Least = least(graph, t.first, t.Laws.Delay-t.Laws.Spread)
	return nil
}

func numbers(from, to int) []int {
	list := make([]int, 0, to-from)
	for i := from; i < to; i++ {
		list = append(list, i)
	}
	return list
}
