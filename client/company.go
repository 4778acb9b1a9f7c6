package client

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net/netip"
	"sync"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox"
	"github.com/tox-rejoin/rejoin/tox/crypto"
)

// companions is how many nodes make a network together with us. Nobody keeps
// its own announcement, and nobody asks itself for another's: who enters the
// network by us finds ours only at a third node. With two of them one may fail.
const companions = 2

// company is nodes without a user, so that a network of our own is one. They are
// on loopback, as we are then.
type company []*tox.Runner

// lastingKey is the DHT key pair of a node of our own network, 0 for ourselves.
// It is the same in each run, so that those who know the network find it again;
// where nobody else can be watching there is nothing to hide.
func lastingKey(real crypto.KeyPair, node byte) crypto.KeyPair {
	secret := real.Secret()
	sum := sha256.Sum256(append([]byte("rejoin: DHT key of node "), append([]byte{node}, secret[:]...)...))
	pair, err := crypto.KeyPairFromSecret(packets.SecretKey(sum))
	if err != nil {
		panic(err) // no 32 bytes are refused
	}
	return pair
}

// newCompany opens nodes that enter the network by each other and by us, at the
// ports behind ours if they are free.
func newCompany(rand io.Reader, real crypto.KeyPair, us *tox.Runner) (nodes company, err error) {
	introduce := func(to, whom *tox.Runner) {
		var key packets.PublicKey
		err = errors.Join(err,
			whom.Do(context.Background(), func(_ packets.Time, n *tox.Node) { key = n.DHTKey() }),
			to.Do(context.Background(), func(now packets.Time, n *tox.Node) { n.Bootstrap(now, whom.Addr(), key) }))
	}
	for i := range companions {
		cfg := tox.RunnerConfig{
			Node:  tox.Config{Real: crypto.NewKeyPair(rand), DHT: lastingKey(real, byte(i+1)), Rand: rand},
			Local: netip.AddrPortFrom(us.Addr().Addr(), us.Addr().Port()+uint16(i+1)),
		}
		r, failed := tox.Listen(cfg)
		if failed != nil {
			cfg.Local = netip.AddrPortFrom(us.Addr().Addr(), 0)
			r, failed = tox.Listen(cfg)
		}
		if failed != nil {
			return nil, errors.Join(failed, nodes.close())
		}
		introduce(us, r)
		introduce(r, us)
		for _, other := range nodes {
			introduce(r, other)
		}
		nodes = append(nodes, r)
	}
	if err != nil {
		return nil, errors.Join(err, nodes.close())
	}
	return nodes, nil
}

// run runs the nodes until the function that it returns is called.
func (nodes company) run() (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	failed := make([]error, len(nodes))
	for i, r := range nodes {
		all.Go(func() { failed[i] = r.Run(ctx) })
	}
	return func() error {
		cancel()
		all.Wait()
		return errors.Join(failed...)
	}
}

func (nodes company) close() (err error) {
	for _, r := range nodes {
		err = errors.Join(err, r.Close())
	}
	return err
}
