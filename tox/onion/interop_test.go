//go:build toxcore

package onion_test

import (
	"crypto/rand"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/crypto"
	"github.com/tox-rejoin/rejoin/tox/onion"
	"github.com/tox-rejoin/rejoin/tox/toxcore/lab"
)

// startDaemon runs a fresh tox-bootstrapd on loopback until the test ends.
func startDaemon(t *testing.T) onion.Node {
	t.Helper()
	d := lab.StartDaemon(t, lab.DaemonConfig{})
	return onion.Node{Key: packets.PublicKey(d.Key), Addr: d.Addr}
}

// wired is the three machines of a node on a socket of loopback.
type wired struct {
	node
	t      *testing.T
	socket *net.UDPConn
	start  time.Time
	others []onion.Node
	seen   map[byte]int // packets that were taken, by first byte
}

func newWired(t *testing.T) *wired {
	t.Helper()
	socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	t.Cleanup(func() { socket.Close() })
	w := &wired{
		t: t, socket: socket, start: time.Now(), seen: map[byte]int{},
		node: node{
			real: crypto.NewKeyPair(rand.Reader), dht: crypto.NewKeyPair(rand.Reader),
			addr: socket.LocalAddr().(*net.UDPAddr).AddrPort(),
			keys: map[packets.PublicKey]packets.PublicKey{}, nodes: map[packets.PublicKey]int{},
		},
	}
	cfg := onion.Config{Real: w.real, DHT: w.dht, Rand: rand.Reader, IPv4Only: true}
	w.relay, w.store, w.client = onion.NewRelay(cfg), onion.NewStore(cfg), onion.NewClient(cfg)
	return w
}

// knows tells a node what a DHT would tell it.
func (w *wired) knows(others ...onion.Node) {
	w.others = others
	for _, n := range others {
		w.client.AddPathNode(w.clock(), n)
	}
}

func (w *wired) self() onion.Node { return onion.Node{Key: w.dht.Public, Addr: w.addr} }

func (w *wired) clock() packets.Time {
	return packets.Time(w.start.Unix())*packets.Second + packets.Time(time.Since(w.start).Milliseconds())
}

func (w *wired) flush() {
	write := func(out onion.Output) onion.Output {
		for _, s := range out.Sends {
			_, err := w.socket.WriteToUDPAddrPort(s.Data, s.To)
			require.NoError(w.t, err)
		}
		return out
	}
	for _, q := range write(w.store.Poll()).Queries {
		w.store.Answer(w.clock(), q, w.others)
	}
	write(w.store.Poll())
	write(w.relay.Poll())
	for _, e := range write(w.client.Poll()).Events {
		switch e.Kind {
		case onion.DHTKey:
			w.keys[e.Real] = e.DHTKey
		case onion.FriendRequest:
			w.requests = append(w.requests, e.Real.String()+string(e.NoSpam[:])+string(e.Text))
		case onion.SelfOnline:
			w.online = append(w.online, e.Online)
		}
	}
	require.NoError(w.t, w.relay.Check())
	require.NoError(w.t, w.store.Check())
	require.NoError(w.t, w.client.Check())
}

// step waits a moment for one packet, then ticks.
func (w *wired) step() {
	require.NoError(w.t, w.socket.SetReadDeadline(time.Now().Add(5*time.Millisecond)))
	var b [2048]byte
	if n, from, err := w.socket.ReadFromUDPAddrPort(b[:]); err == nil && n > 0 {
		if w.receive(w.clock(), from, b[:n]) == nil {
			w.seen[b[0]]++
		}
		w.flush()
	}
	w.relay.Tick(w.clock())
	w.store.Tick(w.clock())
	w.client.Tick(w.clock())
	w.flush()
}

// until runs nodes until ok, and fails after a while.
func until(t *testing.T, limit time.Duration, what string, ok func() bool, nodes ...*wired) {
	t.Helper()
	begin := time.Now()
	for !ok() {
		require.Less(t, time.Since(begin), limit, what)
		for _, w := range nodes {
			w.step()
		}
	}
	t.Logf("%s after %v", what, time.Since(begin).Round(time.Millisecond))
}

// A daemon that is all three hops and the store keeps our announcement and
// says so: only then we are online.
func TestDaemonStoresUs(t *testing.T) {
	d := startDaemon(t)
	a := newWired(t)
	a.knows(d)
	until(t, 20*time.Second, "announced", a.client.Connected, a)
	require.Equal(t, []bool{true}, a.online)
	require.Equal(t, 1, a.client.Stored())
}

// Two nodes that know only the daemon find each other through it: a friend
// request and both DHT keys arrive.
func TestDaemonBringsFriendsTogether(t *testing.T) {
	d := startDaemon(t)
	a, b := newWired(t), newWired(t)
	a.knows(d)
	b.knows(d)
	now := a.clock()
	require.NoError(t, a.client.AddFriend(now, b.real.Public))
	until(t, 30*time.Second, "request sent", func() bool {
		n, err := a.client.SendRequest(a.clock(), b.real.Public, [4]byte([]byte("spam")), []byte("hello"))
		require.NoError(t, err)
		a.flush()
		return n > 0
	}, a, b)
	until(t, 10*time.Second, "request came", func() bool { return len(b.requests) > 0 }, a, b)
	require.Equal(t, a.real.Public.String()+"spamhello", b.requests[0])
	require.NoError(t, b.client.AddFriend(b.clock(), a.real.Public))
	until(t, 60*time.Second, "both DHT keys came", func() bool {
		return a.keys[b.real.Public] == b.dht.Public && b.keys[a.real.Public] == a.dht.Public
	}, a, b)
}

// A daemon and our relays are in the same paths, and our stores beside the
// daemon's: nodes that know all of them meet.
func TestDaemonAndOurRelays(t *testing.T) {
	d := startDaemon(t)
	nodes := []*wired{newWired(t), newWired(t), newWired(t)}
	for _, w := range nodes {
		var others []onion.Node
		for _, x := range nodes {
			if x != w {
				others = append(others, x.self())
			}
		}
		w.knows(append(others, d)...)
	}
	a, b := nodes[0], nodes[1]
	require.NoError(t, a.client.AddFriend(a.clock(), b.real.Public))
	require.NoError(t, b.client.AddFriend(b.clock(), a.real.Public))
	until(t, 60*time.Second, "both DHT keys came", func() bool {
		return a.keys[b.real.Public] == b.dht.Public && b.keys[a.real.Public] == a.dht.Public
	}, nodes...)
	for _, w := range nodes {
		require.Positive(t, w.seen[onion.Forward1]+w.seen[onion.Forward2]+w.seen[onion.Forward3])
		require.Positive(t, w.seen[onion.Return1]+w.seen[onion.Return2]+w.seen[onion.Return3])
	}
}
