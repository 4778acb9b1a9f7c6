package fault

import (
	"fmt"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/sim"
)

// parts draws a split of all nodes into k groups, none of them empty.
func (d *drawer) parts(k int) [][]int {
	groups := make([][]int, k)
	first := d.Below(d.s.Peers)
	for n := range d.s.Nodes() {
		i := (first + n) % d.s.Nodes()
		g := d.Below(k)
		if n < k {
			g = n
		}
		groups[g] = append(groups[g], i)
	}
	return groups
}

// cut splits the network two, three or four ways, and heals it at once or pair
// by pair, in any order.
func (d *drawer) cut(t packets.Time) {
	groups := d.parts(min(d.Between(2, 4), d.s.Nodes()))
	d.add(t, Op{Kind: Cut, Groups: groups})
	t += d.last()
	if d.Chance(0.6) {
		d.add(t, Op{Kind: Heal, Groups: groups})
		return
	}
	var pairs [][2]int
	for a := range groups {
		for b := range a {
			pairs = append(pairs, [2]int{b, a})
		}
	}
	d.shuffle(len(pairs), func(i, j int) { pairs[i], pairs[j] = pairs[j], pairs[i] })
	for _, p := range pairs {
		d.add(t, Op{Kind: Heal, Groups: [][]int{groups[p[0]], groups[p[1]]}})
		t += d.ms(0, 40_000)
	}
}

func (d *drawer) shuffle(n int, swap func(i, j int)) {
	for i := n - 1; i > 0; i-- {
		swap(i, d.Below(i+1))
	}
}

// oneWay lets nothing pass from one group to another, but back.
func (d *drawer) oneWay(t packets.Time) {
	groups := d.parts(2)
	d.add(t, Op{Kind: Cut, Groups: groups, OneWay: true})
	d.add(t+d.last(), Op{Kind: Heal, Groups: groups, OneWay: true})
}

// bridge cuts all but one node apart, which reaches both sides.
func (d *drawer) bridge(t packets.Time) {
	if d.s.Nodes() < 3 {
		return
	}
	bridge := d.peer()
	groups := make([][]int, 2)
	side := 0
	for i := range d.s.Nodes() {
		if i != bridge {
			groups[side] = append(groups[side], i)
			side = 1 - side
		}
	}
	d.add(t, Op{Kind: Cut, Groups: groups})
	d.add(t+d.last(), Op{Kind: Heal, Groups: groups})
}

// majorities lays all nodes in a ring in which each reaches just more than half
// of them, those next to it, so that no two see the same.
func (d *drawer) majorities(t packets.Time) {
	n := d.s.Nodes()
	reach := n/4 + 1
	var cuts []Op
	for i := range n {
		var far []int
		for j := i + 1; j < n; j++ {
			if min(j-i, n-j+i) > reach {
				far = append(far, j)
			}
		}
		if len(far) > 0 {
			cuts = append(cuts, Op{Kind: Cut, Groups: [][]int{{i}, far}})
		}
	}
	healed := t + d.last()
	for _, o := range cuts {
		d.add(t, o)
		o.Kind = Heal
		d.add(healed, o)
	}
}

// staggered cuts one node after another off and heals them in another order.
func (d *drawer) staggered(t packets.Time) {
	n := d.s.Nodes()
	nodes := make([]int, n)
	for i := range nodes {
		nodes[i] = i
	}
	swap := func(i, j int) { nodes[i], nodes[j] = nodes[j], nodes[i] }
	d.shuffle(n, swap)
	some := nodes[:d.Between(1, min(n-1, 8))]
	rest := func(i int) Op {
		var others []int
		for j := range n {
			if j != i {
				others = append(others, j)
			}
		}
		return Op{Kind: Cut, Groups: [][]int{{i}, others}}
	}
	for _, i := range some {
		d.add(t, rest(i))
		t += d.ms(0, 15_000)
	}
	t += d.last()
	d.shuffle(len(some), swap)
	for _, i := range some {
		o := rest(i)
		o.Kind = Heal
		d.add(t, o)
		t += d.ms(0, 15_000)
	}
}

