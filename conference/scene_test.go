package conference

import (
	"math/rand"

	"github.com/tox-rejoin/rejoin/packets"
)

// scene is an engine in the middle of a busy life, built from the same inputs
// every time: a text conference that we founded with A and B online in it,
// C frozen and the non-friend N online; an audio conference of A's that we have
// joined; a conference that we are joining through B; group number 3 unused.
type scene struct {
	e    *Engine
	now  packets.Time
	text packets.ID
	av   packets.ID
	wait packets.ID
}

var (
	keyMe = packets.PublicKey{0x80}
	keyA  = packets.PublicKey{0x10}
	keyB  = packets.PublicKey{0x20}
	keyC  = packets.PublicKey{0xa0}
	keyN  = packets.PublicKey{0xb0}
)

func dhtOf(k packets.PublicKey) packets.PublicKey { k[31] = 0xdd; return k }

func newScene(reference bool) *scene {
	s := &scene{now: 1_700_000_000_000}
	s.av = packets.ID{Type: packets.AV, Key: [32]byte{0xaa}}
	s.wait = packets.ID{Key: [32]byte{0xbb}}
	var err error
	s.e, err = New(Config{
		Self: keyMe, DHTKey: dhtOf(keyMe), Name: []byte("me"), Reference: reference,
		Rand: rand.New(rand.NewSource(7)), Friends: []packets.PublicKey{keyA, keyB, keyC},
	}, nil, s.now)
	must(err)
	for _, k := range []packets.PublicKey{keyA, keyB, keyC} {
		s.e.Online(s.now, k, dhtOf(k))
		s.e.FriendReady(s.now, k)
	}
	s.text = s.e.Create(s.now, packets.Text)
	for i, k := range []packets.PublicKey{keyA, keyB, keyC} {
		s.from(k, packets.Invite{Kind: packets.KindAccept, Group: uint16(i), To: 0, ID: s.text}.Append(nil))
	}
	n := s.e.groups[0].peers.At(1).Number
	s.message(keyA, 0, n, 1, packets.NewPeer, packets.AppendNewPeer(nil, 4242, &keyN, &keyN))
	s.tick()
	s.e.Online(s.now, keyN, dhtOf(keyN))
	s.from(keyN, packets.Online{Group: 9, ID: s.text}.Append(nil))
	c := s.e.groups[0].peers.ByKey(&keyC).Number
	s.message(keyC, 0, c, 1, packets.FreezePeer, []byte{byte(c >> 8), byte(c)})

	must(s.e.Join(s.now, Invited{From: keyA, ID: s.av, Group: 5}))
	list := packets.Direct{Group: 1, Kind: packets.PeerResponse}.Append(nil)
	list = packets.AppendPeer(list, 0, &keyA, &keyA, "A")
	list = packets.AppendPeer(list, 0x17da, &keyMe, &keyMe, "")
	s.from(keyA, packets.AppendPeer(list, 7, &keyB, &keyB, "B"))
	must(s.e.Join(s.now, Invited{From: keyB, ID: s.wait, Group: 6}))
	s.tick()
	return s
}

func (s *scene) from(k packets.PublicKey, p []byte) {
	must(s.e.Receive(s.now, k, p))
	s.e.Poll()
}

func (s *scene) message(k packets.PublicKey, group, author uint16, number uint32, kind packets.MessageKind, data []byte) {
	s.from(k, packets.Message{Group: group, PeerNumber: author, Number: number, Kind: kind, Data: data}.Append(nil))
}

func (s *scene) tick() {
	s.now += 50
	s.e.Tick(s.now)
	s.e.Poll()
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
