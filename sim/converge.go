package sim

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
)

// Ledger counts the differences between peers that the protocol is known to
// leave behind (SPEC.md, "Known divergences"). Everything else has to agree.
type Ledger struct {
	// Titles: pairs of neighbouring views with different titles, after a title
	// was set, or somebody joined, while the conference was apart.
	Titles int `json:"titles"`
	// Names: a peer is known by a former name to somebody whom none of its Names
	// has reached since it was renamed.
	Names int `json:"names"`
	// DHTKeys: a peer is known by a former DHT key to somebody whom no New Peer
	// about it, and no Rejoin of it, has reached since it restarted.
	DHTKeys int `json:"dht_keys"`
}

// Add adds the counts of another world.
func (l *Ledger) Add(m *Ledger) {
	l.Titles += m.Titles
	l.Names += m.Names
	l.DHTKeys += m.DHTKeys
}

// titleBook knows whether titles may differ.
type titleBook struct {
	last  packets.Time // of the last change; 0: none
	apart bool         // since the last title that reached everybody, one was set, or somebody joined, while the conference was apart
}

// titleTime is how long a title may take to reach everybody.
const titleTime = 5 * packets.Second

// titled notes that node a sets the title.
func (a *auditor) titled(w *World, _ int) {
	t := &a.titles
	meets := t.last != 0 && w.now < t.last+titleTime               // another that is on its way
	late := t.apart && w.now < max(w.churnAt, w.reachAt)+titleTime // one that was held up until a moment ago
	t.apart = meets || late || w.oddSaves > 0 || !w.together()
	t.last = w.now
}

// joined notes that somebody joins, who is told the title once.
func (a *auditor) joined(w *World) {
	if !w.calm() {
		a.titles.apart = true
		w.joinsApart++
	}
	a.titles.last = w.now
}

// disturbed notes that something happened that can keep a title from somebody.
func (a *auditor) disturbed(w *World) {
	if t := a.titles.last; t != 0 && w.now < t+titleTime {
		a.titles.apart = true
	}
}

// renamed forgets who has heard the former name of node a.
func (a *auditor) renamed(_ *World, who int) {
	for i := range a.nodes {
		a.nodes[i].peers[who].named = false
	}
}

// belongs tells whether node i should be in the watched conference: it was in
// and has not left.
func (w *World) belongs(i int) bool { return w.nodes[i].belongs }

// slowLink is the delay from which on a link is too slow for titleTime.
const slowLink packets.Time = 250

// calm tells whether nobody is away and packets pass over all links, without
// much delay.
func (w *World) calm() bool {
	for i := range w.nodes {
		if n := &w.nodes[i]; n.belongs && !w.alive(i) || n.part != w.nodes[0].part || n.slow > 0 {
			return false
		}
	}
	for i := range w.links {
		if l := &w.links[i]; l.stalled || l.up[0] && l.up[1] && l.delay > slowLink {
			return false
		}
	}
	return w.walls.n+w.jams.n == 0 && w.network.Delay.Law == FixedDelay
}

// live tells whether node i belongs to the watched conference, runs and is not
// paused.
func (w *World) live(i int) bool { return w.nodes[i].belongs && w.alive(i) }

// together tells whether a message reaches everybody, if nothing happens to it:
// nobody is away, all list each other under their numbers, and the links that
// are up join them.
func (w *World) together() bool {
	if !w.calm() || !w.Whole() {
		return false
	}
	one, _ := w.components(byLinks)
	return one && len(w.dispute(1).said) == 0
}

// Live is the number of nodes that run and belong to the watched conference.
func (w *World) Live() int {
	live := 0
	for i := range w.nodes {
		if w.live(i) {
			live++
		}
	}
	return live
}

// Whole tells whether every live node lists as many peers as live. It is quick;
// Disagreements says whether they are the right ones.
func (w *World) Whole() bool {
	if w.whole.at != w.version {
		w.whole.at, w.whole.yes = w.version, w.agree()
	}
	return w.whole.yes
}

func (w *World) agree() bool {
	count := make([]int, 1+len(w.zone))
	for i := range w.nodes {
		if w.live(i) {
			count[w.zoneOf(i)]++
		}
	}
	for i := range w.nodes {
		if w.live(i) && w.nodes[i].sees != count[w.zoneOf(i)] {
			return false
		}
	}
	return w.found
}

// Disagreements says who disagrees with whom on what, at most limit of them:
// every live peer lists every live peer and nobody else as active. With an
// auditor, names, DHT keys and titles have to agree as well, but for what the
// Ledger counts.
func (w *World) Disagreements(limit int) ([]string, Ledger) {
	d := w.dispute(limit)
	if w.audit != nil && len(d.said) == 0 {
		for i, v := range d.views {
			if v != nil {
				d.details(i, v)
			}
		}
		d.titles()
	}
	return d.said, d.ledger
}

// dispute collects disagreements.
type dispute struct {
	w      *World
	views  []*conference.View // of live nodes
	limit  int
	said   []string
	ledger Ledger
}

func (d *dispute) say(format string, args ...any) {
	if len(d.said) < d.limit {
		d.said = append(d.said, fmt.Sprintf(format, args...))
	}
}

// dispute compares the members that all live nodes list.
func (w *World) dispute(limit int) *dispute {
	d := &dispute{w: w, views: make([]*conference.View, len(w.nodes)), limit: limit}
	for i := range w.nodes {
		if !w.live(i) {
			continue
		}
		if d.views[i] = w.view(i); d.views[i] == nil || !d.views[i].Connected {
			d.say("peer %d has lost the conference", i)
			d.views[i] = nil
		}
	}
	for i, v := range d.views {
		if v != nil {
			d.members(i, v)
		}
	}
	return d
}

