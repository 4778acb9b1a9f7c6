package dht

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/dhtnode"
)

// search is the hunt for one key: the nodes closest to it that answered. The
// closest of all is the node that has the key, once it is found.
type search struct {
	key    packets.PublicKey
	fake   bool    // for a random key, always there
	refs   int     // users; 0 for a fake
	nodes  []entry // sorted, the closest first; at most searchSize
	named  nearest
	rounds rounds
}

// Search looks for the node that has the DHT key, until StopSearch was called
// as often as Search. While it answers, Found events say where it is. It
// returns ErrSearchSelf, or ErrTooMany when MaxSearches keys are searched (SPEC T-37).
func (d *DHT) Search(now packets.Time, key packets.PublicKey) error {
	d.begin(now)
	if key == d.self {
		return ErrSearchSelf
	}
	s := d.byKey[key]
	switch {
	case s == nil && len(d.searches) == MaxSearches+fakes:
		return fmt.Errorf("%w: %d", ErrTooMany, MaxSearches)
	case s == nil:
		s = d.addSearch(key)
		for _, n := range d.Closest(now, nil, key, maxNamed, true) { // SPEC T-36
			s.named.add(n)
		}
	}
	s.refs++
	return nil
}

// StopSearch takes back one Search of the key. What was found is forgotten
// with the last one (SPEC T-37).
func (d *DHT) StopSearch(key packets.PublicKey) {
	s := d.byKey[key]
	if s == nil || s.fake {
		return
	}
	if s.refs--; s.refs > 0 {
		return
	}
	delete(d.byKey, key)
	d.searches = slices.DeleteFunc(d.searches, func(x *search) bool { return x == s })
}

// Lookup is where the searched key last answered; false if it did not lately.
func (d *DHT) Lookup(now packets.Time, key packets.PublicKey) (netip.AddrPort, bool) {
	s := d.byKey[key]
	if s == nil {
		return netip.AddrPort{}, false
	}
	return s.found(now.Seconds())
}

func (d *DHT) addSearch(key packets.PublicKey) *search {
	s := &search{key: key, named: nearest{base: key, limit: maxNamed}, rounds: rounds{at: never}}
	d.searches = append(d.searches, s)
	d.byKey[key] = s
	return s
}

// found is where the key itself is.
func (s *search) found(sec int64) (netip.AddrPort, bool) {
	if len(s.nodes) > 0 && s.nodes[0].key == s.key {
		if at := s.nodes[0].latest(sec, badAfter, true); at != nil {
			return at.addr, true
		}
	}
	return netip.AddrPort{}, false
}

// position is where key is in the list or would be.
func (s *search) position(key packets.PublicKey) (int, bool) {
	return slices.BinarySearchFunc(s.nodes, key, func(e entry, key packets.PublicKey) int { return dhtnode.Compare(s.key, e.key, key) })
}

// fits tells whether key is not a good node of the list and would be, if it
// answered: if it is closer than one of them, or one of them is not good.
func (s *search) fits(sec int64, key packets.PublicKey) bool {
	i, known := s.position(key)
	if known {
		return !s.nodes[i].good(sec)
	}
	return i < searchSize || replaceable(s.nodes, sec) >= 0
}

// heard notes that n answered and tells whether it is in the list now. It
// takes the place of one that is not good, or of the furthest (SPEC T-35).
func (s *search) heard(sec int64, n Node) bool {
	s.nodes = release(s.nodes, n)
	if i, known := s.position(n.Key); known {
		s.nodes[i].update(sec, n)
		return true
	}
	if !s.fits(sec, n.Key) {
		return false
	}
	if len(s.nodes) == searchSize {
		out := replaceable(s.nodes, sec)
		if out < 0 {
			out = searchSize - 1
		}
		s.nodes = slices.Delete(s.nodes, out, out+1)
	}
	i, _ := s.position(n.Key)
	s.nodes = slices.Insert(s.nodes, i, newEntry(sec, n))
	return true
}
