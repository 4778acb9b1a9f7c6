package dht

import (
	"math/bits"
	"net/netip"
	"slices"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/dhtnode"
)

// seen is one address of a node. Stamps are seconds.
type seen struct {
	addr   netip.AddrPort // invalid: no address of this family
	heard  int64          // it last answered
	asked  int64          // it was last asked in a round of its list
	told   netip.AddrPort // what it told: our address (close list) or that of the searched key
	toldAt int64
}

// alive tells whether the address answered in the last age seconds.
func (s *seen) alive(sec, age int64) bool { return s.addr.IsValid() && s.heard+age > sec }

// toldLately tells whether told is still worth something.
func (s *seen) toldLately(sec int64) bool {
	return s.addr.IsValid() && s.told.IsValid() && s.toldAt+badAfter > sec
}

// entry is a node in a list, with an address of each family: IPv4 and IPv6 (SPEC T-29).
type entry struct {
	key packets.PublicKey
	at  [2]seen
}

// familyIndex is the place in entry.at.
func familyIndex(ipv6 bool) int {
	if ipv6 {
		return 1
	}
	return 0
}

func (e *entry) seenAt(a netip.AddrPort) *seen { return &e.at[familyIndex(a.Addr().Is6())] }

// latest is the address heard last, within age seconds and, unless lan is set,
// outside private networks; nil if there is none.
func (e *entry) latest(sec, age int64, lan bool) (best *seen) {
	for i := range e.at {
		s := &e.at[i]
		if s.alive(sec, age) && (lan || !dhtnode.IsLAN(s.addr.Addr())) && (best == nil || s.heard > best.heard) {
			best = s
		}
	}
	return best
}

// good tells whether the node answered lately, so that it keeps its place (SPEC T-26).
func (e *entry) good(sec int64) bool { return e.latest(sec, badAfter, true) != nil }

// newEntry is an entry of a node that has just answered and is to be asked in
// the next round.
func newEntry(sec int64, n Node) (e entry) {
	e.key = n.Key
	*e.seenAt(n.Addr) = seen{addr: n.Addr, heard: sec, asked: never}
	return e
}

// find is the entry of key, nil if there is none.
func find(list []entry, key packets.PublicKey) *entry {
	for i := range list {
		if list[i].key == key {
			return &list[i]
		}
	}
	return nil
}

// update notes that the node answered from n.Addr. An address in a private
// network that works is not given up for one outside (SPEC T-27).
func (e *entry) update(sec int64, n Node) {
	s := e.seenAt(n.Addr)
	switch {
	case !s.addr.IsValid():
		*s = seen{addr: n.Addr, heard: sec, asked: never}
	case s.addr != n.Addr && s.alive(sec, badAfter) && dhtnode.IsLAN(s.addr.Addr()) && !dhtnode.IsLAN(n.Addr.Addr()):
	default:
		s.addr, s.heard = n.Addr, sec
	}
}

// release takes n's address from every other key: a node that started anew has
// a new one. Who has no address left leaves the list (SPEC T-28).
func release(list []entry, n Node) []entry {
	i := familyIndex(n.Addr.Addr().Is6())
	for j := 0; j < len(list); j++ {
		e := &list[j]
		if e.key == n.Key || e.at[i].addr != n.Addr {
			continue
		}
		e.at[i] = seen{}
		if !e.at[1-i].addr.IsValid() {
			list = slices.Delete(list, j, j+1)
			j--
		}
	}
	return list
}

// replaceable is the index of the first entry that a newcomer may have: -1 if
// all are good.
func replaceable(list []entry, sec int64) int {
	return slices.IndexFunc(list, func(e entry) bool { return !e.good(sec) })
}

// bucketOf is the number of leading bits that two keys share, but at most the
// last bucket (SPEC T-24).
func bucketOf(self, key packets.PublicKey) int {
	for i := range self {
		if x := self[i] ^ key[i]; x != 0 {
			return min(8*i+bits.LeadingZeros8(x), buckets-1)
		}
	}
	return buckets - 1
}

// nearest is at most limit different nodes; the furthest from base make room.
type nearest struct {
	base  packets.PublicKey
	limit int
	nodes []Node
}

func (x *nearest) add(n Node) {
	furthest := -1
	for i := range x.nodes {
		if x.nodes[i].Key == n.Key {
			return
		}
		if furthest < 0 || dhtnode.Closer(x.base, x.nodes[furthest].Key, x.nodes[i].Key) {
			furthest = i
		}
	}
	switch {
	case len(x.nodes) < x.limit:
		x.nodes = append(x.nodes, n)
	case dhtnode.Closer(x.base, n.Key, x.nodes[furthest].Key):
		x.nodes[furthest] = n
	}
}

// take returns the nodes, valid until the next add, and forgets them.
func (x *nearest) take() []Node {
	l := x.nodes
	x.nodes = x.nodes[:0]
	return l
}

// collector gathers the good nodes of lists that are closest to key, in
// nodes[from:].
type collector struct {
	key   packets.PublicKey
	nodes []Node
	from  int
	limit int
	lan   bool // private networks, too
	sec   int64
}

func (c *collector) add(list []entry) {
	for i := range list {
		e := &list[i]
		s := e.latest(c.sec, badAfter, c.lan)
		if s == nil {
			continue
		}
		got := c.nodes[c.from:]
		at, known := slices.BinarySearchFunc(got, e.key, func(n Node, key packets.PublicKey) int {
			return dhtnode.Compare(c.key, n.Key, key)
		})
		if known || at >= c.limit {
			continue
		}
		if len(got) == c.limit {
			c.nodes = c.nodes[:len(c.nodes)-1]
		}
		c.nodes = slices.Insert(c.nodes, c.from+at, Node{Key: e.key, Addr: s.addr})
	}
}

// rounds is when a list last asked one of its nodes at random.
type rounds struct {
	at    int64
	quick int // how many of these there were, up to quickRounds
}
