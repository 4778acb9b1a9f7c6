package onion

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/crypto"
)

// How often a node hears from us: every 3 seconds until it keeps our
// announcement, then every 15, and every 120 once all is old and works.
// SPEC T-70
func TestRenewal(t *testing.T) {
	r := newRig(t)
	r.client.AddPathNode(r.now, r.node(1))
	p := r.client.path(&r.client.sets[0], 0)
	sec := testStart / packets.Second
	for _, c := range []struct {
		what   string
		stored byte
		path   uint32
		age    int64 // of the node and of the path
		missed int
		used   int // of the path, since its last answer
		want   int64
	}{
		{"not stored", notStored, p.number, 0, 0, 0, 3},
		{"just stored", selfStored, p.number, 0, 0, 0, 15},
		{"almost stable", selfStored, p.number, 89, 0, 0, 15},
		{"stable", selfStored, p.number, 90, 0, 0, 120},
		{"stable, by its data key", othersStored, p.number, 90, 0, 0, 120},
		{"the node is silent", selfStored, p.number, 90, 1, 0, 15},
		{"the path is silent", selfStored, p.number, 90, 0, 1, 15},
		{"the path is gone", selfStored, p.number + pathsPerSet, 90, 0, 0, 3},
	} {
		now := int64(sec) + c.age
		p.used, p.usedAt = c.used, now-pathWait
		n := listNode{stored: c.stored, path: c.path, added: int64(sec), missed: c.missed}
		require.Equal(t, c.want, r.client.renewal(now, &n), c.what)
	}
}

// An announced client whose nodes all answer sends little, but always hears
// from somebody before it could be offline.
// SPEC T-71, T-74
func TestSteadyState(t *testing.T) {
	r := newRig(t)
	r.client.RemoveFriend(r.friend.Public)
	for i := range 12 {
		r.client.AddPathNode(r.now, r.node(i))
	}
	const seconds = 1000
	sent, silent, longest := 0, 0, 0
	for s := range seconds {
		n := len(r.seconds(1).Sends)
		if silent++; n > 0 {
			silent = 0
		}
		if s > 200 {
			sent += n
			longest = max(longest, silent)
		}
		for _, w := range r.questions(true) {
			require.NoError(t, r.receive(r.answer(w, answer{stored: selfStored})))
		}
		require.Equal(t, s >= 6, r.client.Connected(), s)
	}
	require.Greater(t, r.client.Stored(), fillSelf)
	require.Less(t, sent, 200, "of 12 nodes in 800 seconds")
	require.Less(t, longest, proofEvery)
}

// Nodes that do not answer are dropped, and a client without answers is
// offline after 75 seconds or when nobody is left.
// SPEC T-69, T-74
func TestSilence(t *testing.T) {
	r := newRig(t)
	r.online()
	for range 90 {
		r.seconds(1)
	}
	require.False(t, r.client.Connected())
	require.Empty(t, r.client.own.nodes)
}

// When too many questions are open the oldest are forgotten.
func TestPendingIsBounded(t *testing.T) {
	var p pending
	l, r := &list{}, source(1)
	first := p.add(testStart, waiting{list: l}, r)
	require.NotNil(t, p.find(testStart, first))
	for range outstanding - 1 {
		p.add(testStart, waiting{list: l}, r)
	}
	require.NotNil(t, p.find(testStart, first))
	last := p.add(testStart+1, waiting{list: l}, r)
	require.Nil(t, p.find(testStart, first))
	require.NotNil(t, p.find(testStart, last))
	require.NoError(t, p.check(map[*list]bool{l: true}))
	require.Nil(t, p.find(testStart, [sendbackSize]byte{}))

	p.forget(l)
	require.Nil(t, p.find(testStart, last))
	require.NoError(t, p.check(nil))
	p.add(testStart+1, waiting{list: l}, r)
	require.ErrorIs(t, p.check(nil), errInvariant)
	p.expire(testStart + answerIn + 2)
	require.Equal(t, p.first, p.next)
	require.NoError(t, p.check(nil))
}

