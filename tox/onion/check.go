package onion

import (
	"errors"
	"fmt"

	"github.com/tox-rejoin/rejoin/tox/dhtnode"
)

// errInvariant is what Check finds.
var errInvariant = errors.New("onion: invariant")

// Check asserts what must always hold, also against hostile nodes:
//
//   - Tables are bounded, and each key is in a table once.
//   - We are in none of them, and all addresses can be sent to.
//   - Lists are sorted by distance.
//   - A question belongs to a list that there is.
func (c *Client) Check() error {
	if len(c.friends) != len(c.byKey) || len(c.friends) > c.maxFriends {
		return fmt.Errorf("%w: %d friends, %d by key", errInvariant, len(c.friends), len(c.byKey))
	}
	for _, r := range []*ring{&c.ring, &c.boots} {
		if len(r.nodes) > ringSize || r.next >= ringSize {
			return fmt.Errorf("%w: %d path nodes", errInvariant, len(r.nodes))
		}
		for i, n := range r.nodes {
			if !c.usable(n.Node) || r.index(n.Key) != i {
				return fmt.Errorf("%w: path node %d, %v at %v", errInvariant, i, n.Key, n.Addr)
			}
		}
	}
	lists := map[*list]bool{&c.own: true}
	if err := c.checkList(&c.own); err != nil {
		return err
	}
	for _, f := range c.friends {
		if c.byKey[f.real] != f || f.real == c.self {
			return fmt.Errorf("%w: friend %v", errInvariant, f.real)
		}
		if err := c.checkList(&f.list); err != nil {
			return err
		}
		lists[&f.list] = true
	}
	for i := range c.sets {
		for j := range c.sets[i] {
			if p := &c.sets[i][j]; p.number != 0 && p.number%pathsPerSet != uint32(j) {
				return fmt.Errorf("%w: path %d at %d", errInvariant, p.number, j)
			}
		}
	}
	return c.pending.check(lists)
}

func (c *Client) checkList(l *list) error {
	if len(l.nodes) > l.limit {
		return fmt.Errorf("%w: list of %d nodes", errInvariant, len(l.nodes))
	}
	for i := range l.nodes {
		n := &l.nodes[i]
		if i > 0 && dhtnode.Compare(l.base, l.nodes[i-1].Key, n.Key) >= 0 {
			return fmt.Errorf("%w: node %d of the list of %v out of order", errInvariant, i, l.base)
		}
		if !c.usable(n.Node) || n.missed < 0 || n.missed > maxMissed || n.stored > selfStored {
			return fmt.Errorf("%w: node %v at %v, stored %d, missed %d", errInvariant, n.Key, n.Addr, n.stored, n.missed)
		}
	}
	return nil
}

func (p *pending) check(lists map[*list]bool) error {
	if p.next-p.first > outstanding {
		return fmt.Errorf("%w: %d questions", errInvariant, p.next-p.first)
	}
	for i := p.first; i < p.next; i++ {
		w := &p.ring[i%outstanding]
		if w.sendback != 0 && (w.sendback%outstanding != i%outstanding || !lists[w.list]) {
			return fmt.Errorf("%w: question %d to %v", errInvariant, i, w.node.Key)
		}
	}
	return nil
}
