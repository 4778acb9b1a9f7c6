package tox_test

import (
	"context"
	"crypto/rand"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox"
	"github.com/tox-rejoin/rejoin/tox/crypto"
	"github.com/tox-rejoin/rejoin/tox/dht"
)

// listen makes a Runner on loopback.
func listen(t *testing.T, real crypto.KeyPair, handle func(packets.Time, *tox.Node, tox.Event)) *tox.Runner {
	t.Helper()
	r, err := tox.Listen(tox.RunnerConfig{
		Node: tox.Config{Real: real, Rand: rand.Reader, MOTD: []byte("hello"), Version: 7}, Handle: handle,
	})
	require.NoError(t, err)
	require.True(t, r.Addr().Addr().IsLoopback())
	return r
}

// Two nodes on sockets connect, write to each other, and the one that stops
// says so.
func TestRunner(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	keys := [2]crypto.KeyPair{crypto.NewKeyPair(rand.Reader), crypto.NewKeyPair(rand.Reader)}
	events := [2]chan tox.Event{make(chan tox.Event, 100), make(chan tox.Event, 100)}
	var runners [2]*tox.Runner
	var stop [2]context.CancelFunc
	var ended [2]chan error
	for i := range runners {
		runners[i] = listen(t, keys[i], func(now packets.Time, n *tox.Node, e tox.Event) {
			if e.Kind == tox.Online {
				require.NoError(t, n.Write(now, e.Peer, []byte("\x63hello"), false))
			}
			e.Messenger.Data = slices.Clone(e.Messenger.Data)
			events[i] <- e
		})
		var of context.Context
		of, stop[i] = context.WithCancel(ctx)
		defer stop[i]()
		ended[i] = make(chan error, 1)
		go func() { ended[i] <- runners[i].Run(of) }()
	}
	do := func(i int, f func(now packets.Time, n *tox.Node)) {
		t.Helper()
		require.NoError(t, runners[i].Do(ctx, f))
	}
	var dhts [2]packets.PublicKey
	for i := range runners {
		do(i, func(_ packets.Time, n *tox.Node) { dhts[i] = n.DHTKey() })
	}
	do(1, func(now packets.Time, n *tox.Node) { n.Bootstrap(now, runners[0].Addr(), dhts[0]) })
	for i := range runners {
		do(i, func(now packets.Time, n *tox.Node) {
			require.NoError(t, n.Want(now, keys[1-i].Public, dhts[1-i]))
		})
	}
	next := func(i int, kind tox.EventKind) tox.Event {
		t.Helper()
		for {
			select {
			case e := <-events[i]:
				if e.Kind == kind {
					return e
				}
			case <-ctx.Done():
				require.Fail(t, "no event", "%d of node %d", kind, i)
			}
		}
	}
	for i := range runners {
		require.Equal(t, dhts[1-i], next(i, tox.Online).DHT)
		require.Equal(t, "\x63hello", string(next(i, tox.Messenger).Messenger.Data))
		for connected := false; !connected; time.Sleep(10 * time.Millisecond) { // who was called pings a moment later
			do(i, func(_ packets.Time, n *tox.Node) { connected = n.Connected() })
		}
	}
	stop[0]()
	require.NoError(t, <-ended[0])
	require.True(t, next(0, tox.Offline).Released)
	require.Equal(t, keys[0].Public, next(1, tox.Offline).Peer, "long before it would notice by itself")
	require.ErrorIs(t, runners[0].Do(ctx, func(packets.Time, *tox.Node) {}), tox.ErrStopped)
	stop[1]()
	require.NoError(t, <-ended[1])
}

// A node answers who is no node.
func TestRunnerAnswersInfo(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	r := listen(t, crypto.NewKeyPair(rand.Reader), nil)
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	socket, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(r.Addr()))
	require.NoError(t, err)
	defer socket.Close()
	require.NoError(t, socket.SetDeadline(time.Now().Add(10*time.Second)))
	_, err = socket.Write(dht.AppendInfoRequest(nil))
	require.NoError(t, err)
	buf := make([]byte, 2048)
	n, err := socket.Read(buf)
	require.NoError(t, err)
	info, err := dht.ParseInfo(buf[:n])
	require.NoError(t, err)
	require.Equal(t, dht.Info{Version: 7, MOTD: []byte("hello")}, info)
	stop()
	require.NoError(t, <-ended)
}

// A port that somebody has is an error, not a wait.
func TestListenTwice(t *testing.T) {
	r := listen(t, crypto.NewKeyPair(rand.Reader), nil)
	cfg := tox.RunnerConfig{Node: tox.Config{Real: crypto.NewKeyPair(rand.Reader), Rand: rand.Reader}, Local: r.Addr()}
	_, err := tox.Listen(cfg)
	require.Error(t, err)
	require.NoError(t, r.Close())
	r, err = tox.Listen(cfg)
	require.NoError(t, err)
	require.Equal(t, cfg.Local, r.Addr())
	require.NoError(t, r.Close())
	require.NotEqual(t, netip.AddrPort{}, cfg.Local)
}
