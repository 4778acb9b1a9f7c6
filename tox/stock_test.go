//go:build toxcore

package tox_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox"
	"github.com/tox-rejoin/rejoin/tox/crypto"
	"github.com/tox-rejoin/rejoin/tox/messenger"
	"github.com/tox-rejoin/rejoin/tox/toxcore"
	"github.com/tox-rejoin/rejoin/tox/toxcore/lab"
)

// Custom packets.
const (
	customLossless = 160
	customLossy    = 200
)

// ours is a Node on a socket. It can be started again, with the same keys and
// friends.
type ours struct {
	*tox.Runner
	t       *testing.T
	host    *lab.Host
	bind    netip.Addr // if it is not the host's address
	lan     bool
	nodes   []lab.Node // that it enters the network with
	cfg     tox.Config
	real    crypto.KeyPair
	address crypto.Address
	cancel  context.CancelFunc // nil while it does not run
	ended   chan error
	silent  bool // when it stops

	mu     sync.Mutex
	ready  bool
	online map[packets.PublicKey]packets.PublicKey // the DHT keys of those who are
	heard  []messenger.Event
}

// startOurs runs a Node on loopback until the test ends, in the network of some
// nodes.
func startOurs(t *testing.T, nodes ...lab.Node) *ours {
	t.Helper()
	return startOursOn(t, nil, nodes...)
}

// startOursOn is startOurs for a Node on a host.
func startOursOn(t *testing.T, host *lab.Host, nodes ...lab.Node) *ours {
	t.Helper()
	o := newOurs(t)
	o.host, o.nodes = host, nodes
	o.start(0)
	return o
}

// newOurs makes keys for a Node that start will start.
func newOurs(t *testing.T) *ours {
	o := &ours{t: t, real: crypto.NewKeyPair(rand.Reader), online: map[packets.PublicKey]packets.PublicKey{}}
	noSpam := [packets.NoSpamSize]byte{1, 2, 3, 4}
	o.address = crypto.NewAddress(o.real.Public, noSpam)
	o.cfg = tox.Config{
		Real: o.real, Rand: rand.Reader, NoSpam: noSpam,
		Name: []byte("ours"), StatusMessage: []byte("made in Go"), Status: packets.Away,
	}
	t.Cleanup(func() {
		if o.cancel != nil {
			o.stop()
		}
	})
	return o
}

// start starts the Node on a port; 0 is any.
func (o *ours) start(port uint16) {
	o.t.Helper()
	local := netip.AddrPortFrom(o.host.Addr(), port)
	if o.bind.IsValid() {
		local = netip.AddrPortFrom(o.bind, port)
	}
	require.NoError(o.t, o.host.Do(func() (err error) {
		o.Runner, err = tox.Listen(tox.RunnerConfig{Node: o.cfg, Local: local, LAN: o.lan, Handle: o.take, Stop: o.leave})
		return err
	}))
	var ctx context.Context
	ctx, o.cancel = context.WithCancel(context.Background())
	ended := make(chan error, 1)
	o.ended = ended
	go func(r *tox.Runner) { ended <- r.Run(ctx) }(o.Runner)
	for _, x := range o.nodes {
		o.do(func(now packets.Time, n *tox.Node) { n.Bootstrap(now, x.Addr, packets.PublicKey(x.Key)) })
	}
}

// stop ends the Node, which tells its peers, and keeps its friends.
func (o *ours) stop() {
	o.t.Helper()
	o.do(func(_ packets.Time, n *tox.Node) {
		require.NoError(o.t, n.Check())
		o.cfg.Friends = n.Friends()
	})
	o.cancel()
	o.cancel = nil
	require.NoError(o.t, <-o.ended)
}

// kill is stop as kill -9 does it: nobody is told.
func (o *ours) kill() {
	o.t.Helper()
	o.silent = true
	o.stop()
	o.silent = false
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ready = false
	clear(o.online)
}

// leave runs in the goroutine of the Runner, which says goodbye afterwards. If
// nobody shall be told, the goodbye is said here and thrown away.
func (o *ours) leave(now packets.Time, n *tox.Node) {
	if o.silent {
		n.Stop(now)
		n.Poll()
	}
}

// node is how others enter the network by us.
func (o *ours) node() lab.Node {
	o.t.Helper()
	x := lab.Node{Addr: o.Addr()}
	o.do(func(_ packets.Time, n *tox.Node) { x.Key = toxcore.Key(n.DHTKey()) })
	return x
}

func (o *ours) do(f func(now packets.Time, n *tox.Node)) {
	o.t.Helper()
	require.NoError(o.t, o.Do(context.Background(), f))
}

