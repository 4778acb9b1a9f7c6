package onion

import (
	"encoding/binary"
	"io"
	"net/netip"
	"slices"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/crypto"
)

// What the network decided about paths. Times are whole seconds.
const (
	ringSize    = 32 // path nodes, and bootstrap nodes
	pathsPerSet = 6
	pathUses    = 4    // unanswered ones, after which a path is given up
	pathWait    = 10   // seconds after the last of these uses
	pathFirst   = 4    // the same for a path that never answered
	pathNewUses = 2    // what a new path starts with
	pathLife    = 1200 // no path is older
	stableAfter = 90   // nodes and paths of this age are asked less often
	// What we decided.
	pathNodeGood = 182 // nodes heard in this time are preferred
	fewNodes     = 6   // with less a path may have a node twice
)

// ring is the latest nodes that paths can be made of.
type ring struct {
	nodes []ringNode // at most ringSize
	next  int        // makes room
}

type ringNode struct {
	Node
	heard int64
}

// add notes that a node is there. One that is in the ring keeps its place.
func (r *ring) add(sec int64, n Node) {
	if i := r.index(n.Key); i >= 0 {
		r.nodes[i] = ringNode{n, max(sec, r.nodes[i].heard)}
		return
	}
	if len(r.nodes) < ringSize {
		r.nodes = append(r.nodes, ringNode{n, sec})
		return
	}
	r.nodes[r.next] = ringNode{n, sec}
	r.next = (r.next + 1) % ringSize
}

func (r *ring) index(key packets.PublicKey) int {
	return slices.IndexFunc(r.nodes, func(n ringNode) bool { return n.Key == key })
}

func (r *ring) remove(key packets.PublicKey) {
	if i := r.index(key); i >= 0 {
		r.nodes = slices.Delete(r.nodes, i, i+1)
		r.next = 0
	}
}

// pick appends to dst at most n different nodes at random: of those heard
// lately if these are enough, else of all (SPEC T-63).
func (r *ring) pick(dst []Node, sec int64, n int, rand io.Reader) []Node {
	var places [ringSize]int
	good := places[:0]
	for i := range r.nodes {
		if r.nodes[i].heard+pathNodeGood > sec {
			good = append(good, i)
		}
	}
	if len(good) < n {
		good = good[:0]
		for i := range r.nodes {
			good = append(good, i)
		}
	}
	for range min(n, len(good)) {
		i := random(rand, len(good))
		dst = append(dst, r.nodes[good[i]].Node)
		good[i] = good[len(good)-1]
		good = good[:len(good)-1]
	}
	return dst
}

// path is three nodes and the keys that we share with them.
type path struct {
	number uint32 // names the path for ever; modulo pathsPerSet it is its place; 0: none
	nodes  [hops]Node
	public [hops]packets.PublicKey // by which the nodes know us
	keys   [hops]crypto.SharedKey
	made   int64
	used   int   // times since the last answer
	usedAt int64 // the pathUses-th time at the latest
	proven bool  // answered
}

// dead tells whether a path is to be replaced (SPEC T-66).
func (p *path) dead(sec int64) bool {
	wait := int64(pathWait)
	if !p.proven {
		wait = pathFirst
	}
	return p.number == 0 || p.made+pathLife <= sec || p.used >= pathUses && p.usedAt+wait <= sec
}

// stable tells whether a path has lasted and does not look broken.
func (p *path) stable(sec int64) bool {
	return p.made+stableAfter <= sec && (p.used == 0 || p.usedAt+pathWait > sec)
}

// pathSet is the paths for one purpose, so that who sees what we do for
// ourselves sees nothing of what we do for friends.
type pathSet [pathsPerSet]path

// find is the living path with a number, nil if there is none.
func (s *pathSet) find(sec int64, number uint32) *path {
	if p := &s[number%pathsPerSet]; number != 0 && p.number == number && !p.dead(sec) {
		return p
	}
	return nil
}

// path is the path to use next: the one with the number if it lives, else the
// one at its place, else (0) a random one. It is nil if no node is known.
func (c *Client) path(set *pathSet, number uint32) *path {
	sec := c.now.Seconds()
	i := int(number % pathsPerSet)
	if number == 0 {
		i = random(c.rand, pathsPerSet)
	}
	p := &set[i]
	if p.dead(sec) && !c.newPath(p, i) {
		return nil
	}
	if p.used < pathUses {
		p.usedAt = sec
	}
	p.used++
	return p
}

// newPath makes a path at place i of its set. A node is in it twice only if
// less than fewNodes are known (SPEC T-64).
func (c *Client) newPath(p *path, i int) bool {
	sec := c.now.Seconds()
	from := &c.ring
	if len(from.nodes) == 0 {
		from = &c.boots
	}
	if len(from.nodes) == 0 {
		return false
	}
	var picked [hops]Node
	if len(from.nodes) < fewNodes {
		for j := range picked {
			picked[j] = from.nodes[random(c.rand, len(from.nodes))].Node
		}
	} else {
		from.pick(picked[:0], sec, hops, c.rand)
	}
	c.serial++
	next := path{number: c.serial*pathsPerSet + uint32(i), nodes: picked, made: sec, used: pathNewUses}
	for j, n := range picked {
		pair := c.dht
		if j > 0 {
			pair = crypto.NewKeyPair(c.rand)
		}
		key, err := pair.Shared(n.Key)
		if err != nil {
			c.ring.remove(n.Key)
			c.boots.remove(n.Key)
			return false
		}
		next.public[j], next.keys[j] = pair.Public, key
	}
	*p = next
	return true
}

// answeredBy notes an answer through a path: it works, and so do its nodes.
func (c *Client) answeredBy(set *pathSet, number uint32) {
	p := &set[number%pathsPerSet]
	if p.number != number {
		return
	}
	p.used, p.proven = 0, true
	for _, n := range p.nodes {
		c.ring.add(c.now.Seconds(), n)
	}
}

// sendThrough sends payload, at most MaxPayload bytes, to an address by a path.
func (c *Client) sendThrough(p *path, to netip.AddrPort, payload []byte) {
	nonce := crypto.NewNonce(c.rand)
	inner := append(appendAddr(c.layers[0][:0], to), payload...)
	for j := hops - 1; j > 0; j-- {
		outer := appendAddr(c.layers[(hops-j)%2][:0], p.nodes[j].Addr)
		outer = append(outer, p.public[j][:]...)
		inner = p.keys[j].Seal(outer, &nonce, inner)
	}
	start := len(c.buf)
	f := forward{hop: 1, nonce: nonce, key: p.public[0]}
	c.buf = p.keys[0].Seal(f.appendHead(c.buf), &nonce, inner)
	c.send(p.nodes[0].Addr, start)
}

// random is a random number below n.
func random(rand io.Reader, n int) int {
	var b [8]byte
	crypto.Random(rand, b[:])
	return int(binary.BigEndian.Uint64(b[:]) % uint64(n))
}
