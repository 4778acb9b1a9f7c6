//go:build toxcore

package tox_test

import (
	"testing"
	"time"

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
	ask(t, o, stock, "through the noise", longPatience)
	began := time.Now()
	talk(t, o, stock)
	t.Logf("all said after %v", time.Since(began).Round(time.Second/10))
}

const longPatience = 3 * time.Minute
