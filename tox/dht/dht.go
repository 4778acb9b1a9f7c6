// Package dht is one node of Tox's distributed hash table: it finds the
// addresses of DHT keys, answers others who look for some, and passes packets
// on to nodes that cannot be reached directly.
//
// A node knows its closest neighbours (the close list) and, for each key it
// searches, the 8 nodes closest to that key. Distance is the XOR of two keys.
// Only who answered a question of ours enters a list. Two searches for random
// keys always run: their nodes are safe to show to strangers, because they say
// nothing about whom we look for.
//
// The machine is pure: it has one owner, who gives it packets, the time and a
// random source and does what Poll says. It does its periodic work once in
// each second of the clock, like every DHT node.
//
// Packets (all numbers big endian, key = 32 bytes, box = XSalsa20-Poly1305):
//
//	0x00 ping request   sender key | nonce 24 | box(0x00 | ping id 8)
//	0x01 ping response  sender key | nonce 24 | box(0x01 | ping id 8)
//	0x02 nodes request  sender key | nonce 24 | box(wanted key | ping id 8)
//	0x04 nodes response sender key | nonce 24 | box(count 1 | 1-4 packed nodes | ping id 8)
//	0x20 routed request receiver key | sender key | nonce 24 | box(sub id 1 | data)
//	0xf0 bootstrap info request: 77 ignored bytes; response: version 4 | motd 0-256
//
// Sources: the Tox protocol text, and c-toxcore 0.2.18 to 0.2.23 as observed.
package dht

import (
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"slices"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/crypto"
	"github.com/tox-rejoin/rejoin/tox/dhtnode"
)

// What the network decided. Times are whole seconds.
const (
	askEvery       = 60  // each node of a list is asked for its list's key
	askRandomEvery = 20  // one random good node of a list is asked
	quickRounds    = 5   // so many of these come every second, at the start of a list
	badAfter       = 122 // silent so long: not told to others, may be replaced
	deadAfter      = 182 // silent so long: no longer asked
	maybeEvery     = 2   // nodes that asked us something are pinged
	answerIn       = 5 * packets.Second

	bucketSize  = 8   // nodes in one bucket of the close list
	buckets     = 128 // by the first bit that differs from our key, the last for all further ones
	searchSize  = 8   // nodes in the list of a searched key
	maxNodes    = 4   // nodes in one response
	maxMaybe    = 32  // strangers that wait to be pinged
	maxClose    = 8   // named nodes that wait to be asked, for the close list
	maxNamed    = 4   // named nodes that wait to be asked, for a searched key
	fakes       = 2   // searches for random keys
	outstanding = 512 // questions that wait for their answer, pings and nodes requests each
	maxRouted   = 1024
	// MaxMOTD is the longest message of the day in bytes.
	MaxMOTD = 256
)

// What we decided.
const (
	MaxSearches    = 512 // searched keys at once
	MaxBootstraps  = 32  // bootstrap nodes that are kept to be asked again
	MaxRestored    = 256 // nodes of an earlier run that wait to be asked
	restorePerTick = 8   // of them asked in a second, until we are connected
	bootstrapEvery = 5   // seconds between two attempts while nobody is known
	sourceBurst    = 128 // packets of one source at once
	sourceRate     = 32  // and a second
	totalBurst     = 2048
	totalRate      = 1024 // unasked packets of all sources a second: 7 % of a core if all of them need a new shared key
)

// never is a stamp before all times.
const never = -1 << 40

// Errors of Receive. A packet that is refused changes nothing but the buckets
// that count packets.
var (
	ErrLength       = errors.New("dht: wrong length")
	ErrKind         = errors.New("dht: not a packet of the DHT")
	ErrSource       = errors.New("dht: from an address that nobody can have")
	ErrOwnKey       = errors.New("dht: names our own key as sender")
	ErrFlood        = errors.New("dht: too many packets")
	ErrUnasked      = errors.New("dht: answer to nothing that we asked")
	ErrNodes        = errors.New("dht: malformed list of nodes")
	ErrPlain        = errors.New("dht: malformed plaintext")
	ErrNotNeighbour = errors.New("dht: routed request for a node that is not close to us")
	ErrSubID        = errors.New("dht: routed request that nobody takes")
	ErrStranger     = errors.New("dht: NAT ping of a key that we do not search")
)

