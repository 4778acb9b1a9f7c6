package dht

import (
	"bytes"
	"errors"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/crypto"
	"github.com/tox-rejoin/rejoin/tox/dhtnode"
)

// SPEC T-15, T-21, T-23
func TestPingIsAnswered(t *testing.T) {
	b := newBench(t)
	r := b.remote("8.8.8.8:1")
	require.NoError(t, r.send(r.seal(PingRequest, ping{PingRequest, 7}.append(nil))))
	list := r.sent()
	require.Len(t, list, 1)
	require.Len(t, list[0], pingSize)
	id, plain := r.open(list[0])
	require.Equal(t, byte(PingResponse), id)
	require.Equal(t, ping{PingResponse, 7}.append(nil), plain)
	require.False(t, b.Connected(b.now), "a question proves nothing")

	// It would fit our lists, so we ping it, and know it when it answers.
	list = b.tick(2, r)
	require.Len(t, list, 1)
	id, _ = r.open(list[0])
	require.Equal(t, byte(PingRequest), id)
	r.answer(list)
	require.True(t, b.Connected(b.now))
	require.True(t, b.ConnectedPublic(b.now))
}

// What an answer needs: the right id, key and address, in time, and only once.
// SPEC T-19
func TestAnswersMustBeAskedFor(t *testing.T) {
	for _, kind := range []byte{PingRequest, NodesRequest} {
		b := newBench(t)
		r, other := b.remote("8.8.8.8:1"), b.remote("8.8.8.8:1")
		moved := b.remoteWith(r.KeyPair, netip.MustParseAddrPort("8.8.8.8:2"))
		if kind == PingRequest {
			b.DHT.begin(b.now)
			b.DHT.ping(b.now, r.node())
		} else {
			b.Ask(b.now, r.node(), b.self)
		}
		list := r.sent()
		require.Len(t, list, 1)
		// So that the answer from another address gets as far as its box.
		b.DHT.ping(b.now, b.remote("8.8.8.8:2").node())
		b.Ask(b.now, b.remote("8.8.8.8:2").node(), b.self)
		b.Poll()
		_, plain := r.open(list[0])
		id := plain[len(plain)-idSize:]
		answer := func(r *remote, id []byte) []byte {
			if kind == PingRequest {
				return r.seal(PingResponse, append([]byte{PingResponse}, id...))
			}
			p := nodesPlain(0, r.node())
			return r.seal(NodesResponse, append(p[:len(p)-idSize], id...))
		}
		wrong := bytes.Clone(id)
		wrong[0] ^= 1
		r.refused(ErrUnasked, answer(r, wrong), "id")
		r.refused(ErrUnasked, answer(r, make([]byte, idSize)), "id 0")
		other.refused(ErrUnasked, answer(other, id), "key")
		moved.refused(ErrUnasked, answer(moved, id), "address")
		require.Zero(t, b.close.find(r.Public))

		b.now += answerIn + 1
		r.refused(ErrUnasked, answer(r, id), "late")
		b.now--
		require.NoError(t, r.send(answer(r, id)))
		require.NotNil(t, b.close.find(r.Public))
		r.refused(ErrUnasked, answer(r, id), "twice")
	}
}

