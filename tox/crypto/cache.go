package crypto

import "github.com/tox-rejoin/rejoin/packets"

// What we decided about caches.
const (
	// MaxCached is how many shared keys a Cache keeps unless told otherwise.
	// Any sender can make us compute one, so there must be a bound.
	MaxCached = 1024
	// CacheIdle is how long an unused key is kept.
	CacheIdle = 600 * packets.Second
)

// Cache remembers the keys that one key pair shares with others: the least
// recently used makes room.
type Cache struct {
	pair    KeyPair
	limit   int
	index   map[packets.PublicKey]int32 // into entries; never ranged over
	entries []cached                    // [0] is the ring's anchor: next is the latest used, prev the oldest
	free    []int32                     // entries without a key
}

// cached is one shared key in a ring sorted by use.
type cached struct {
	peer       packets.PublicKey
	key        SharedKey
	used       packets.Time
	prev, next int32
}

// NewCache makes a cache of at most limit keys; 0 means MaxCached.
func NewCache(pair KeyPair, limit int) *Cache {
	if limit <= 0 {
		limit = MaxCached
	}
	return &Cache{pair: pair, limit: limit, index: map[packets.PublicKey]int32{}, entries: make([]cached, 1)}
}

// Pair is the key pair that the cache was made for.
func (c *Cache) Pair() KeyPair { return c.pair }

// Len is how many keys are kept.
func (c *Cache) Len() int { return len(c.index) }

// Shared is Pair().Shared(peer), computed only if it is not known. Keys that
// nobody used for CacheIdle are forgotten (SPEC T-6).
func (c *Cache) Shared(now packets.Time, peer packets.PublicKey) (SharedKey, error) {
	for oldest := c.entries[0].prev; oldest != 0 && c.entries[oldest].used+CacheIdle <= now; oldest = c.entries[0].prev {
		c.remove(oldest)
	}
	if i, ok := c.index[peer]; ok {
		c.unlink(i)
		c.link(i, now)
		return c.entries[i].key, nil
	}
	key, err := c.pair.Shared(peer)
	if err != nil {
		return SharedKey{}, err
	}
	if len(c.index) >= c.limit {
		c.remove(c.entries[0].prev)
	}
	i := c.slot()
	c.entries[i].peer, c.entries[i].key = peer, key
	c.index[peer] = i
	c.link(i, now)
	return key, nil
}

// Forget drops all keys.
func (c *Cache) Forget() {
	for c.entries[0].prev != 0 {
		c.remove(c.entries[0].prev)
	}
}

// slot is the place of an entry without a key.
func (c *Cache) slot() int32 {
	if n := len(c.free); n > 0 {
		i := c.free[n-1]
		c.free = c.free[:n-1]
		return i
	}
	c.entries = append(c.entries, cached{})
	return int32(len(c.entries) - 1)
}

// link makes entry i the latest used.
func (c *Cache) link(i int32, now packets.Time) {
	next := c.entries[0].next
	c.entries[i].used = now
	c.entries[i].prev, c.entries[i].next = 0, next
	c.entries[next].prev = i
	c.entries[0].next = i
}

func (c *Cache) unlink(i int32) {
	e := &c.entries[i]
	c.entries[e.prev].next = e.next
	c.entries[e.next].prev = e.prev
}

// remove forgets entry i and overwrites its key.
func (c *Cache) remove(i int32) {
	c.unlink(i)
	delete(c.index, c.entries[i].peer)
	c.entries[i] = cached{}
	c.free = append(c.free, i)
}