// take runs in the goroutine of the Runner.
func (o *ours) take(_ packets.Time, _ *tox.Node, e tox.Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch e.Kind {
	case tox.Online:
		o.online[e.Peer] = e.DHT
	case tox.Offline:
		delete(o.online, e.Peer)
	}
	if e.Kind != tox.Messenger {
		return
	}
	switch e.Messenger.Kind {
	case messenger.Ready:
		o.ready = true
	case messenger.Gone:
		o.ready = false
	default:
		e.Messenger.Data = slices.Clone(e.Messenger.Data)
		o.heard = append(o.heard, e.Messenger)
	}
}

// all is what was heard of one kind, as text.
func (o *ours) all(kind messenger.EventKind) (list []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, e := range o.heard {
		if e.Kind == kind {
			list = append(list, string(e.Data))
		}
	}
	return list
}

// wait waits until something of a kind was heard at least n times.
func (o *ours) wait(kind messenger.EventKind, n int, what string) {
	o.t.Helper()
	lab.Eventually(o.t, patience, what, func() bool { return len(o.all(kind)) >= n })
}

func (o *ours) waitReady(want bool) {
	o.t.Helper()
	lab.Eventually(o.t, patience, fmt.Sprintf("friend ready: %v", want), func() bool { return o.isReady() == want })
}

// isReady tells whether the friend is.
func (o *ours) isReady() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ready
}

const patience = 60 * time.Second

// talk checks what friends can say to each other: profiles, messages in order
// and with receipts, custom packets, a conference invitation.
func talk(t *testing.T, o *ours, stock *lab.Stock) {
	t.Helper()
	self, peer := toxcore.Key(o.real.Public), packets.PublicKey(stock.Key)
	stock.WaitOnline(self, patience)
	o.waitReady(true)
	require.Equal(t, toxcore.ConnectionUDP, stock.Friend(self).Connection)
	stock.Wait(patience, "our name", lab.Of(toxcore.KindFriendName, lab.From(self), lab.Text("ours")))
	stock.Wait(patience, "our status message", lab.Of(toxcore.KindFriendStatusMessage, lab.From(self), lab.Text("made in Go")))
	stock.Wait(patience, "our status", lab.Of(toxcore.KindFriendStatus, lab.From(self), lab.Value(uint32(packets.Away))))
	o.wait(messenger.Renamed, 1, "the stock peer's name")
	require.Equal(t, []string{"stock"}, o.all(messenger.Renamed))

	const messages = 50
	var said, answers []string
	var numbers []uint32
	for i := range messages {
		said = append(said, fmt.Sprintf("hello %d", i))
		o.do(func(now packets.Time, n *tox.Node) {
			_, err := n.SendMessage(now, peer, messenger.Normal, []byte(said[i]))
			require.NoError(t, err)
		})
	}
	for _, text := range said {
		e := stock.Wait(patience, text, lab.Of(toxcore.KindFriendMessage, lab.From(self)))
		require.Equal(t, text, string(e.Data), "in order")
		answers = append(answers, "you said "+text)
		numbers = append(numbers, stock.Message(self, "you said "+text))
	}
	for _, n := range numbers {
		stock.WaitReceipt(self, n, patience)
	}
	o.wait(messenger.Message, messages, "answers")
	o.wait(messenger.Received, messages, "receipts")
	require.Equal(t, answers, o.all(messenger.Message))

	o.do(func(now packets.Time, n *tox.Node) {
		require.NoError(t, n.SendCustom(now, peer, []byte{customLossless, 1}))
	})
	stock.Wait(patience, "a lossless packet", lab.Of(toxcore.KindFriendLossless, lab.Text([]byte{customLossless, 1})))
	stock.SendLossless(self, []byte{customLossless, 2})
	o.wait(messenger.Custom, 1, "a lossless packet")
	lab.Eventually(t, patience, "lossy packets", func() bool { // one may get lost
		o.do(func(now packets.Time, n *tox.Node) {
			require.NoError(t, n.SendCustom(now, peer, []byte{customLossy, 3}))
		})
		stock.SendLossy(self, []byte{customLossy, 4})
		return len(stock.Events(lab.Of(toxcore.KindFriendLossy, lab.Text([]byte{customLossy, 3})))) > 0 &&
			slices.Contains(o.all(messenger.Custom), string([]byte{customLossy, 4}))
	})

	file := stock.OfferFile(self, "a.txt", 10)
	stock.Wait(patience, "our refusal of a file", lab.Of(toxcore.KindFileControl, lab.From(self), lab.Number(file), lab.Value(toxcore.FileCancel)))

	stock.Invite(self, stock.NewConference("Lobby"))
	o.wait(messenger.Conference, 1, "an invitation")
	invite := o.all(messenger.Conference)[0]
	require.Equal(t, packets.PacketInvite, invite[0])
	require.Len(t, invite, 37)

	// After all that nothing came twice.
	require.Len(t, stock.Events(lab.Of(toxcore.KindFriendMessage, lab.From(self))), messages)
	require.Len(t, stock.Events(lab.Of(toxcore.KindFriendReceipt, lab.From(self))), messages)
	require.Len(t, o.all(messenger.Message), messages)
	require.Len(t, o.all(messenger.Received), messages)

	// After all that nothing came twice.
	require.Len(t, stock.Events(lab.Of(toxcore.KindFriendMessage, lab.From(self))), messages)
	require.Len(t, stock.Events(lab.Of(toxcore.KindFriendReceipt, lab.From(self))), messages)
	require.Len(t, o.all(messenger.Message), messages)
	require.Len(t, o.all(messenger.Received), messages)
}

