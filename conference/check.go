package conference

import (
	"bytes"
	"fmt"
)

// Check asserts what must always hold, in product mode also against hostile
// peers. It returns the first thing that does not.
func (e *Engine) Check() error {
	refs := map[*link]int{}
	for i, s := range e.groups {
		if s.group == nil {
			continue
		}
		if int(s.number) != i {
			return fmt.Errorf("conference: group %d thinks it is %d", i, s.number)
		}
		if err := e.checkGroup(s.group, refs); err != nil {
			return fmt.Errorf("conference: %v: %w", s.id, err)
		}
	}
	var first *link // the wrong one with the least key, whatever the order of the map
	for key, l := range e.links {
		wrong := l.key != key || l.refs != refs[l] || l.refs == 0 && !l.friend
		if wrong && (first == nil || bytes.Compare(key[:], first.key[:]) < 0) {
			first = l
		}
	}
	if first != nil {
		return fmt.Errorf("conference: link to %v (friend: %v) counts %d entries, tables hold %d",
			first.key, first.friend, first.refs, refs[first])
	}
	return nil
}

func (e *Engine) checkGroup(g *group, refs map[*link]int) error {
	if err := g.peers.Check(); err != nil {
		return err
	}
	used, up, introducers := 0, 0, 0
	for i := range g.conns {
		c := &g.conns[i]
		if c.state == free {
			continue
		}
		used++
		refs[c.link]++
		if c.reasons == 0 {
			return fmt.Errorf("entry of %v has no reason", c.link.key)
		}
		if e.links[c.link.key] != c.link {
			return fmt.Errorf("entry of %v has a dead link", c.link.key)
		}
		if g.entry(c.link) != i {
			return fmt.Errorf("%v has two entries", c.link.key)
		}
		if c.state == online {
			up++
			if !c.link.online {
				return fmt.Errorf("%v is online in the table, its link is not", c.link.key)
			}
		}
		if c.reasons&ReasonIntroducer != 0 {
			introducers++
		}
	}
	if used != g.used || up != g.online || introducers != g.introducers {
		return fmt.Errorf("counts %d entries, %d online, %d introducers; the table holds %d, %d, %d",
			g.used, g.online, g.introducers, used, up, introducers)
	}
	for _, s := range g.closest.Slots {
		if s.Used && (s.Key == e.self || g.peers.ActiveByKey(&s.Key) == nil) {
			return fmt.Errorf("closest %v is not an active peer", s.Key)
		}
	}
	return e.checkLists(g)
}

func (e *Engine) checkLists(g *group) error {
	if g.peers.Frozen() > g.maxFrozen {
		return fmt.Errorf("%d frozen peers, limit %d", g.peers.Frozen(), g.maxFrozen)
	}
	for i := range g.peers.Active() {
		p := g.peers.At(i)
		if g.connected && p.Number != g.self && p.LastActive+freezeTimeout < g.freezeAt {
			return fmt.Errorf("%v times out at %d, before anybody is looked at", p.Key, p.LastActive+freezeTimeout)
		}
		if p.LeaveAt != 0 && uint64(p.LeaveAt) < g.freezeAt {
			return fmt.Errorf("%v leaves at %d, before anybody is looked at", p.Key, p.LeaveAt)
		}
	}
	if !e.better.guardSelf || !g.connected || e.quit {
		return nil
	}
	if p := e.own(g); p == nil || p.Number != g.self { // SPEC I-8
		return fmt.Errorf("our own entry is gone or renumbered")
	}
	return nil
}
