//go:build oracle && linux && amd64

package oracle

import (
	"errors"
	"fmt"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/sim"
)

// ErrApart is returned for a group that does not become whole after a heal.
var ErrApart = errors.New("oracle: the group stays apart")

// Heal is a group that forms, is cut into two halves, and heals: how long does it
// take until everybody lists everybody?
type Heal struct {
	Seed    uint64
	Peers   int
	Friends sim.Friends  // beside the chain in each half; the zero value: none across
	Cut     packets.Time // how long; 0 means DefaultCut
	Laws    sim.Laws     // the zero value means sim.DefaultLaws
	NewNode sim.NewNode  // nil means New: c-toxcore
	// Log takes one line for everything that happens from the heal on.
	Log func(at packets.Time, line string)
}

// DefaultCut is long enough for everybody to freeze everybody beyond the cut.
const DefaultCut = 120 * packets.Second

// Healed is what came of it.
type Healed struct {
	Took    packets.Time // from the heal until all agreed on the members, for good
	Packets uint64       // sent meanwhile
	Rejoins uint64       // among them
	Causes  Causes       // of delays; also if the group stayed apart
}

// Run plays it. It returns ErrApart with the reasons if the group does not
// become whole within the time that sim.World.Settle gives it.
func (h Heal) Run() (Healed, error) {
	if h.NewNode == nil {
		h.NewNode = New
	}
	if h.Cut == 0 {
		h.Cut = DefaultCut
	}
	watch := &watcher{halve: h.Peers / 2}
	cfg := sim.Config{Seed: h.Seed, NewNode: watch.wrap(h.NewNode), Laws: h.Laws}
	if h.Log != nil {
		cfg.Log = func(at packets.Time, line string) {
			if watch.on {
				h.Log(at-watch.from, line)
			}
		}
	}
	halves := []int{h.Peers / 2, h.Peers - h.Peers/2}
	edges, err := h.Friends.Edges(halves)
	if err != nil {
		return Healed{}, err
	}
	w := sim.New(cfg)
	if err := w.Gather(h.Peers, edges...); err != nil {
		return Healed{}, err
	}
	w.KeepFriends(edges)
	if err := w.Run(w.Now() + 30*packets.Second); err != nil {
		return Healed{}, err
	}
	parts := make([][]int, 2)
	for i := range h.Peers {
		side := 0
		if i >= halves[0] {
			side = 1
		}
		parts[side] = append(parts[side], i)
	}
	w.Split(parts...)
	if err := w.Run(w.Now() + h.Cut); err != nil {
		return Healed{}, err
	}
	began, before := w.Now(), w.Stats()
	watch.on, watch.from = true, w.Since()
	w.Heal()
	v, err := w.Settle(func() bool {
		watch.now = w.Since()
		return false
	})
	if err != nil {
		return Healed{}, err
	}
	if v.WholeAt == 0 {
		return Healed{Causes: watch.Causes}, fmt.Errorf("%w: seed %d: %v", ErrApart, h.Seed, v.Why)
	}
	after := w.Stats()
	return Healed{
		Took: v.WholeAt - began, Packets: after.Packets - before.Packets, Rejoins: after.Rejoins - before.Rejoins,
		Causes: watch.Causes,
	}, nil
}
