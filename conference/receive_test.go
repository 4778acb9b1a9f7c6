package conference

import (
	"encoding/binary"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
)

// senders are whom the fuzzer's packets come from.
var senders = []packets.PublicKey{keyA, keyB, keyC, keyN, {0x66}}

// FuzzReceive plays a list of packets (a sender byte, a 16-bit length, the
// packet) to a busy engine. It never panics, its invariants hold, and a refused
// packet leaves it as it was.
func FuzzReceive(f *testing.F) {
	for _, p := range samplePackets() {
		for sender := range senders {
			f.Add(script(byte(sender), p), false)
			f.Add(script(byte(sender), p), true)
		}
	}
	f.Fuzz(func(t *testing.T, input []byte, reference bool) {
		s, twin := newScene(reference), newScene(reference)
		for len(input) >= 3 {
			from := senders[int(input[0])%len(senders)]
			n := min(int(binary.BigEndian.Uint16(input[1:])), len(input)-3)
			p := input[3 : 3+n]
			input = input[3+n:]
			if err := s.e.Receive(s.now, from, p); err != nil {
				twin.e.begin(twin.now)
				if !reflect.DeepEqual(s.e, twin.e) {
					t.Fatalf("%x from %v was refused (%v) but changed something", p, from, err)
				}
			} else if err := twin.e.Receive(twin.now, from, p); err != nil {
				t.Fatalf("the twin differs: %v", err)
			}
			s.e.Poll()
			twin.e.Poll()
			if err := s.e.Check(); err != nil {
				t.Fatalf("after %x from %v: %v", p, from, err)
			}
			if n%3 == 0 {
				s.tick()
				twin.tick()
			}
		}
	})
}

func script(sender byte, p []byte) []byte {
	return append([]byte{sender, byte(len(p) >> 8), byte(len(p))}, p...)
}

// samplePackets has every kind of packet, well-formed for the scene.
func samplePackets() [][]byte {
	s := newScene(true)
	a := s.e.groups[0].peers.ByKey(&keyA).Number
	me := packets.AppendPeer(packets.Direct{Group: 2, Kind: packets.PeerResponse}.Append(nil), 77, &keyMe, &keyMe, "")
	samples := [][]byte{
		{}, {0x63}, {0x99, 0, 0, 0},
		packets.Invite{Group: 3, ID: packets.ID{Key: [32]byte{1}}}.Append(nil),
		packets.Invite{Group: 3, ID: s.text}.Append(nil),
		packets.Invite{Group: 3, ID: s.wait}.Append(nil),
		packets.Invite{Kind: packets.KindAccept, Group: 3, ID: s.text}.Append(nil),
		packets.Invite{Kind: packets.KindMember, Group: 3, ID: s.text, PeerNumber: 99}.Append(nil),
		packets.Online{Group: 4, ID: s.text}.Append(nil),
		packets.Rejoin{ID: s.text}.Append(nil),
		packets.Rejoin{ID: s.av}.Append(nil),
		me,
		packets.Direct{Group: 0, Kind: packets.PeerQuery}.Append(nil),
		packets.Direct{Group: 0, Kind: packets.PeerIntroduced}.Append(nil),
		packets.Direct{Group: 0, Kind: packets.TitleResponse, Data: []byte("title")}.Append(nil),
		packets.Direct{Group: 0, Kind: 99}.Append(nil),
		packets.Lossy{Group: 1, PeerNumber: 7, Number: 5, Kind: packets.LossyAudio, Data: []byte("opus")}.Append(nil),
	}
	for _, m := range []packets.Message{
		{Kind: packets.Ping},
		{Kind: packets.NewPeer, Data: packets.AppendNewPeer(nil, 8, &packets.PublicKey{5}, &packets.PublicKey{6})},
		{Kind: packets.NewPeer, Data: packets.AppendNewPeer(nil, 8, &keyMe, &packets.PublicKey{6})},
		{Kind: packets.KillPeer, Data: []byte{byte(a >> 8), byte(a)}},
		{Kind: packets.FreezePeer, Data: []byte{byte(a >> 8), byte(a)}},
		{Kind: packets.Name, Data: []byte("new name")},
		{Kind: packets.Title, Data: []byte("new title")},
		{Kind: packets.Title, Data: make([]byte, 300)},
		{Kind: packets.NormalMessage, Data: []byte("hello")},
		{Kind: packets.Action, Data: []byte("waves")},
		{Kind: 66, Data: []byte("?")},
	} {
		m.PeerNumber, m.Number = a, 50
		samples = append(samples, m.Append(nil))
		m.PeerNumber = 0 // in our own name
		samples = append(samples, m.Append(nil))
	}
	return samples
}

