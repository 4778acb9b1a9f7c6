package tox_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox"
	"github.com/tox-rejoin/rejoin/tox/crypto"
	"github.com/tox-rejoin/rejoin/tox/dht"
	"github.com/tox-rejoin/rejoin/tox/dhtnode"
)

// stage is a node under test among neighbours whom the test plays. They answer
// what a node of the DHT answers, and name the friend.
type stage struct {
	t          testing.TB
	rand       *rand.ChaCha8
	now        packets.Time
	node       *tox.Node
	neighbours []actor
	friend     actor
	real       crypto.KeyPair // the friend's long-term one
	got        []tox.Datagram // what was not answered
}

// actor is a node that the test plays.
type actor struct {
	dhtnode.Node
	pair crypto.KeyPair
}

func newStage(t testing.TB) *stage {
	r := rand.NewChaCha8([32]byte{77})
	s := &stage{t: t, rand: r, now: 1_700_000_000_000, real: crypto.NewKeyPair(r)}
	var err error
	s.node, err = tox.New(s.now, tox.Config{Real: crypto.NewKeyPair(r), Rand: r})
	require.NoError(t, err)
	for i := range 6 {
		s.neighbours = append(s.neighbours, s.actor(fmt.Sprintf("8.8.8.%d:33445", i)))
		s.node.Bootstrap(s.now, s.neighbours[i].Addr, s.neighbours[i].Key)
	}
	s.friend = s.actor("8.8.9.9:33445")
	require.NoError(t, s.node.Want(s.now, s.real.Public, s.friend.Key))
	return s
}

func (s *stage) actor(addr string) actor {
	pair := crypto.NewKeyPair(s.rand)
	return actor{dhtnode.Node{Key: pair.Public, Addr: netip.MustParseAddrPort(addr)}, pair}
}

// key is what a key pair shares with one of the node's keys.
func (s *stage) key(pair crypto.KeyPair, node packets.PublicKey) *crypto.SharedKey {
	k, err := pair.Shared(node)
	require.NoError(s.t, err)
	return &k
}

// second lets a second pass and answers what the node asks.
func (s *stage) second() {
	s.now += packets.Second
	s.node.Tick(s.now)
	for sends := s.sends(); len(sends) > 0; sends = s.sends() {
		for _, d := range sends {
			s.answer(d)
		}
	}
	require.NoError(s.t, s.node.Check())
}

func (s *stage) sends() (list []tox.Datagram) {
	for _, d := range s.node.Poll().Sends {
		list = append(list, tox.Datagram{To: d.To, Data: slices.Clone(d.Data)})
	}
	return list
}

func (s *stage) answer(d tox.Datagram) {
	all := append(slices.Clone(s.neighbours), s.friend)
	i := slices.IndexFunc(all, func(a actor) bool { return a.Addr == d.To })
	if i < 0 || d.Data[0] != dht.PingRequest && d.Data[0] != dht.NodesRequest {
		s.got = append(s.got, d)
		return
	}
	a, id := all[i], byte(dht.PingResponse)
	k := s.key(a.pair, s.node.DHTKey())
	plain, err := k.OpenPrefixed(nil, d.Data[1+packets.KeySize:])
	require.NoError(s.t, err)
	if d.Data[0] == dht.NodesRequest {
		id = dht.NodesResponse
		plain = append(packets.NodeList{Nodes: []packets.Node{s.friend.Pack()}}.Append([]byte{1}), plain[packets.KeySize:]...)
	} else {
		plain[0] = id
	}
	p := k.SealRandom(append([]byte{id}, a.Key[:]...), s.rand, plain)
	require.NoError(s.t, s.node.Receive(s.now, a.Addr, p))
}

// dataHead is how long the data of a DHT key is before its nodes.
const dataHead = 1 + 8 + packets.KeySize

// A friend is told our DHT key, and the four nodes closest to us with it.
// SPEC T-86
func TestFriendsAreToldNeighbours(t *testing.T) {
	s := newStage(t)
	for range 60 {
		s.second()
	}
	all := append(slices.Clone(s.neighbours), s.friend)
	slices.SortFunc(all, func(a, b actor) int { return dhtnode.Compare(s.node.DHTKey(), a.Key, b.Key) })
	var want []packets.Node
	for _, a := range all[:4] {
		want = append(want, a.Pack())
	}
	told := 0
	for _, d := range s.got {
		if d.To != s.friend.Addr || d.Data[0] != dht.RoutedRequest {
			continue
		}
		plain, err := s.key(s.friend.pair, s.node.DHTKey()).OpenPrefixed(nil, d.Data[1+2*packets.KeySize:])
		require.NoError(t, err)
		require.Equal(t, byte(dht.SubDHTKey), plain[0])
		data, err := s.key(s.real, s.node.Key()).OpenPrefixed(nil, plain[1+packets.KeySize:])
		require.NoError(t, err)
		require.Equal(t, s.node.DHTKey(), packets.PublicKey(data[1+8:]))
		require.Equal(t, want, packets.ParseNodes(data[dataHead:]).Nodes)
		told++
	}
	require.Positive(t, told)
}

// The nodes that come with a friend's DHT key are asked for it; a relay is not.
// SPEC T-87
func TestToldNodesAreAsked(t *testing.T) {
	s := newStage(t)
	s.second()
	via, moved := s.actor("9.9.9.9:1"), s.actor("9.9.9.8:1")
	relay := packets.Node{Family: packets.TCP4, IP: [16]byte{9, 9, 9, 7}, Port: 443, Key: via.Key}
	data := binary.BigEndian.AppendUint64([]byte{dht.SubDHTKey}, 1)
	data = append(data, moved.Key[:]...)
	data = packets.NodeList{Nodes: []packets.Node{relay, via.Pack()}}.Append(data)
	inner := s.key(s.real, s.node.Key()).SealRandom(append([]byte{dht.SubDHTKey}, s.real.Public[:]...), s.rand, data)
	own := s.node.DHTKey()
	p := append(append([]byte{dht.RoutedRequest}, own[:]...), moved.Key[:]...)
	p = s.key(moved.pair, own).SealRandom(p, s.rand, inner)
	s.got = nil
	require.NoError(t, s.node.Receive(s.now, s.neighbours[0].Addr, p))
	info, _ := s.node.Peer(s.real.Public)
	require.Equal(t, moved.Key, info.DHT)
	sends := s.sends()
	require.Len(t, sends, 1)
	require.Equal(t, via.Addr, sends[0].To)
	require.Equal(t, byte(dht.NodesRequest), sends[0].Data[0])
	plain, err := s.key(via.pair, own).OpenPrefixed(nil, sends[0].Data[1+packets.KeySize:])
	require.NoError(t, err)
	require.Equal(t, moved.Key, packets.PublicKey(plain))
}

// Datagrams that no part takes are refused by the node itself.
// SPEC T-144
func TestFirstBytes(t *testing.T) {
	s := newStage(t)
	taken := []byte{
		0x00, 0x01, 0x02, 0x04, 0x18, 0x19, 0x1a, 0x1b, 0x20,
		0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x88, 0x8c, 0x8d, 0x8e, 0xf0,
	}
	for id := range 256 {
		err := s.node.Receive(s.now, s.friend.Addr, append([]byte{byte(id)}, make([]byte, 32)...))
		require.Error(t, err, "%#x", id)
		if slices.Contains(taken, byte(id)) {
			require.NotErrorIs(t, err, tox.ErrKind, "%#x", id)
		} else {
			require.ErrorIs(t, err, tox.ErrKind, "%#x", id)
		}
	}
}
