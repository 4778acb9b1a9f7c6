package tox

import (
	"fmt"
	"net/netip"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/crypto"
	"github.com/tox-rejoin/rejoin/tox/dht"
	"github.com/tox-rejoin/rejoin/tox/friend"
	"github.com/tox-rejoin/rejoin/tox/messenger"
	"github.com/tox-rejoin/rejoin/tox/netcrypto"
	"github.com/tox-rejoin/rejoin/tox/onion"
)

// Node is one Tox node. It is not safe for concurrent use and never blocks.
type Node struct {
	self crypto.KeyPair // long-term
	now  packets.Time

	dht       *dht.DHT
	relay     *onion.Relay
	store     *onion.Store
	client    *onion.Client
	sessions  *netcrypto.Machine
	friends   *friend.Machine
	messenger *messenger.Machine
	lan       lan

	told part                // who has something to tell
	wake [parts]packets.Time // when each wants a Tick
	held []packets.PublicKey // peers that sessions expect, the longest held first

	out   [2]outbox // one is filled while the owner reads the other
	fill  int
	dirty bool

	queries []onion.Query // scratch
	failed  []packets.PublicKey
	near    []dht.Node
	packed  []packets.Node
}

// part is one of the machines, or a set of them.
type part uint8

// The parts, in the order in which they tell.
const (
	theDHT part = 1 << iota
	theRelay
	theStore
	theClient
	theSessions
	theFriends
	theMessenger
	theLAN // has nothing to tell, only a wake

	parts = 8
)

// New makes a Node that knows nobody but the friends of its save. It returns
// messenger.ErrLength or messenger.ErrValue for a profile that cannot be. It
// panics without Rand or a long-term key pair, or with an MOTD that is too long.
func New(now packets.Time, cfg Config) (*Node, error) {
	if cfg.Rand == nil || cfg.Real == (crypto.KeyPair{}) {
		panic("tox: a node needs Rand and a long-term key pair")
	}
	if cfg.DHT == (crypto.KeyPair{}) {
		cfg.DHT = crypto.NewKeyPair(cfg.Rand) // SPEC T-8
	}
	talk, err := messenger.New(messenger.Config{
		Self: cfg.Real.Public, NoSpam: cfg.NoSpam, Name: cfg.Name,
		StatusMessage: cfg.StatusMessage, Status: cfg.Status, Friends: cfg.Friends,
	}, now)
	if err != nil {
		return nil, err
	}
	hidden := onion.Config{Real: cfg.Real, DHT: cfg.DHT, Rand: cfg.Rand, IPv4Only: cfg.IPv4Only}
	n := &Node{
		self: cfg.Real,
		now:  now,
		dht: dht.New(dht.Config{
			Keys: crypto.NewCache(cfg.DHT, 0), Rand: cfg.Rand,
			IPv4Only: cfg.IPv4Only, MOTD: cfg.MOTD, Version: cfg.Version,
		}),
		relay:     onion.NewRelay(hidden),
		store:     onion.NewStore(hidden),
		client:    onion.NewClient(hidden),
		sessions:  netcrypto.New(netcrypto.Config{Real: cfg.Real, DHT: cfg.DHT, Rand: cfg.Rand}),
		friends:   friend.New(friend.Config{Real: cfg.Real.Public, DHT: cfg.DHT.Public}),
		messenger: talk,
		lan:       newLAN(cfg.LAN, cfg.Broadcast),
	}
	if len(n.lan.to) > 0 {
		n.wake[theLAN.index()] = now
	}
	n.after(theMessenger)
	return n, nil
}

// Key is our long-term key.
func (n *Node) Key() packets.PublicKey { return n.self.Public }

// DHTKey is our DHT key of this run.
func (n *Node) DHTKey() packets.PublicKey { return n.dht.Key() }

// Connected tells whether a neighbour answered lately.
func (n *Node) Connected() bool { return n.dht.Connected(n.now) }

