package fault

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/sim"
)

// Limits of Swarm.
const (
	SwarmLeast   = 3   // peers
	SwarmDefault = 20  // peers at most, unless asked for another number
	SwarmMost    = 300 // peers
)

// Swarm draws a scenario from a seed: how many peers, who are friends, what the
// network is like, which faults happen, how long each lasts, what the users do
// meanwhile, and whose faults end. Peers are at most so many; 0 means
// SwarmDefault. Each seed leaves some kinds of faults out, so that the others
// happen more often together.
func Swarm(seed uint64, peers int) Scenario {
	if peers == 0 {
		peers = SwarmDefault
	}
	d := drawer{Stream: sim.NewStream(seed)}
	d.s = Scenario{Seed: seed, Peers: d.size(max(peers, SwarmLeast)), Others: d.Below(3), Audio: d.Chance(0.15)}
	if d.Chance(0.25) {
		d.s.MaxFrozen = d.Between(1, 4)
	}
	d.s.Friends = d.friends()
	if d.Chance(0.3) {
		d.s.Network, d.stormy = d.network(false), true
	}
	d.steps()
	d.users()
	d.end()
	slices.SortStableFunc(d.s.Ops, func(a, b Op) int { return cmp.Compare(a.T, b.T) })
	return d.s
}

// drawer draws one scenario.
type drawer struct {
	sim.Stream
	s      Scenario
	at     packets.Time // where the next fault begins
	until  packets.Time // when the last one ends
	words  int
	stormy bool // the network has been made worse
}

// add adds an operation at a time.
func (d *drawer) add(t packets.Time, o Op) {
	o.T = t
	d.s.Ops = append(d.s.Ops, o)
	d.until = max(d.until, t)
}

// size draws the number of peers: mostly about one of the protocol's constants.
func (d *drawer) size(most int) int {
	if d.Chance(0.3) {
		return d.Between(SwarmLeast, min(most, 12))
	}
	constants := []int{4, 4, 8, 8, 16, 128}
	for n := len(constants); constants[n-1]-2 > most; n = len(constants) {
		constants = constants[:n-1]
		if len(constants) == 1 {
			break
		}
	}
	return min(max(constants[d.Below(len(constants))]+d.Between(-2, 2), SwarmLeast), most)
}

// last draws how long something lasts: mostly about one of the protocol's
// constants, else shorter than it takes to notice, or longer than it takes to
// freeze.
func (d *drawer) last() packets.Time {
	switch d.Below(5) {
	case 0:
		return d.ms(200, 25_000)
	case 1:
		return d.ms(65_000, 150_000)
	}
	constants := []packets.Time{20, 32, 60}
	return constants[d.Below(len(constants))]*packets.Second + d.ms(-2000, 2000)
}

func (d *drawer) ms(lo, hi int) packets.Time { return packets.Time(d.Between(lo, hi)) }

// peer draws a node, node one of the peers or the others.
func (d *drawer) peer() int { return d.Below(d.s.Peers) }
func (d *drawer) node() int { return d.Below(d.s.Nodes()) }

// friends draws who are friends.
func (d *drawer) friends() Friends {
	n := d.s.Peers
	shapes := []string{"chain", "ring", "pairs", "all"}
	if k := d.Below(10); k < 6 {
		return Friends{Shape: shapes[min(k, 3)]}
	}
	var f Friends
	for i := 1; i < n; i++ { // a tree, of which a branch may be missing
		if d.Chance(0.95) {
			f.Edges = append(f.Edges, [2]int{d.Below(i), i})
		}
	}
	for range d.Below(n) {
		if a, b := d.Below(n), d.Below(n); a != b {
			f.Edges = append(f.Edges, [2]int{min(a, b), max(a, b)})
		}
	}
	return f
}

// network draws what the links do; mild: so that a group can live with it for
// good.
func (d *drawer) network(mild bool) sim.Network {
	var n sim.Network
	worst, most := 0.3, 2000
	if mild {
		worst, most = 0.1, 150
	}
	chance := func() float64 {
		if d.Chance(0.5) {
			return 0
		}
		return float64(d.Between(1, int(worst*1000))) / 1000
	}
	n.Loss, n.Duplicate, n.Reorder = chance(), chance(), chance()
	shape := func(lo, hi int) float64 { return float64(d.Between(lo, hi)) / 10 }
	least := d.ms(5, 150)
	switch n.Delay.Law = sim.DelayLaw(d.Below(7)); n.Delay.Law {
	case sim.ConstantDelay:
		n.Delay.Least = d.ms(1, most)
	case sim.UniformDelay:
		n.Delay.Least = least
		n.Delay.Scale = least + d.ms(0, most)
	case sim.ExponentialDelay:
		n.Delay.Least, n.Delay.Scale = least, d.ms(1, most)
	case sim.LognormalDelay:
		n.Delay.Scale, n.Delay.Shape = least, shape(2, 12)
	case sim.ParetoDelay:
		n.Delay.Least, n.Delay.Shape = least, shape(15, 40)
	case sim.RecordedDelay:
		for range d.Between(3, 20) {
			n.Delay.Recorded = append(n.Delay.Recorded, d.ms(1, most))
		}
	case sim.FixedDelay:
	}
	return n
}