// A friend who is removed while nodes are asked for it leaves nothing behind.
func TestRemoveFriendWhileSearching(t *testing.T) {
	r := newRig(t)
	r.online()
	r.seconds(1)
	q := r.questions(false)
	require.NotEmpty(t, q)
	p := r.answer(q[0], answer{stored: notStored})
	r.client.RemoveFriend(r.friend.Public)
	require.NoError(t, r.client.Check())
	require.Empty(t, r.questions(false))
	require.ErrorIs(t, r.receive(p), ErrUnasked)
	require.Empty(t, r.seconds(1).Routed)
	require.NoError(t, r.client.AddFriend(r.now, r.friend.Public))
	r.seconds(1)
	require.NotEmpty(t, r.questions(false))
	require.NotEqual(t, q[0].list, r.questions(false)[0].list)
}

// Each friend is searched with a key pair of its own, so that nodes cannot tell
// that one node searches both.
// SPEC T-77
func TestSearchKeysDiffer(t *testing.T) {
	r := newRig(t)
	require.NoError(t, r.client.AddFriend(r.now, r.node(1).Key))
	a, b := r.client.friends[0].list.keys.Pair().Public, r.client.friends[1].list.keys.Pair().Public
	require.NotEqual(t, a, b)
	for _, k := range []packets.PublicKey{r.client.self, r.client.dht.Public, r.client.data.Public} {
		require.NotEqual(t, k, a)
	}
	require.NotSame(t, r.client.own.paths, r.client.friends[0].list.paths)
}

// What Check is for.
func TestCheckFinds(t *testing.T) {
	for what, spoil := range map[string]func(c *Client){
		"a friend twice":      func(c *Client) { c.friends = append(c.friends, c.friends[0]) },
		"another friend":      func(c *Client) { c.friends[0].real[0]++ },
		"ourselves in a ring": func(c *Client) { c.ring.nodes[0].Key = c.dht.Public },
		"a node twice":        func(c *Client) { c.ring.nodes[0] = c.ring.nodes[1] },
		"a full ring":         func(c *Client) { c.ring.nodes = make([]ringNode, ringSize+1) },
		"a long list":         func(c *Client) { c.own.limit = 1 },
		"disorder":            func(c *Client) { c.own.nodes[0], c.own.nodes[1] = c.own.nodes[1], c.own.nodes[0] },
		"a friend's disorder": func(c *Client) { c.friends[0].list.limit = -1 },
		"a bad address":       func(c *Client) { c.own.nodes[0].Addr = addr("0.0.0.0:0") },
		"a path elsewhere":    func(c *Client) { c.sets[0][0].number = 1 },
		"a lost question": func(c *Client) {
			c.ask(&list{keys: c.real, paths: &c.sets[0]}, c.own.nodes[0].Node, packets.PublicKey{}, 0)
		},
	} {
		r := newRig(t)
		r.online()
		require.NoError(t, r.client.Check())
		spoil(r.client)
		require.ErrorIs(t, r.client.Check(), errInvariant, what)
	}
	a := newAsker(t)
	a.announce(crypto.NewKeyPair(source(11)), "8.8.8.8:8", packets.PublicKey{1})
	a.announce(crypto.NewKeyPair(source(12)), "8.8.8.8:8", packets.PublicKey{1})
	e := a.store.entries
	e[0], e[1] = e[1], e[0]
	require.ErrorIs(t, a.store.Check(), errInvariant)
	e[0] = e[1]
	require.ErrorIs(t, a.store.Check(), errInvariant)
	b := newBench(t)
	b.relays[0].last = b.relays[0].seal
	require.ErrorIs(t, b.relays[0].Check(), errInvariant)
}

// Two questions go by the path by which the node answered, the third by any.
// SPEC T-65
func TestLastAttemptTakesAnotherPath(t *testing.T) {
	r := newRig(t)
	r.online()
	c, sec := r.client, r.now.Seconds()
	n := &c.own.nodes[0]
	by := n.path % pathsPerSet
	places := func(missed int) map[uint32]bool {
		got := map[uint32]bool{}
		for range 30 {
			n.missed = missed
			require.True(t, c.askMember(sec, &c.own, n, packets.PublicKey{}))
			last := c.pending.ring[(c.pending.next-1)%outstanding]
			require.Equal(t, n.Node, last.node)
			got[last.path%pathsPerSet] = true
		}
		return got
	}
	require.Equal(t, map[uint32]bool{by: true}, places(0))
	require.Equal(t, map[uint32]bool{by: true}, places(1))
	require.Greater(t, len(places(maxMissed-1)), 1)
}