// flapping cuts and heals the same groups again and again.
func (d *drawer) flapping(t packets.Time) {
	groups := d.parts(2)
	off, on := min(d.last(), 70*packets.Second), d.ms(100, 40_000)
	for range d.Between(2, 5) {
		d.add(t, Op{Kind: Cut, Groups: groups})
		t += off
		d.add(t, Op{Kind: Heal, Groups: groups})
		t += on
	}
}

// jam holds up what passes between groups, mostly for less than links live.
func (d *drawer) jam(t packets.Time) {
	groups, oneWay := d.parts(2), d.Chance(0.3)
	d.add(t, Op{Kind: Jam, Groups: groups, OneWay: oneWay})
	d.add(t+min(d.last(), 40*packets.Second), Op{Kind: Unjam, Groups: groups, OneWay: oneWay})
}

// latePath lets a text reach a node behind several newer ones: what others send
// it is held up, but for one, whose link breaks at the moment when the text is
// said and brings the newer ones.
func (d *drawer) latePath(t packets.Time) {
	late := d.peer()
	via := (late + d.Between(1, d.s.Peers-1)) % d.s.Peers
	author := (late + d.Between(1, d.s.Peers-1)) % d.s.Peers
	var others []int
	for i := range d.s.Nodes() {
		if i != late && i != via {
			others = append(others, i)
		}
	}
	say := func() {
		d.words++
		d.add(t, Op{Kind: Talk, Node: author, Text: fmt.Sprintf("late%d", d.words)})
	}
	groups := [][]int{others, {late}}
	d.add(t, Op{Kind: Jam, Groups: groups, OneWay: true})
	d.add(t, Op{Kind: Reset, Node: late, Peer: via})
	say()
	t += d.ms(2500, 4000)
	for range d.Between(6, 8) {
		say()
		t += d.ms(1, 20)
	}
	d.add(t+d.ms(500, 5000), Op{Kind: Unjam, Groups: groups, OneWay: true})
}

// weather makes all links worse for a while.
func (d *drawer) weather(t packets.Time) {
	d.stormy = true
	d.add(t, Op{Kind: Net, Network: d.network(false)})
	if d.Chance(0.7) {
		d.add(t+d.last(), Op{Kind: Net, Network: sim.Network{}})
	}
}

func (d *drawer) slow(t packets.Time) {
	i := d.node()
	d.add(t, Op{Kind: Slow, Node: i, MS: d.ms(60, 3000)})
	d.add(t+d.last(), Op{Kind: Slow, Node: i})
}

func (d *drawer) pause(t packets.Time) {
	i := d.node()
	d.add(t, Op{Kind: Pause, Node: i})
	d.add(t+d.last(), Op{Kind: Resume, Node: i})
}

// clock sets a node's wall clock and has it start again, so that it sees it.
func (d *drawer) clock(t packets.Time) {
	i := d.node()
	const day = 24 * 3600 * packets.Second
	jumps := []packets.Time{d.ms(-3000, 3000), d.ms(-int(day), int(day)), packets.Time(d.Between(-400, 400)) * day}
	d.add(t, Op{Kind: Clock, Node: i, MS: jumps[d.Below(len(jumps))]})
	d.stop(t, i)
	d.add(t+d.last(), Op{Kind: Restart, Node: i, Save: Newest})
}

// stop stops a node in one way or another.
func (d *drawer) stop(t packets.Time, i int) {
	kind := Crash
	if d.Chance(0.4) {
		kind = Quit
	}
	d.add(t, Op{Kind: kind, Node: i})
}

// away stops a node, or several one after the other, for a while.
func (d *drawer) away(t packets.Time) {
	for range d.Between(1, 3) {
		i := d.node()
		d.stop(t, i)
		d.add(t+d.last(), Op{Kind: Restart, Node: i, Save: Newest})
		t += d.ms(0, 30_000)
	}
}

// oldSave has a node start from something else than what it saved last.
func (d *drawer) oldSave(t packets.Time) {
	o := Op{Kind: Restart, Node: d.peer()}
	switch d.Below(5) {
	case 0, 1:
		o.Save, o.Back = Older, d.Between(1, 8)
	case 2, 3:
		o.Save, o.Left = Torn, uint16(d.Below(1<<16))
	default:
		o.Save, o.Of = Copy, (o.Node+d.Between(1, d.s.Peers-1))%d.s.Peers
	}
	d.stop(t, o.Node)
	d.add(t+d.last(), o)
}