// SPEC T-11, T-13, T-14, T-47
func TestRefusedPackets(t *testing.T) {
	b := newBench(t)
	r := b.remote("8.8.8.8:1")
	b.Ask(b.now, r.node(), b.self) // so that answers get as far as their box
	b.DHT.ping(b.now, r.node())
	b.Poll()
	wrong := func(p []byte) []byte { p[len(p)-1] ^= 1; return p }
	r.refused(ErrLength, nil, "empty")
	for _, id := range []byte{0x18, 0x21, 0x80, 0x93, 0xff} {
		r.refused(ErrKind, append([]byte{id}, make([]byte, 100)...), "id")
	}
	for id, plain := range map[byte][]byte{
		PingRequest:   ping{PingRequest, 1}.append(nil),
		PingResponse:  ping{PingResponse, 1}.append(nil),
		NodesRequest:  request{b.self, 1}.append(nil),
		NodesResponse: nodesPlain(1, r.node()),
	} {
		p := r.seal(id, plain)
		for n := 1; n < len(p); n++ {
			r.refused(ErrLength, p[:n], "cut")
		}
		r.refused(crypto.ErrOpen, wrong(bytes.Clone(p)), "box")
		if id == PingRequest || id == PingResponse {
			r.refused(ErrPlain, r.seal(id, append([]byte{id ^ 1}, plain[1:]...)), "type byte")
			r.refused(ErrLength, r.seal(id, append(plain, 0)), "long")
		}
		self := b.remoteWith(b.keys.Pair(), r.addr)
		self.refused(ErrOwnKey, self.seal(id, plain), "own key")
		low := bytes.Clone(p)
		clear(low[1 : 1+keySize])
		r.refused(crypto.ErrLowOrder, low, "low order")
	}
	r.refused(ErrKind, AppendInfoRequest(nil), "a client does not answer")
	for _, from := range []string{"0.0.0.0:1", "8.8.8.8:0", "224.0.0.1:1", "255.255.255.255:1", "[::]:1", "[ff02::1]:1"} {
		bad := b.remoteWith(r.KeyPair, netip.MustParseAddrPort(from))
		bad.refused(ErrSource, bad.seal(PingRequest, ping{PingRequest, 1}.append(nil)), from)
	}
	bad := b.remoteWith(r.KeyPair, netip.AddrPort{})
	bad.refused(ErrSource, []byte{0}, "no address")
}

// SPEC T-16 to T-18, T-26
func TestNodesAreTold(t *testing.T) {
	b := newBench(t)
	known := []*remote{b.remote("8.8.8.1:1"), b.remote("8.8.8.2:1"), b.remote("8.8.8.3:1"), b.remote("8.8.8.4:1"), b.remote("8.8.8.5:1"), b.remote("192.168.0.6:1")}
	for _, k := range known {
		k.meet()
	}
	ask := func(r *remote, wanted packets.PublicKey) []Node {
		require.NoError(t, r.send(r.seal(NodesRequest, request{wanted, 9}.append(nil))))
		list := r.sent()
		if len(list) == 0 {
			return nil
		}
		require.Len(t, list, 1)
		id, plain := r.open(list[0])
		require.Equal(t, byte(NodesResponse), id)
		x, err := parseResponse(plain)
		require.NoError(t, err)
		require.Equal(t, uint64(9), x.id)
		var nodes []Node
		for _, p := range x.nodes[:x.count] {
			n, ok := dhtnode.Unpack(p)
			require.True(t, ok)
			nodes = append(nodes, n)
		}
		return nodes
	}
	outside, inside := b.remote("9.9.9.9:1"), b.remote("10.0.0.1:1")
	for _, k := range known {
		want := b.Closest(b.now, nil, k.Public, 4, true)
		require.Len(t, want, 4)
		require.Equal(t, k.node(), want[0])
		require.Equal(t, want, ask(inside, k.Public))
		for _, n := range ask(outside, k.Public) {
			require.False(t, dhtnode.IsLAN(n.Addr.Addr()), "nobody outside hears of private networks")
		}
	}
	require.Len(t, ask(outside, known[5].Public), 4)

	b.now += (badAfter - 1) * packets.Second
	require.Len(t, ask(outside, b.self), 4)
	b.now += packets.Second
	require.Empty(t, ask(outside, b.self), "who was silent for 122 s is not told; an empty answer is not sent")
}

// Nodes that only the list of a search holds are told as well.
// SPEC T-16
func TestSearchedNodesAreTold(t *testing.T) {
	b := newBench(t)
	for i := range bucketSize {
		b.near(0, host(i)).meet()
	}
	wanted, asks := b.near(0, "9.9.9.9:1"), b.remote("9.9.9.8:1")
	require.NoError(t, b.Search(b.now, wanted.Public))
	wanted.meet()
	require.Nil(t, b.close.find(wanted.Public), "its bucket is full")
	require.NoError(t, asks.send(asks.seal(NodesRequest, request{wanted.Public, 9}.append(nil))))
	_, plain := asks.open(asks.sent()[0])
	x, err := parseResponse(plain)
	require.NoError(t, err)
	require.Equal(t, maxNodes, x.count)
	require.Equal(t, wanted.node().Pack(), x.nodes[0])
}