// A list that is half empty is filled at random; one that is not full, every
// 600 seconds.
// SPEC T-72
func TestFill(t *testing.T) {
	r := newRig(t)
	r.client.RemoveFriend(r.friend.Public)
	silent := r.node(7)
	for i := range 8 {
		r.client.AddPathNode(r.now, r.node(i))
	}
	r.seconds(4)
	first := r.questions(true)
	require.Len(t, first, fillSelf)
	r.seconds(1)
	require.Len(t, r.questions(true), 8, "the other two; nobody twice in 3 seconds")
	r.seconds(1)
	require.Len(t, r.questions(true), 8)
	r.seconds(1)
	require.Greater(t, len(r.questions(true)), 8)

	asked := 0
	var filled int64 // last second in which the list was half empty
	for range 2000 {
		r.seconds(1)
		if len(r.client.own.nodes) <= fillSelf {
			filled = r.client.filled
		}
		for _, w := range r.questions(true) {
			if w.node != silent {
				require.NoError(t, r.receive(r.answer(w, answer{stored: selfStored})))
				continue
			}
			if w.at.Seconds() > filled && w.at.Seconds() == r.now.Seconds() {
				require.Zero(t, (w.at.Seconds()-filled)%fillEvery, "second %d", w.at.Seconds()-filled)
				asked++
			}
		}
	}
	require.Len(t, r.client.own.nodes, 7)
	require.Positive(t, asked)
}

// What makes a good second, and how many it takes.
// SPEC T-74
func TestAssess(t *testing.T) {
	const now = 1000
	for what, x := range map[string]struct {
		age                 int64 // of the last answer
		ring, alive, stored int
		good                bool
	}{
		"all well":            {0, 4, 4, 4, true},
		"old answer":          {74, 4, 4, 4, true},
		"no answer":           {75, 4, 4, 4, false},
		"no path node":        {0, 0, 4, 4, false},
		"half keep it":        {0, 4, 4, 2, true},
		"too few keep it":     {0, 4, 4, 1, false},
		"nobody keeps it":     {0, 1, 1, 0, false},
		"half of 12 live":     {0, 12, 6, 6, true},
		"less live":           {0, 12, 5, 5, false},
		"of many nodes 12":    {0, 30, 6, 6, true},
		"one node is enough":  {0, 1, 1, 1, true},
		"nobody is not a few": {0, 1, 0, 0, false},
	} {
		c := newRig(t).client
		c.ring.nodes, c.own.nodes, c.answered = make([]ringNode, x.ring), make([]listNode, x.alive), now-x.age
		for i := range x.stored {
			c.own.nodes[i].stored = selfStored
		}
		for i := range 3 {
			require.False(t, c.Connected(), "%s: after %d seconds", what, i)
			c.assess(now)
		}
		require.Equal(t, x.good, c.Connected(), what)
		if !x.good {
			continue
		}
		for range 10 {
			c.assess(now)
		}
		c.own.nodes = nil
		for i := range 4 {
			require.True(t, c.Connected(), "%s: after %d bad seconds", what, i)
			c.assess(now)
		}
		require.False(t, c.Connected(), what)
	}
}

// Friends are searched once we are announced, four nodes at a time; the rounds
// begin anew after the friend was online, and after we were not.
// SPEC T-72, T-77, T-78
func TestFriendRoundsBeginAnew(t *testing.T) {
	r := newRig(t)
	f := r.client.friends[0]
	for i := range 8 {
		r.client.AddPathNode(r.now, r.node(i))
	}
	r.seconds(60)
	require.Empty(t, r.questions(false), "not announced")
	pass := func(seconds int) {
		for range seconds {
			r.seconds(1)
			for _, w := range r.questions(true) {
				if w.at.Seconds() == r.now.Seconds() {
					require.NoError(t, r.receive(r.answer(w, answer{stored: selfStored})))
				}
			}
		}
	}
	for !r.client.Connected() {
		pass(1)
	}
	require.Len(t, r.questions(false), fillFriend)
	require.Equal(t, 1, f.rounds)
	pass(300)
	require.Greater(t, f.interval(), int64(60))
	require.NoError(t, r.client.FriendOnline(r.now, r.friend.Public, true))
	rounds := f.rounds
	f.next, f.dht, f.dhtSent = never, packets.PublicKey{9}, never
	require.Empty(t, r.seconds(1).Routed, "nothing for who is online")
	require.Equal(t, rounds, f.rounds)
	require.NoError(t, r.client.FriendOnline(r.now, r.friend.Public, false))
	pass(1)
	require.Equal(t, 1, f.rounds)
	pass(300)
	require.Greater(t, f.interval(), int64(60))
	for r.client.Connected() {
		r.seconds(1)
	}
	for !r.client.Connected() {
		pass(1)
	}
	require.Equal(t, 1, f.rounds)
}

