//go:build toxcore

package tox_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox"
	"github.com/tox-rejoin/rejoin/tox/crypto"
	"github.com/tox-rejoin/rejoin/tox/toxcore"
	"github.com/tox-rejoin/rejoin/tox/toxcore/lab"
)

// What messengers send; a Node hands it through.
const (
	packetOnline  = 24
	packetMessage = 64
	packetInvite  = 96
	packetLossy   = 200 // a custom one
)

// ours is a Node on a socket of loopback with as much of a messenger as a stock
// peer needs to call it online.
type ours struct {
	*tox.Runner
	t       *testing.T
	real    crypto.KeyPair
	address crypto.Address

	mu       sync.Mutex
	online   map[packets.PublicKey]bool // the peer said so
	got      map[packets.PublicKey][]string
	requests []tox.Event
}

// startOurs runs a Node until the test ends, in the network of a daemon.
func startOurs(t *testing.T, daemon lab.Node) *ours {
	t.Helper()
	o := &ours{
		t: t, real: crypto.NewKeyPair(rand.Reader),
		online: map[packets.PublicKey]bool{}, got: map[packets.PublicKey][]string{},
	}
	o.address = crypto.NewAddress(o.real.Public, [4]byte{1, 2, 3, 4})
	var err error
	o.Runner, err = tox.Listen(tox.RunnerConfig{Node: tox.Config{Real: o.real, Rand: rand.Reader}, Handle: o.take})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- o.Run(ctx) }()
	t.Cleanup(func() {
		o.do(func(_ packets.Time, n *tox.Node) { require.NoError(t, n.Check()) })
		stop()
		require.NoError(t, <-ended)
	})
	o.do(func(now packets.Time, n *tox.Node) { n.Bootstrap(now, daemon.Addr, packets.PublicKey(daemon.Key)) })
	return o
}

func (o *ours) do(f func(now packets.Time, n *tox.Node)) {
	o.t.Helper()
	require.NoError(o.t, o.Do(context.Background(), f))
}

// take runs in the goroutine of the Runner.
func (o *ours) take(now packets.Time, n *tox.Node, e tox.Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch e.Kind {
	case tox.Online:
		_, _ = n.Write(now, e.Peer, []byte{packetOnline}, false) // it was online a moment ago
	case tox.Offline:
		delete(o.online, e.Peer)
	case tox.Payload:
		if e.Data[0] == packetOnline {
			o.online[e.Peer] = true
			return
		}
		o.got[e.Peer] = append(o.got[e.Peer], string(e.Data))
	case tox.FriendRequest:
		e.Data = slices.Clone(e.Data)
		o.requests = append(o.requests, e)
	case tox.Acked, tox.SelfOnline:
	}
}

func (o *ours) add(key toxcore.Key) {
	o.t.Helper()
	o.do(func(now packets.Time, n *tox.Node) { require.NoError(o.t, n.AddFriend(now, packets.PublicKey(key))) })
}

func (o *ours) write(to toxcore.Key, payload string, lossy bool) {
	o.t.Helper()
	o.do(func(now packets.Time, n *tox.Node) {
		_, err := n.Write(now, packets.PublicKey(to), []byte(payload), lossy)
		require.NoError(o.t, err)
	})
}

// wait waits until ok, which is called with the lock held.
func (o *ours) wait(limit time.Duration, what string, ok func() bool) {
	o.t.Helper()
	lab.Eventually(o.t, limit, what, func() bool {
		o.mu.Lock()
		defer o.mu.Unlock()
		return ok()
	})
}

func (o *ours) waitOnline(key toxcore.Key, limit time.Duration) {
	o.t.Helper()
	o.wait(limit, "stock friend online", func() bool { return o.online[packets.PublicKey(key)] })
}

// has tells whether a payload came, once.
func (o *ours) has(from toxcore.Key, payload string) func() bool {
	return func() bool {
		n := 0
		for _, p := range o.got[packets.PublicKey(from)] {
			if p == payload {
				n++
			}
		}
		return n == 1
	}
}

const patience = 60 * time.Second

