package onion

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/crypto"
	"github.com/tox-rejoin/rejoin/tox/dhtnode"
)

func isFlood(err error) bool { return errors.Is(err, ErrFlood) }

// asker asks a store by hand.
type asker struct {
	t     testing.TB
	store *Store
	node  packets.PublicKey
	rand  io.Reader
	now   packets.Time
	near  []Node
}

func newAsker(t testing.TB) *asker {
	pair := crypto.NewKeyPair(source(1))
	return &asker{
		t: t, store: NewStore(Config{DHT: pair, Rand: source(2)}), node: pair.Public,
		rand: source(3), now: testStart,
	}
}

// request is an announce request as it comes from the last node of a path.
func (a *asker) request(who crypto.KeyPair, q question) []byte {
	key, err := who.Shared(a.node)
	require.NoError(a.t, err)
	x := announce{nonce: crypto.NewNonce(a.rand), requester: who.Public, back: bytesOf(wayBack3, 7)}
	x.box = key.Seal(nil, &x.nonce, q.append(nil))
	return x.append(nil)
}

// ask sends a question and opens the answer.
func (a *asker) ask(who crypto.KeyPair, from string, q question) answer {
	a.t.Helper()
	require.NoError(a.t, a.store.Receive(a.now, addr(from), a.request(who, q)))
	out := a.store.Poll()
	require.Empty(a.t, out.Sends)
	require.Len(a.t, out.Queries, 1)
	require.Equal(a.t, q.searched, out.Queries[0].Key)
	a.store.Answer(a.now, out.Queries[0], a.near)
	sends := a.store.Poll().Sends
	require.Len(a.t, sends, 1)
	require.Equal(a.t, addr(from), sends[0].To)
	r, err := parseReturned(sends[0].Data)
	require.NoError(a.t, err)
	require.Equal(a.t, hops, r.hop)
	require.Equal(a.t, bytesOf(wayBack3, 7), r.back)
	require.Equal(a.t, byte(AnnounceResponse), r.data[0])
	require.Equal(a.t, q.sendback[:], r.data[1:1+sendbackSize])
	key, err := who.Shared(a.node)
	require.NoError(a.t, err)
	plain, err := key.OpenPrefixed(nil, r.data[1+sendbackSize:])
	require.NoError(a.t, err)
	got, err := parseAnswer(plain, false)
	require.NoError(a.t, err)
	require.NoError(a.t, a.store.Check())
	return got
}

// announce asks twice, as one does who wants to be found.
func (a *asker) announce(who crypto.KeyPair, from string, data packets.PublicKey) answer {
	first := a.ask(who, from, question{searched: who.Public, data: data, sendback: [8]byte{1}})
	return a.ask(who, from, question{pingID: first.token, searched: who.Public, data: data, sendback: [8]byte{2}})
}

// SPEC T-57, T-59
func TestStoreAnnounceAndSearch(t *testing.T) {
	a := newAsker(t)
	bob, carol := crypto.NewKeyPair(source(5)), crypto.NewKeyPair(source(6))
	data := crypto.NewKeyPair(source(7)).Public

	require.Equal(t, byte(notStored), a.ask(carol, "9.9.9.9:9", question{searched: bob.Public}).stored)
	first := a.ask(bob, "8.8.8.8:8", question{searched: bob.Public, data: data})
	require.Equal(t, byte(notStored), first.stored)
	require.Zero(t, a.store.Len())
	// The proof counts at the address that got it only, and for this key.
	require.Equal(t, byte(notStored), a.ask(bob, "8.8.8.8:9", question{pingID: first.token, searched: bob.Public, data: data}).stored)
	require.Equal(t, byte(notStored), a.ask(carol, "8.8.8.8:8", question{pingID: first.token, searched: bob.Public, data: data}).stored)
	require.Zero(t, a.store.Len())
	second := a.ask(bob, "8.8.8.8:8", question{pingID: first.token, searched: bob.Public, data: data})
	require.Equal(t, byte(selfStored), second.stored)
	require.Equal(t, first.token, second.token)

	found := a.ask(carol, "9.9.9.9:9", question{searched: bob.Public})
	require.Equal(t, byte(othersStored), found.stored)
	require.Equal(t, data, found.token)
	// With another data key we are not stored as we want.
	require.Equal(t, byte(notStored), a.ask(bob, "8.8.8.8:8", question{searched: bob.Public, data: carol.Public}).stored)

	a.now += storeLife*packets.Second - 1000
	require.Equal(t, byte(othersStored), a.ask(carol, "9.9.9.9:9", question{searched: bob.Public}).stored)
	a.now += 1000
	require.Equal(t, byte(notStored), a.ask(carol, "9.9.9.9:9", question{searched: bob.Public}).stored)
	require.Equal(t, a.now, a.store.Poll().Wake)
	a.store.Tick(a.now)
	require.Zero(t, a.store.Len())
	require.Zero(t, a.store.Poll().Wake)
}

