package tox

import (
	"math/bits"
	"slices"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/dht"
	"github.com/tox-rejoin/rejoin/tox/dhtnode"
	"github.com/tox-rejoin/rejoin/tox/friend"
	"github.com/tox-rejoin/rejoin/tox/messenger"
	"github.com/tox-rejoin/rejoin/tox/netcrypto"
	"github.com/tox-rejoin/rejoin/tox/onion"
)

// index is the place of a single part.
func (x part) index() int { return bits.TrailingZeros8(uint8(x)) }

// settle carries what the parts have to tell to the others, always in the same
// order, until nobody has anything left.
func (n *Node) settle() {
	for range maxRounds {
		if n.told == 0 {
			return
		}
		if n.tells(theDHT) {
			n.carryDHT()
		}
		if n.tells(theRelay) {
			n.carryOnion(theRelay, n.relay.Poll())
		}
		if n.tells(theStore) {
			n.carryStore()
		}
		if n.tells(theClient) {
			n.carryClient()
		}
		if n.tells(theSessions) {
			n.carrySessions()
		}
		if n.tells(theFriends) {
			n.carryFriends()
		}
		if n.tells(theMessenger) {
			n.carryMessenger()
		}
	}
	// Parts that never finish talking would be a fault of ours; the rest is
	// carried with the next input.
}

// after carries what an input to some parts gave.
func (n *Node) after(x part) {
	n.told |= x
	n.settle()
}

// tells tells whether a part has something to tell, and that it is heard now.
// A part may be polled only then: some say the same twice.
func (n *Node) tells(x part) bool {
	yes := n.told&x != 0
	n.told &^= x
	return yes
}

func (n *Node) carryDHT() {
	out := n.dht.Poll()
	n.wake[theDHT.index()] = out.Wake
	for _, d := range out.Sends {
		n.out[n.fill].send(d.To, d.Data)
	}
	for _, e := range out.Events {
		switch e.Kind {
		case dht.Found:
			// Refused if the key is not needed any more.
			if n.friends.AddressFound(n.now, e.Key, e.Addr) == nil {
				n.told |= theFriends
			}
		case dht.Routed:
			// Anybody can send one; what is no news is refused.
			if e.SubID == dht.SubDHTKey && n.client.ReceiveRouted(n.now, e.Key, e.Data) == nil {
				n.told |= theClient
			}
		case dht.PathNode:
			n.client.AddPathNode(n.now, onion.Node{Key: e.Key, Addr: e.Addr})
			n.told |= theClient
		}
	}
}

// carryOnion sends the datagrams of one of the onion's machines.
func (n *Node) carryOnion(x part, out onion.Output) {
	n.wake[x.index()] = out.Wake
	for _, d := range out.Sends {
		n.out[n.fill].send(d.To, d.Data)
	}
}

func (n *Node) carryStore() {
	out := n.store.Poll()
	n.carryOnion(theStore, out)
	n.queries = append(n.queries[:0], out.Queries...) // an Answer ends the Output's life
	for _, q := range n.queries {
		n.near = n.dht.Closest(n.now, n.near[:0], q.Key, toldNodes, q.LAN)
		n.store.Answer(n.now, q, n.near)
		n.told |= theStore
	}
}

func (n *Node) carryClient() {
	out := n.client.Poll()
	n.carryOnion(theClient, out)
	for _, r := range out.Routed {
		// A key that nobody can have: friends may say so, it reaches nobody.
		_, _ = n.dht.Route(n.now, r.To, dht.SubDHTKey, r.Data)
		n.told |= theDHT
	}
	for _, e := range out.Events {
		switch e.Kind {
		case onion.DHTKey:
			n.carryDHTKey(e)
		case onion.FriendRequest:
			n.carryRequest(e.Real, e.NoSpam, e.Text)
		case onion.SelfOnline:
			n.event(Event{Kind: SelfOnline})
		}
	}
}

// carryDHTKey tells the friend connections a DHT key that a friend told, and
// asks the nodes that came with it for that key (SPEC T-87).
func (n *Node) carryDHTKey(e onion.Event) {
	if n.friends.DHTKeyKnown(n.now, e.Real, e.DHTKey, friend.Told) != nil {
		return // our own key, or that of somebody who was released meanwhile
	}
	n.told |= theFriends | theDHT
	for _, x := range e.Nodes {
		if via, ok := dhtnode.Unpack(x); ok {
			n.dht.Ask(n.now, via, e.DHTKey)
		}
	}
}

// carrySessions tells the friend connections what became of their sessions.
// What they refuse is of peers who were released meanwhile, or bad packets.
func (n *Node) carrySessions() {
	out := n.sessions.Poll()
	n.wake[theSessions.index()] = out.Wake
	for _, d := range out.Sends {
		n.out[n.fill].send(d.To, d.Data)
	}
	for _, e := range out.Events {
		switch e.Kind {
		case netcrypto.Established:
			s, _ := n.sessions.Session(e.RealKey)
			_ = n.friends.SessionUp(n.now, e.RealKey, e.DHTKey, s.Addr)
		case netcrypto.DHTKeyChanged:
			_ = n.friends.SessionDHTKeyChanged(n.now, e.RealKey, e.DHTKey)
		case netcrypto.Lost:
			_ = n.friends.SessionDown(n.now, e.RealKey, e.Reason == netcrypto.Replaced)
		case netcrypto.Payload:
			_ = n.friends.Receive(n.now, e.RealKey, e.Lossy, e.Data)
		case netcrypto.Acked:
			n.messenger.Acked(n.now, e.RealKey, e.Number)
			n.told |= theMessenger
		}
		n.told |= theFriends
	}
}

