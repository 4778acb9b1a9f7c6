package packets_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
)

// fullResponse is a Peer Response of 20 peers with empty names, as many as go
// into one packet.
func fullResponse() []byte {
	b := packets.Direct{Kind: packets.PeerResponse}.Append(nil)
	for i := range byte(20) {
		k, dht := key(i), key(100+i)
		b = packets.AppendPeer(b, uint16(i), &k, &dht, "")
	}
	return b
}

// readResponse reads all entries of a Peer Response.
func readResponse(b []byte) (entries, sum int) {
	p, err := packets.ParseDirect(b)
	if err != nil {
		return 0, 0
	}
	for list := packets.PeerList(p.Data); ; {
		e, rest, more, err := list.Next()
		if !more || err != nil {
			return entries, sum
		}
		entries++
		sum += int(e.Key[0]) + int(e.DHT[31]) + len(e.Name)
		list = rest
	}
}

func ping() packets.Message {
	return packets.Message{Group: 1, PeerNumber: 0x17da, Number: 1 << 20, Kind: packets.Ping}
}

// TestNoAllocations: what a relay does with every packet costs no garbage.
func TestNoAllocations(t *testing.T) {
	pingBytes, response := ping().Append(nil), fullResponse()
	require.Len(t, response, 4+20*packets.PeerEntryMin)
	entries, _ := readResponse(response)
	require.Equal(t, 20, entries)
	buf := make([]byte, 0, packets.MaxPacket)
	k, dht := key(1), key(2)
	name := []byte("name")
	newPeerBytes := newPeer()

	for what, f := range map[string]func(){
		"ping parse":           func() { _, _ = packets.ParseMessage(pingBytes) },
		"ping append":          func() { buf = ping().Append(buf[:0]) },
		"forward":              func() { buf = packets.AppendForward(buf[:0], pingBytes, 9) },
		"peer response parse":  func() { readResponse(response) },
		"peer response append": func() { buf = packets.AppendPeer(buf[:0], 1, &k, &dht, string(name)) },
		"new peer parse":       func() { _, _ = packets.ParseNewPeer(newPeerBytes) },
		"new peer append":      func() { buf = packets.AppendNewPeer(buf[:0], 1, &k, &dht) },
		"online append":        func() { buf = packets.Online{}.Append(buf[:0]) },
		"rejoin append":        func() { buf = packets.Rejoin{}.Append(buf[:0]) },
	} {
		assert.Zero(t, testing.AllocsPerRun(100, f), what)
	}
}

func BenchmarkPingParse(b *testing.B) {
	ping := ping().Append(nil)
	b.ReportAllocs()
	var sum uint32
	for b.Loop() {
		p, err := packets.ParseMessage(ping)
		if err != nil {
			b.Fatal(err)
		}
		sum += p.Number
	}
	_ = sum
}

func BenchmarkPingAppend(b *testing.B) {
	buf := make([]byte, 0, packets.MaxPacket)
	p := ping()
	b.ReportAllocs()
	for b.Loop() {
		p.Number++
		buf = p.Append(buf[:0])
	}
}

func BenchmarkPeerResponseParse(b *testing.B) {
	response := fullResponse()
	b.ReportAllocs()
	b.SetBytes(int64(len(response)))
	for b.Loop() {
		if n, _ := readResponse(response); n != 20 {
			b.Fatalf("%d entries", n)
		}
	}
}

func BenchmarkPeerResponseAppend(b *testing.B) {
	buf := make([]byte, 0, packets.MaxPacket)
	k, dht := key(1), key(2)
	b.ReportAllocs()
	for b.Loop() {
		buf = packets.Direct{Kind: packets.PeerResponse}.Append(buf[:0])
		for i := range uint16(20) {
			buf = packets.AppendPeer(buf, i, &k, &dht, "")
		}
	}
	b.SetBytes(int64(len(buf)))
}

func BenchmarkForward(b *testing.B) {
	ping := ping().Append(nil)
	buf := make([]byte, 0, packets.MaxPacket)
	b.ReportAllocs()
	for b.Loop() {
		buf = packets.AppendForward(buf[:0], ping, 7)
	}
}

func BenchmarkConferencesParse(b *testing.B) {
	data := packets.AppendConferences(nil, goldenConferences())
	b.ReportAllocs()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := packets.ParseConferences(data); err != nil {
			b.Fatal(err)
		}
	}
}
