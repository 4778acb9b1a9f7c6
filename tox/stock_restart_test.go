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

func TestWeRestart(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		leave func(*ours)
		limit time.Duration // until we are friends again
	}{
		{"after a goodbye", (*ours).stop, 60 * time.Second},
		{"after kill -9", (*ours).kill, 90 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			daemon := lab.StartDaemon(t, lab.DaemonConfig{})
			stock := lab.StartStock(t, lab.StockConfig{Name: "stock", Nodes: []lab.Node{daemon.Node}})
			o := startOurs(t, daemon.Node)
			self, peer := toxcore.Key(o.real.Public), packets.PublicKey(stock.Key)
			stock.AcceptFriend(self)
			o.do(func(now packets.Time, n *tox.Node) { require.NoError(t, n.AcceptFriend(now, peer)) })
			o.waitReady(true)
			for round, port := range []uint16{0, 1} {
				if port != 0 {
					port = o.Addr().Port()
				}
				before := len(stock.Events(lab.Of(toxcore.KindFriendConnection, lab.From(self))))
				c.leave(o)
				began := time.Now()
				o.start(port)
				o.waitReady(true)
				t.Logf("ready after %v", time.Since(began).Round(time.Second/10))
				hello := fmt.Sprintf("hello %d", round)
				o.do(func(now packets.Time, n *tox.Node) {
					_, err := n.SendMessage(now, peer, messenger.Normal, []byte(hello))
					require.NoError(t, err)
				})
				stock.WaitMessage(self, hello, patience)
				stock.WaitReceipt(self, stock.Message(self, "answer to "+hello), patience)
				o.wait(messenger.Message, round+1, "an answer")
				t.Log(stock.Events(lab.Of(toxcore.KindFriendConnection, lab.From(self)))[before:])
				require.Less(t, time.Since(began), c.limit)
			}
		})
	}
}
