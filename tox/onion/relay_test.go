package onion

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/crypto"
)

// bench is relays and a client whose paths consist of three of them.
type bench struct {
	t      testing.TB
	now    packets.Time
	client *Client
	relays [fewNodes]*Relay
	nodes  [fewNodes]Node
	self   Node
}

func newBench(t testing.TB) *bench {
	b := &bench{t: t, now: testStart}
	cfg := Config{Real: crypto.NewKeyPair(source(1)), DHT: crypto.NewKeyPair(source(2)), Rand: source(3)}
	b.client = NewClient(cfg)
	b.self = Node{Key: cfg.DHT.Public, Addr: addr("9.0.0.9:9")}
	for i := range b.relays {
		pair := crypto.NewKeyPair(source(10 + byte(i)))
		b.relays[i] = NewRelay(Config{DHT: pair, Rand: source(20 + byte(i))})
		b.relays[i].Tick(b.now)
		b.nodes[i] = Node{Key: pair.Public, Addr: addr(fmt.Sprintf("9.0.0.%d:%d", i+1, i+1))}
		b.client.AddPathNode(b.now, b.nodes[i])
	}
	return b
}

// at is the relay of a node.
func (b *bench) at(n Node) *Relay {
	i := slices.Index(b.nodes[:], n)
	require.GreaterOrEqual(b.t, i, 0)
	return b.relays[i]
}

// through sends a payload through a path and returns what comes out, for dest.
func (b *bench) through(p *path, dest string, payload []byte) []byte {
	b.client.begin(b.now)
	b.client.sendThrough(p, addr(dest), payload)
	out := b.client.Poll()
	require.Len(b.t, out.Sends, 1)
	d, from := out.Sends[0], b.self.Addr
	for i := range hops {
		require.Equal(b.t, p.nodes[i].Addr, d.To)
		r := b.at(p.nodes[i])
		require.NoError(b.t, r.Receive(b.now, from, d.Data))
		sends := r.Poll().Sends
		require.Len(b.t, sends, 1)
		d, from = sends[0], p.nodes[i].Addr
	}
	require.Equal(b.t, addr(dest), d.To)
	return slices.Clone(d.Data)
}

// home sends an answer back along a path and returns what arrives at us.
func (b *bench) home(p *path, back, data []byte, now packets.Time) ([]byte, error) {
	x := returned{hops, back, data}
	d := x.append(nil)
	from := addr("8.8.8.8:8")
	for i := hops - 1; i >= 0; i-- {
		r := b.at(p.nodes[i])
		if err := r.Receive(now, from, d); err != nil {
			return nil, err
		}
		sends := r.Poll().Sends
		require.Len(b.t, sends, 1)
		d, from = slices.Clone(sends[0].Data), p.nodes[i].Addr
		if i > 0 {
			require.Equal(b.t, p.nodes[i-1].Addr, sends[0].To)
		} else {
			require.Equal(b.t, b.self.Addr, sends[0].To)
		}
	}
	return d, nil
}

// SPEC T-49, T-64
func TestRelayThereAndBack(t *testing.T) {
	b := newBench(t)
	p := b.client.path(&b.client.sets[0], 0)
	require.NotNil(t, p)
	require.NotEqual(t, p.nodes[0], p.nodes[1])
	require.NotEqual(t, p.nodes[1], p.nodes[2])
	require.NotEqual(t, p.nodes[0], p.nodes[2])
	for _, size := range []int{1, 2, 177, MaxPayload} {
		for _, dest := range []string{"8.8.8.8:8", "[2001:db8::8]:8"} {
			payload := bytesOf(size, 0)
			payload[0] = AnnounceRequest
			got := b.through(p, dest, payload)
			require.Equal(t, payload, got[:size])
			require.Len(t, got, size+wayBack3)

			for _, id := range []byte{AnnounceResponse, DataResponse, GroupAnnounceResponse} {
				back, err := b.home(p, got[size:], append([]byte{id}, payload[1:]...), b.now)
				require.NoError(t, err)
				require.Equal(t, append([]byte{id}, payload[1:]...), back)
			}
		}
	}
}

