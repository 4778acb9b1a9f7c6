package tox

import (
	"fmt"
	"net/netip"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/crypto"
	"github.com/tox-rejoin/rejoin/tox/dht"
	"github.com/tox-rejoin/rejoin/tox/friend"
	"github.com/tox-rejoin/rejoin/tox/netcrypto"
	"github.com/tox-rejoin/rejoin/tox/onion"
)

// Node is one Tox node. It is not safe for concurrent use and never blocks.
type Node struct {
	self crypto.KeyPair // long-term
	now  packets.Time

	dht      *dht.DHT
	relay    *onion.Relay
	store    *onion.Store
	client   *onion.Client
	sessions *netcrypto.Machine
	friends  *friend.Machine

	told part                // who has something to tell
	wake [parts]packets.Time // when each wants a Tick
	held []packets.PublicKey // peers that sessions expect, the longest held first

	out  [2]outbox // one is filled while the owner reads the other
	fill int

	queries []onion.Query // scratch
	failed  []packets.PublicKey
	near    []dht.Node
	named   []onion.Node
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

	parts = 6
)

// New makes a Node that knows nobody. It panics without Rand or a long-term key
// pair, or with an MOTD that is too long.
func New(cfg Config) *Node {
	if cfg.Rand == nil || cfg.Real == (crypto.KeyPair{}) {
		panic("tox: a node needs Rand and a long-term key pair")
	}
	if cfg.DHT == (crypto.KeyPair{}) {
		cfg.DHT = crypto.NewKeyPair(cfg.Rand)
	}
	hidden := onion.Config{Real: cfg.Real, DHT: cfg.DHT, Rand: cfg.Rand, IPv4Only: cfg.IPv4Only}
	return &Node{
		self: cfg.Real,
		dht: dht.New(dht.Config{
			Keys: crypto.NewCache(cfg.DHT, 0), Rand: cfg.Rand,
			IPv4Only: cfg.IPv4Only, MOTD: cfg.MOTD, Version: cfg.Version,
		}),
		relay:    onion.NewRelay(hidden),
		store:    onion.NewStore(hidden),
		client:   onion.NewClient(hidden),
		sessions: netcrypto.New(netcrypto.Config{Real: cfg.Real, DHT: cfg.DHT, Rand: cfg.Rand}),
		friends:  friend.New(friend.Config{Real: cfg.Real.Public, DHT: cfg.DHT.Public}),
	}
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
	n.told |= to
	n.settle()
	return nil
}

// dispatch gives a datagram to the part that it is for.
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

// tellNodes tells the onion client our neighbours, for friends.
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
	return Output{Sends: o.sends, Events: o.events, Wake: n.nextWake()}
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
	n.told |= theDHT | theClient
	n.settle()
}

// Restore takes Neighbours of an earlier run, to enter the network by them.
func (n *Node) Restore(now packets.Time, nodes []dht.Node) {
	n.begin(now)
	n.dht.Restore(n.now, nodes)
	n.told |= theDHT
	n.settle()
}

// AddFriend wants a connection with a friend until RemoveFriend. It returns
// crypto.ErrLowOrder, friend.ErrOwnKey or friend.ErrFull.
func (n *Node) AddFriend(now packets.Time, key packets.PublicKey) error {
	return n.hold(now, friend.FriendList, key, packets.PublicKey{})
}

// RemoveFriend takes AddFriend back.
func (n *Node) RemoveFriend(now packets.Time, key packets.PublicKey) {
	n.release(now, friend.FriendList, key)
}

// Want wants a connection with a peer who need not be a friend, until Release.
// The conferences heard that the peer's DHT key is dht; the zero key means that
// they did not. It errs like AddFriend; a DHT key that cannot be the peer's is
// ignored.
func (n *Node) Want(now packets.Time, key, dht packets.PublicKey) error {
	return n.hold(now, friend.Conferences, key, dht)
}

// Release takes Want back.
func (n *Node) Release(now packets.Time, key packets.PublicKey) {
	n.release(now, friend.Conferences, key)
}

func (n *Node) hold(now packets.Time, user friend.User, key, hint packets.PublicKey) error {
	n.begin(now)
	if _, err := n.self.Shared(key); err != nil {
		return err // nobody has such a key, and other parts refuse it
	}
	if err := n.friends.Hold(n.now, user, key); err != nil {
		return err
	}
	if hint != (packets.PublicKey{}) {
		// Hearsay that contradicts what the peer said, or is nonsense: refused.
		_ = n.friends.DHTKeyKnown(n.now, key, hint, friend.Hearsay)
	}
	n.told |= theFriends
	n.settle()
	return nil
}

func (n *Node) release(now packets.Time, user friend.User, key packets.PublicKey) {
	n.begin(now)
	n.friends.Release(n.now, user, key)
	n.told |= theFriends
	n.settle()
}

// Write sends payload, packet id first, to a peer who is online. A lossless
// packet has an id of 19 to 191 and gets a number, counted from 0 in each
// session, which Acked events refer to; a lossy one has 192 to 254. payload is
// copied. It returns ErrOffline, ErrPacket for an id that is not the owner's,
// or an error of netcrypto's Send; nothing was sent then.
func (n *Node) Write(now packets.Time, peer packets.PublicKey, payload []byte, lossy bool) (number uint32, err error) {
	n.begin(now)
	switch info, _ := n.friends.Peer(peer); {
	case !info.Online:
		return 0, fmt.Errorf("%w: %v", ErrOffline, peer)
	case len(payload) > 0 && payload[0] <= friend.PacketRequest:
		return 0, fmt.Errorf("%w: %d", ErrPacket, payload[0])
	case lossy:
		err = n.sessions.SendLossy(n.now, peer, payload)
	default:
		number, err = n.sessions.Send(n.now, peer, payload)
	}
	if err != nil {
		return 0, err
	}
	n.told |= theSessions
	n.settle()
	return number, nil
}

// SendRequest sends a friend request, with 1 to onion.MaxRequestText bytes of
// text, to a key that AddFriend knows: over the connection if there is one,
// else through the onion. It returns in how many ways; 0 means that nobody is
// known yet who could pass it on. Nothing says whether it arrived, so it should
// be sent again while the friend is not online. It returns ErrUnknown or
// onion.ErrText.
func (n *Node) SendRequest(now packets.Time, key packets.PublicKey, noSpam [packets.NoSpamSize]byte, text []byte) (int, error) {
	n.begin(now)
	info, _ := n.friends.Peer(key)
	switch {
	case info.Users&friend.FriendList == 0:
		return 0, fmt.Errorf("%w: %v", ErrUnknown, key)
	case len(text) == 0 || len(text) > onion.MaxRequestText:
		return 0, fmt.Errorf("%w: %d", onion.ErrText, len(text))
	}
	ways, err := 1, error(nil)
	if info.Online {
		err = n.friends.SendRequest(n.now, key, noSpam, text)
		n.told |= theFriends
	} else {
		ways, err = n.client.SendRequest(n.now, key, noSpam, text)
		n.told |= theClient
	}
	n.settle()
	return ways, err
}

// Stop ends all connections, so that peers need not wait for us. The Node knows
// no friends then.
func (n *Node) Stop(now packets.Time) {
	n.begin(now)
	for _, key := range n.held {
		n.friends.Release(n.now, friend.FriendList, key)
		n.friends.Release(n.now, friend.Conferences, key)
	}
	n.told |= theFriends
	n.settle()
}
