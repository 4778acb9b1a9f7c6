package onion

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/crypto"
)

// SPEC T-63
func TestRing(t *testing.T) {
	r := newRig(t)
	var x ring
	for i := range 40 {
		x.add(int64(i), r.node(i))
		require.LessOrEqual(t, len(x.nodes), ringSize)
	}
	require.Equal(t, -1, x.index(r.node(7).Key), "the oldest made room")
	require.GreaterOrEqual(t, x.index(r.node(8).Key), 0)
	moved := Node{Key: r.node(9).Key, Addr: addr("7.7.7.7:7")}
	x.add(1, moved)
	require.Len(t, x.nodes, ringSize)
	require.Equal(t, ringNode{moved, 9}, x.nodes[x.index(moved.Key)], "newest address, latest time")
	x.remove(moved.Key)
	x.remove(moved.Key)
	require.Len(t, x.nodes, ringSize-1)

	picked := x.pick(nil, 40, 6, r.rand)
	require.Len(t, picked, 6)
	for i, n := range picked {
		for _, m := range picked[:i] {
			require.NotEqual(t, n, m)
		}
	}
	for range 20 { // those heard lately, while there are enough
		for _, n := range x.pick(nil, 36+pathNodeGood, 3, r.rand) {
			require.Greater(t, x.nodes[x.index(n.Key)].heard, int64(36))
		}
	}
	require.Len(t, x.pick(nil, 1000, 3, r.rand), 3, "better old ones than none")
}

// A path is used until it does not answer, and not longer than 20 minutes.
// SPEC T-66
func TestPathLife(t *testing.T) {
	p := path{number: 6, used: pathNewUses, usedAt: never, made: 100}
	require.False(t, p.dead(100))
	use := func(sec int64) {
		if p.used < pathUses {
			p.usedAt = sec
		}
		p.used++
	}
	use(101)
	require.False(t, p.dead(1000))
	use(102)
	require.False(t, p.dead(105))
	use(105)
	require.True(t, p.dead(106), "4 seconds for one that never answered")
	p.proven, p.used = true, 0
	require.False(t, p.dead(106))
	for i := range int64(4) {
		use(110 + i)
	}
	require.False(t, p.dead(122))
	require.True(t, p.dead(123))
	p.used = 0
	require.False(t, p.dead(1299))
	require.True(t, p.dead(1300))

	p.made = 100
	require.False(t, p.stable(189))
	require.True(t, p.stable(190))
	p.used, p.usedAt = 1, 180
	require.False(t, p.stable(190), "looks broken")
}

// SPEC T-63, T-64
func TestPathsOfFewNodes(t *testing.T) {
	r := newRig(t)
	require.Nil(t, r.client.path(&r.client.sets[0], 0))
	r.client.AddBootstrapNode(r.now, r.node(1))
	p := r.client.path(&r.client.sets[0], 0)
	require.Equal(t, [hops]Node{r.node(1), r.node(1), r.node(1)}, p.nodes)
	require.NotEqual(t, p.keys[0], p.keys[1], "each hop knows us by another key")
	require.NotEqual(t, p.keys[1], p.keys[2])
	require.Equal(t, r.client.dht.Public, p.public[0])

	r.client.AddPathNode(r.now, r.node(2))
	for i := range uint32(pathsPerSet) {
		p = r.client.path(&r.client.sets[1], pathsPerSet+i)
		require.Equal(t, i, p.number%pathsPerSet)
		require.Equal(t, [hops]Node{r.node(2), r.node(2), r.node(2)}, p.nodes, "no bootstrap node while there is another")
		require.Same(t, p, r.client.sets[1].find(r.now.Seconds(), p.number))
		require.Nil(t, r.client.sets[0].find(r.now.Seconds(), p.number+pathsPerSet))
	}
	require.NoError(t, r.client.Check())

	// With six nodes no path has one twice.
	for i := range fewNodes {
		r.client.AddPathNode(r.now, r.node(10+i))
	}
	for range 40 {
		p := &path{}
		require.True(t, r.client.newPath(p, 0))
		require.NotEqual(t, p.nodes[0], p.nodes[1])
		require.NotEqual(t, p.nodes[0], p.nodes[2])
		require.NotEqual(t, p.nodes[1], p.nodes[2])
	}
}

// A key of low order is found out when a path is made of it.
// SPEC T-2
func TestPathNodeOfLowOrder(t *testing.T) {
	r := newRig(t)
	r.client.AddPathNode(r.now, Node{Key: packets.PublicKey{}, Addr: addr("8.8.8.8:8")})
	require.Nil(t, r.client.path(&r.client.sets[0], 0))
	require.Empty(t, r.client.ring.nodes)
	require.NoError(t, r.client.Check())
}

// A list keeps the closest that answer.
// SPEC T-68, T-69, T-73
func TestList(t *testing.T) {
	l := list{limit: 3, base: packets.PublicKey{}, keys: crypto.NewCache(crypto.NewKeyPair(source(1)), 0)}
	node := func(b byte) Node { return Node{Key: packets.PublicKey{b}, Addr: addr("8.8.8.8:8")} }
	keys := func() (k []byte) {
		for _, n := range l.nodes {
			k = append(k, n.Key[0])
		}
		return k
	}
	for _, b := range []byte{5, 9, 1} {
		require.True(t, l.fits(100, node(b).Key))
		require.True(t, l.heard(100, node(b), notStored, packets.PublicKey{}, 6))
	}
	require.Equal(t, []byte{1, 5, 9}, keys())
	require.False(t, l.fits(100, node(5).Key), "is there")
	require.False(t, l.fits(100, node(10).Key), "too far")
	require.False(t, l.heard(100, node(10), notStored, packets.PublicKey{}, 6))
	require.True(t, l.heard(100, node(4), selfStored, packets.PublicKey{}, 6))
	require.Equal(t, []byte{1, 4, 5}, keys())
	alive, stored := l.count(100)
	require.Equal(t, []int{3, 1}, []int{alive, stored})

	n := l.find(node(1).Key)
	n.missed, n.asked = maxMissed, 100
	require.False(t, n.dead(114))
	require.True(t, n.dead(115))
	require.True(t, l.fits(115, node(200).Key), "in the place of the dead one")
	require.True(t, l.heard(115, node(200), notStored, packets.PublicKey{}, 6))
	require.Equal(t, []byte{4, 5, 200}, keys())

	for b := range byte(recentSize) {
		require.True(t, l.mayAsk(200, node(b).Key, namedEvery))
		require.False(t, l.mayAsk(209, node(b).Key, namedEvery))
	}
	require.True(t, l.mayAsk(210, node(0).Key, namedEvery))
	require.True(t, l.mayAsk(211, node(100).Key, namedEvery), "the oldest makes room")
}