// A ping id is good in the slot in which it was given and in the next one.
// SPEC T-57
func TestStorePingIDs(t *testing.T) {
	bob := crypto.NewKeyPair(source(5))
	const slot = storeLife * packets.Second
	begin := testStart / slot * slot
	for _, c := range []struct {
		given, shown packets.Time
		want         byte
	}{
		{0, slot - 1, selfStored},
		{0, 2*slot - 1, selfStored},
		{0, 2 * slot, notStored},
		{slot - 1, 2*slot - 1, selfStored},
		{slot - 1, 2 * slot, notStored},
		{slot, 3*slot - 1, selfStored},
	} {
		a := newAsker(t)
		a.now = begin + c.given
		id := a.ask(bob, "8.8.8.8:8", question{searched: bob.Public}).token
		a.now = begin + c.shown
		require.Equal(t, c.want, a.ask(bob, "8.8.8.8:8", question{pingID: id, searched: bob.Public}).stored, c)
	}
}

// The store is bounded: those closest to our DHT key stay.
// SPEC T-58
func TestStoreKeepsTheClosest(t *testing.T) {
	a := newAsker(t)
	r := source(8)
	var keys []packets.PublicKey
	for i := range 2 * maxEntries {
		a.now += 100
		who := crypto.NewKeyPair(r)
		keys = append(keys, who.Public)
		a.announce(who, fmt.Sprintf("8.8.%d.8:8", i%256), packets.PublicKey{1})
	}
	require.Equal(t, maxEntries, a.store.Len())
	slices.SortFunc(keys, func(x, y packets.PublicKey) int { return dhtnode.Compare(a.node, x, y) })
	for i, k := range keys {
		require.Equal(t, i < maxEntries, a.store.find(k) != nil, i)
	}
	// Once they ran out there is room for anybody.
	a.now += storeLife * packets.Second
	far := a.node
	far[0] ^= 0x80
	last := crypto.NewKeyPair(r)
	for dhtnode.Compare(a.node, last.Public, far) < 0 {
		last = crypto.NewKeyPair(r)
	}
	require.Equal(t, byte(selfStored), a.announce(last, "8.8.8.8:8", packets.PublicKey{1}).stored)
	require.Equal(t, 1, a.store.Len())
}

// Nodes in private networks are named to those in one.
// SPEC T-60
func TestStoreNames(t *testing.T) {
	a := newAsker(t)
	bob := crypto.NewKeyPair(source(5))
	for i, s := range []string{"10.0.0.1:1", "8.8.8.8:1", "8.8.8.8:0", "[2001:db8::1]:1", "127.0.0.1:1", "8.8.8.9:1", "8.8.8.7:1", "8.8.8.6:1"} {
		a.near = append(a.near, Node{Key: packets.PublicKey(bytesOf(32, byte(i))), Addr: addr(s)})
	}
	named := func(from string) (list []string) {
		got := a.ask(bob, from, question{searched: bob.Public})
		for _, p := range got.nodes[:got.count] {
			n, ok := dhtnode.Unpack(p)
			require.True(t, ok)
			list = append(list, n.Addr.String())
		}
		return list
	}
	require.Equal(t, []string{"8.8.8.8:1", "[2001:db8::1]:1", "8.8.8.9:1", "8.8.8.7:1"}, named("9.9.9.9:9"))
	require.Equal(t, []string{"10.0.0.1:1", "8.8.8.8:1", "[2001:db8::1]:1", "127.0.0.1:1"}, named("192.168.0.9:9"))
}