// talk checks that messages get through both ways, and a conference invitation.
func talk(t *testing.T, o *ours, stock *lab.Stock) {
	t.Helper()
	self := toxcore.Key(o.real.Public)
	for i := range 50 {
		o.write(stock.Key, fmt.Sprintf("%chello %d", packetMessage, i), false)
	}
	for i := range 50 {
		text := fmt.Sprintf("hello %d", i)
		e := stock.Wait(patience, text, lab.Of(toxcore.KindFriendMessage, lab.From(self)))
		require.Equal(t, text, string(e.Data), "in order")
		stock.Message(self, "you said "+text)
	}
	o.wait(patience, "50 answers", o.has(stock.Key, fmt.Sprintf("%cyou said hello 49", packetMessage)))
	o.mu.Lock()
	var answers []string
	for _, p := range o.got[packets.PublicKey(stock.Key)] {
		if p[0] == packetMessage {
			answers = append(answers, p[1:])
		}
	}
	o.mu.Unlock()
	require.Len(t, answers, 50)
	for i, a := range answers {
		require.Equal(t, fmt.Sprintf("you said hello %d", i), a)
	}

	o.write(stock.Key, string([]byte{packetLossy, 1}), true)
	stock.Wait(patience, "a lossy packet", lab.Of(toxcore.KindFriendLossy, lab.From(self)))

	stock.Invite(self, stock.NewConference("Lobby"))
	o.wait(patience, "an invitation", func() bool {
		return slices.ContainsFunc(o.got[packets.PublicKey(stock.Key)], func(p string) bool {
			return p[0] == packetInvite && len(p) == 37
		})
	})
}

// We add a stock peer by a friend request through the onion.
func TestWeAddStock(t *testing.T) {
	daemon := lab.StartDaemon(t, lab.DaemonConfig{})
	stock := lab.StartStock(t, lab.StockConfig{Name: "stock", Nodes: []lab.Node{daemon.Node}})
	o := startOurs(t, daemon.Node)
	began := time.Now()
	o.add(stock.Key)
	lab.Eventually(t, patience, "the request reaches the stock peer", func() bool {
		o.do(func(now packets.Time, n *tox.Node) {
			_, err := n.SendRequest(now, packets.PublicKey(stock.Key), stock.Address.NoSpam(), []byte("let me in"))
			require.NoError(t, err)
		})
		time.Sleep(time.Second)
		return len(stock.Events(lab.Of(toxcore.KindFriendRequest, lab.From(toxcore.Key(o.real.Public)), lab.Text("let me in")))) > 0
	})
	t.Logf("request after %v", time.Since(began).Round(time.Second/10))
	stock.AcceptFriend(toxcore.Key(o.real.Public))
	stock.WaitOnline(toxcore.Key(o.real.Public), patience)
	o.waitOnline(stock.Key, patience)
	t.Logf("online after %v", time.Since(began).Round(time.Second/10))
	require.EqualValues(t, toxcore.ConnectionUDP, stock.Friend(toxcore.Key(o.real.Public)).Connection)
	talk(t, o, stock)
}

// A stock peer adds us by our Tox ID.
func TestStockAddsUs(t *testing.T) {
	daemon := lab.StartDaemon(t, lab.DaemonConfig{})
	stock := lab.StartStock(t, lab.StockConfig{Name: "stock", Nodes: []lab.Node{daemon.Node}})
	o := startOurs(t, daemon.Node)
	began := time.Now()
	stock.AddFriend(o.address, "hello from stock")
	o.wait(patience, "a request", func() bool { return len(o.requests) > 0 })
	t.Logf("request after %v", time.Since(began).Round(time.Second/10))
	o.mu.Lock()
	request := o.requests[0]
	o.mu.Unlock()
	require.Equal(t, packets.PublicKey(stock.Key), request.Peer)
	require.Equal(t, o.address.NoSpam(), request.NoSpam)
	require.Equal(t, "hello from stock", string(request.Data))
	o.add(stock.Key)
	stock.WaitOnline(toxcore.Key(o.real.Public), patience)
	o.waitOnline(stock.Key, patience)
	t.Logf("online after %v", time.Since(began).Round(time.Second/10))
	talk(t, o, stock)
}
