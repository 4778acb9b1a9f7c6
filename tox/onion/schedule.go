package onion

import (
	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/crypto"
)

// What the network decided about the Client's schedule. Times are whole
// seconds.
const (
	startAfter    = 3   // the first announcements, after the first tick
	askEvery      = 3   // a node that does not keep our announcement yet
	renewEvery    = 15  // one that does
	renewStable   = 120 // one that has for long, by a path that is old as well
	proofEvery    = 15  // some node is asked, so that we know that we are online
	offlineAfter  = 75  // without any answer
	onlineRuns    = 3   // seconds in which all is well, until we are online
	maxRuns       = 6
	fillSelf      = selfNodes / 2   // random nodes are asked while no more live
	fillFriend    = friendNodes / 2 // the same for friends
	fillEvery     = 600             // or while the list is not full
	quickRounds   = 20              // of questions for a friend, every askEvery
	maxRoundEvery = 3600            // later ones come ever more rarely
	sendOnion     = 30              // our DHT key to a friend
	sendDHT       = 20              // the same through the DHT
)

// Tick does what is due, once in each second of the clock.
func (c *Client) Tick(now packets.Time) {
	c.begin(now)
	sec := c.now.Seconds()
	if sec <= c.ticked {
		return
	}
	c.ticked = sec
	c.asks = maxAsks
	c.pending.expire(c.now)
	if c.started == never {
		c.started = sec
	}
	if c.started+startAfter <= sec { // SPEC T-67
		c.announce(sec)
	}
	c.assess(sec)
	c.searchAll(sec)
}

// searchAll does what is due for friends who are offline. Those for whom there
// was no time are the first in the next second (SPEC T-77, T-89).
func (c *Client) searchAll(sec int64) {
	n, first, waiting := len(c.friends), c.first, false
	for i := range n {
		f := c.friends[(first+i)%n]
		if f.list.quiet {
			continue
		}
		if c.online && !c.search(sec, f) && !waiting {
			c.first, waiting = (first+i)%n, true
		}
		c.tellDHTKey(sec, f)
	}
}

// announce keeps us announced.
func (c *Client) announce(sec int64) {
	l := &c.own
	l.clean(sec)
	for i := range l.nodes {
		if n := &l.nodes[i]; n.missed < maxMissed && n.asked+c.renewal(sec, n) <= sec {
			c.renew(sec, n)
		}
	}
	if len(l.nodes) > 0 && c.announced+proofEvery <= sec { // SPEC T-71
		if n := &l.nodes[random(c.rand, len(l.nodes))]; n.missed < maxMissed {
			c.renew(sec, n)
		}
	}
	switch {
	case len(l.nodes) == selfNodes:
		c.filled = sec
	case len(l.nodes) <= fillSelf || c.filled+fillEvery <= sec:
		c.filled = sec
		c.fill(sec, l, fillSelf)
	}
}

// renewal is the time between two announcements at n (SPEC T-70).
func (c *Client) renewal(sec int64, n *listNode) int64 {
	p := c.sets[0].find(sec, n.path)
	switch {
	case n.stored == notStored || p == nil:
		return askEvery
	case n.missed == 0 && n.added+stableAfter <= sec && p.stable(sec):
		return renewStable
	}
	return renewEvery
}

// renew announces us at a node of our list.
func (c *Client) renew(sec int64, n *listNode) {
	var pingID packets.PublicKey
	if n.stored != othersStored {
		pingID = n.token
	}
	if c.askMember(sec, &c.own, n, pingID) {
		c.announced = sec
	}
}

// askMember asks a node of a list by the path by which it answered: a ping id
// counts only for the last node of the path that it came by. The last attempt
// takes another path (SPEC T-65).
func (c *Client) askMember(sec int64, l *list, n *listNode, pingID packets.PublicKey) bool {
	by := n.path
	if n.missed == maxMissed-1 {
		by = 0
	}
	if !c.ask(l, n.Node, pingID, by) {
		return false
	}
	n.asked = sec
	n.missed++
	return true
}

// fill asks random path nodes whether they are of use for a list (SPEC T-72).
func (c *Client) fill(sec int64, l *list, most int) {
	var picked [fillSelf]Node
	for _, n := range c.ring.pick(picked[:0], sec, most, c.rand) {
		if l.fits(sec, n.Key) && l.mayAsk(sec, n.Key, randomEvery) {
			c.ask(l, n, packets.PublicKey{}, 0)
		}
	}
}

// assess decides whether we are online. One good or bad second does not change
// it (SPEC T-74).
func (c *Client) assess(sec int64) {
	alive, stored := c.own.count(sec)
	good := c.answered+offlineAfter > sec && len(c.ring.nodes) > 0 && stored > 0 &&
		stored >= alive/2 && alive >= min(len(c.ring.nodes), selfNodes)/2
	if good {
		c.runs = min(c.runs+1, maxRuns)
	} else {
		c.runs = max(c.runs-1, 0)
	}
	online := c.runs >= onlineRuns
	if online == c.online {
		return
	}
	c.online = online
	c.out.Events = append(c.out.Events, Event{Kind: SelfOnline, Online: online})
	if online {
		for _, f := range c.friends {
			f.rounds, f.next = 0, never
		}
	}
}