// SPEC T-40
func TestOwnAddress(t *testing.T) {
	b := newBench(t)
	_, ok := b.OwnAddress(b.now, false)
	require.False(t, ok)
	us, liar := netip.MustParseAddrPort("5.5.5.5:7"), netip.MustParseAddrPort("6.6.6.6:7")
	for i, says := range []netip.AddrPort{us, liar, us, us, liar} {
		r := b.near(i, netip.AddrPortFrom(netip.AddrFrom4([4]byte{8, 8, 8, byte(i)}), 1).String())
		r.meet(Node{Key: b.self, Addr: says})
	}
	at, ok := b.OwnAddress(b.now, false)
	require.True(t, ok)
	require.Equal(t, us, at, "most say so")
	_, ok = b.OwnAddress(b.now, true)
	require.False(t, ok)
	_, ok = b.OwnAddress(b.now+badAfter*packets.Second, false)
	require.False(t, ok, "too old")
}

// SPEC T-47
func TestBootstrapInfo(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Version, c.MOTD = 7, []byte("hello") })
	r := b.remote("8.8.8.8:1")
	require.NoError(t, r.send(AppendInfoRequest(nil)))
	list := r.sent()
	require.Len(t, list, 1)
	x, err := ParseInfo(list[0])
	require.NoError(t, err)
	require.Equal(t, Info{7, []byte("hello")}, x)
	r.refused(ErrLength, AppendInfoRequest(nil)[:77], "short")
	r.refused(ErrLength, append(AppendInfoRequest(nil), 0), "long")
}

// Floods are stopped before they cost a shared key.
// SPEC T-48
func TestFloods(t *testing.T) {
	b := newBench(t)
	from := netip.MustParseAddrPort("8.8.8.8:1")
	taken := 0
	for i := range 3 * sourceBurst {
		p := make([]byte, pingSize)
		p[1], p[2], p[3] = 9, byte(i), byte(i>>8)
		if !errors.Is(b.Receive(b.now, from, p), ErrFlood) {
			taken++
		}
	}
	require.Equal(t, sourceBurst, taken)
	require.LessOrEqual(t, b.keys.Len(), sourceBurst)

	// Many sources together are stopped, too; who answers our question is not.
	r := b.remote("9.9.9.9:1")
	b.Ask(b.now, r.node(), b.self)
	questions := r.sent()
	taken = 0
	for i := range 2 * totalBurst {
		p := make([]byte, pingSize)
		p[1] = 9
		if !errors.Is(b.Receive(b.now, netip.AddrPortFrom(netip.AddrFrom4([4]byte{7, 7, byte(i >> 8), byte(i)}), 1), p), ErrFlood) {
			taken++
		}
	}
	require.Equal(t, totalBurst-sourceBurst, taken)
	r.refused(ErrFlood, r.seal(PingRequest, ping{PingRequest, 1}.append(nil)), "a question")
	r.answer(questions)
	require.True(t, b.Connected(b.now))

	// Answers to nothing cost nothing at all.
	keys := b.keys.Len()
	s := b.remote("9.9.9.8:1")
	s.refused(ErrUnasked, s.seal(PingResponse, ping{PingResponse, 1}.append(nil)), "ping")
	s.refused(ErrUnasked, s.seal(NodesResponse, nodesPlain(1, s.node())), "nodes")
	require.Equal(t, keys, b.keys.Len())
}

func TestPollGivesEachOnce(t *testing.T) {
	b := newBench(t)
	r := b.remote("8.8.8.8:1")
	require.Zero(t, b.Poll().Wake, "nobody to talk to")
	b.Ask(b.now, r.node(), b.self)
	b.Ask(b.now, r.node(), b.searches[0].key)
	out := b.Poll()
	require.Len(t, out.Sends, 2)
	require.NotEqual(t, out.Sends[0].Data, out.Sends[1].Data)
	require.Equal(t, b.now, out.Wake, "it has never ticked")
	require.Empty(t, b.Poll().Sends)
	b.Tick(b.now)
	require.Equal(t, start+packets.Second, b.Poll().Wake)
	b.tick(7, nil)
	require.Zero(t, b.Poll().Wake, "the question is forgotten")
}

