package onion

import (
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/crypto"
)

// rig is a client with one friend, whose part and that of all other nodes the
// test plays.
type rig struct {
	t      testing.TB
	now    packets.Time
	client *Client
	friend crypto.KeyPair
	rand   io.Reader
	from   string
}

// pairs is key pairs of a rig, which take longer to make than the rest of it.
type pairs struct{ friend, real, dht crypto.KeyPair }

func newPairs() pairs {
	return pairs{crypto.NewKeyPair(source(1)), crypto.NewKeyPair(source(3)), crypto.NewKeyPair(source(4))}
}

func newRig(t testing.TB) *rig { return newRigOf(t, newPairs()) }

func newRigOf(t testing.TB, p pairs) *rig {
	r := &rig{t: t, now: testStart, friend: p.friend, rand: source(2), from: "9.9.9.9:9"}
	r.client = NewClient(Config{Real: p.real, DHT: p.dht, Rand: source(5), MaxFriends: 3})
	require.NoError(t, r.client.AddFriend(r.now, r.friend.Public))
	return r
}

// node is the i-th node that the test plays.
func (r *rig) node(i int) Node {
	return Node{Key: crypto.NewKeyPair(source(100 + byte(i))).Public, Addr: addr(fmt.Sprintf("8.8.8.%d:8", i))}
}

// seconds lets time pass, and returns the last Output.
func (r *rig) seconds(n int) (out Output) {
	for range n {
		r.now += packets.Second
		r.client.Tick(r.now)
		out = r.client.Poll()
		require.NoError(r.t, r.client.Check())
	}
	return out
}

// questions is what waits for an answer, for our own list or the friend's.
func (r *rig) questions(own bool) (list []waiting) {
	for i := range r.client.pending.ring {
		if w := r.client.pending.ring[i]; w.sendback != 0 && (w.list == &r.client.own) == own {
			list = append(list, w)
		}
	}
	return list
}

// answer is a node's answer to a question.
func (r *rig) answer(w waiting, a answer) []byte {
	p := []byte{AnnounceResponse}
	for i := range sendbackSize {
		p = append(p, byte(w.sendback>>(8*(sendbackSize-1-i))))
	}
	return w.key.SealRandom(p, r.rand, a.append(nil, false))
}

// receive gives the client a packet.
func (r *rig) receive(p []byte) error {
	r.now++
	err := r.client.Receive(r.now, addr(r.from), p)
	require.NoError(r.t, r.client.Check())
	return err
}

// data is a data response with data of a sender for us.
func (r *rig) data(sender crypto.KeyPair, data []byte) []byte {
	temp := crypto.NewKeyPair(r.rand)
	outer, err := temp.Shared(r.client.data.Public)
	require.NoError(r.t, err)
	inner, err := sender.Shared(r.client.self)
	require.NoError(r.t, err)
	d := dataPacket{nonce: crypto.NewNonce(r.rand), temp: temp.Public}
	d.box = outer.Seal(nil, &d.nonce, inner.Seal(slices.Clone(sender.Public[:]), &d.nonce, data))
	return d.append(nil)
}

// routed is the friend's DHT key as it comes through the DHT.
func (r *rig) routed(d dhtKey) []byte {
	key, err := r.friend.Shared(r.client.self)
	require.NoError(r.t, err)
	return key.SealRandom(slices.Clone(r.friend.Public[:]), r.rand, d.append(nil))
}

// online answers all questions until the client is announced.
func (r *rig) online() {
	for i := range 4 {
		r.client.AddPathNode(r.now, r.node(i))
	}
	for range 12 {
		r.seconds(1)
		for _, w := range r.questions(true) {
			require.NoError(r.t, r.receive(r.answer(w, answer{stored: selfStored})))
		}
	}
	require.True(r.t, r.client.Connected())
}

// SPEC T-67
func TestClientStarts(t *testing.T) {
	r := newRig(t)
	require.Zero(t, r.client.Poll().Wake, "knows nobody")
	require.Empty(t, r.seconds(60).Sends)
	r.client.AddPathNode(r.now, r.node(1))
	require.Equal(t, r.now+packets.Second, r.client.Poll().Wake)
	out := r.seconds(1)
	require.Len(t, out.Sends, 1)
	require.Equal(t, byte(Forward1), out.Sends[0].Data[0])
	require.Len(t, out.Sends[0].Data, 403)
	require.Equal(t, r.node(1).Addr, out.Sends[0].To)
	require.Empty(t, r.seconds(2).Sends, "not again for 3 seconds")
	require.Len(t, r.seconds(1).Sends, 1)

	fresh := newRig(t)
	fresh.client.AddPathNode(fresh.now, fresh.node(1))
	require.Empty(t, fresh.seconds(3).Sends, "the first 3 seconds are for the DHT")
	require.Len(t, fresh.seconds(1).Sends, 1)
}