// Only what belongs into onions leaves the last hop, and the first one on the
// way back.
// SPEC T-50, T-51
func TestRelayCarriesNothingElse(t *testing.T) {
	b := newBench(t)
	p := b.client.path(&b.client.sets[0], 0)
	last := b.at(p.nodes[2])
	for id := range 256 {
		x := forward{hop: 3, nonce: crypto.NewNonce(source(byte(id))), key: p.public[2], back: make([]byte, 2*wayBack1)}
		x.box = p.keys[2].Seal(nil, &x.nonce, append(appendAddr(nil, addr("8.8.8.8:8")), byte(id)))
		err := last.Receive(b.now, p.nodes[1].Addr, x.append(nil))
		if id == AnnounceRequest || id == DataRequest || id == GroupAnnounceRequest {
			require.NoError(t, err)
			require.Len(t, last.Poll().Sends, 1)
		} else {
			require.ErrorIs(t, err, ErrPayload)
			require.Empty(t, last.Poll().Sends)
		}
	}
	got := b.through(p, "8.8.8.8:8", []byte{DataRequest})
	for id := range 256 {
		_, err := b.home(p, got[1:], []byte{byte(id)}, b.now)
		if id == AnnounceResponse || id == DataResponse || id == GroupAnnounceResponse {
			require.NoError(t, err)
		} else {
			require.ErrorIs(t, err, ErrPayload)
		}
	}
}

// SPEC T-11, T-53
func TestRelayDestinations(t *testing.T) {
	for _, c := range []struct {
		from, to string
		ipv4     bool
		ok       bool
	}{
		{"9.9.9.9:9", "8.8.8.8:8", false, true},
		{"9.9.9.9:9", "[2001:db8::1]:8", false, true},
		{"9.9.9.9:9", "[2001:db8::1]:8", true, false},
		{"9.9.9.9:9", "8.8.8.8:0", false, false},
		{"9.9.9.9:9", "0.0.0.0:8", false, false},
		{"9.9.9.9:9", "224.0.0.1:8", false, false},
		{"9.9.9.9:9", "255.255.255.255:8", false, false},
		{"9.9.9.9:9", "[ff02::1]:8", false, false},
		{"9.9.9.9:9", "192.168.1.1:8", false, false},
		{"9.9.9.9:9", "127.0.0.1:8", false, false},
		{"192.168.1.2:9", "192.168.1.1:8", false, true},
		{"127.0.0.1:9", "127.0.0.1:8", false, true},
		{"192.168.1.2:9", "8.8.8.8:8", false, true},
		{"[::ffff:9.9.9.9]:9", "8.8.8.8:8", true, true},
	} {
		pair, sender := crypto.NewKeyPair(source(1)), crypto.NewKeyPair(source(2))
		r := NewRelay(Config{DHT: pair, Rand: source(3), IPv4Only: c.ipv4})
		key, err := sender.Shared(pair.Public)
		require.NoError(t, err)
		x := forward{hop: 1, nonce: crypto.NewNonce(source(4)), key: sender.Public}
		x.box = key.Seal(nil, &x.nonce, append(appendAddr(nil, addr(c.to)), make([]byte, 2*layerSize+1)...))
		err = r.Receive(testStart, addr(c.from), x.append(nil))
		if c.ok {
			require.NoError(t, err, c)
			require.Equal(t, addr(c.to), r.Poll().Sends[0].To)
			continue
		}
		require.ErrorIs(t, err, ErrDestination, c)
		require.Empty(t, r.Poll().Sends)
	}
	r := NewRelay(Config{DHT: crypto.NewKeyPair(source(1)), Rand: source(3)})
	require.ErrorIs(t, r.Receive(testStart, addr("0.0.0.0:1"), make([]byte, 400)), ErrSource)
}

// Ways back work for five minutes after the key was renewed, and no longer.
// SPEC T-52
func TestRelayRenewsKeys(t *testing.T) {
	b := newBench(t)
	p := b.client.path(&b.client.sets[0], 0)
	got := b.through(p, "8.8.8.8:8", []byte{AnnounceRequest})
	answer := []byte{AnnounceResponse, 1}
	require.Equal(t, testStart+relayEvery, b.relays[0].Poll().Wake)
	renewed := testStart + relayEvery
	for _, r := range b.relays {
		r.Tick(renewed - 1)
	}
	_, err := b.home(p, got[1:], answer, renewed-1)
	require.NoError(t, err)
	for _, r := range b.relays {
		r.Tick(renewed)
		require.NoError(t, r.Check())
	}
	_, err = b.home(p, got[1:], answer, renewed+relayGrace-1)
	require.NoError(t, err)
	_, err = b.home(p, got[1:], answer, renewed+relayGrace)
	require.ErrorIs(t, err, crypto.ErrOpen)
}