func (n *Node) carryFriends() {
	out := n.friends.Poll()
	n.wake[theFriends.index()] = out.Wake
	n.failed = n.failed[:0]
	for i := range out.Commands {
		n.obey(&out.Commands[i])
	}
	for i := range out.Events {
		n.carryFriendEvent(&out.Events[i])
	}
	for _, key := range n.failed {
		if n.friends.SessionDown(n.now, key, false) == nil {
			n.told |= theFriends
		}
	}
}

// obey carries out a command of the friend connections. Expect and the searches
// do not fail: hold has checked the key, and no other part holds fewer keys
// than friend.MaxPeers.
func (n *Node) obey(c *friend.Command) {
	switch c.Kind {
	case friend.Expect:
		_ = n.sessions.Expect(c.Real, c.Friend)
		if !slices.Contains(n.held, c.Real) {
			n.held = append(n.held, c.Real)
		}
		n.told |= theSessions
	case friend.Forget:
		n.sessions.Forget(n.now, c.Real)
		n.held = slices.DeleteFunc(n.held, func(k packets.PublicKey) bool { return k == c.Real })
		n.told |= theSessions
	case friend.Dial:
		if n.sessions.Dial(n.now, c.Real, c.DHT, c.Addrs...) != nil {
			n.failed = append(n.failed, c.Real)
		}
		n.told |= theSessions
	case friend.CloseSession:
		n.sessions.Close(n.now, c.Real)
		n.told |= theSessions
	case friend.Send:
		_, _ = n.sessions.Send(n.now, c.Real, c.Data) // full: alive packets come again
		n.told |= theSessions
	case friend.SearchDHT:
		_ = n.dht.Search(n.now, c.DHT)
		n.told |= theDHT
	case friend.StopDHT:
		n.dht.StopSearch(c.DHT)
		n.told |= theDHT
	case friend.SearchOnion:
		_ = n.client.AddFriend(n.now, c.Real)
		n.told |= theClient
	case friend.StopOnion:
		n.client.RemoveFriend(c.Real)
		n.told |= theClient
	case friend.OnionKey:
		_ = n.client.SetDHTKeyOf(n.now, c.Real, c.DHT)
		n.told |= theClient
	case friend.OnionOnline:
		_ = n.client.FriendOnline(n.now, c.Real, c.Online)
		n.told |= theClient
	}
}

func (n *Node) carryFriendEvent(e *friend.Event) {
	switch e.Kind {
	case friend.Online:
		n.event(Event{Kind: Online, Peer: e.Real, DHT: e.DHT})
		n.messenger.Online(n.now, e.Real)
	case friend.Offline:
		n.event(Event{Kind: Offline, Peer: e.Real, Released: e.Released})
		n.messenger.Offline(n.now, e.Real)
	case friend.Payload:
		_ = n.messenger.Receive(n.now, e.Real, e.Lossy, e.Data) // peers may send what they like
	case friend.Request:
		n.carryRequest(e.Real, e.NoSpam, e.Data)
	}
	n.told |= theMessenger
}

// carryRequest lets the messenger judge a friend request.
func (n *Node) carryRequest(from packets.PublicKey, noSpam [packets.NoSpamSize]byte, text []byte) {
	if n.messenger.Request(n.now, from, noSpam, text) == nil {
		n.told |= theMessenger
	}
}

func (n *Node) carryMessenger() {
	out := n.messenger.Poll()
	n.wake[theMessenger.index()] = out.Wake
	n.dirty = n.dirty || out.Dirty
	for i := range out.Sends {
		n.carrySend(&out.Sends[i])
	}
	for _, c := range out.Conns {
		if c.Hold {
			_ = n.hold(friend.FriendList, c.Peer) // of a save with a bad key or too many
		} else {
			n.friends.Release(n.now, friend.FriendList, c.Peer)
		}
		n.told |= theFriends
	}
	for i := range out.Requests {
		if n.sendRequest(&out.Requests[i]) {
			n.messenger.RequestSent(n.now, out.Requests[i].To)
			n.told |= theMessenger
		}
	}
	for _, e := range out.Events {
		e.Data = n.copy(e.Data)
		n.event(Event{Kind: Messenger, Peer: e.Peer, Messenger: e})
	}
}

// carrySend writes a packet of the messenger. A message that is refused is lost.
func (n *Node) carrySend(s *messenger.Send) {
	number, err := n.write(s.To, s.Data, s.Lossy)
	n.told |= theSessions
	switch {
	case err != nil:
		n.messenger.Refused(n.now, s.To, s.Data[0], s.Message)
		n.told |= theMessenger
		if s.Message != 0 {
			lost := messenger.Event{Kind: messenger.Lost, Peer: s.To, Number: s.Message}
			n.event(Event{Kind: Messenger, Peer: s.To, Messenger: lost})
		}
	case s.Message != 0:
		n.messenger.Sent(s.To, s.Message, number)
	}
}

// sendRequest sends a friend request, over the connection if there is one, and
// tells whether it is on its way (SPEC T-138).
func (n *Node) sendRequest(r *messenger.Request) bool {
	if info, _ := n.friends.Peer(r.To); info.Online {
		n.told |= theFriends
		return n.friends.SendRequest(n.now, r.To, r.NoSpam, r.Text) == nil
	}
	n.told |= theClient
	ways, err := n.client.SendRequest(n.now, r.To, r.NoSpam, r.Text)
	return err == nil && ways > 0
}

func (n *Node) event(e Event) { n.out[n.fill].events = append(n.out[n.fill].events, e) }

// copy keeps bytes for the Output.
func (n *Node) copy(p []byte) []byte { return n.out[n.fill].copy(p) }
