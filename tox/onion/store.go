package onion

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"io"
	"net/netip"
	"slices"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/crypto"
	"github.com/tox-rejoin/rejoin/tox/dhtnode"
)

// What the network decided about announcements.
const (
	maxEntries = 160 // those closest to our DHT key stay
	storeLife  = 300 // seconds; also the length of a slot of ping ids
)

// What we decided about the store.
const (
	storeBurst  = 128 // packets of one source at once
	storeRate   = 64  // and a second
	storeBursts = 2048
	storeRates  = 1024
)

// Store keeps announcements of others: under which key they can be found, with
// which key data for them is to be sealed, and the way back to them. Make one
// with NewStore.
//
// Who wants to be kept must prove that it gets answers at its address: it asks
// twice, and the second time shows the ping id of the first answer.
type Store struct {
	keys  *crypto.Cache
	self  packets.PublicKey
	rand  io.Reader
	limit *crypto.Limiter
	mac   hash.Hash // of ping ids, with a secret of this run

	entries []entry // sorted by distance to self, the closest first

	outbox
	plain [maxPacket]byte
	sum   [sha256.Size]byte
}

// entry is one announcement.
type entry struct {
	key  packets.PublicKey // of whom it is: a long-term key
	data packets.PublicKey
	from netip.AddrPort // the last node of its path
	back [wayBack3]byte
	at   int64 // second
}

// Query is an announce request that waits for the nodes closest to Key. It is
// a value: it stays valid after the next call.
type Query struct {
	Key packets.PublicKey
	LAN bool // the asking node is in a private network: it may be told others in one

	requester packets.PublicKey
	from      netip.AddrPort
	back      [wayBack3]byte
	sendback  [sendbackSize]byte
	stored    byte
	token     packets.PublicKey
}

// NewStore makes an empty Store. It draws 32 bytes of cfg.Rand.
func NewStore(cfg Config) *Store {
	var secret [sha256.Size]byte
	crypto.Random(cfg.Rand, secret[:])
	return &Store{
		keys: crypto.NewCache(cfg.DHT, 0), self: cfg.DHT.Public, rand: cfg.Rand,
		limit: crypto.NewLimiter(crypto.Rate{Burst: storeBurst, Second: storeRate}, crypto.Rate{Burst: storeBursts, Second: storeRates}),
		mac:   hmac.New(sha256.New, secret[:]),
	}
}

// Len is how many announcements are kept, those that ran out included.
func (s *Store) Len() int { return len(s.entries) }

// Receive takes an announce request, which gives a Query, or a data request,
// which goes on to whom it is for. An error says why it was refused. p is not
// kept.
func (s *Store) Receive(now packets.Time, from netip.AddrPort, p []byte) error {
	s.begin(now)
	from = dhtnode.Unmap(from)
	if !dhtnode.Reachable(from) {
		return fmt.Errorf("%w: %v", ErrSource, from)
	}
	if len(p) > 0 && p[0] == DataRequest {
		return s.receiveData(from, p)
	}
	return s.receiveAnnounce(from, p)
}

// Answer sends the answer to a Query. near is the nodes closest to its Key, the
// closest first; of those that may be told, the first 4 are (SPEC T-60).
func (s *Store) Answer(now packets.Time, q Query, near []Node) {
	s.begin(now)
	key, err := s.keys.Shared(s.now, q.requester)
	if err != nil {
		return // not a Query of this Store
	}
	a := answer{stored: q.stored, token: q.token}
	for _, n := range near {
		if a.count < maxNodes && dhtnode.Reachable(n.Addr) && (q.LAN || !dhtnode.IsLAN(n.Addr.Addr())) {
			a.nodes[a.count] = n.Pack()
			a.count++
		}
	}
	start := len(s.buf)
	s.buf = append(append(s.buf, Return3), q.back[:]...)
	s.buf = append(append(s.buf, AnnounceResponse), q.sendback[:]...)
	s.buf = key.SealRandom(s.buf, s.rand, a.append(s.plain[:0], false))
	s.send(q.from, start)
}