func (d *drawer) reset(t packets.Time) {
	for range d.Between(1, 6) {
		if a, b := d.node(), d.node(); a != b {
			d.add(t, Op{Kind: Reset, Node: a, Peer: b})
		}
		t += d.ms(0, 10_000)
	}
}

// leave has a node leave for good, and perhaps be invited again.
func (d *drawer) leave(t packets.Time) {
	i := d.peer()
	d.add(t, Op{Kind: Leave, Node: i})
	if d.Chance(0.6) {
		d.invite(t+d.last(), i)
	}
}

// lose has a node lose all that it has saved, and perhaps be invited again.
func (d *drawer) lose(t packets.Time) {
	i := d.peer()
	d.add(t, Op{Kind: Delete, Node: i})
	t += d.last()
	d.add(t, Op{Kind: Restart, Node: i, Save: Newest})
	if d.Chance(0.6) {
		d.invite(t+11*packets.Second, i)
	}
}

// invite has some peers invite a node, one after the other: who is no friend of
// it cannot. Its user may take a while.
func (d *drawer) invite(t packets.Time, i int) {
	late := d.Chance(0.3)
	for range 3 {
		if a := d.peer(); a != i {
			d.add(t, Op{Kind: Invite, Node: a, Peer: i, Late: late})
			t += d.ms(0, 3000)
		}
	}
	if late {
		d.add(t+d.ms(0, 60_000), Op{Kind: Join, Node: i})
	}
}

// apart splits the network in two and has somebody join one side, whom the other
// does not know.
func (d *drawer) apart(t packets.Time) {
	groups := d.parts(2)
	d.add(t, Op{Kind: Cut, Groups: groups})
	d.newcomer(t + d.ms(0, 60_000))
	d.add(max(d.until, t+d.last()), Op{Kind: Heal, Groups: groups})
}

// invitations has peers invite each other who are members already, which joins
// parts as well as a Rejoin does, and others come and go meanwhile.
func (d *drawer) invitations(t packets.Time) {
	if d.Chance(0.5) {
		groups := d.parts(2)
		d.add(t, Op{Kind: Cut, Groups: groups})
		t += d.last()
		d.add(t, Op{Kind: Heal, Groups: groups})
	}
	for range d.Between(2, 8) {
		if a, b := d.node(), d.node(); a != b {
			d.add(t, Op{Kind: Invite, Node: a, Peer: b})
		}
		if d.Chance(0.15) {
			d.add(t+d.ms(50, 400), Op{Kind: Leave, Node: d.peer()})
		}
		t += d.ms(0, 1000)
	}
}

// newcomer brings in somebody who was not there when the group formed.
func (d *drawer) newcomer(t packets.Time) {
	if d.s.Others == 0 {
		d.leave(t)
		return
	}
	a, b := d.peer(), d.s.Peers+d.Below(d.s.Others)
	d.add(t, Op{Kind: Befriend, Node: a, Peer: b})
	late := d.Chance(0.3)
	t += d.ms(10_000, 14_000)
	d.add(t, Op{Kind: Invite, Node: a, Peer: b, Late: late})
	if late {
		d.add(t+d.ms(500, 60_000), Op{Kind: Join, Node: b})
	}
	if d.Chance(0.3) {
		d.add(t+d.ms(0, 8000), Op{Kind: Rename, Node: b, Text: fmt.Sprintf("newcomer%d", b)})
	}
}

// friendship ends or begins between two.
func (d *drawer) friendship(t packets.Time) {
	for range d.Between(1, 3) {
		kind := Befriend
		if d.Chance(0.5) {
			kind = Unfriend
		}
		if a, b := d.node(), d.node(); a != b {
			d.add(t, Op{Kind: kind, Node: a, Peer: b})
		}
		t += d.ms(0, 20_000)
	}
}

// limit changes how many frozen peers somebody keeps.
func (d *drawer) limit(t packets.Time) {
	d.add(t, Op{Kind: Frozen, Node: d.peer(), Most: d.Below(5)})
}