// An answer is taken once, from who was asked, in time; what is refused
// changes nothing.
// SPEC T-75
func TestClientAnswers(t *testing.T) {
	r := newRig(t)
	r.client.AddPathNode(r.now, r.node(1))
	r.seconds(4)
	w := r.questions(true)[0]
	p := r.answer(w, answer{stored: notStored, token: packets.PublicKey{5}})
	for at := range p {
		if at == 0 {
			continue // the id may be that of the newer form, which has no room for nodes here
		}
		bad := slices.Clone(p)
		bad[at] ^= 1 << (at % 8)
		require.Error(t, r.receive(bad), at)
		require.Equal(t, Output{}, cleared(r.client.Poll()))
	}
	for n := range p {
		require.Error(t, r.receive(p[:n]))
	}
	require.Empty(t, r.client.own.nodes)
	require.NoError(t, r.receive(p))
	require.Len(t, r.client.own.nodes, 1)
	require.Equal(t, packets.PublicKey{5}, r.client.own.nodes[0].token)
	require.ErrorIs(t, r.receive(p), ErrUnasked)

	r.seconds(1)
	w = r.questions(true)[0]
	p = r.answer(w, answer{stored: selfStored})
	late := r.now + answerIn + 1
	require.ErrorIs(t, r.client.Receive(late, addr(r.from), p), ErrUnasked)
	require.ErrorIs(t, r.client.Receive(late, addr("0.0.0.0:1"), p), ErrSource)
	require.ErrorIs(t, r.client.Receive(late, addr(r.from), []byte{Forward1}), ErrKind)
	require.ErrorIs(t, r.client.Receive(late, addr(r.from), nil), ErrKind)
}

// The newer form of an answer counts its nodes.
// SPEC T-76
func TestClientTakesCountedAnswers(t *testing.T) {
	r := newRig(t)
	r.client.AddPathNode(r.now, r.node(1))
	r.seconds(4)
	w := r.questions(true)[0]
	a := answer{stored: notStored, count: 1}
	a.nodes[0] = r.node(2).Pack()
	p := r.answer(w, answer{})[:1+sendbackSize]
	p[0] = GroupAnnounceResponse
	plain := a.append(nil, true)
	plain[1+keySize] = 2
	require.ErrorIs(t, r.receive(w.key.SealRandom(slices.Clone(p), r.rand, plain)), ErrNodes)
	plain[1+keySize] = 1
	require.NoError(t, r.receive(w.key.SealRandom(p, r.rand, plain)))
	require.Len(t, r.client.Poll().Sends, 1, "the named node is asked")
}

// What an answer says about storing is believed as far as it makes sense.
// SPEC T-76
func TestClientStoredAs(t *testing.T) {
	for _, c := range []struct {
		own   bool
		token bool // is our own data key
		says  byte
		want  byte
		err   error
	}{
		{true, false, notStored, notStored, nil},
		{true, false, othersStored, notStored, nil},
		{true, true, othersStored, othersStored, nil},
		{true, false, selfStored, selfStored, nil},
		{false, false, notStored, notStored, nil},
		{false, false, othersStored, othersStored, nil},
		{false, false, selfStored, 0, ErrPlain},
		{false, false, 3, 0, ErrPlain},
		{true, false, 3, 0, ErrPlain},
	} {
		r := newRig(t)
		r.online()
		r.seconds(1)
		l := &r.client.own
		if !c.own {
			l = &r.client.friends[0].list
		} else {
			r.seconds(30)
		}
		q := r.questions(c.own)
		require.NotEmpty(t, q)
		token := packets.PublicKey{7}
		if c.token {
			token = r.client.data.Public
		}
		err := r.receive(r.answer(q[0], answer{stored: c.says, token: token}))
		if c.err != nil {
			require.ErrorIs(t, err, c.err)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, c.want, l.find(q[0].node.Key).stored)
	}
}

