//go:build toxcore

package tox_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox"
	"github.com/tox-rejoin/rejoin/tox/toxcore"
	"github.com/tox-rejoin/rejoin/tox/toxcore/lab"
)

// Of all packets between us and everybody else one in five gets lost, each way.
// We find a stock peer all the same, and all that is said arrives once and in
// order.
func TestStockWithLoss(t *testing.T) {
	t.Parallel()
	network := lab.NewNetwork(t)
	west, east := network.Host("west"), network.Host("east")
	daemon := lab.StartDaemon(t, lab.DaemonConfig{Host: east})
	stock := lab.StartStock(t, lab.StockConfig{Name: "stock", Host: east, Nodes: []lab.Node{daemon.Node}})
	network.Loss(200)
	o := startOursOn(t, west, daemon.Node)
	began := time.Now()
	o.do(func(now packets.Time, n *tox.Node) {
		require.NoError(t, n.AddFriend(now, stock.Address, []byte("through the noise")))
	})
	self := toxcore.Key(o.real.Public)
	stock.Wait(longPatience, "our request", lab.Of(toxcore.KindFriendRequest, lab.From(self), lab.Text("through the noise")))
	t.Logf("request after %v", time.Since(began).Round(time.Second/10))
	stock.AcceptFriend(self)
	stock.WaitOnline(self, longPatience)
	t.Logf("online after %v", time.Since(began).Round(time.Second/10))
	talk(t, o, stock)
	t.Logf("all said after %v", time.Since(began).Round(time.Second/10))
}

const longPatience = 3 * time.Minute