// Errors of verbs.
var (
	ErrTooMany    = errors.New("dht: too many searches")
	ErrSearchSelf = errors.New("dht: search for our own key")
	ErrTooLong    = errors.New("dht: routed data too long or empty")
)

// Config is what a DHT needs to know at its start.
type Config struct {
	// Keys caches the keys shared with the DHT key pair of this run. Other
	// machines of the node use the same cache. Required.
	Keys *crypto.Cache
	// Rand gives the two random keys (32 bytes each), nonces, ping ids and
	// choices. Required.
	Rand io.Reader
	// IPv4Only is set if the node's socket cannot send to IPv6 addresses.
	IPv4Only bool
	// MOTD, at most MaxMOTD bytes, and Version answer bootstrap info requests;
	// with a nil MOTD none is answered, as clients do.
	MOTD    []byte
	Version uint32
}

// Node is a node of the DHT.
type Node = dhtnode.Node

// DHT is one node of the distributed hash table. Make one with New.
type DHT struct {
	keys     *crypto.Cache
	self     packets.PublicKey
	rand     io.Reader
	ipv4Only bool
	info     Info
	answers  bool // bootstrap info requests

	close    closeList
	searches []*search                     // the fakes first
	byKey    map[packets.PublicKey]*search // never ranged over
	pings    pending
	asked    pending // nodes requests
	maybe    nearest // strangers to ping
	maybeAt  int64
	boots    []Node
	bootAt   int64
	restored []Node
	limit    *crypto.Limiter

	ticked int64        // second of the last periodic work
	now    packets.Time // of the last input
	out    outbox

	// Scratch memory of one call.
	plain  [maxRouted]byte
	near   []Node
	good   []Node
	routes []netip.AddrPort
}

// New makes a DHT node that knows nobody. It panics without Keys, Rand or with
// an MOTD that is too long.
func New(cfg Config) *DHT {
	if cfg.Keys == nil || cfg.Rand == nil || len(cfg.MOTD) > MaxMOTD {
		panic("dht: Config needs Keys and Rand, and an MOTD of at most 256 bytes")
	}
	d := &DHT{
		keys: cfg.Keys, self: cfg.Keys.Pair().Public, rand: cfg.Rand, ipv4Only: cfg.IPv4Only,
		info: Info{Version: cfg.Version, MOTD: slices.Clone(cfg.MOTD)}, answers: cfg.MOTD != nil,
		close: closeList{rounds: rounds{at: never}},
		byKey: make(map[packets.PublicKey]*search),
		pings: newPending(), asked: newPending(),
		maybeAt: never, bootAt: never, ticked: never,
		limit: crypto.NewLimiter(crypto.Rate{Burst: sourceBurst, Second: sourceRate}, crypto.Rate{Burst: totalBurst, Second: totalRate}),
	}
	d.close.self, d.close.named.base, d.maybe.base = d.self, d.self, d.self
	d.close.named.limit, d.maybe.limit = maxClose, maxMaybe
	for range fakes {
		var key packets.PublicKey
		crypto.Random(d.rand, key[:])
		d.addSearch(key).fake = true
	}
	return d
}

// Key is our DHT key of this run.
func (d *DHT) Key() packets.PublicKey { return d.self }

// Connected tells whether a neighbour answered lately.
func (d *DHT) Connected(now packets.Time) bool { return d.close.connected(now.Seconds(), false) }

// ConnectedPublic tells whether a neighbour outside private networks answered
// lately; only then a stock client calls itself connected by UDP.
func (d *DHT) ConnectedPublic(now packets.Time) bool { return d.close.connected(now.Seconds(), true) }