// members compares the active list of node i with who is live.
func (d *dispute) members(i int, v *conference.View) {
	listed := make([]int, len(d.w.nodes))
	for k := range v.Peers {
		who, ok := d.w.indexOf(&v.Peers[k].Key)
		if !ok {
			d.say("peer %d lists %s, who does not exist", i, v.Peers[k].Key)
			continue
		}
		listed[who]++
		if own := d.views[who]; own != nil && own.PeerNumber != v.Peers[k].Number {
			d.say("peer %d lists peer %d under number %d instead of %d", i, who, v.Peers[k].Number, own.PeerNumber)
		}
	}
	var missing, dead []string
	for who, n := range listed {
		live := d.w.live(who) && d.w.zoneOf(who) == d.w.zoneOf(i)
		switch {
		case live && n == 0:
			missing = append(missing, fmt.Sprint(who))
		case !live && n > 0:
			dead = append(dead, fmt.Sprint(who))
		case n > 1:
			d.say("peer %d lists peer %d %d times", i, who, n)
		}
	}
	if len(missing) > 0 {
		d.say("peer %d does not list %s", i, strings.Join(missing, ", "))
	}
	if len(dead) > 0 {
		d.say("peer %d still lists %s", i, strings.Join(dead, ", "))
	}
}

// details compares what node i knows of the others with what is true.
func (d *dispute) details(i int, v *conference.View) {
	for k := range v.Peers {
		p := &v.Peers[k]
		who, _ := d.w.indexOf(&p.Key)
		n, h := &d.w.nodes[who], &d.w.audit.nodes[i].peers[who]
		if !bytes.Equal(p.Name, n.name) {
			if h.named && h.name == string(n.name) {
				d.say("peer %d calls peer %d %q, and has got its Name %q", i, who, p.Name, n.name)
			} else if int(who) == i && n.renamed && !d.w.cfg.Reference {
				d.say("peer %d calls itself %q, its name is %q", i, p.Name, n.name)
			} else {
				d.ledger.Names++
			}
		}
		if p.DHT != n.dht {
			if h.dhtSure && h.dht == n.dht {
				d.say("peer %d has DHT key %s of peer %d, and was told %s", i, p.DHT, who, n.dht)
			} else {
				d.ledger.DHTKeys++
			}
		}
	}
}

// titles compares the titles of all views.
func (d *dispute) titles() {
	lasts := make([]int, 1+len(d.w.zone)) // by zone, counted from 1
	for i, v := range d.views {
		if v == nil {
			continue
		}
		last := lasts[d.w.zoneOf(i)] - 1
		if last >= 0 && !bytes.Equal(v.Title, d.views[last].Title) {
			if d.w.audit.titles.apart {
				d.ledger.Titles++
			} else {
				d.say("peer %d has the title %q, peer %d has %q", last, d.views[last].Title, i, v.Title)
			}
		}
		lasts[d.w.zoneOf(i)] = i + 1
	}
}

// Recoverable tells whether the live nodes can find together again: they are
// one component under "connected in the conference" and "friends who still have
// each other in a list". A Rejoin goes only to a friend, and only somebody who
// is in its receiver's list is let in (SPEC C-88, C-90, C-100). The components
// are returned, each in order.
func (w *World) Recoverable() (bool, [][]int) { return w.components(byEither) }

// tie is what joins two nodes to a component.
type tie uint8

const (
	byEither  tie = iota
	byFriends     // friends who have each other in a list
	byLinks       // neighbours who are online for each other
)

// components are those of Recoverable, or under one kind of tie alone.
func (w *World) components(by tie) (one bool, parts [][]int) {
	root := make([]int, len(w.nodes))
	for i := range root {
		root[i] = i
	}
	find := func(i int) int {
		for root[i] != i {
			i = root[i]
		}
		return i
	}
	views := make([]*conference.View, len(w.nodes))
	for i := range w.nodes {
		if w.live(i) {
			views[i] = w.view(i)
		}
	}
	for k := range w.links {
		l := &w.links[k]
		a, b := views[l.peer[0]], views[l.peer[1]]
		if a == nil || b == nil || !l.open {
			continue
		}
		keys := [2]packets.PublicKey{w.nodes[l.peer[0]].key, w.nodes[l.peer[1]].key}
		friends := by != byLinks && l.friend && lists(a, &keys[1]) && lists(b, &keys[0])
		if friends || by != byFriends && l.up[0] && l.up[1] && joins(a, &keys[1]) && joins(b, &keys[0]) {
			root[find(int(l.peer[0]))] = find(int(l.peer[1]))
		}
	}
	at := make(map[int]int)
	for i, v := range views {
		if v == nil {
			continue
		}
		r := find(i)
		p, ok := at[r]
		if !ok {
			p = len(parts)
			at[r] = p
			parts = append(parts, nil)
		}
		parts[p] = append(parts[p], i)
	}
	return len(parts) <= 1, parts
}

// lists tells whether a peer is in either list of a view.
func lists(v *conference.View, key *packets.PublicKey) bool {
	for _, list := range [2][]conference.Peer{v.Peers, v.Frozen} {
		for k := range list {
			if list[k].Key == *key {
				return true
			}
		}
	}
	return false
}

// joins tells whether a view has an online neighbour.
func joins(v *conference.View, key *packets.PublicKey) bool {
	for k := range v.Neighbours {
		if v.Neighbours[k].Online && v.Neighbours[k].Key == *key {
			return true
		}
	}
	return false
}
