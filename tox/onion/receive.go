package onion

import (
	"crypto/sha256"
	"fmt"
	"net/netip"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/dhtnode"
)

// seen is a friend request that came.
type seen struct {
	digest [sha256.Size]byte // of sender, nospam and text
	at     int64
}

// Receive takes an answer to an announce request, or data that somebody sent
// us. An error says why it was refused; it changed nothing then but the budgets.
// p is not kept.
func (c *Client) Receive(now packets.Time, from netip.AddrPort, p []byte) error {
	c.begin(now)
	from = dhtnode.Unmap(from)
	switch {
	case !dhtnode.Reachable(from):
		return fmt.Errorf("%w: %v", ErrSource, from)
	case len(p) > 0 && p[0] == DataResponse:
		return c.receiveData(from, p)
	}
	return c.receiveAnswer(p)
}

// receiveAnswer takes the answer of a node. Only who saw the question knows its
// sendback, so that answers to nothing cost nothing.
func (c *Client) receiveAnswer(p []byte) error {
	if len(p) == 0 || p[0] != AnnounceResponse && p[0] != GroupAnnounceResponse {
		return ErrKind
	}
	if len(p) < answerHead+boxSize+1+keySize || len(p) > answerHead+boxSize+2+keySize+maxNodes*nodeSize6 {
		return fmt.Errorf("%w: announce response of %d bytes", ErrLength, len(p))
	}
	sendback := [sendbackSize]byte(p[1:])
	w := c.pending.find(c.now, sendback)
	if w == nil {
		return fmt.Errorf("%w: announce response", ErrUnasked)
	}
	plain, err := w.key.OpenPrefixed(c.plain[:0], p[1+sendbackSize:])
	if err != nil {
		return err
	}
	a, err := parseAnswer(plain, p[0] == GroupAnnounceResponse)
	if err != nil {
		return err
	}
	l := w.list
	if l != &c.own && a.stored == selfStored {
		return fmt.Errorf("%w: search finds ourselves", ErrPlain)
	}
	if l == &c.own && a.stored == othersStored && a.token != l.data { // SPEC T-76
		a.stored, a.token = notStored, packets.PublicKey{}
	}
	n, by := w.node, w.path
	c.pending.take(w)

	sec := c.now.Seconds()
	c.answered = sec
	c.answeredBy(l.paths, by)
	if l == &c.own {
		c.ring.add(sec, n)
	}
	l.heard(sec, n, a.stored, a.token, by)
	for _, x := range a.nodes[:a.count] {
		c.named(sec, l, n, x)
	}
	return nil
}

// named asks a node that by named if it would improve the list (SPEC T-73).
func (c *Client) named(sec int64, l *list, by Node, p packets.Node) {
	n, ok := dhtnode.Unpack(p)
	if !ok || l.quiet || !c.usable(n) || dhtnode.IsLAN(n.Addr.Addr()) && !dhtnode.IsLAN(by.Addr.Addr()) {
		return // nobody outside knows our private networks
	}
	if l.fits(sec, n.Key) && l.mayAsk(sec, n.Key, namedEvery) {
		c.ask(l, n, packets.PublicKey{}, 0)
	}
}

// receiveData takes data that came over a node which keeps our announcement.
func (c *Client) receiveData(from netip.AddrPort, p []byte) error {
	d, err := parseDataResponse(p)
	if err != nil {
		return err
	}
	if !c.limit.Allow(c.now, from) { // SPEC T-89
		return fmt.Errorf("%w: from %v", ErrFlood, from)
	}
	key, err := c.data.Shared(d.temp)
	if err != nil {
		return err
	}
	inner, err := key.Open(c.inner[:0], &d.nonce, d.box)
	if err != nil {
		return err
	}
	if len(inner) <= keySize+boxSize {
		return fmt.Errorf("%w: data of %d bytes", ErrPlain, len(inner))
	}
	sender := packets.PublicKey(inner)
	if sender == c.self {
		return ErrOwnKey
	}
	f := c.byKey[sender]
	if f != nil {
		key = f.shared
	} else if key, err = c.real.Shared(c.now, sender); err != nil {
		return err
	}
	data, err := key.Open(c.plain[:0], &d.nonce, inner[keySize:])
	if err != nil {
		return err
	}
	switch data[0] {
	case dataRequest:
		return c.takeRequest(sender, data)
	case dataDHTKey:
		x, err := parseDHTKey(data)
		if err != nil {
			return err
		}
		return c.takeDHTKey(f, sender, x)
	}
	return fmt.Errorf("%w: data %d", ErrKind, data[0])
}

// ReceiveRouted takes the data of a routed request with sub id 156 that the
// node with a DHT key sent us through the DHT. It returns an error like
// Receive.
func (c *Client) ReceiveRouted(now packets.Time, from packets.PublicKey, data []byte) error {
	c.begin(now)
	if len(data) < routedHead+boxSize+dhtKeyHead || len(data) > routedHead+boxSize+maxPlain {
		return fmt.Errorf("%w: routed DHT key of %d bytes", ErrLength, len(data))
	}
	sender := packets.PublicKey(data)
	f := c.byKey[sender]
	if f == nil {
		return fmt.Errorf("%w: %v", ErrStranger, sender)
	}
	plain, err := f.shared.OpenPrefixed(c.plain[:0], data[keySize:])
	if err != nil {
		return err
	}
	x, err := parseDHTKey(plain)
	if err != nil {
		return err
	}
	if x.key != from { // SPEC T-84
		return fmt.Errorf("%w: %v says %v", ErrSender, from, x.key)
	}
	return c.takeDHTKey(f, sender, x)
}

// takeRequest hands a friend request out, once: it comes over each node that
// keeps our announcement (SPEC T-88).
func (c *Client) takeRequest(sender packets.PublicKey, data []byte) error {
	r, err := parseRequest(data)
	if err != nil {
		return err
	}
	sec := c.now.Seconds()
	start := len(c.buf)
	buf := append(append(c.buf, sender[:]...), data...)
	digest := sha256.Sum256(buf[start:])
	for i := range c.requests {
		if c.requests[i].digest == digest && c.requests[i].at+requestWait > sec {
			return fmt.Errorf("%w: friend request of %v", ErrReplay, sender)
		}
	}
	c.requests[c.hand] = seen{digest, sec}
	c.hand = (c.hand + 1) % maxRequests
	c.buf = buf // the event keeps it
	text := c.since(len(buf) - len(r.text))
	c.out.Events = append(c.out.Events, Event{Kind: FriendRequest, Real: sender, NoSpam: r.noSpam, Text: text})
	return nil
}

// takeDHTKey hands the DHT key of a friend out; f is nil for a stranger (SPEC T-82, T-85).
func (c *Client) takeDHTKey(f *friend, sender packets.PublicKey, x dhtKey) error {
	switch {
	case f == nil:
		return fmt.Errorf("%w: %v", ErrStranger, sender)
	case x.number <= f.number:
		return fmt.Errorf("%w: DHT key of %v", ErrReplay, sender)
	}
	f.number = x.number
	e := Event{Kind: DHTKey, Real: sender, DHTKey: x.key}
	if x.count > 0 {
		e.Nodes = append(e.Nodes, x.nodes[:x.count]...)
	}
	c.out.Events = append(c.out.Events, e)
	return nil
}
