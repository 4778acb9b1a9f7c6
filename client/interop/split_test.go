//go:build toxcore

package interop

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/toxcore/lab"
)

// apartAtLeast is how long a network is cut: longer than anybody stays in a list
// unheard.
const apartAtLeast = 75 * time.Second

// A conference of stock peers and ours is cut in two. Each side freezes the
// other and goes on: talks, renames, sets a title. Somebody may be killed
// meanwhile and come back from its save. When the network is healed, the one
// friendship across the cut makes the conference whole again.
func TestSplitAndMerge(t *testing.T) {
	t.Parallel()
	for _, c := range []splitCase{
		{name: "all live", west: "soso", east: "osos", byUs: true},
		{name: "we are killed", west: "so", east: "so", killed: true},
		{name: "stock is killed", west: "os", east: "os", killed: true, chatter: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.play(t)
		})
	}
}

type splitCase struct {
	name       string
	west, east string // s is a stock peer, o one of ours; each is a friend of the next
	byUs       bool   // one of ours on each side is how one enters the network; else a tox-bootstrapd
	killed     bool   // is the last of the west, the one with a friend in the east
	chatter    bool   // they do not stop to talk when the network is healed
}

func (c splitCase) play(t *testing.T) {
	network := lab.NewNetwork(t)
	westHost, eastHost := network.Host("west"), network.Host("east")
	westNode := c.startNode(t, "west", westHost)
	eastNode := c.startNode(t, "east", eastHost, westNode)
	w, e := people(t, c.west, "west ", westHost, westNode), people(t, c.east, "east ", eastHost, eastNode)
	all := slices.Concat(w, e)
	befriendNext(t, all)
	s := newScene(t, packets.Text, "one", all...)
	s.talk("hello", all...)

	victim, rest := w[len(w)-1], w[:len(w)-1]
	if c.killed {
		s.save(victim)
		for i := range 10 { // whose numbers are not saved
			s.say(victim, packets.NormalMessage, fmt.Sprint("last words ", i), all...)
		}
		s.hear()
	}
	network.Cut([]*lab.Host{westHost}, []*lab.Host{eastHost})
	cut := time.Now()
	if c.killed {
		s.kill(victim)
		s.waitApart(rest, rollOf(append(slices.Clone(e), victim)...))
		s.revive(victim)
		s.waitWhole(w...)
	}
	westOld, eastOld := rollOf(w...), rollOf(e...)
	s.waitApart(w, eastOld)
	s.waitApart(e, westOld)
	s.talk("only the west hears this", w...)
	s.talk("only the east hears this", e...)
	founder, last := w[0], e[len(e)-1]
	founder.rename("renamed in the west")
	last.rename("renamed in the east")
	founder.retitle("the west")
	last.retitle("the east")
	s.waitTitle("the west", w...)
	s.waitTitle("the east", e...)
	s.waitApart(w, eastOld)
	s.waitApart(e, westOld)
	time.Sleep(time.Until(cut.Add(apartAtLeast)))

	network.Heal()
	healed := time.Now()
	if c.chatter {
		s.chatterUntilWhole(all)
	}
	s.waitWhole(all...) // by their new names, SPEC C-92
	t.Logf("%.1f s after the heal all see all", time.Since(healed).Seconds())
	s.checkTitles("the west", w, founder)
	s.checkTitles("the east", e, last)
	s.talk("one again", all...)
	for _, m := range []member{founder, last} {
		m.retitle("title of " + m.label())
		s.waitTitle("title of "+m.label(), all...)
		m.rename("again " + m.label())
		s.waitWhole(all...)
	}
	s.talk("for good", all...)
	s.checkOnce()
}

// startNode starts what others enter the network by.
func (c splitCase) startNode(t *testing.T, side string, host *lab.Host, others ...lab.Node) lab.Node {
	t.Helper()
	if c.byUs {
		return startOurs(t, side+" node", host, others...).node()
	}
	return lab.StartDaemon(t, lab.DaemonConfig{Name: side + " daemon", Host: host, Nodes: others}).Node
}

// people starts a stock peer for each s and one of ours for each o.
func people(t *testing.T, kinds, prefix string, host *lab.Host, node lab.Node) (members []member) {
	t.Helper()
	for i, kind := range kinds {
		if name := prefix + string(rune('A'+i)); kind == 's' {
			members = append(members, startStock(t, name+", stock", host, node))
		} else {
			members = append(members, startOurs(t, name+", ours", host, node))
		}
	}
	return members
}

// befriendNext makes each member a friend of the next one.
func befriendNext(t *testing.T, members []member) {
	t.Helper()
	var pairs []pair
	for i := range members[1:] {
		pairs = append(pairs, pair{members[i], members[i+1]})
	}
	befriend(t, pairs...)
}

// save has a member save, or waits until it has.
func (s *scene) save(m member) {
	s.t.Helper()
	switch m := m.(type) {
	case *ours:
		others := rollOf(s.cast...)
		delete(others, m.key())
		m.waitSaved(others)
	case *stock:
		m.Save()
	}
}

// kill ends a member as kill -9 does.
func (s *scene) kill(m member) {
	s.t.Helper()
	switch m := m.(type) {
	case *ours:
		m.kill()
	case *stock:
		m.Kill()
	}
}

// revive starts it again from its save.
func (s *scene) revive(m member) {
	s.t.Helper()
	switch m := m.(type) {
	case *ours:
		m.restart()
	case *stock:
		m.Restart()
	}
}

// waitApart waits until each of the members lists all of them as active, and as
// frozen exactly the absent.
func (s *scene) waitApart(members []member, absent roll) {
	s.t.Helper()
	present := rollOf(members...)
	s.wait("only they list each other: "+labels(members), members, func(l look) bool {
		return maps.Equal(l.active, present) && maps.Equal(l.frozen, absent)
	})
}

// chatterUntilWhole has all of them talk on while two sides meet.
func (s *scene) chatterUntilWhole(members []member) {
	s.t.Helper()
	whole := listing(members)
	lab.Eventually(s.t, patience, "they chatter until all see all", func() bool {
		s.chatter(members...)
		return !slices.ContainsFunc(members, func(m member) bool { return !whole(m.look()) })
	})
}

// checkTitles checks that a side kept the title that was set on it (SPEC C-108,
// I-9). Only a stock peer may take the other side's in the place of one that it
// set itself (C-111).
func (s *scene) checkTitles(title string, side []member, author member) {
	s.t.Helper()
	for _, m := range side {
		if _, isStock := m.(*stock); isStock && m == author {
			continue
		}
		require.Equal(s.t, title, m.look().title, m.label())
	}
}