// Announced tells whether friends can find us through the onion.
func (n *Node) Announced() bool { return n.client.Connected() }

// Peer describes the connection with a friend or wanted peer; false if it is
// neither.
func (n *Node) Peer(key packets.PublicKey) (friend.Info, bool) { return n.friends.Peer(key) }

// Neighbours appends to dst the DHT nodes that answered lately, for the save
// file.
func (n *Node) Neighbours(dst []dht.Node) []dht.Node { return n.dht.Known(n.now, dst) }

// Receive takes a datagram. An error says which part refused it and why; it
// changed nothing then but the budgets that count packets. p is not kept.
func (n *Node) Receive(now packets.Time, from netip.AddrPort, p []byte) error {
	n.begin(now)
	if len(p) == 0 {
		return fmt.Errorf("%w: empty", ErrKind)
	}
	from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
	to, err := n.dispatch(from, p)
	if err != nil {
		return err
	}
	n.after(to)
	return nil
}

// dispatch gives a datagram to the part that it is for (SPEC T-144).
func (n *Node) dispatch(from netip.AddrPort, p []byte) (part, error) {
	switch p[0] {
	case dht.PingRequest, dht.PingResponse, dht.NodesRequest, dht.NodesResponse, dht.RoutedRequest, dht.BootstrapInfo:
		return theDHT, n.dht.Receive(n.now, from, p)
	case onion.Forward1, onion.Forward2, onion.Forward3, onion.Return3, onion.Return2, onion.Return1:
		return theRelay, n.relay.Receive(n.now, from, p)
	case onion.AnnounceRequest, onion.DataRequest:
		return theStore, n.store.Receive(n.now, from, p)
	case onion.AnnounceResponse, onion.DataResponse, onion.GroupAnnounceResponse:
		return theClient, n.client.Receive(n.now, from, p)
	case cookieRequest, cookieResponse, handshake, sessionData:
		return theSessions, n.sessions.Receive(n.now, from, p)
	case lanDiscovery:
		return theDHT, n.receiveLAN(from, p)
	}
	return 0, fmt.Errorf("%w: %#x", ErrKind, p[0])
}

// Tick does what is due.
func (n *Node) Tick(now packets.Time) {
	n.begin(now)
	if n.due(theDHT) {
		n.dht.Tick(n.now)
		n.tellNodes()
	}
	if n.due(theRelay) {
		n.relay.Tick(n.now)
	}
	if n.due(theStore) {
		n.store.Tick(n.now)
	}
	if n.due(theClient) {
		n.client.Tick(n.now)
	}
	if n.due(theSessions) {
		n.sessions.Tick(n.now)
	}
	if n.due(theFriends) {
		n.friends.Tick(n.now)
	}
	if n.due(theMessenger) {
		n.messenger.Tick(n.now)
	}
	n.tickLAN()
	n.settle()
}

// due tells whether a part wants its Tick, and notes that it will have
// something to tell.
func (n *Node) due(x part) bool {
	if t := n.wake[x.index()]; t == 0 || t > n.now {
		return false
	}
	n.told |= x
	return true
}

// tellNodes tells the onion client our neighbours, for friends (SPEC T-86).
func (n *Node) tellNodes() {
	n.near = n.dht.Closest(n.now, n.near[:0], n.dht.Key(), toldNodes, true)
	n.packed = n.packed[:0]
	for _, x := range n.near {
		n.packed = append(n.packed, x.Pack())
	}
	n.client.SetNodes(n.packed)
	n.told |= theClient
}

// Poll returns what the inputs since the last Poll gave; each datagram and
// event once.
func (n *Node) Poll() Output {
	o := &n.out[n.fill]
	n.fill = 1 - n.fill
	n.out[n.fill].empty()
	dirty := n.dirty
	n.dirty = false
	return Output{Sends: o.sends, Events: o.events, Dirty: dirty, Wake: n.nextWake()}
}

