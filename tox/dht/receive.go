package dht

import (
	"fmt"
	"net/netip"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/crypto"
	"github.com/tox-rejoin/rejoin/tox/dhtnode"
)

// Receive takes a packet that came from an address. Lengths and budgets are
// checked before anything is computed. An error says why the packet was
// refused; it changed nothing then but the budgets. p is not kept.
func (d *DHT) Receive(now packets.Time, from netip.AddrPort, p []byte) error {
	d.begin(now)
	from = dhtnode.Unmap(from)
	switch {
	case !dhtnode.Reachable(from):
		return fmt.Errorf("%w: %v", ErrSource, from)
	case len(p) == 0:
		return fmt.Errorf("%w: empty", ErrLength)
	}
	switch p[0] {
	case PingRequest:
		return d.receivePing(now, from, p)
	case PingResponse:
		return d.receivePong(now, from, p)
	case NodesRequest:
		return d.receiveRequest(now, from, p)
	case NodesResponse:
		return d.receiveResponse(now, from, p)
	case RoutedRequest:
		return d.receiveRouted(now, from, p)
	case BootstrapInfo:
		return d.receiveInfo(now, from, p)
	}
	return fmt.Errorf("%w: %#02x", ErrKind, p[0])
}

// between checks a length (SPEC T-13).
func between(p []byte, least, most int) error {
	if len(p) < least || len(p) > most {
		return fmt.Errorf("%w: packet %#02x of %d bytes", ErrLength, p[0], len(p))
	}
	return nil
}

// open opens the box of a packet with sender key, nonce and box behind the id.
// The plaintext is valid until the next open.
func (d *DHT) open(now packets.Time, from netip.AddrPort, p []byte) (Node, crypto.SharedKey, []byte, error) {
	n := Node{Key: packets.PublicKey(p[1:]), Addr: from}
	if n.Key == d.self { // SPEC T-13
		return n, crypto.SharedKey{}, nil, ErrOwnKey
	}
	key, err := d.keys.Shared(now, n.Key)
	if err != nil {
		return n, key, nil, err
	}
	plain, err := key.OpenPrefixed(d.plain[:0], p[1+keySize:])
	return n, key, plain, err
}

// admit lets a packet of somebody whom we did not ask spend our time (SPEC T-48).
func (d *DHT) admit(now packets.Time, from netip.AddrPort) error {
	if !d.limit.Allow(now, from) {
		return fmt.Errorf("%w: from %v", ErrFlood, from)
	}
	return nil
}

// admitAnswer lets an answer in if there is a question to its sender (SPEC T-48).
func (d *DHT) admitAnswer(now packets.Time, from netip.AddrPort, questions *pending) error {
	switch {
	case !questions.expects(from):
		return fmt.Errorf("%w: from %v", ErrUnasked, from)
	case !d.limit.AllowSource(now, from):
		return fmt.Errorf("%w: from %v", ErrFlood, from)
	}
	return nil
}

func (d *DHT) receivePing(now packets.Time, from netip.AddrPort, p []byte) error {
	if err := between(p, pingSize, pingSize); err != nil {
		return err
	}
	if err := d.admit(now, from); err != nil {
		return err
	}
	n, key, plain, err := d.open(now, from, p)
	if err != nil {
		return err
	}
	x, err := parsePing(plain, PingRequest)
	if err != nil {
		return err
	}
	d.seal(PingResponse, n, &key, ping{PingResponse, x.id}.append(d.plain[:0])) // SPEC T-15
	d.maybePing(now, n)
	return nil
}

func (d *DHT) receivePong(now packets.Time, from netip.AddrPort, p []byte) error {
	if err := between(p, pingSize, pingSize); err != nil {
		return err
	}
	if err := d.admitAnswer(now, from, &d.pings); err != nil {
		return err
	}
	n, _, plain, err := d.open(now, from, p)
	if err != nil {
		return err
	}
	x, err := parsePing(plain, PingResponse)
	if err != nil {
		return err
	}
	if !d.pings.take(now, x.id, n) {
		return fmt.Errorf("%w: ping response of %v", ErrUnasked, n.Key)
	}
	d.heard(now, n)
	return nil
}

func (d *DHT) receiveRequest(now packets.Time, from netip.AddrPort, p []byte) error {
	if err := between(p, requestSize, requestSize); err != nil {
		return err
	}
	if err := d.admit(now, from); err != nil {
		return err
	}
	n, key, plain, err := d.open(now, from, p)
	if err != nil {
		return err
	}
	x, err := parseRequest(plain)
	if err != nil {
		return err
	}
	d.near = d.Closest(now, d.near[:0], x.wanted, maxNodes, dhtnode.IsLAN(from.Addr())) // SPEC T-16
	answer := response{id: x.id}
	for _, c := range d.near {
		answer.nodes[answer.count] = c.Pack()
		answer.count++
	}
	if answer.count > 0 { // nobody takes an empty one; it will see our ping (SPEC T-18)
		d.seal(NodesResponse, n, &key, answer.append(d.plain[:0]))
	}
	d.maybePing(now, n)
	return nil
}