// search asks the nodes close to a friend's key whether they keep its
// announcement, and those who do pass our DHT key on. It is false if there are
// too many questions in this second.
func (c *Client) search(sec int64, f *friend) bool {
	l := &f.list
	l.clean(sec)
	due, tell := f.next <= sec, f.onionSent+sendOnion <= sec
	if (due || tell) && c.asks < 2*friendNodes+fillFriend {
		return false
	}
	if due {
		f.next = sec + f.interval()
		f.rounds++
		for i := range l.nodes {
			if n := &l.nodes[i]; n.missed < maxMissed {
				c.askMember(sec, l, n, packets.PublicKey{})
			}
		}
		if len(l.nodes) <= fillFriend {
			c.fill(sec, l, fillFriend)
		}
	}
	if tell {
		d := c.ownDHTKey(sec, f)
		if n := c.sendData(f, d.append(c.plain[:0])); n > 0 {
			f.onionSent, f.sent = sec, d.number
			c.asks -= n
		}
	}
	return true
}

// interval is the time until the next round of questions. Who does not come
// for long will search us, too (SPEC T-78).
func (f *friend) interval() int64 {
	if f.rounds < quickRounds {
		return askEvery
	}
	return min(maxRoundEvery, int64(4)<<min(f.rounds-quickRounds, 16))
}

// tellDHTKey sends our DHT key through the DHT to a friend whose own is known (SPEC T-81).
func (c *Client) tellDHTKey(sec int64, f *friend) {
	if f.dht == (packets.PublicKey{}) || f.dhtSent+sendDHT > sec {
		return
	}
	d := c.ownDHTKey(sec, f)
	f.dhtSent, f.sent = sec, d.number
	start := len(c.buf)
	c.buf = append(c.buf, c.self[:]...)
	c.buf = f.shared.SealRandom(c.buf, c.rand, d.append(c.plain[:0]))
	c.out.Routed = append(c.out.Routed, Routed{f.dht, c.since(start)})
}

// ownDHTKey is the packet that tells a friend our DHT key. Its number is the
// time, and higher than the last (SPEC T-82).
func (c *Client) ownDHTKey(sec int64, f *friend) dhtKey {
	d := dhtKey{number: max(uint64(max(sec, 1)), f.sent+1), key: c.dht.Public}
	d.count = copy(d.nodes[:], c.nodes)
	return d
}

// ask sends an announce request to a node for a list, by a path of its set. It
// is false if that was not possible.
func (c *Client) ask(l *list, n Node, pingID packets.PublicKey, by uint32) bool {
	if l != &c.own {
		if c.asks == 0 {
			return false
		}
		c.asks--
	}
	key, err := l.keys.Shared(c.now, n.Key)
	if err != nil {
		return false
	}
	p := c.path(l.paths, by)
	if p == nil {
		return false
	}
	q := question{pingID: pingID, searched: l.base, data: l.data}
	q.sendback = c.pending.add(c.now, waiting{list: l, node: n, key: key, path: p.number}, c.rand)
	a := announce{nonce: crypto.NewNonce(c.rand), requester: l.keys.Pair().Public}
	payload := a.append(c.payload[:0])
	payload = key.Seal(payload, &a.nonce, q.append(c.plain[:0]))
	c.sendThrough(p, n.Addr, payload)
	return true
}

// sendData sends data to a friend through all nodes that keep its
// announcement, if these are enough that some are honest. It returns how many.
// data may be in c.plain (SPEC T-80).
func (c *Client) sendData(f *friend, data []byte) (sent int) {
	sec := c.now.Seconds()
	alive, stored := f.list.count(sec)
	if stored == 0 || stored < (alive-1)/4+1 {
		return 0
	}
	for i := range f.list.nodes {
		n := &f.list.nodes[i]
		if n.stored != othersStored || n.dead(sec) {
			continue
		}
		temp := crypto.NewKeyPair(c.rand)
		key, err := temp.Shared(n.token)
		if err != nil {
			continue
		}
		p := c.path(f.list.paths, 0)
		if p == nil {
			continue
		}
		d := dataPacket{nonce: crypto.NewNonce(c.rand), temp: temp.Public}
		inner := f.shared.Seal(append(c.inner[:0], c.self[:]...), &d.nonce, data) // SPEC T-79
		payload := append(append(c.payload[:0], DataRequest), f.real[:]...)
		payload = key.Seal(d.appendHead(payload), &d.nonce, inner)
		c.sendThrough(p, n.Addr, payload)
		sent++
	}
	return sent
}