// ask sends a stock peer a request, which it accepts; each step within limit.
func ask(t *testing.T, o *ours, stock *lab.Stock, text string, limit time.Duration) {
	t.Helper()
	began := time.Now()
	o.do(func(now packets.Time, n *tox.Node) {
		require.NoError(t, n.AddFriend(now, stock.Address, []byte(text)))
	})
	self := toxcore.Key(o.real.Public)
	stock.Wait(limit, "our request", lab.Of(toxcore.KindFriendRequest, lab.From(self), lab.Text(text)))
	t.Logf("request after %v", time.Since(began).Round(time.Second/10))
	stock.AcceptFriend(self)
	stock.WaitOnline(self, limit)
	t.Logf("online after %v", time.Since(began).Round(time.Second/10))
}

// We add a stock peer by its Tox ID; when it starts anew it finds us again, even
// if it was killed and to us is still online.
func TestWeAddStock(t *testing.T) {
	t.Parallel()
	daemon := lab.StartDaemon(t, lab.DaemonConfig{})
	stock := lab.StartStock(t, lab.StockConfig{Name: "stock", Nodes: []lab.Node{daemon.Node}})
	o := startOurs(t, daemon.Node)
	self := toxcore.Key(o.real.Public)
	ask(t, o, stock, "let me in", patience)
	talk(t, o, stock)

	stock.Quit()
	o.waitReady(false)
	stock.Restart()
	stock.WaitOnline(self, patience)
	o.waitReady(true)
	stock.Kill()
	stock.Restart()
	stock.WaitOnline(self, patience)
	o.waitReady(true)
	greet(t, o, stock, "hello again")
}

// A stock peer adds us by our Tox ID; when we leave it hears so at once.
func TestStockAddsUs(t *testing.T) {
	t.Parallel()
	daemon := lab.StartDaemon(t, lab.DaemonConfig{})
	stock := lab.StartStock(t, lab.StockConfig{Name: "stock", Nodes: []lab.Node{daemon.Node}})
	o := startOurs(t, daemon.Node)
	began := time.Now()
	stock.AddFriend(o.address, "hello from stock")
	o.wait(messenger.Requested, 1, "a request")
	t.Logf("request after %v", time.Since(began).Round(time.Second/10))
	require.Equal(t, []string{"hello from stock"}, o.all(messenger.Requested))
	o.do(func(now packets.Time, n *tox.Node) {
		require.NoError(t, n.AcceptFriend(now, packets.PublicKey(stock.Key)))
	})
	stock.WaitOnline(toxcore.Key(o.real.Public), patience)
	t.Logf("online after %v", time.Since(began).Round(time.Second/10))
	talk(t, o, stock)

	o.do(func(now packets.Time, n *tox.Node) { n.Stop(now) })
	stock.WaitOffline(toxcore.Key(o.real.Public), 5*time.Second)
}

// Two stock peers become friends in a network where nobody but us is there to
// bring them together.
func TestStockPeersMeetThroughUs(t *testing.T) {
	t.Parallel()
	o := startOurs(t)
	alice := lab.StartStock(t, lab.StockConfig{Name: "alice", Nodes: []lab.Node{o.node()}})
	bob := lab.StartStock(t, lab.StockConfig{Name: "bob", Nodes: []lab.Node{o.node()}})
	began := time.Now()
	alice.Befriend(bob, 2*patience)
	t.Logf("friends after %v", time.Since(began).Round(time.Second/10))
	alice.Message(bob.Key, "hello")
	bob.WaitMessage(alice.Key, "hello", patience)
}