func (d *DHT) receiveResponse(now packets.Time, from netip.AddrPort, p []byte) error {
	if err := between(p, responseHead+nodeSize4, responseHead+maxNodes*nodeSize6); err != nil {
		return err
	}
	if err := d.admitAnswer(now, from, &d.asked); err != nil {
		return err
	}
	n, _, plain, err := d.open(now, from, p)
	if err != nil {
		return err
	}
	x, err := parseResponse(plain)
	if err != nil {
		return err
	}
	if !d.asked.take(now, x.id, n) {
		return fmt.Errorf("%w: nodes response of %v", ErrUnasked, n.Key)
	}
	d.heard(now, n)
	for _, p := range x.nodes[:x.count] {
		if named, ok := dhtnode.Unpack(p); ok {
			d.named(now.Seconds(), n, named)
		}
	}
	return nil
}

func (d *DHT) receiveInfo(now packets.Time, from netip.AddrPort, p []byte) error {
	if err := between(p, infoSize, infoSize); err != nil {
		return err
	}
	if !d.answers { // SPEC T-47
		return fmt.Errorf("%w: bootstrap info request to a client", ErrKind)
	}
	if err := d.admit(now, from); err != nil {
		return err
	}
	start := len(d.out.buf)
	d.out.buf = d.info.Append(d.out.buf)
	d.send(from, start)
	return nil
}

// heard notes in every list that n answered (SPEC T-23).
func (d *DHT) heard(now packets.Time, n Node) {
	sec := now.Seconds()
	d.close.heard(sec, n)
	usable := false
	for _, s := range d.searches {
		if s.heard(sec, n) && s.fake {
			usable = true
		}
		if s.key == n.Key && !s.fake {
			d.event(Event{Kind: Found, Key: n.Key, Addr: n.Addr}) // SPEC T-39
		}
	}
	if usable {
		d.event(Event{Kind: PathNode, Key: n.Key, Addr: n.Addr})
	}
}

// named looks at a node that by named in an answer: what it says about us and
// about searched keys, and whether it is worth a question (SPEC T-33).
func (d *DHT) named(sec int64, by, n Node) {
	if !dhtnode.Reachable(n.Addr) {
		return
	}
	if n.Key == d.self {
		if e := d.close.find(by.Key); e != nil {
			e.tell(sec, by.Addr, n.Addr)
		}
		return
	}
	if s := d.byKey[n.Key]; s != nil {
		if i, known := s.position(by.Key); known {
			s.nodes[i].tell(sec, by.Addr, n.Addr)
		}
	}
	// Nobody outside knows our private networks (SPEC T-34).
	if !d.usable(n) || dhtnode.IsLAN(n.Addr.Addr()) && !dhtnode.IsLAN(by.Addr.Addr()) {
		return
	}
	if d.close.fits(sec, n.Key) {
		d.close.named.add(n)
	}
	for _, s := range d.searches {
		if s.fits(sec, n.Key) {
			s.named.add(n)
		}
	}
}

// tell notes what the node at from named as address.
func (e *entry) tell(sec int64, from, addr netip.AddrPort) {
	if s := e.seenAt(from); s.addr == from {
		s.told, s.toldAt = addr, sec
	}
}

// maybePing plans to ping a node that asked us something and would fit our
// lists: at once if it is one whom we search, else with the next ones (SPEC T-21, T-22).
func (d *DHT) maybePing(now packets.Time, n Node) {
	if !d.usable(n) {
		return
	}
	sec := now.Seconds()
	if s := d.byKey[n.Key]; s != nil {
		if _, ok := s.found(sec); !ok {
			d.ping(now, n)
			return
		}
	}
	if d.close.fits(sec, n.Key) {
		d.maybe.add(n)
	}
}

// ping sends a ping request.
func (d *DHT) ping(now packets.Time, n Node) {
	key, err := d.keys.Shared(now, n.Key)
	if err != nil {
		return // low order: it cannot answer either
	}
	var plain [1 + idSize]byte
	d.seal(PingRequest, n, &key, ping{PingRequest, d.pings.add(now, n, d.rand)}.append(plain[:0]))
}

// ask sends a nodes request.
func (d *DHT) ask(now packets.Time, n Node, wanted packets.PublicKey) {
	if !d.usable(n) {
		return
	}
	key, err := d.keys.Shared(now, n.Key)
	if err != nil {
		return
	}
	var plain [keySize + idSize]byte
	d.seal(NodesRequest, n, &key, request{wanted, d.asked.add(now, n, d.rand)}.append(plain[:0]))
}

// seal queues a packet of the common form.
func (d *DHT) seal(id byte, to Node, key *crypto.SharedKey, plain []byte) {
	start := len(d.out.buf)
	d.out.buf = append(append(d.out.buf, id), d.self[:]...)
	d.out.buf = key.SealRandom(d.out.buf, d.rand, plain)
	d.send(to.Addr, start)
}
