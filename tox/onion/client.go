package onion

import (
	"fmt"
	"io"
	"slices"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/crypto"
	"github.com/tox-rejoin/rejoin/tox/dhtnode"
)

// What we decided about clients.
const (
	// MaxFriends is how many friends are searched unless Config says otherwise.
	MaxFriends  = 1024
	friendKeys  = 32  // shared keys kept for one friend's search
	maxAsks     = 256 // questions and DHT keys for friends in one second
	maxRequests = 32  // friend requests that are told apart from their copies
	requestWait = 30  // seconds in which the same request is a copy
	dataBurst   = 128 // data responses of one source at once
	dataRate    = 64  // and a second
	dataBursts  = 512
	dataRates   = 256 // data responses of all sources a second: 2 % of a core
)

// Client finds friends and lets them find us. Make one with NewClient.
type Client struct {
	dht        crypto.KeyPair
	self       packets.PublicKey // our long-term key
	real       *crypto.Cache     // keys shared with our long-term key
	data       crypto.KeyPair    // for what is sent to us, of this run
	rand       io.Reader
	ipv4Only   bool
	maxFriends int
	limit      *crypto.Limiter // of data responses

	ring, boots ring
	sets        [2]pathSet
	serial      uint32 // of the last path
	own         list
	friends     []*friend
	byKey       map[packets.PublicKey]*friend // never ranged over
	first       int                           // friend with whom the next tick begins
	pending     pending
	asks        int // left of maxAsks in this second
	nodes       []packets.Node
	requests    [maxRequests]seen
	hand        int // of requests, makes room

	started   int64 // second of the first tick
	ticked    int64
	answered  int64 // second of the last answer
	announced int64 // second of the last announcement
	filled    int64 // second in which random nodes were last asked
	runs      int   // good seconds, minus bad ones
	online    bool

	outbox
	layers  [2][maxPacket]byte
	plain   [maxPacket]byte
	inner   [maxPacket]byte
	payload [maxPacket]byte
}

// friend is somebody whom we search.
type friend struct {
	real   packets.PublicKey
	shared crypto.SharedKey  // of the long-term keys
	list   list              // quiet while the friend is online
	dht    packets.PublicKey // 0: not known
	number uint64            // no-replay number of its last DHT key
	sent   uint64            // of our last one

	rounds    int   // of questions
	next      int64 // second of the next round
	onionSent int64 // second in which our DHT key was last sent
	dhtSent   int64
}

// NewClient makes a Client that knows nobody. It draws 32 bytes of cfg.Rand.
func NewClient(cfg Config) *Client {
	c := &Client{
		dht: cfg.DHT, self: cfg.Real.Public, real: crypto.NewCache(cfg.Real, 0), data: crypto.NewKeyPair(cfg.Rand),
		rand: cfg.Rand, ipv4Only: cfg.IPv4Only, maxFriends: cfg.MaxFriends,
		limit:   crypto.NewLimiter(crypto.Rate{Burst: dataBurst, Second: dataRate}, crypto.Rate{Burst: dataBursts, Second: dataRates}),
		byKey:   map[packets.PublicKey]*friend{},
		started: never, ticked: never, answered: never, announced: never, filled: never,
	}
	if c.maxFriends <= 0 {
		c.maxFriends = MaxFriends
	}
	c.own = list{base: c.self, keys: c.real, data: c.data.Public, paths: &c.sets[0], limit: selfNodes}
	return c
}

// AddPathNode tells a node of which paths can be made: one that answered the
// DHT's searches for random keys, not one near somebody whom we look for. The
// latest 32 are used; it should be told again while it answers (SPEC T-63).
func (c *Client) AddPathNode(now packets.Time, n Node) {
	c.begin(now)
	if n.Addr = dhtnode.Unmap(n.Addr); c.usable(n) {
		c.ring.add(c.now.Seconds(), n)
	}
}

// AddBootstrapNode tells a node of which paths are made as long as there are
// no path nodes.
func (c *Client) AddBootstrapNode(now packets.Time, n Node) {
	c.begin(now)
	if n.Addr = dhtnode.Unmap(n.Addr); c.usable(n) {
		c.boots.add(c.now.Seconds(), n)
	}
}

// SetNodes says which nodes to tell friends with our DHT key: TCP relays that
// we use, then nodes close to us. The first 4 count.
func (c *Client) SetNodes(nodes []packets.Node) {
	c.nodes = append(c.nodes[:0], nodes[:min(len(nodes), maxNodes)]...)
}

