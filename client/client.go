// Package client is the host that Go programs link to be in Tox conferences:
// one identity with its friends, its conferences and its profile on the disk.
//
// A Client owns a tox.Node on a UDP socket, a conference.Engine and a
// persist.Dir, and does everything in one loop:
//
//	socket -> tox.Node -> Host -> conference.Engine
//	                       |            |
//	          Events <- save first  <- Output
//
// The profile is a save file as other Tox clients write it: they can take it
// over and hand it back. It is written some seconds after a change, and at once
// when a conference or a friend comes or goes, so that a crash loses none.
//
// Nothing is accepted for the user: friend requests and invitations are events.
//
// Programs with wires of their own can use Host alone: it keeps the contract of
// an Engine over any Transport.
package client

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/persist"
	"github.com/tox-rejoin/rejoin/tox"
	"github.com/tox-rejoin/rejoin/tox/crypto"
	"github.com/tox-rejoin/rejoin/tox/dhtnode"
)

// ErrStopped is returned by methods once Run has ended.
var ErrStopped = errors.New("client: stopped")

// Config says how to be on the network. The zero Config is a nameless user on a
// network of its own: it can be entered through Node, on this machine only.
type Config struct {
	// Name and StatusMessage are of a new profile; one that exists keeps its own.
	// At most packets.MaxName and packets.MaxStatusMessage bytes.
	Name, StatusMessage string
	// Password encrypts the profile; nil: it is plain.
	Password []byte
	// Program is what others who want the profile are told that it is used by.
	Program string

	// Local is the address of the UDP socket. The zero value is a free port of
	// loopback; a socket on loopback sends nothing to anywhere else.
	Local netip.AddrPort
	// Bootstrap is where to enter the network. If it is empty, a Client on
	// loopback makes a network of its own, which is entered by Node.
	Bootstrap []dhtnode.Node
	// LAN looks for others in the local networks, and lets them find us. Local must
	// be unspecified then.
	LAN bool
	// MOTD answers those who ask for a bootstrap node's message, at most
	// dht.MaxMOTD bytes.
	MOTD string

	// MaxFrozen is how many frozen peers a conference keeps; 0 means
	// conference.DefaultFrozen, negative none.
	MaxFrozen int
	// Rand gives all keys, nonces and choices; nil: crypto/rand.
	Rand io.Reader
}

// Client is one Tox identity. Its methods may be called from any goroutine,
// before and during Run.
type Client struct {
	runner  *tox.Runner
	company company
	real    crypto.KeyPair
	dht     packets.PublicKey
	events  chan Event
	ended   sync.Once // closes events

	// Owned by whoever owns the node of the runner.
	host    *Host
	profile profile
	waiting []Event // until what they tell is saved
	missed  int     // events that nobody had read in time

	address atomic.Pointer[crypto.Address]
}

// Open takes the profile at path, a save file or a directory for one, and makes
// a new one if there is none. Run must be called afterwards, or Close. It
// returns an error of persist's Open and Load, of a Config that cannot be, or of
// the socket.
func Open(path string, cfg Config) (*Client, error) {
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) && filepath.Ext(path) != ".tox" {
		if err := os.MkdirAll(path, 0o700); err != nil {
			return nil, fmt.Errorf("client: %w", err)
		}
	}
	dir, err := persist.Open(path, persist.Config{
		Holder: persist.NewHolder(cfg.Program, time.Now()), Password: cfg.Password, Rand: cfg.Rand,
	})
	if err != nil {
		return nil, err
	}
	c, err := open(dir, cfg)
	if err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	return c, nil
}

func open(dir *persist.Dir, cfg Config) (*Client, error) {
	p, err := loadProfile(dir, cfg)
	if err != nil {
		return nil, err
	}
	c := &Client{real: p.real, profile: p, events: make(chan Event, MaxEvents)}
	node := p.nodeConfig()
	node.DHT, node.Rand = crypto.NewKeyPair(cfg.Rand), cfg.Rand
	own := len(cfg.Bootstrap) == 0 && !cfg.LAN && (!cfg.Local.IsValid() || cfg.Local.Addr().IsLoopback())
	if own {
		node.DHT = lastingKey(p.real, 0)
	}
	if cfg.MOTD != "" {
		node.MOTD = []byte(cfg.MOTD)
	}
	c.dht = node.DHT.Public
	c.runner, err = tox.Listen(tox.RunnerConfig{
		Node: node, Local: cfg.Local, LAN: cfg.LAN, Handle: c.handle, Rest: c.rest, Stop: c.stop,
	})
	if err != nil {
		return nil, err
	}
	err = c.begin(cfg, node)
	if err != nil {
		return nil, errors.Join(err, c.runner.Close())
	}
	if own {
		if c.company, err = newCompany(cfg.Rand, p.real, c.runner); err != nil {
			return nil, errors.Join(err, c.runner.Close())
		}
	}
	return c, nil
}