// Twelve nodes keep our announcement, eight are asked for a friend, and the
// closest stay.
// SPEC T-68
func TestListSizes(t *testing.T) {
	r := newRig(t)
	require.Equal(t, []int{12, 8}, []int{r.client.own.limit, r.client.friends[0].list.limit})
	require.Equal(t, r.client.self, r.client.own.base)
	require.Equal(t, r.friend.Public, r.client.friends[0].list.base)
}

// Our DHT key goes out if a quarter of the nodes that live keep a friend's
// announcement.
// SPEC T-80
func TestEnoughNodesKeepIt(t *testing.T) {
	for _, x := range []struct{ alive, stored, want int }{
		{0, 0, 0}, {1, 0, 0}, {1, 1, 1}, {4, 1, 1}, {5, 1, 0}, {5, 2, 2}, {8, 1, 0}, {8, 2, 2}, {8, 8, 8},
	} {
		r := newRig(t)
		r.client.AddPathNode(r.now, r.node(1))
		f := r.client.friends[0]
		for i := range x.alive {
			n := listNode{Node: r.node(i)}
			if i < x.stored {
				n.stored, n.token = othersStored, r.node(50).Key
			}
			f.list.nodes = append(f.list.nodes, n)
		}
		require.Equal(t, x.want, r.client.sendData(f, []byte{dataDHTKey}), "%+v", x)
		require.Len(t, r.client.Poll().Sends, x.want, "%+v", x)
	}
}

// When a friend goes, its node is on no path and in no list any more, and nodes
// that knew us by such a path are asked again within 3 seconds.
// SPEC T-66
func TestFriendsNodeIsGone(t *testing.T) {
	r := newRig(t)
	nodes := 8
	for i := range nodes {
		r.client.AddPathNode(r.now, r.node(i))
	}
	answer := func() {
		for _, w := range append(r.questions(true), r.questions(false)...) {
			require.NoError(t, r.receive(r.answer(w, answer{stored: selfStored})))
		}
	}
	gone := r.node(3).Key
	require.NoError(t, r.client.SetDHTKeyOf(r.now, r.friend.Public, gone))
	require.NoError(t, r.client.FriendOnline(r.now, r.friend.Public, true))
	for range 30 {
		r.seconds(1)
		answer()
	}
	by := func() (count int) {
		for _, p := range r.client.sets[0] {
			if slices.ContainsFunc(p.nodes[:], func(n Node) bool { return n.Key == gone }) {
				count++
			}
		}
		return count
	}
	require.Positive(t, by())
	require.NotNil(t, r.client.own.find(gone))
	require.NoError(t, r.client.FriendOnline(r.now, r.friend.Public, false))
	require.Zero(t, by())
	require.Nil(t, r.client.own.find(gone))
	require.Equal(t, -1, r.client.ring.index(gone))
	homeless := map[packets.PublicKey]bool{}
	for _, n := range r.client.own.nodes {
		if r.client.sets[0].find(r.now.Seconds(), n.path) == nil {
			homeless[n.Key] = true
		}
	}
	require.NotEmpty(t, homeless)
	for range askEvery {
		r.seconds(1)
		for _, w := range r.questions(true) {
			delete(homeless, w.node.Key)
		}
	}
	require.Empty(t, homeless)
	require.NoError(t, r.client.SetDHTKeyOf(r.now, r.friend.Public, r.node(4).Key))
	require.NoError(t, r.client.SetDHTKeyOf(r.now, r.friend.Public, packets.PublicKey{}), "it has a new key")
	require.Equal(t, -1, r.client.ring.index(r.node(4).Key))
}
