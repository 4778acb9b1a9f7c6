package client

import (
	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox"
	"github.com/tox-rejoin/rejoin/tox/dhtnode"
)

// Bootstrap enters the network by one more node than those of Config, for
// example one whose name could not be resolved earlier. An address that our
// socket cannot send to is ignored.
func (c *Client) Bootstrap(node dhtnode.Node) error {
	return c.do(func(now packets.Time, n *tox.Node) error {
		n.Bootstrap(now, node.Addr, node.Key)
		return nil
	})
}
