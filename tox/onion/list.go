package onion

import (
	"slices"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/crypto"
	"github.com/tox-rejoin/rejoin/tox/dhtnode"
)

// What the network decided about the nodes that keep announcements.
const (
	selfNodes   = 12 // that keep ours
	friendNodes = 8  // that we ask for one friend
	maxMissed   = 3  // unanswered questions
	missedWait  = 15 // seconds after the last of them until a node is dropped
	recentSize  = 9
	namedEvery  = 10 // seconds until a node that others named is asked again
	// What we decided: the same for nodes that we take at random.
	randomEvery = 3
)

// list is the nodes closest to a long-term key that answered us.
type list struct {
	base   packets.PublicKey // whose announcement they keep or may keep
	keys   *crypto.Cache     // of the key pair that asks
	data   packets.PublicKey // our data key if base is ours, else 0
	paths  *pathSet
	limit  int
	quiet  bool       // its friend is online: nobody is asked
	nodes  []listNode // at most limit, the closest first
	recent [recentSize]recentNode
	hand   int // of recent, makes room
}

// listNode is a node that answered.
type listNode struct {
	Node
	stored byte
	token  packets.PublicKey // what stored says
	path   uint32            // by which it answered
	added  int64
	asked  int64 // the last question to it as a member
	missed int   // questions since its last answer
}

// recentNode was asked without being in the list.
type recentNode struct {
	key packets.PublicKey
	at  int64
}

// dead tells whether a node is given up (SPEC T-69).
func (n *listNode) dead(sec int64) bool { return n.missed >= maxMissed && n.asked+missedWait <= sec }

func (l *list) find(key packets.PublicKey) *listNode {
	for i := range l.nodes {
		if l.nodes[i].Key == key {
			return &l.nodes[i]
		}
	}
	return nil
}

// clean drops the nodes that no longer answer.
func (l *list) clean(sec int64) {
	l.nodes = slices.DeleteFunc(l.nodes, func(n listNode) bool { return n.dead(sec) })
}

// remove drops the node with a key.
func (l *list) remove(key packets.PublicKey) {
	l.nodes = slices.DeleteFunc(l.nodes, func(n listNode) bool { return n.Key == key })
}

// fits tells whether key is not in the list and would get a place in it.
func (l *list) fits(sec int64, key packets.PublicKey) bool {
	if l.find(key) != nil {
		return false
	}
	return len(l.nodes) < l.limit || slices.ContainsFunc(l.nodes, func(n listNode) bool { return n.dead(sec) }) ||
		dhtnode.Compare(l.base, key, l.nodes[len(l.nodes)-1].Key) < 0
}

// heard notes an answer of n. It is false if n has no place in the list (SPEC T-68).
func (l *list) heard(sec int64, n Node, stored byte, token packets.PublicKey, by uint32) bool {
	if m := l.find(n.Key); m != nil {
		m.Addr, m.stored, m.token, m.path, m.missed = n.Addr, stored, token, by, 0
		return true
	}
	if !l.fits(sec, n.Key) {
		return false
	}
	l.clean(sec)
	if len(l.nodes) == l.limit {
		l.nodes = l.nodes[:l.limit-1]
	}
	i, _ := slices.BinarySearchFunc(l.nodes, n.Key, func(m listNode, key packets.PublicKey) int {
		return dhtnode.Compare(l.base, m.Key, key)
	})
	l.nodes = slices.Insert(l.nodes, i, listNode{
		Node: n, stored: stored, token: token, path: by, added: sec, asked: never,
	})
	return true
}

// mayAsk tells whether a node outside the list was not asked in the last so
// many seconds, and notes that it is asked now.
func (l *list) mayAsk(sec int64, key packets.PublicKey, every int64) bool {
	place := -1
	for i := range l.recent {
		if r := &l.recent[i]; r.key == key {
			if r.at+every > sec {
				return false
			}
			place = i
		}
	}
	if place < 0 {
		place = l.hand
		l.hand = (l.hand + 1) % recentSize
	}
	l.recent[place] = recentNode{key, sec}
	return true
}

// count is how many nodes live, and how many of them keep the announcement.
func (l *list) count(sec int64) (alive, stored int) {
	for i := range l.nodes {
		n := &l.nodes[i]
		if n.dead(sec) {
			continue
		}
		alive++
		if n.stored != notStored {
			stored++
		}
	}
	return alive, stored
}