// steps draws the faults: of some kinds, one after the other or overlapping.
func (d *drawer) steps() {
	all := d.kinds()
	var some []func(packets.Time)
	for _, k := range all {
		if d.Chance(0.4) {
			some = append(some, k)
		}
	}
	if len(some) == 0 {
		some = all
	}
	for range d.Between(1, 5) {
		before := d.until
		d.until = d.at
		some[d.Below(len(some))](d.at)
		if d.Chance(0.35) { // the next begins before this one ends
			d.at += packets.Time(d.Below(int(d.until-d.at) + 1))
		} else {
			d.at = d.until + d.ms(0, 20_000)
		}
		d.until = max(d.until, before)
	}
	d.at = max(d.at, d.until)
}

// kinds are the faults that can be drawn; each begins at a time. Some of them are
// several operations.
func (d *drawer) kinds() []func(packets.Time) {
	return []func(packets.Time){
		d.cut, d.cut, d.oneWay, d.bridge, d.majorities, d.staggered, d.flapping, d.jam, d.latePath, d.latePath, d.weather, d.slow, d.pause,
		d.clock, d.away, d.away, d.oldSave, d.reset, d.leave, d.lose, d.newcomer, d.newcomer, d.apart, d.invitations, d.friendship, d.limit,
	}
}

// users draws what users say and do while all that happens.
func (d *drawer) users() {
	for range d.Below(16) {
		t := packets.Time(d.Below(int(d.at) + 1))
		o := Op{Node: d.peer()}
		d.words++
		switch d.Below(8) {
		case 0:
			o.Kind, o.Text = Rename, fmt.Sprintf("name%d", d.words)
		case 1:
			o.Kind, o.Text = Retitle, fmt.Sprintf("title%d", d.words)
		case 2:
			for range d.Between(2, 12) { // more than a duplicate window holds
				d.words++
				d.add(t, Op{Kind: Talk, Node: o.Node, Text: fmt.Sprintf("text%d", d.words)})
				t += d.ms(1, 200)
			}
			continue
		case 3:
			if d.s.Audio {
				for i := range d.Between(5, 40) {
					d.add(t+packets.Time(20*i), Op{Kind: Lossy, Node: o.Node, Text: fmt.Sprintf("sound%d", i)})
				}
				continue
			}
			o.Kind, o.Text = Talk, ""
		default:
			o.Kind, o.Text = Talk, fmt.Sprintf("text%d", d.words)
		}
		d.add(t, o)
	}
}

// end draws when the faults end, which may be in their midst; whose faults end;
// and what becomes of the others: they stay as they are, vanish for good, or are
// cut off for good.
func (d *drawer) end() {
	t := max(d.at, d.until) + 1
	if d.Chance(0.6) {
		t = packets.Time(d.Between(int(t/3), int(t)))
		d.s.Ops = slices.DeleteFunc(d.s.Ops, func(o Op) bool { return o.T > t })
	}
	if d.stormy {
		calm := sim.Network{}
		if d.Chance(0.4) {
			calm = d.network(true)
		}
		d.add(t, Op{Kind: Net, Network: calm})
	}
	var core, rest []int
	if d.Chance(0.35) {
		for i := range d.s.Nodes() {
			if d.Chance(0.7) {
				core = append(core, i)
			} else {
				rest = append(rest, i)
			}
		}
	}
	if len(core) < 2 || len(rest) == 0 {
		d.add(t, Op{Kind: Settle})
		return
	}
	switch d.Below(5) {
	case 0, 1:
		for _, i := range rest {
			d.add(t, Op{Kind: Crash, Node: i})
		}
	case 2, 3:
		d.add(t, Op{Kind: Heal})
		d.add(t, Op{Kind: Unjam})
		d.add(t, Op{Kind: Cut, Groups: [][]int{core, rest}})
	}
	d.add(t, Op{Kind: Settle, Core: core})
}
