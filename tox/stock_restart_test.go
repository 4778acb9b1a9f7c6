//go:build toxcore

package tox_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox"
	"github.com/tox-rejoin/rejoin/tox/messenger"
	"github.com/tox-rejoin/rejoin/tox/toxcore"
	"github.com/tox-rejoin/rejoin/tox/toxcore/lab"
)

// We start anew with our long-term keys and friends: first on another port, then
// on the same. A stock friend finds us, even one that still believes us online,
// and what is said arrives. It takes 9 s until the onion has told the friend our
// new DHT key, and 20 s on the same port, where stock nodes for a while remember
// the key that was there before.
func TestWeRestart(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(*ours){
		"after a goodbye": (*ours).stop,
		"after kill -9":   (*ours).kill,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var nodes []lab.Node
			for range 3 {
				nodes = append(nodes, lab.StartDaemon(t, lab.DaemonConfig{Nodes: nodes}).Node)
			}
			stock := lab.StartStock(t, lab.StockConfig{Name: "stock", Nodes: nodes})
			o := startOurs(t, nodes...)
			befriend(t, o, stock)
			const offline, online = toxcore.ConnectionNone, toxcore.ConnectionUDP
			port := lab.Port(t)
			for round := range 2 {
				leave(o)
				o.start(port)
				lab.Eventually(t, restartLimit, "ready again", o.isReady)
				greet(t, o, stock, fmt.Sprintf("hello again %d", round))
			}
			var states []toxcore.Connection // as the friend saw us
			for _, e := range stock.Events(lab.Of(toxcore.KindFriendConnection, lab.From(toxcore.Key(o.real.Public)))) {
				states = append(states, e.Value)
			}
			require.Equal(t, []toxcore.Connection{online, offline, online, offline, online}, states)
		})
	}
}

// restartLimit has room for two bad chances: that the friend believes for 32 s
// that we are online, and that the first packet with our DHT key gets lost, which
// is repeated after 30 s.
const restartLimit = 90 * time.Second

// befriend makes friends who need no request, and waits until both are ready.
func befriend(t *testing.T, o *ours, stock *lab.Stock) {
	t.Helper()
	stock.AcceptFriend(toxcore.Key(o.real.Public))
	o.do(func(now packets.Time, n *tox.Node) {
		require.NoError(t, n.AcceptFriend(now, packets.PublicKey(stock.Key)))
	})
	o.waitReady(true)
	stock.WaitOnline(toxcore.Key(o.real.Public), patience)
}

// greet says something to a stock friend, who answers.
func greet(t *testing.T, o *ours, stock *lab.Stock, text string) {
	t.Helper()
	self, answers := toxcore.Key(o.real.Public), len(o.all(messenger.Message))
	o.do(func(now packets.Time, n *tox.Node) {
		_, err := n.SendMessage(now, packets.PublicKey(stock.Key), messenger.Normal, []byte(text))
		require.NoError(t, err)
	})
	stock.WaitMessage(self, text, patience)
	stock.WaitReceipt(self, stock.Message(self, "you said "+text), patience)
	o.wait(messenger.Message, answers+1, "an answer")
	require.Equal(t, "you said "+text, o.all(messenger.Message)[answers])
}
