package dht

import (
	"net/netip"

	"github.com/tox-rejoin/rejoin/packets"
)

// closeList is our neighbours: many of those close to us, some of those far
// away, so that every key is a little closer to one of them.
type closeList struct {
	self    packets.PublicKey
	buckets [buckets][]entry // by bucketOf; at most bucketSize each
	named   nearest          // nodes that others named and that would fit
	rounds  rounds
}

func (l *closeList) bucket(key packets.PublicKey) *[]entry { return &l.buckets[bucketOf(l.self, key)] }

// find is the entry of key, nil if there is none.
func (l *closeList) find(key packets.PublicKey) *entry { return find(*l.bucket(key), key) }

// fits tells whether key is not a good node of the list and would be, if it
// answered.
func (l *closeList) fits(sec int64, key packets.PublicKey) bool {
	b := *l.bucket(key)
	if e := find(b, key); e != nil {
		return !e.good(sec)
	}
	return len(b) < bucketSize || replaceable(b, sec) >= 0
}

// heard notes that n answered. A full bucket of good nodes takes no newcomer:
// who has been there for long stays for long (SPEC T-25).
func (l *closeList) heard(sec int64, n Node) {
	for i := range l.buckets {
		l.buckets[i] = release(l.buckets[i], n)
	}
	b := l.bucket(n.Key)
	if e := find(*b, n.Key); e != nil {
		e.update(sec, n)
		return
	}
	if len(*b) < bucketSize {
		*b = append(*b, newEntry(sec, n))
	} else if i := replaceable(*b, sec); i >= 0 {
		(*b)[i] = newEntry(sec, n)
	}
}

// connected tells whether any neighbour, or one outside private networks, is
// good.
func (l *closeList) connected(sec int64, public bool) bool {
	for _, b := range &l.buckets {
		for i := range b {
			if b[i].latest(sec, badAfter, !public) != nil {
				return true
			}
		}
	}
	return false
}

// revive makes all addresses bad instead of dead, so that a node that lost its
// network goes on asking (SPEC T-32).
func (l *closeList) revive(sec int64) {
	for _, b := range &l.buckets {
		for i := range b {
			for j := range b[i].at {
				b[i].at[j].heard = sec - badAfter
			}
		}
	}
}

// ownAddress is the address that most neighbours told us as ours (SPEC T-40).
func (l *closeList) ownAddress(sec int64, family int) (best netip.AddrPort, ok bool) {
	type vote struct {
		addr  netip.AddrPort
		count int
	}
	var votes []vote
	most := 0
	for _, b := range &l.buckets {
		for i := range b {
			s := &b[i].at[family]
			if !s.toldLately(sec) || familyIndex(s.told.Addr().Is6()) != family {
				continue
			}
			j := 0
			for j < len(votes) && votes[j].addr != s.told {
				j++
			}
			if j == len(votes) {
				votes = append(votes, vote{addr: s.told})
			}
			if votes[j].count++; votes[j].count > most {
				best, most = s.told, votes[j].count
			}
		}
	}
	return best, most > 0
}