func (s *Store) receiveAnnounce(from netip.AddrPort, p []byte) error {
	a, err := parseAnnounce(p)
	if err != nil {
		return err
	}
	if a.requester == s.self {
		return ErrOwnKey
	}
	if !s.limit.Allow(s.now, from) { // SPEC T-62
		return fmt.Errorf("%w: from %v", ErrFlood, from)
	}
	key, err := s.keys.Shared(s.now, a.requester)
	if err != nil {
		return err
	}
	plain, err := key.Open(s.plain[:0], &a.nonce, a.box)
	if err != nil {
		return err
	}
	x, err := parseQuestion(plain)
	if err != nil {
		return err
	}
	q := Query{
		Key: x.searched, LAN: dhtnode.IsLAN(from.Addr()), requester: a.requester, from: from,
		back: [wayBack3]byte(a.back), sendback: x.sendback,
	}
	slot := s.now.Seconds() / storeLife
	q.token = s.pingID(a.requester, from, slot)
	find := x.searched
	if old := s.pingID(a.requester, from, slot-1); crypto.Equal(x.pingID[:], q.token[:]) || crypto.Equal(x.pingID[:], old[:]) {
		s.keep(entry{a.requester, x.data, from, q.back, s.now.Seconds()})
		find = a.requester
	}
	switch e := s.find(find); { // SPEC T-59
	case e == nil:
	case e.key != a.requester:
		q.stored, q.token = othersStored, e.data
	case e.data == x.data:
		q.stored = selfStored
	}
	s.out.Queries = append(s.out.Queries, q)
	return nil
}

// pingID is what a requester at an address must show in the slot of time, or
// the one after (SPEC T-57).
func (s *Store) pingID(requester packets.PublicKey, from netip.AddrPort, slot int64) packets.PublicKey {
	s.mac.Reset()
	b := append(s.sum[:0], requester[:]...)
	s.mac.Write(b)
	b = binary.BigEndian.AppendUint64(appendAddr(s.sum[:0], from), uint64(slot))
	s.mac.Write(b)
	return packets.PublicKey(s.mac.Sum(s.sum[:0]))
}

// find is the entry of key, nil if it has none or it ran out.
func (s *Store) find(key packets.PublicKey) *entry {
	i, ok := s.search(key)
	if !ok || s.over(&s.entries[i]) {
		return nil
	}
	return &s.entries[i]
}

// search is where the entry of key is, or would be.
func (s *Store) search(key packets.PublicKey) (int, bool) {
	return slices.BinarySearchFunc(s.entries, key, func(e entry, key packets.PublicKey) int {
		return dhtnode.Compare(s.self, e.key, key)
	})
}

func (s *Store) over(e *entry) bool { return e.at+storeLife <= s.now.Seconds() }

// keep adds or renews an entry. When there is no room, those that ran out go,
// then the furthest (SPEC T-58).
func (s *Store) keep(e entry) {
	i, ok := s.search(e.key)
	if ok {
		s.entries[i] = e
		return
	}
	if len(s.entries) >= maxEntries {
		s.entries = slices.DeleteFunc(s.entries, func(e entry) bool { return s.over(&e) })
		i, _ = s.search(e.key)
	}
	if len(s.entries) >= maxEntries {
		if i == len(s.entries) {
			return
		}
		s.entries = s.entries[:len(s.entries)-1]
	}
	s.entries = slices.Insert(s.entries, i, e)
}

// receiveData sends data on to whom it is for (SPEC T-61).
func (s *Store) receiveData(from netip.AddrPort, p []byte) error {
	t, err := parseTransit(p)
	if err != nil {
		return err
	}
	e := s.find(t.receiver)
	if e == nil {
		return fmt.Errorf("%w: %v", ErrNotStored, t.receiver)
	}
	if !s.limit.Allow(s.now, from) {
		return fmt.Errorf("%w: from %v", ErrFlood, from)
	}
	start := len(s.buf)
	s.buf = append(append(s.buf, Return3), e.back[:]...)
	s.buf = append(append(s.buf, DataResponse), t.body...)
	s.send(e.from, start)
	return nil
}

// Tick forgets announcements that ran out.
func (s *Store) Tick(now packets.Time) {
	s.begin(now)
	s.entries = slices.DeleteFunc(s.entries, func(e entry) bool { return s.over(&e) })
}

// Poll returns the datagrams to send, the Queries to answer, and when the next
// announcement runs out.
func (s *Store) Poll() Output {
	var wake packets.Time
	for i := range s.entries {
		if t := packets.Time(s.entries[i].at+storeLife) * packets.Second; wake == 0 || t < wake {
			wake = t
		}
	}
	return s.poll(wake)
}

// Check asserts what must always hold: a bounded table, sorted by distance,
// where each key is once.
func (s *Store) Check() error {
	if len(s.entries) > maxEntries {
		return fmt.Errorf("%w: %d announcements", errInvariant, len(s.entries))
	}
	for i := range s.entries {
		if i > 0 && dhtnode.Compare(s.self, s.entries[i-1].key, s.entries[i].key) >= 0 {
			return fmt.Errorf("%w: announcement %d out of order", errInvariant, i)
		}
		if !dhtnode.Reachable(s.entries[i].from) {
			return fmt.Errorf("%w: announcement from %v", errInvariant, s.entries[i].from)
		}
	}
	return nil
}