// Data goes to whom it is for, unchanged.
// SPEC T-61
func TestStoreData(t *testing.T) {
	a := newAsker(t)
	bob := crypto.NewKeyPair(source(5))
	x := transit{bob.Public, bytesOf(dataHead+boxSize+1, 1), bytesOf(wayBack3, 2)}
	require.ErrorIs(t, a.store.Receive(a.now, addr("9.9.9.9:9"), x.append(nil)), ErrNotStored)
	a.announce(bob, "8.8.8.8:8", packets.PublicKey{1})
	for _, size := range []int{dataHead + boxSize + 1, MaxPayload - 1 - keySize} {
		x.body = bytesOf(size, 1)
		require.NoError(t, a.store.Receive(a.now, addr("9.9.9.9:9"), x.append(nil)))
		sends := a.store.Poll().Sends
		require.Len(t, sends, 1)
		require.Equal(t, addr("8.8.8.8:8"), sends[0].To)
		want := returned{hops, bytesOf(wayBack3, 7), append([]byte{DataResponse}, x.body...)}
		require.Equal(t, want.append(nil), sends[0].Data)
	}
	x.body = append(x.body, 0)
	require.ErrorIs(t, a.store.Receive(a.now, addr("9.9.9.9:9"), x.append(nil)), ErrLength)
	a.now += storeLife * packets.Second
	x.body = x.body[:200]
	require.ErrorIs(t, a.store.Receive(a.now, addr("9.9.9.9:9"), x.append(nil)), ErrNotStored)
}

// Each byte of an announce request counts but those of the way back. A refused
// request changes nothing.
// SPEC T-56
func TestStoreCorruption(t *testing.T) {
	a := newAsker(t)
	bob := crypto.NewKeyPair(source(5))
	id := a.ask(bob, "8.8.8.8:8", question{searched: bob.Public}).token
	p := a.request(bob, question{pingID: id, searched: bob.Public})
	for at := range announceSize {
		a.now += 50
		bad := slices.Clone(p)
		bad[at] ^= 1 << (at % 8)
		require.Error(t, a.store.Receive(a.now, addr("8.8.8.8:8"), bad))
		require.Equal(t, Output{}, cleared(a.store.Poll()))
		require.Zero(t, a.store.Len())
	}
	for n := range p {
		require.ErrorIs(t, a.store.Receive(a.now, addr("8.8.8.8:8"), p[:n]), map[bool]error{true: ErrLength, false: ErrKind}[n > 0])
	}
	require.NoError(t, a.store.Receive(a.now, addr("8.8.8.8:8"), p))
	require.Equal(t, 1, a.store.Len())
}

// cleared is an Output for comparison: nothing in it is the zero value.
func cleared(o Output) Output {
	if len(o.Sends)+len(o.Queries)+len(o.Routed)+len(o.Events) > 0 {
		return o
	}
	return Output{}
}

// SPEC T-62
func TestStoreFlood(t *testing.T) {
	a := newAsker(t)
	p := a.request(crypto.NewKeyPair(source(5)), question{})
	taken := 0
	for range 10 * storeBurst {
		if err := a.store.Receive(a.now, addr("8.8.8.8:8"), p); err == nil {
			taken++
		} else {
			require.ErrorIs(t, err, ErrFlood)
		}
	}
	require.Equal(t, storeBurst, taken)
	require.ErrorIs(t, a.store.Receive(a.now, addr("8.8.8.8:0"), p), ErrSource)
	for i := range 2 * storeBursts {
		if a.store.Receive(a.now, addr(fmt.Sprintf("7.7.%d.%d:8", i/100%100, i%100)), p) == nil {
			taken++
		}
	}
	require.Equal(t, storeBursts, taken, "all senders together")
}

func BenchmarkStoreAnnounce(b *testing.B) {
	a := newAsker(b)
	bob := crypto.NewKeyPair(source(5))
	id := a.ask(bob, "8.8.8.8:8", question{searched: bob.Public}).token
	p := a.request(bob, question{pingID: id, searched: bob.Public})
	now, from := a.now, addr("8.8.8.8:8")
	near := make([]Node, 4)
	for i := range near {
		near[i] = Node{Key: packets.PublicKey{byte(i)}, Addr: from}
	}
	b.ReportAllocs()
	for b.Loop() {
		now += 20
		if err := a.store.Receive(now, from, p); err != nil {
			b.Fatal(err)
		}
		a.store.Answer(now, a.store.Poll().Queries[0], near)
		a.store.Poll()
	}
}
