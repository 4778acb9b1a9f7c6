//go:build toxcore

package dht_test

import (
	"crypto/rand"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/crypto"
	"github.com/tox-rejoin/rejoin/tox/dht"
)

// wired is a machine on a socket of loopback.
type wired struct {
	*dht.DHT
	t      *testing.T
	socket *net.UDPConn
	start  time.Time
	unix   packets.Time
	wake   packets.Time
	found  map[packets.PublicKey]netip.AddrPort
	seen   map[byte]int   // packets that came and were taken, by first byte
	deaf   netip.AddrPort // nothing from here gets through
	routed []string
}

func newWired(t *testing.T) *wired {
	t.Helper()
	socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	t.Cleanup(func() { socket.Close() })
	start := time.Now()
	return &wired{
		DHT: dht.New(dht.Config{Keys: crypto.NewCache(crypto.NewKeyPair(rand.Reader), 0), Rand: rand.Reader, IPv4Only: true}),
		t:   t, socket: socket, start: start, unix: packets.Time(start.Unix()) * packets.Second,
		found: map[packets.PublicKey]netip.AddrPort{}, seen: map[byte]int{},
	}
}

func (w *wired) addr() netip.AddrPort { return w.socket.LocalAddr().(*net.UDPAddr).AddrPort() }
func (w *wired) now() packets.Time    { return w.unix + packets.Time(time.Since(w.start).Milliseconds()) }

// flush does what the machine's Output says.
func (w *wired) flush() {
	out := w.Poll()
	for _, s := range out.Sends {
		_, err := w.socket.WriteToUDPAddrPort(s.Data, s.To)
		require.NoError(w.t, err)
	}
	for _, e := range out.Events {
		switch e.Kind {
		case dht.Found:
			w.found[e.Key] = e.Addr
		case dht.Routed:
			w.routed = append(w.routed, string(e.Data))
		}
	}
	w.wake = out.Wake
	require.NoError(w.t, w.Check())
}

// step waits for one packet or the next tick.
func (w *wired) step() {
	w.flush()
	wait := 50 * time.Millisecond
	if w.wake != 0 {
		wait = min(wait, time.Duration(w.wake-w.now())*time.Millisecond)
	}
	require.NoError(w.t, w.socket.SetReadDeadline(time.Now().Add(max(wait, time.Millisecond))))
	var b [2048]byte
	if n, from, err := w.socket.ReadFromUDPAddrPort(b[:]); err == nil {
		if from != w.deaf && w.Receive(w.now(), from, b[:n]) == nil {
			w.seen[b[0]]++
		}
		w.flush()
	}
	w.Tick(w.now())
	w.flush()
}

// until runs all machines until ok, or fails after a while.
func until(t *testing.T, limit time.Duration, ok func() bool, what string, machines ...*wired) {
	t.Helper()
	for end := time.Now().Add(limit); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v", what, limit)
		}
		for _, w := range machines {
			w.step()
		}
	}
}

// A daemon tells its version and its message of the day.
func TestDaemonAnswersInfo(t *testing.T) {
	d := startDaemon(t)
	w := newWired(t)
	_, err := w.socket.WriteToUDPAddrPort(dht.AppendInfoRequest(nil), d.addr)
	require.NoError(t, err)
	require.NoError(t, w.socket.SetReadDeadline(time.Now().Add(5*time.Second)))
	var b [2048]byte
	n, _, err := w.socket.ReadFromUDPAddrPort(b[:])
	require.NoError(t, err)
	info, err := dht.ParseInfo(b[:n])
	require.NoError(t, err)
	require.Equal(t, motd+"\x00", string(info.MOTD))
	require.Equal(t, uint32(1000002018), info.Version)
}

// A daemon answers ping and nodes requests, takes us into its lists and tells
// others about us: two nodes that know only the daemon find each other.
func TestDaemonIntroducesUs(t *testing.T) {
	d := startDaemon(t)
	a, b := newWired(t), newWired(t)
	a.Bootstrap(a.now(), d.addr, d.key)
	until(t, 20*time.Second, func() bool { return a.Connected(a.now()) }, "the daemon answers", a)
	require.Positive(t, a.seen[dht.PingRequest], "it looked whether we are there")
	require.False(t, a.ConnectedPublic(a.now()))

	b.Bootstrap(b.now(), d.addr, d.key)
	require.NoError(t, a.Search(a.now(), b.Key()))
	require.NoError(t, b.Search(b.now(), a.Key()))
	until(t, 30*time.Second, func() bool { return a.found[b.Key()] == b.addr() && b.found[a.Key()] == a.addr() }, "both find each other", a, b)
	require.Positive(t, a.seen[dht.PingResponse]+b.seen[dht.PingResponse])
	require.Positive(t, a.seen[dht.NodesResponse]+b.seen[dht.NodesResponse])

	until(t, 30*time.Second, func() bool {
		at, ok := a.OwnAddress(a.now(), false)
		return ok && at == a.addr()
	}, "a nodes response names ourselves", a, b)
}

// The daemon's own nodes response lists us, asked by hand.
func TestDaemonListsUs(t *testing.T) {
	d := startDaemon(t)
	a, b := newWired(t), newWired(t)
	a.Bootstrap(a.now(), d.addr, d.key)
	until(t, 20*time.Second, func() bool { return a.Connected(a.now()) }, "the daemon answers", a)
	until(t, 20*time.Second, func() bool {
		b.Ask(b.now(), dht.Node{Key: d.key, Addr: d.addr}, a.Key())
		for range 20 {
			b.step()
			a.step()
		}
		for _, n := range b.Closest(b.now(), nil, a.Key(), 1, true) {
			if n == (dht.Node{Key: a.Key(), Addr: a.addr()}) {
				return true
			}
		}
		return false
	}, "a stranger hears of us from the daemon", a, b)
}

// A routed request reaches its receiver through the daemon alone, when the two
// do not get each other's packets.
func TestDaemonForwardsRouted(t *testing.T) {
	d := startDaemon(t)
	a, b := newWired(t), newWired(t)
	a.deaf, b.deaf = b.addr(), a.addr()
	a.Bootstrap(a.now(), d.addr, d.key)
	b.Bootstrap(b.now(), d.addr, d.key)
	require.NoError(t, a.Search(a.now(), b.Key()))
	ways := 0
	until(t, 40*time.Second, func() bool {
		var err error
		ways, err = a.Route(a.now(), b.Key(), dht.SubDHTKey, []byte("through the daemon"))
		require.NoError(t, err)
		return ways > 0 && len(b.routed) > 0
	}, "the daemon passes it on", a, b)
	require.Equal(t, 1, ways, "the daemon is the only way")
	require.Equal(t, "through the daemon", b.routed[0])
	require.Empty(t, a.found)
}