// OwnAddress is the address under which most of our neighbours see us, of IPv6
// or IPv4; false if none told.
func (d *DHT) OwnAddress(now packets.Time, ipv6 bool) (netip.AddrPort, bool) {
	return d.close.ownAddress(now.Seconds(), familyIndex(ipv6))
}

// Closest appends to dst the at most n nodes closest to key that answered
// lately, the closest first, from all lists. Those in private networks are
// named only if lan is set: whoever gets the answer must be in one itself (SPEC T-17).
func (d *DHT) Closest(now packets.Time, dst []Node, key packets.PublicKey, n int, lan bool) []Node {
	c := collector{key: key, nodes: dst, from: len(dst), limit: n, lan: lan, sec: now.Seconds()}
	for i := range d.close.buckets {
		c.add(d.close.buckets[i])
	}
	for _, s := range d.searches {
		c.add(s.nodes)
	}
	return c.nodes
}

// PathNodes appends to dst the nodes of the two random searches that answered
// lately. Onion paths are built of these and no others, since the nodes of
// other searches tell whom we look for (SPEC T-38).
func (d *DHT) PathNodes(now packets.Time, dst []Node) []Node {
	c := collector{key: d.searches[0].key, nodes: dst, from: len(dst), limit: fakes * searchSize, lan: true, sec: now.Seconds()}
	for _, s := range d.searches[:fakes] {
		c.add(s.nodes)
	}
	return c.nodes
}

// Known appends to dst the neighbours that answered lately, for the save file.
func (d *DHT) Known(now packets.Time, dst []Node) []Node {
	c := collector{key: d.self, nodes: dst, from: len(dst), limit: buckets * bucketSize, lan: true, sec: now.Seconds()}
	for i := range d.close.buckets {
		c.add(d.close.buckets[i])
	}
	return c.nodes
}

// Bootstrap asks the node with key at addr for nodes close to us, and again
// every few seconds as long as nobody answers us. The last MaxBootstraps nodes
// are kept; an address that we cannot send to is ignored (SPEC T-41).
func (d *DHT) Bootstrap(now packets.Time, addr netip.AddrPort, key packets.PublicKey) {
	d.begin(now)
	n := Node{Key: key, Addr: dhtnode.Unmap(addr)}
	if !d.usable(n) {
		return
	}
	d.boots = slices.DeleteFunc(d.boots, func(b Node) bool { return b == n })
	if len(d.boots) == MaxBootstraps {
		d.boots = d.boots[1:]
	}
	d.boots = append(d.boots, n)
	d.bootAt = now.Seconds()
	d.ask(now, n, d.self)
}

// Restore takes nodes of an earlier run. 8 a second are asked until we are
// connected; more than MaxRestored are left out (SPEC T-42).
func (d *DHT) Restore(now packets.Time, nodes []Node) {
	d.begin(now)
	for _, n := range nodes {
		n.Addr = dhtnode.Unmap(n.Addr)
		if len(d.restored) < MaxRestored && d.usable(n) {
			d.restored = append(d.restored, n)
		}
	}
}

// Ask asks one node for the nodes closest to wanted. That is how a search goes
// on from nodes that somebody named to us.
func (d *DHT) Ask(now packets.Time, via Node, wanted packets.PublicKey) {
	d.begin(now)
	via.Addr = dhtnode.Unmap(via.Addr)
	d.ask(now, via, wanted)
}

// usable tells whether we can send to n at all.
func (d *DHT) usable(n Node) bool {
	return n.Key != d.self && dhtnode.Reachable(n.Addr) && (!d.ipv4Only || n.Addr.Addr().Is4())
}

// random is a random number below n.
func (d *DHT) random(n int) int {
	var b [8]byte
	crypto.Random(d.rand, b[:])
	return int(binary.BigEndian.Uint64(b[:]) % uint64(n))
}
