package dht

import (
	"fmt"
	"slices"

	"github.com/tox-rejoin/rejoin/tox/dhtnode"
)

// Check asserts what must always hold, also against hostile nodes. It returns
// the first thing that does not.
func (d *DHT) Check() error {
	for i, b := range &d.close.buckets {
		if len(b) > bucketSize {
			return fmt.Errorf("dht: %d nodes in bucket %d", len(b), i)
		}
		for j := range b {
			if at := bucketOf(d.self, b[j].key); at != i {
				return fmt.Errorf("dht: %v in bucket %d instead of %d", b[j].key, i, at)
			}
		}
		if err := d.checkList(b); err != nil {
			return fmt.Errorf("dht: bucket %d: %w", i, err)
		}
	}
	if len(d.searches) != len(d.byKey) || len(d.searches) > MaxSearches+fakes {
		return fmt.Errorf("dht: %d searches, %d by key", len(d.searches), len(d.byKey))
	}
	for i, s := range d.searches {
		switch {
		case d.byKey[s.key] != s:
			return fmt.Errorf("dht: search %d of %v is not the one by its key", i, s.key)
		case s.fake != (i < fakes):
			return fmt.Errorf("dht: search %d is random: %t", i, s.fake)
		case s.fake != (s.refs == 0):
			return fmt.Errorf("dht: search of %v has %d users", s.key, s.refs)
		case len(s.nodes) > searchSize:
			return fmt.Errorf("dht: search of %v holds %d nodes", s.key, len(s.nodes))
		case !slices.IsSortedFunc(s.nodes, func(a, b entry) int { return dhtnode.Compare(s.key, a.key, b.key) }):
			return fmt.Errorf("dht: search of %v is not sorted", s.key)
		}
		if err := d.checkList(s.nodes); err != nil {
			return fmt.Errorf("dht: search of %v: %w", s.key, err)
		}
		if err := d.checkNearest(&s.named); err != nil {
			return fmt.Errorf("dht: named for %v: %w", s.key, err)
		}
	}
	if err := d.checkNearest(&d.close.named); err != nil {
		return fmt.Errorf("dht: named neighbours: %w", err)
	}
	if err := d.checkNearest(&d.maybe); err != nil {
		return fmt.Errorf("dht: to be pinged: %w", err)
	}
	if len(d.boots) > MaxBootstraps || len(d.restored) > MaxRestored {
		return fmt.Errorf("dht: %d bootstrap nodes, %d saved ones", len(d.boots), len(d.restored))
	}
	if err := d.pings.check(); err != nil {
		return fmt.Errorf("dht: pings: %w", err)
	}
	if err := d.asked.check(); err != nil {
		return fmt.Errorf("dht: nodes requests: %w", err)
	}
	return nil
}

// checkList: every node is another one and not we, and has an address that we
// can use, each in the place of its family.
func (d *DHT) checkList(list []entry) error {
	for i := range list {
		e := &list[i]
		if find(list, e.key) != e {
			return fmt.Errorf("%v twice", e.key)
		}
		used := 0
		for j := range e.at {
			s := &e.at[j]
			if !s.addr.IsValid() {
				continue
			}
			used++
			if !d.usable(Node{Key: e.key, Addr: s.addr}) || e.seenAt(s.addr) != s {
				return fmt.Errorf("%v at %v in place %d", e.key, s.addr, j)
			}
		}
		if used == 0 {
			return fmt.Errorf("%v without an address", e.key)
		}
	}
	return nil
}

func (d *DHT) checkNearest(x *nearest) error {
	if len(x.nodes) > x.limit {
		return fmt.Errorf("%d nodes, limit %d", len(x.nodes), x.limit)
	}
	for i, n := range x.nodes {
		if !d.usable(n) {
			return fmt.Errorf("%v at %v", n.Key, n.Addr)
		}
		for _, m := range x.nodes[:i] {
			if m.Key == n.Key {
				return fmt.Errorf("%v twice", n.Key)
			}
		}
	}
	return nil
}

// check: as many questions by address as in the table.
func (p *pending) check() error {
	open := 0
	for i := p.first; i < p.next; i++ {
		q := &p.ring[i%outstanding]
		if q.id == 0 {
			continue
		}
		open++
		if q.id%outstanding != i%outstanding || p.at[q.to.Addr] == 0 {
			return fmt.Errorf("question to %v in a wrong place", q.to.Key)
		}
	}
	if p.next-p.first > outstanding || len(p.at) > open || open > 0 && len(p.at) == 0 {
		return fmt.Errorf("%d questions of %d to %d addresses", open, p.next-p.first, len(p.at))
	}
	return nil
}