func FuzzReceive(f *testing.F) {
	seeds := newBench(f)
	r := seeds.remote("8.8.8.8:1")
	f.Add(uint8(0), r.seal(PingRequest, ping{PingRequest, 1}.append(nil)), true)
	f.Add(uint8(1), []byte{PingResponse, 0, 0, 0, 0, 0, 0, 0, 1}, true)
	f.Add(uint8(2), request{seeds.self, 1}.append(nil), true)
	f.Add(uint8(4), nodesPlain(1, r.node(), Node{Key: seeds.self, Addr: r.addr}), true)
	f.Add(uint8(0x20), []byte{SubDHTKey, 1, 2, 3}, true)
	f.Add(uint8(0x20), natPing{natRequest, 1}.append(nil), true)
	f.Add(uint8(0xf0), AppendInfoRequest(nil)[1:], false)
	f.Fuzz(func(t *testing.T, id uint8, data []byte, seal bool) {
		b := newBench(t, func(c *Config) { c.MOTD = []byte("x") })
		r := b.remote("8.8.8.8:1")
		require.NoError(t, b.Search(b.now, r.Public))
		// One question each is open, with an id that the data can hold.
		b.Ask(b.now, r.node(), b.self)
		b.DHT.ping(b.now, r.node())
		b.asked.ring[0].id, b.pings.ring[0].id = outstanding, outstanding
		b.Poll()
		p := append([]byte{id}, data...)
		switch {
		case seal && len(data) > 0 && id == RoutedRequest:
			p = r.routed(data)
		case seal && len(data) > 0:
			p = r.seal(id, data)
		}
		kept := bytes.Clone(p)
		b.begin(b.now)
		before := b.state()
		err := b.Receive(b.now, r.addr, p)
		require.NoError(t, b.Check())
		require.Equal(t, kept, p, "the packet is the caller's")
		if err != nil {
			require.Equal(t, before, b.state())
		}
		for range 3 {
			b.now += packets.Second
			b.Tick(b.now)
			require.NoError(t, b.Check())
			for _, s := range b.Poll().Sends {
				require.True(t, dhtnode.Reachable(s.To))
				require.LessOrEqual(t, len(s.Data), maxRouted)
			}
		}
	})
}

// allocations of one packet, answer included.
func TestNoAllocations(t *testing.T) {
	b := newBench(t)
	for i := range 6 {
		b.near(i, netip.AddrPortFrom(netip.AddrFrom4([4]byte{8, 8, 4, byte(i)}), 1).String()).meet()
	}
	r := b.remote("8.8.8.8:1")
	pings, asks := r.seal(PingRequest, ping{PingRequest, 1}.append(nil)), r.seal(NodesRequest, request{b.self, 1}.append(nil))
	require.Zero(t, testing.AllocsPerRun(100, func() {
		b.now += 100
		for _, p := range [][]byte{pings, asks} {
			if err := b.Receive(b.now, r.addr, p); err != nil {
				panic(err)
			}
		}
		b.Poll()
	}))
}

func BenchmarkPing(b *testing.B)         { benchmarkReceive(b, PingRequest) }
func BenchmarkNodesRequest(b *testing.B) { benchmarkReceive(b, NodesRequest) }

func benchmarkReceive(b *testing.B, id byte) {
	m := newBench(b)
	for i := range 6 {
		m.near(i, netip.AddrPortFrom(netip.AddrFrom4([4]byte{8, 8, 4, byte(i)}), 1).String()).meet()
	}
	r := m.remote("8.8.8.8:1")
	p := r.seal(id, ping{PingRequest, 1}.append(nil))
	if id == NodesRequest {
		p = r.seal(id, request{m.self, 1}.append(nil))
	}
	b.ReportAllocs()
	for b.Loop() {
		m.now += 100
		if err := m.Receive(m.now, r.addr, p); err != nil {
			b.Fatal(err)
		}
		m.Poll()
	}
}