// Nodes that an answer names are asked if they are of use and can be there.
// SPEC T-73
func TestClientAsksNamedNodes(t *testing.T) {
	r := newRig(t)
	r.client.AddPathNode(r.now, r.node(1))
	r.seconds(4)
	a := answer{count: 4}
	a.nodes[0] = r.node(2).Pack()
	a.nodes[1] = Node{Key: r.node(3).Key, Addr: addr("192.168.1.1:1")}.Pack()
	a.nodes[2] = Node{Key: r.node(4).Key, Addr: addr("224.0.0.1:1")}.Pack()
	a.nodes[3] = Node{Key: r.client.dht.Public, Addr: addr("8.8.8.8:1")}.Pack()
	require.NoError(t, r.receive(r.answer(r.questions(true)[0], a)))
	require.Len(t, r.client.Poll().Sends, 1)
	q := r.questions(true)
	require.Len(t, q, 1)
	require.Equal(t, r.node(2), q[0].node)

	// A node in a private network may name others there; nobody is asked twice
	// within 10 seconds.
	r = newRig(t)
	r.client.AddPathNode(r.now, Node{Key: r.node(1).Key, Addr: addr("10.0.0.1:1")})
	r.seconds(4)
	q = r.questions(true)
	require.NoError(t, r.receive(r.answer(q[0], a)))
	require.Len(t, r.client.Poll().Sends, 2)
	r.seconds(1)
	for _, w := range r.questions(true) {
		if w.node == q[0].node {
			require.NoError(t, r.receive(r.answer(w, a)))
		}
	}
	require.Empty(t, r.client.Poll().Sends)
}

// A friend's DHT key comes once, with a higher number each time, from nobody
// else.
// SPEC T-82, T-84, T-85
func TestClientDHTKeys(t *testing.T) {
	r := newRig(t)
	d := dhtKey{number: 100, key: packets.PublicKey{1}, count: 2}
	d.nodes[0] = r.node(1).Pack()
	d.nodes[1] = packets.Node{Family: packets.TCP4, Port: 3389, Key: packets.PublicKey{2}}
	event := func() Event {
		t.Helper()
		out := r.client.Poll()
		require.Len(t, out.Events, 1)
		require.Equal(t, DHTKey, out.Events[0].Kind)
		require.Equal(t, r.friend.Public, out.Events[0].Real)
		require.Equal(t, packets.PublicKey{1}, out.Events[0].DHTKey)
		return out.Events[0]
	}
	p := r.data(r.friend, d.append(nil))
	require.NoError(t, r.receive(p))
	require.Equal(t, d.nodes[:2], event().Nodes)
	require.ErrorIs(t, r.receive(p), ErrReplay)
	require.ErrorIs(t, r.receive(r.data(r.friend, d.append(nil))), ErrReplay)
	require.ErrorIs(t, r.client.ReceiveRouted(r.now, d.key, r.routed(d)), ErrReplay)
	d.number++
	require.ErrorIs(t, r.client.ReceiveRouted(r.now, packets.PublicKey{9}, r.routed(d)), ErrSender)
	p = r.routed(d)
	for at := range p {
		bad := slices.Clone(p)
		bad[at] ^= 1 << (at % 8)
		require.Error(t, r.client.ReceiveRouted(r.now, d.key, bad), at)
		require.Error(t, r.client.ReceiveRouted(r.now, d.key, p[:at]), at)
		require.Equal(t, Output{}, cleared(r.client.Poll()))
	}
	require.NoError(t, r.client.ReceiveRouted(r.now, d.key, p))
	event()
	d.number = 100
	require.ErrorIs(t, r.receive(r.data(r.friend, d.append(nil))), ErrReplay)

	// A friend whose clock went back is heard again once it is offline.
	require.NoError(t, r.client.FriendOnline(r.now, r.friend.Public, true))
	require.ErrorIs(t, r.receive(r.data(r.friend, d.append(nil))), ErrReplay)
	require.NoError(t, r.client.FriendOnline(r.now, r.friend.Public, false))
	require.NoError(t, r.receive(r.data(r.friend, d.append(nil))))
	event()

	stranger := crypto.NewKeyPair(source(9))
	require.ErrorIs(t, r.receive(r.data(stranger, d.append(nil))), ErrStranger)
	r.client.RemoveFriend(r.friend.Public)
	d.number = 1000
	require.ErrorIs(t, r.receive(r.data(r.friend, d.append(nil))), ErrStranger)
	require.ErrorIs(t, r.client.ReceiveRouted(r.now, d.key, r.routed(d)), ErrStranger)
}