// nextWake is when the first part wants its Tick.
func (n *Node) nextWake() (wake packets.Time) {
	for _, t := range n.wake {
		if t != 0 && (wake == 0 || t < wake) {
			wake = t
		}
	}
	if wake != 0 {
		wake = max(wake, n.now)
	}
	return wake
}

// begin starts an input. Time never goes back.
func (n *Node) begin(now packets.Time) { n.now = max(n.now, now) }

// Bootstrap enters the network by the node with a DHT key at addr, which is
// asked again as long as nobody answers us.
func (n *Node) Bootstrap(now packets.Time, addr netip.AddrPort, key packets.PublicKey) {
	n.begin(now)
	addr = netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())
	n.dht.Bootstrap(n.now, addr, key)
	n.client.AddBootstrapNode(n.now, onion.Node{Key: key, Addr: addr})
	n.after(theDHT | theClient)
}

// Restore takes Neighbours of an earlier run, to enter the network by them.
func (n *Node) Restore(now packets.Time, nodes []dht.Node) {
	n.begin(now)
	n.dht.Restore(n.now, nodes)
	n.after(theDHT)
}

// Want wants a connection with a peer who need not be a friend, until Release.
// The conferences heard that the peer's DHT key is hint; the zero key means that
// they did not, and one that cannot be the peer's is ignored. It returns
// crypto.ErrLowOrder, friend.ErrOwnKey or friend.ErrFull.
func (n *Node) Want(now packets.Time, key, hint packets.PublicKey) error {
	n.begin(now)
	if err := n.hold(friend.Conferences, key); err != nil {
		return err
	}
	if hint != (packets.PublicKey{}) {
		// Hearsay that contradicts what the peer said, or is nonsense: refused.
		_ = n.friends.DHTKeyKnown(n.now, key, hint, friend.Hearsay)
	}
	n.after(theFriends)
	return nil
}

// Release takes Want back.
func (n *Node) Release(now packets.Time, key packets.PublicKey) {
	n.begin(now)
	n.friends.Release(n.now, friend.Conferences, key)
	n.after(theFriends)
}

// hold holds a connection, unless nobody can have such a key, which other parts
// would refuse.
func (n *Node) hold(user friend.User, key packets.PublicKey) error {
	if _, err := n.self.Shared(key); err != nil {
		return err
	}
	return n.friends.Hold(n.now, user, key)
}

// Write sends a packet of a conference to a peer who is online: lossless ones
// arrive in order. payload is copied. It returns ErrOffline, ErrPacket, or an
// error of netcrypto's Send; nothing was sent then (SPEC T-146).
func (n *Node) Write(now packets.Time, peer packets.PublicKey, payload []byte, lossy bool) error {
	n.begin(now)
	if info, _ := n.friends.Peer(peer); !info.Online {
		return fmt.Errorf("%w: %v", ErrOffline, peer)
	}
	if len(payload) == 0 || !conferencePacket(payload[0], lossy) {
		return fmt.Errorf("%w: %d bytes, lossy: %v", ErrPacket, len(payload), lossy)
	}
	_, err := n.write(peer, payload, lossy)
	if err == nil {
		n.after(theSessions)
	}
	return err
}

func conferencePacket(id byte, lossy bool) bool {
	if lossy {
		return id == packets.PacketLossy
	}
	return id >= packets.PacketInvite && id <= packets.PacketRejoin
}

// write gives a packet to a session; a lossless one gets a number.
func (n *Node) write(peer packets.PublicKey, payload []byte, lossy bool) (uint32, error) {
	if lossy {
		return 0, n.sessions.SendLossy(n.now, peer, payload)
	}
	return n.sessions.Send(n.now, peer, payload)
}

// Stop ends all connections, so that peers need not wait for us. The Node is of
// no use then (SPEC T-145).
func (n *Node) Stop(now packets.Time) {
	n.begin(now)
	for _, key := range n.held {
		n.friends.Release(n.now, friend.FriendList, key)
		n.friends.Release(n.now, friend.Conferences, key)
	}
	n.after(theFriends)
}