// AddFriend begins to search a friend, who is offline. It costs two X25519. It
// does nothing if the friend is there, and returns ErrOwnKey, ErrTooMany or
// crypto.ErrLowOrder.
func (c *Client) AddFriend(now packets.Time, real packets.PublicKey) error {
	c.begin(now)
	switch {
	case c.byKey[real] != nil:
		return nil
	case real == c.self:
		return ErrOwnKey
	case len(c.friends) >= c.maxFriends:
		return fmt.Errorf("%w: %d", ErrTooMany, len(c.friends))
	}
	shared, err := c.real.Pair().Shared(real)
	if err != nil {
		return err
	}
	f := &friend{real: real, shared: shared, onionSent: never, dhtSent: never, next: never}
	f.list = list{
		base: real, keys: crypto.NewCache(crypto.NewKeyPair(c.rand), friendKeys),
		paths: &c.sets[1], limit: friendNodes,
	}
	c.friends = append(c.friends, f)
	c.byKey[real] = f
	return nil
}

// RemoveFriend forgets a friend.
func (c *Client) RemoveFriend(real packets.PublicKey) {
	f := c.byKey[real]
	if f == nil {
		return
	}
	delete(c.byKey, real)
	c.friends = slices.DeleteFunc(c.friends, func(x *friend) bool { return x == f })
	c.pending.forget(&f.list)
}

// FriendOnline says whether there is a connection with a friend; nothing is
// done for those who are online. For one who went offline its node is given up,
// the search begins anew, and DHT keys with lower numbers are taken again: its clock may have
// been set back.
func (c *Client) FriendOnline(now packets.Time, real packets.PublicKey, online bool) error {
	c.begin(now)
	f := c.byKey[real]
	if f == nil {
		return fmt.Errorf("%w: %v", ErrUnknown, real)
	}
	if f.list.quiet && !online {
		f.number, f.rounds, f.next = 0, 0, never
		c.gone(f.dht)
	}
	f.list.quiet = online
	return nil
}

// gone gives up the node of a friend who has just gone, and the paths by it. In
// a small network most are; the nodes that would reach us by one of them are
// asked again within seconds, by another (SPEC T-66).
func (c *Client) gone(key packets.PublicKey) {
	c.ring.remove(key)
	for s := range c.sets {
		for i := range c.sets[s] {
			p := &c.sets[s][i]
			if slices.ContainsFunc(p.nodes[:], func(n Node) bool { return n.Key == key }) {
				*p = path{}
			}
		}
	}
	c.own.remove(key)
	for _, f := range c.friends {
		f.list.remove(key)
	}
}

// SetDHTKeyOf says what the DHT key of a friend is, so that ours also goes to
// it through the DHT; the zero key means that it is not known.
func (c *Client) SetDHTKeyOf(now packets.Time, real, dht packets.PublicKey) error {
	c.begin(now)
	f := c.byKey[real]
	if f == nil {
		return fmt.Errorf("%w: %v", ErrUnknown, real)
	}
	if f.dht != dht {
		c.gone(f.dht)
		f.dht, f.dhtSent = dht, never
	}
	return nil
}

// SendRequest sends a friend request with 1 to MaxRequestText bytes of text to
// somebody who was added. It returns through how many nodes, 0 while too few
// are known that keep the announcement; nothing says whether it arrived. It
// returns ErrUnknown or ErrText (SPEC T-88).
func (c *Client) SendRequest(now packets.Time, real packets.PublicKey, noSpam [packets.NoSpamSize]byte, text []byte) (int, error) {
	c.begin(now)
	f := c.byKey[real]
	switch {
	case f == nil:
		return 0, fmt.Errorf("%w: %v", ErrUnknown, real)
	case len(text) == 0 || len(text) > MaxRequestText:
		return 0, fmt.Errorf("%w, not %d", ErrText, len(text))
	}
	r := request{noSpam, text}
	return c.sendData(f, r.append(c.plain[:0])), nil
}

// Connected tells whether we are announced well enough to be found.
func (c *Client) Connected() bool { return c.online }

// Poll returns what the inputs since the last Poll gave. While a node is known
// there is something to do in each second.
func (c *Client) Poll() Output {
	switch {
	case len(c.ring.nodes)+len(c.boots.nodes) == 0:
		return c.poll(0)
	case c.ticked < c.now.Seconds():
		return c.poll(c.now)
	}
	return c.poll(packets.Time(c.ticked+1) * packets.Second)
}

// usable tells whether we can send to n at all.
func (c *Client) usable(n Node) bool {
	return n.Key != c.dht.Public && dhtnode.Reachable(n.Addr) && (!c.ipv4Only || n.Addr.Addr().Is4())
}

// Stored is how many nodes keep our announcement, by what they said last.
func (c *Client) Stored() int {
	_, stored := c.own.count(c.now.Seconds())
	return stored
}