// A friend request comes out once although it comes over many nodes.
// SPEC T-79, T-85, T-88
func TestClientRequests(t *testing.T) {
	r := newRig(t)
	stranger := crypto.NewKeyPair(source(9))
	x := request{[4]byte{1, 2, 3, 4}, []byte("let me in")}
	p := r.data(stranger, x.append(nil))
	for at := range p {
		r.now += 100 // fill the buckets
		bad := slices.Clone(p)
		bad[at] ^= 1 << (at % 8)
		require.Error(t, r.receive(bad), at)
		require.Equal(t, Output{}, cleared(r.client.Poll()))
		require.Error(t, r.receive(p[:at]), at)
	}
	require.NoError(t, r.receive(p))
	out := r.client.Poll()
	want := []Event{{Kind: FriendRequest, Real: stranger.Public, NoSpam: x.noSpam, Text: x.text}}
	require.Equal(t, want, out.Events)
	require.ErrorIs(t, r.receive(p), ErrReplay)
	require.ErrorIs(t, r.receive(r.data(stranger, x.append(nil))), ErrReplay)
	other := request{[4]byte{1, 2, 3, 4}, []byte("please")}
	require.NoError(t, r.receive(r.data(stranger, other.append(nil))))
	require.NoError(t, r.receive(r.data(r.friend, x.append(nil))), "of another sender")
	r.now += requestWait * packets.Second
	require.NoError(t, r.receive(r.data(stranger, x.append(nil))), "asks again")

	require.ErrorIs(t, r.receive(r.data(stranger, []byte{dataRequest, 1, 2, 3, 4})), ErrPlain)
	require.ErrorIs(t, r.receive(r.data(stranger, []byte{77, 1, 2, 3, 4})), ErrKind)
	self, err := crypto.KeyPairFromSecret(r.client.real.Pair().Secret())
	require.NoError(t, err)
	require.ErrorIs(t, r.receive(r.data(self, x.append(nil))), ErrOwnKey)
	x.text = bytesOf(maxPlain-requestHead, 1)
	require.NoError(t, r.receive(r.data(stranger, x.append(nil))))
	x.text = append(x.text, 1)
	require.ErrorIs(t, r.receive(r.data(stranger, x.append(nil))), ErrLength)
}

// SPEC T-89
func TestClientDataFlood(t *testing.T) {
	r := newRig(t)
	p := r.data(r.friend, []byte{77})
	opened := 0
	for range 3 * dataBurst {
		if err := r.client.Receive(r.now, addr(r.from), p); !isFlood(err) {
			require.ErrorIs(t, err, ErrKind)
			opened++
		}
	}
	require.Equal(t, dataBurst, opened)
	for i := range 2 * dataBursts {
		if err := r.client.Receive(r.now, addr(fmt.Sprintf("7.7.%d.%d:8", i/100, i%100)), p); !isFlood(err) {
			opened++
		}
	}
	require.Equal(t, dataBursts, opened, "all senders together")
}

// SPEC T-88
func TestClientVerbs(t *testing.T) {
	r := newRig(t)
	c := r.client
	require.ErrorIs(t, c.AddFriend(r.now, c.self), ErrOwnKey)
	require.ErrorIs(t, c.AddFriend(r.now, packets.PublicKey{}), crypto.ErrLowOrder)
	require.NoError(t, c.AddFriend(r.now, r.friend.Public), "again")
	require.NoError(t, c.AddFriend(r.now, r.node(1).Key))
	require.NoError(t, c.AddFriend(r.now, r.node(2).Key))
	require.ErrorIs(t, c.AddFriend(r.now, r.node(3).Key), ErrTooMany)
	c.RemoveFriend(r.node(1).Key)
	c.RemoveFriend(r.node(1).Key)
	require.NoError(t, c.Check())
	require.ErrorIs(t, c.FriendOnline(r.now, r.node(1).Key, true), ErrUnknown)
	require.ErrorIs(t, c.SetDHTKeyOf(r.now, r.node(1).Key, r.node(1).Key), ErrUnknown)
	_, err := c.SendRequest(r.now, r.node(1).Key, [4]byte{}, []byte("text"))
	require.ErrorIs(t, err, ErrUnknown)
	for _, n := range []int{0, MaxRequestText + 1} {
		_, err = c.SendRequest(r.now, r.friend.Public, [4]byte{}, make([]byte, n))
		require.ErrorIs(t, err, ErrText)
	}
	n, err := c.SendRequest(r.now, r.friend.Public, [4]byte{}, make([]byte, MaxRequestText))
	require.NoError(t, err)
	require.Zero(t, n, "nobody keeps its announcement")
	for _, bad := range []Node{
		{Key: c.dht.Public, Addr: addr("8.8.8.8:8")}, {Key: r.node(1).Key, Addr: addr("0.0.0.0:1")}, {Key: r.node(1).Key, Addr: addr("8.8.8.8:0")},
	} {
		c.AddPathNode(r.now, bad)
		c.AddBootstrapNode(r.now, bad)
	}
	require.Empty(t, c.ring.nodes)
	require.Empty(t, c.boots.nodes)
}