func TestRefusals(t *testing.T) {
	s := newScene(false)
	a := s.e.groups[0].peers.ByKey(&keyA).Number
	ping := packets.Message{PeerNumber: a, Number: 60}
	for what, c := range map[string]struct {
		from packets.PublicKey
		p    []byte
		want error
	}{
		"no link":              {packets.PublicKey{0x66}, ping.Append(nil), ErrNoLink},
		"too long":             {keyA, make([]byte, packets.MaxPacket+1), ErrTooLong},
		"three bytes":          {keyA, []byte{0x63, 0, 0}, packets.ErrTooShort},
		"short message":        {keyA, ping.Append(nil)[:9], packets.ErrTooShort},
		"unknown packet":       {keyA, []byte{0x10, 0, 0, 0}, ErrPacket},
		"unknown group":        {keyA, packets.Message{Group: 3, PeerNumber: a}.Append(nil), ErrNoConference},
		"no entry":             {keyC, ping.Append(nil), ErrNoEntry},
		"invite of a stranger": {keyN, packets.Invite{ID: packets.ID{Key: [32]byte{1}}}.Append(nil), ErrNotFriend},
		"lossy in text":        {keyA, packets.Lossy{PeerNumber: a}.Append(nil), ErrType},
		"online elsewhere":     {keyA, packets.Online{ID: packets.ID{Key: [32]byte{1}}}.Append(nil), ErrNoConference},
		"rejoin of a stranger": {keyN, packets.Rejoin{ID: s.av}.Append(nil), ErrUnknownPeer},
		"accept of another id": {keyA, packets.Invite{Kind: packets.KindAccept, ID: s.av}.Append(nil), ErrNoConference},
	} {
		t.Run(what, func(t *testing.T) {
			// C's own Freeze made us answer with a Rejoin, so it has an entry again.
			if what == "no entry" {
				s := newScene(false)
				s.e.removeConn(s.e.groups[0].group, s.e.groups[0].entry(s.e.links[keyC]))
				require.ErrorIs(t, s.e.Receive(s.now, c.from, c.p), c.want)
				return
			}
			require.ErrorIs(t, s.e.Receive(s.now, c.from, c.p), c.want)
		})
	}
}

// In steady state a relayed ping allocates nothing.
func TestRelayAllocatesNothing(t *testing.T) {
	s := newScene(false)
	ping := relayedPing(s)
	relay := func() {
		ping.next()
		must(s.e.Receive(s.now, keyB, ping.packet))
		if out := s.e.Poll(); len(out.Sends) != 2 {
			t.Fatalf("%d copies, want 2 (to A and N)", len(out.Sends))
		}
	}
	for range 100 {
		relay()
	}
	require.Zero(t, testing.AllocsPerRun(1000, relay))
}

func BenchmarkRelayedPing(b *testing.B) {
	s := newScene(false)
	ping := relayedPing(s)
	b.ReportAllocs()
	for b.Loop() {
		ping.next()
		must(s.e.Receive(s.now, keyB, ping.packet))
		s.e.Poll()
	}
}

func BenchmarkDuplicatePing(b *testing.B) {
	s := newScene(false)
	ping := relayedPing(s)
	ping.next()
	b.ReportAllocs()
	for b.Loop() {
		must(s.e.Receive(s.now, keyB, ping.packet))
		s.e.Poll()
	}
}

// pings is A's pings as B relays them.
type pings struct {
	packet []byte
	number uint32
}

func relayedPing(s *scene) *pings {
	a := s.e.groups[0].peers.ByKey(&keyA).Number
	return &pings{packets.Message{PeerNumber: a}.Append(nil), 100}
}

func (p *pings) next() {
	p.number++
	binary.BigEndian.PutUint32(p.packet[5:], p.number)
}