// begin does what comes before the first input.
func (c *Client) begin(cfg Config, node tox.Config) (err error) {
	a := crypto.NewAddress(c.real.Public, node.NoSpam)
	c.address.Store(&a)
	stopped := c.runner.Do(context.Background(), func(now packets.Time, n *tox.Node) {
		engine, failed := conference.New(conference.Config{
			Self: c.real.Public, DHTKey: c.dht, Name: node.Name, Rand: cfg.Rand,
			Friends: c.profile.friendKeys(), MaxFrozen: cfg.MaxFrozen,
		}, c.profile.conferences, now)
		if failed != nil {
			err = failed
			return
		}
		c.host = NewHost(engine, n)
		n.Restore(now, c.profile.nodes)
		for _, x := range cfg.Bootstrap {
			n.Bootstrap(now, x.Addr, x.Key)
		}
		err = c.profile.store(n, engine) // a new identity is on the disk before anybody knows it
	})
	return errors.Join(err, stopped)
}

// Run is on the network until ctx is done. Then it says goodbye, saves, closes
// Events and gives the profile back. It returns nil, or what went wrong.
func (c *Client) Run(ctx context.Context) error {
	stop := c.company.run()
	err := c.runner.Run(ctx)
	if errors.Is(err, tox.ErrStopped) {
		return errors.Join(ErrStopped, stop())
	}
	c.ended.Do(func() { close(c.events) })
	return errors.Join(err, stop(), c.profile.failed, c.profile.dir.Close())
}

// Close gives up a Client that will not run.
func (c *Client) Close() error {
	err := errors.Join(c.runner.Close(), c.company.close(), c.profile.dir.Close())
	c.ended.Do(func() { close(c.events) })
	return err
}

// Events is what happens, in order, until Run ends. The Client does not wait for
// who reads it: of more than MaxEvents unread events the newest are dropped, and
// Missed follows.
func (c *Client) Events() <-chan Event { return c.events }

// Key is our long-term public key.
func (c *Client) Key() packets.PublicKey { return c.real.Public }

// Address is our Tox ID.
func (c *Client) Address() crypto.Address { return *c.address.Load() }

// Node is how others enter the network by us: the address of our socket and our
// DHT key, which is another one in each run unless the network is our own.
func (c *Client) Node() dhtnode.Node { return dhtnode.Node{Key: c.dht, Addr: c.runner.Addr()} }

// Profile is the path of the save file.
func (c *Client) Profile() string { return c.profile.dir.Path() }

// Findings is what was odd in the save file, but did no harm.
func (c *Client) Findings() []persist.Finding { return c.profile.findings }

// Online tells whether friends can find us.
func (c *Client) Online() (online bool) {
	_ = c.do(func(_ packets.Time, n *tox.Node) error {
		online = n.Announced()
		return nil
	})
	return online
}

// do has f called by the loop and returns its error. What f changed has been
// carried out and, if it is urgent, saved.
func (c *Client) do(f func(now packets.Time, n *tox.Node) error) (err error) {
	stopped := c.runner.Do(context.Background(), func(now packets.Time, n *tox.Node) {
		err = f(now, n)
		c.rest(now, n, false)
	})
	if stopped != nil {
		return ErrStopped
	}
	return err
}

// rest ends an input: ticks the engine if it is due, saves if it is time, and
// then tells what happened.
func (c *Client) rest(now packets.Time, n *tox.Node, dirty bool) packets.Time {
	if c.host == nil {
		return 0
	}
	if wake := c.host.Wake(); wake != 0 && wake <= now {
		c.host.Tick(now)
		c.conferences(now, n)
	}
	if dirty {
		c.profile.changed(now)
	}
	if c.profile.due(now) {
		if err := c.profile.save(now, n, c.host.Engine()); err != nil {
			c.tell(SaveFailed{Err: err})
		}
	}
	for _, e := range c.waiting {
		c.publish(e)
	}
	clear(c.waiting)
	c.waiting = c.waiting[:0]
	return earliest(c.host.Wake(), c.profile.saveAt)
}

// stop ends what can go on later, and saves.
func (c *Client) stop(now packets.Time, n *tox.Node) {
	c.host.Do(now, func(e *conference.Engine) { e.Quit(now) })
	c.conferences(now, n)
	c.profile.failed = c.profile.store(n, c.host.Engine())
}

func earliest(a, b packets.Time) packets.Time {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}