// Friends hear our DHT key every 30 seconds through the nodes that keep their
// announcements, if these are enough, and every 20 seconds through the DHT.
// SPEC T-77, T-80 to T-82
func TestClientTellsDHTKey(t *testing.T) {
	r := newRig(t)
	r.client.SetNodes([]packets.Node{r.node(1).Pack(), r.node(2).Pack()})
	r.online()
	f := r.client.friends[0]
	stored := crypto.NewKeyPair(source(50))
	count := func(seconds int, answers byte) (onions, routed int) {
		for range seconds {
			out := r.seconds(1)
			routed += len(out.Routed)
			for _, s := range out.Sends {
				if len(s.Data) > 403 {
					onions++
				}
			}
			for i, w := range r.questions(false) {
				a := answer{stored: notStored}
				if i < 1 || answers == othersStored {
					a = answer{stored: answers, token: stored.Public}
				}
				require.NoError(t, r.receive(r.answer(w, a)))
			}
			for _, w := range r.questions(true) {
				require.NoError(t, r.receive(r.answer(w, answer{stored: selfStored})))
			}
		}
		return onions, routed
	}
	onions, routed := count(60, notStored)
	require.Zero(t, onions+routed)
	onions, routed = count(61, othersStored)
	require.Equal(t, len(f.list.nodes)*2, onions)
	require.Zero(t, routed)

	require.NoError(t, r.client.SetDHTKeyOf(r.now, r.friend.Public, packets.PublicKey{9}))
	_, routed = count(60, othersStored)
	require.Equal(t, 3, routed)
	r.now += packets.Second
	require.NoError(t, r.client.SetDHTKeyOf(r.now, r.friend.Public, packets.PublicKey{10}))
	out := r.seconds(1)
	require.Len(t, out.Routed, 1, "a new key is told at once")
	require.Equal(t, packets.PublicKey{10}, out.Routed[0].To)
	require.Equal(t, r.client.self[:], out.Routed[0].Data[:keySize])
	key, err := r.friend.Shared(r.client.self)
	require.NoError(t, err)
	plain, err := key.OpenPrefixed(nil, out.Routed[0].Data[keySize:])
	require.NoError(t, err)
	d, err := parseDHTKey(plain)
	require.NoError(t, err)
	require.Equal(t, r.client.dht.Public, d.key)
	require.Equal(t, uint64(r.now.Seconds()), d.number)
	require.Equal(t, []packets.Node{r.node(1).Pack(), r.node(2).Pack()}, d.nodes[:d.count])
	require.NoError(t, r.client.SetDHTKeyOf(r.now, r.friend.Public, packets.PublicKey{11}))
	require.Len(t, r.seconds(1).Routed, 1, "another one as well")
	require.Empty(t, r.seconds(1).Routed)

	require.NoError(t, r.client.SetDHTKeyOf(r.now, r.friend.Public, packets.PublicKey{}))
	_, routed = count(60, othersStored)
	require.Zero(t, routed)
	require.NoError(t, r.client.FriendOnline(r.now, r.friend.Public, true))
	for range 100 {
		r.seconds(1)
		for _, w := range r.questions(true) {
			require.NoError(t, r.receive(r.answer(w, answer{stored: selfStored})))
		}
	}
	require.Empty(t, r.questions(false), "nothing for a friend who is online")
}

// The rounds of questions for a friend: 20 quick ones, then ever rarer.
// SPEC T-78
func TestFriendRounds(t *testing.T) {
	f := &friend{}
	var got []int64
	for range 33 {
		got = append(got, f.interval())
		f.rounds++
	}
	want := slices.Repeat([]int64{3}, 20)
	for i := int64(4); i < 3600; i *= 2 {
		want = append(want, i)
	}
	require.Equal(t, append(want, 3600, 3600, 3600), got)
}

// A question for many friends at once is spread over time, and each has its
// turn.
// SPEC T-89
func TestClientSpreadsWork(t *testing.T) {
	r := newRig(t)
	r.client.maxFriends = 1000
	for range 400 {
		require.NoError(t, r.client.AddFriend(r.now, crypto.NewKeyPair(r.rand).Public))
	}
	r.online()
	most := 0
	for range 60 {
		most = max(most, len(r.seconds(1).Sends))
	}
	require.LessOrEqual(t, most, maxAsks+selfNodes+fillSelf)
	for _, f := range r.client.friends {
		require.Positive(t, f.rounds)
	}
}