// Each byte that a relay can check is checked. A refused packet changes
// nothing: the real one still gets through.
func TestRelayCorruption(t *testing.T) {
	b := newBench(t)
	p := b.client.path(&b.client.sets[0], 0)
	b.client.sendThrough(p, addr("8.8.8.8:8"), []byte{AnnounceRequest, 1, 2})
	out := b.client.Poll().Sends[0].Data
	now, from := b.now, b.self.Addr
	for i := range hops {
		r := b.at(p.nodes[i])
		checked := len(out) - i*wayBack1 // the ways back of those before are their own matter
		for at := range checked {
			now += packets.Second // fill the buckets
			bad := slices.Clone(out)
			bad[at] ^= 1 << (at % 8)
			require.Error(t, r.Receive(now, from, bad), at)
			require.Empty(t, r.Poll().Sends)
		}
		for n := range len(out) {
			now += packets.Second
			require.Error(t, r.Receive(now, from, out[:n]))
		}
		require.NoError(t, r.Receive(now, from, out))
		out, from = slices.Clone(r.Poll().Sends[0].Data), p.nodes[i].Addr
	}
	x := returned{hops, out[3:], []byte{AnnounceResponse, 7}}
	out = x.append(nil)
	for i := hops - 1; i >= 0; i-- {
		r := b.at(p.nodes[i])
		for at := range 1 + (i+1)*wayBack1 {
			now += packets.Second
			bad := slices.Clone(out)
			bad[at] ^= 1 << (at % 8)
			require.Error(t, r.Receive(now, from, bad))
			require.Empty(t, r.Poll().Sends)
		}
		require.NoError(t, r.Receive(now, from, out))
		out = slices.Clone(r.Poll().Sends[0].Data)
	}
	require.Equal(t, []byte{AnnounceResponse, 7}, out)
}

// A flood of one source, and of many, is stopped before the crypto.
// SPEC T-54
func TestRelayFlood(t *testing.T) {
	r := NewRelay(Config{DHT: crypto.NewKeyPair(source(1)), Rand: source(3)})
	junk := make([]byte, 400)
	junk[0] = Forward1
	junk[1+nonceSize] = 9 // a key that is not of low order
	opened := func(n int, from func(i int) string) (count int) {
		for i := range n {
			if err := r.Receive(testStart, addr(from(i)), junk); err != nil {
				require.NotErrorIs(t, err, ErrLength)
				if !isFlood(err) {
					require.ErrorIs(t, err, crypto.ErrOpen)
					count++
				}
			}
		}
		return count
	}
	require.Equal(t, relayBurst, opened(2*relayBurst, func(int) string { return "9.9.9.9:9" }))
	require.Equal(t, relayBursts-relayBurst, opened(2*relayBursts, func(i int) string {
		return "8." + string('0'+rune(i%10)) + "." + string('0'+rune(i/10%10)) + "." + string('0'+rune(i/100%10)) + ":9"
	}))
}

func TestRelayAllocatesNothing(t *testing.T) {
	b := newBench(t)
	p := b.client.path(&b.client.sets[0], 0)
	b.client.sendThrough(p, addr("8.8.8.8:8"), make([]byte, 177))
	packet := slices.Clone(b.client.Poll().Sends[0].Data)
	r := b.at(p.nodes[0])
	now := b.now
	require.Zero(t, testing.AllocsPerRun(100, func() {
		now += packets.Second
		if err := r.Receive(now, b.self.Addr, packet); err != nil {
			panic(err)
		}
		r.Poll()
	}))
}

func BenchmarkRelayHop(b *testing.B) {
	x := newBench(b)
	p := x.client.path(&x.client.sets[0], 0)
	x.client.sendThrough(p, addr("8.8.8.8:8"), make([]byte, 177))
	packet := slices.Clone(x.client.Poll().Sends[0].Data)
	r := x.at(p.nodes[0])
	now := x.now
	b.SetBytes(int64(len(packet)))
	b.ReportAllocs()
	for b.Loop() {
		now += 10
		if err := r.Receive(now, x.self.Addr, packet); err != nil {
			b.Fatal(err)
		}
		r.Poll()
	}
}
