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
// and what is said arrives. That takes 10 to 25 s on an idle machine: the friend
// hears of our new DHT key when we are announced.
func TestWeRestart(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(*ours){
		"after a goodbye": (*ours).stop,
		"after kill -9":   (*ours).kill,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			daemon := lab.StartDaemon(t, lab.DaemonConfig{})
			stock := lab.StartStock(t, lab.StockConfig{Name: "stock", Nodes: []lab.Node{daemon.Node}})
			o := startOurs(t, daemon.Node)
			befriend(t, o, stock)
			const offline, online = toxcore.ConnectionNone, toxcore.ConnectionUDP
			port := lab.Port(t)
			for round := range 2 {
				leave(o)
				began := time.Now()
				o.start(port)
				o.waitReady(true)
				t.Logf("ready after %v", time.Since(began).Round(time.Second/10))
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
