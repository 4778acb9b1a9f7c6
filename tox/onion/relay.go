package onion

import (
	"fmt"
	"io"
	"net/netip"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/crypto"
	"github.com/tox-rejoin/rejoin/tox/dhtnode"
)

// What we decided about relays.
const (
	relayEvery = 7200 * packets.Second // a new key for ways back
	// relayGrace is how long ways back of the last key work: as long as an
	// announce store may hold one.
	relayGrace  = storeLife * packets.Second
	relayBurst  = 512 // packets of one source at once
	relayRate   = 256 // and a second
	relayBursts = 4096
	relayRates  = 2048 // packets of all sources a second: 8 % of a core if each needs a new shared key
)

// Relay is a node of other people's paths. It keeps nothing about them: the
// way back is in the packets, sealed. Make one with NewRelay.
type Relay struct {
	keys     *crypto.Cache
	rand     io.Reader
	ipv4Only bool
	limit    *crypto.Limiter

	seal  crypto.SharedKey // of ways back; nobody else knows it
	last  crypto.SharedKey // the one before
	since packets.Time     // when seal was made; 0: not used yet

	outbox
	plain [maxPacket]byte
	back  [wayBack3]byte
}

// NewRelay makes a Relay. It draws 64 bytes of cfg.Rand.
func NewRelay(cfg Config) *Relay {
	return &Relay{
		keys: crypto.NewCache(cfg.DHT, 0), rand: cfg.Rand, ipv4Only: cfg.IPv4Only,
		limit: crypto.NewLimiter(crypto.Rate{Burst: relayBurst, Second: relayRate}, crypto.Rate{Burst: relayBursts, Second: relayRates}),
		seal:  crypto.NewSharedKey(cfg.Rand), last: crypto.NewSharedKey(cfg.Rand),
	}
}

// Receive takes a packet of somebody's path and passes it on. An error says
// why it was refused. p is not kept.
func (r *Relay) Receive(now packets.Time, from netip.AddrPort, p []byte) error {
	r.begin(now)
	from = dhtnode.Unmap(from)
	if !dhtnode.Reachable(from) {
		return fmt.Errorf("%w: %v", ErrSource, from)
	}
	if len(p) > 0 && p[0] >= Return3 {
		return r.backward(from, p)
	}
	return r.forward(from, p)
}

// forward opens one layer and sends the rest to the address in it (SPEC T-49).
func (r *Relay) forward(from netip.AddrPort, p []byte) error {
	f, err := parseForward(p)
	if err != nil {
		return err
	}
	if !r.limit.Allow(r.now, from) { // SPEC T-54
		return fmt.Errorf("%w: from %v", ErrFlood, from)
	}
	key, err := r.keys.Shared(r.now, f.key)
	if err != nil {
		return err
	}
	plain, err := key.Open(r.plain[:0], &f.nonce, f.box)
	if err != nil {
		return err
	}
	to, err := r.destination(from, plain)
	if err != nil {
		return err
	}
	rest := plain[addrSize:]
	start := len(r.buf)
	if f.hop < hops {
		r.buf = append(append(r.buf, p[0]+1), f.nonce[:]...)
	} else if !carried(rest[0]) {
		return fmt.Errorf("%w: %#02x", ErrPayload, rest[0])
	}
	r.buf = append(r.buf, rest...)
	back := append(appendAddr(r.back[:0], from), f.back...)
	r.buf = r.seal.SealRandom(r.buf, r.rand, back)
	r.send(to, start)
	return nil
}

// destination reads where a packet shall go. Strangers do not make us send
// into our own network (SPEC T-53).
func (r *Relay) destination(from netip.AddrPort, plain []byte) (netip.AddrPort, error) {
	to, err := parseAddr(plain)
	if err != nil {
		return to, err
	}
	if !dhtnode.Reachable(to) || r.ipv4Only && !to.Addr().Is4() || dhtnode.IsLAN(to.Addr()) && !dhtnode.IsLAN(from.Addr()) {
		return to, fmt.Errorf("%w: %v", ErrDestination, to)
	}
	return to, nil
}

// carried tells whether the last hop sends a payload with this id out (SPEC T-50).
func carried(id byte) bool {
	return id == AnnounceRequest || id == DataRequest || id == GroupAnnounceRequest
}

// answered tells whether the first hop sends an answer with this id out (SPEC T-51).
func answered(id byte) bool {
	return id == AnnounceResponse || id == DataResponse || id == GroupAnnounceResponse
}

// backward opens one layer of a way back and sends the answer there.
func (r *Relay) backward(from netip.AddrPort, p []byte) error {
	x, err := parseReturned(p)
	if err != nil {
		return err
	}
	if !answered(x.data[0]) {
		return fmt.Errorf("%w: %#02x", ErrPayload, x.data[0])
	}
	if !r.limit.Allow(r.now, from) {
		return fmt.Errorf("%w: from %v", ErrFlood, from)
	}
	plain, err := r.seal.OpenPrefixed(r.plain[:0], x.back)
	if err != nil && r.now < r.since+relayGrace { // SPEC T-52
		plain, err = r.last.OpenPrefixed(r.plain[:0], x.back)
	}
	if err != nil {
		return err
	}
	to, err := parseAddr(plain)
	if err != nil {
		return err
	}
	start := len(r.buf)
	if x.hop > 1 {
		next := returned{x.hop - 1, plain[addrSize:], x.data}
		r.buf = next.append(r.buf)
	} else {
		r.buf = append(r.buf, x.data...)
	}
	r.send(to, start)
	return nil
}

// Tick renews the key of ways back every two hours, so that old packets tell
// nothing even to who gets hold of this node (SPEC T-52).
func (r *Relay) Tick(now packets.Time) {
	r.begin(now)
	switch {
	case r.since == 0:
		r.since = r.now
	case r.now >= r.since+relayEvery:
		r.last, r.seal, r.since = r.seal, crypto.NewSharedKey(r.rand), r.now
	}
}

// Poll returns the datagrams to send.
func (r *Relay) Poll() Output {
	if r.since == 0 {
		return r.poll(r.now)
	}
	return r.poll(r.since + relayEvery)
}

// Check asserts what must always hold.
func (r *Relay) Check() error {
	switch {
	case r.seal == r.last:
		return fmt.Errorf("%w: the same key of ways back twice", errInvariant)
	case r.keys.Len() > crypto.MaxCached:
		return fmt.Errorf("%w: %d shared keys", errInvariant, r.keys.Len())
	}
	return nil
}
