package crypto

import (
	"net/netip"

	"github.com/tox-rejoin/rejoin/packets"
)

// What we decided about floods. A packet of a stranger costs us one X25519, so
// every machine asks a Limiter before it opens a box.
const (
	MaxSources = 1024 // sources that a Limiter tells apart
	groupBits6 = 64   // IPv6 addresses of one network are one source
)

// Rate is a token bucket: how many packets at once, and how many a second in
// the long run. Zero refuses everything.
type Rate struct {
	Burst  int64
	Second int64
}

// Limiter is a bucket for each source address and one for all together. The
// one for all holds when a flood comes from more than MaxSources addresses, or
// claims to.
type Limiter struct {
	each, all Rate
	total     bucket
	index     map[netip.AddrPort]int // into sources; never ranged over
	sources   []sourceBucket
	hand      int // the source that makes room next
}

// bucket holds thousandths of packets, so that a millisecond of any rate is a
// whole number.
type bucket struct {
	level int64
	at    packets.Time
}

type sourceBucket struct {
	source netip.AddrPort
	bucket bucket
}

// NewLimiter makes a limiter with full buckets.
func NewLimiter(each, all Rate) *Limiter {
	return &Limiter{
		each: each, all: all, total: bucket{level: all.Burst * 1000},
		index: make(map[netip.AddrPort]int),
	}
}

// Allow takes a packet of from out of its own bucket and out of the one for all.
// It is false, and takes nothing, if either is empty (SPEC T-7).
func (l *Limiter) Allow(now packets.Time, from netip.AddrPort) bool {
	own := l.own(now, from)
	own.fill(now, l.each)
	l.total.fill(now, l.all)
	if own.level < 1000 || l.total.level < 1000 {
		return false
	}
	own.level -= 1000
	l.total.level -= 1000
	return true
}

// AllowSource is Allow without the bucket for all, for packets that we asked for.
func (l *Limiter) AllowSource(now packets.Time, from netip.AddrPort) bool {
	own := l.own(now, from)
	own.fill(now, l.each)
	if own.level < 1000 {
		return false
	}
	own.level -= 1000
	return true
}

// own is the bucket of a source, a full one for a new source. It is valid
// until the next call.
func (l *Limiter) own(now packets.Time, from netip.AddrPort) *bucket {
	s := source(from)
	if i, ok := l.index[s]; ok {
		return &l.sources[i].bucket
	}
	i := len(l.sources)
	if i < MaxSources {
		l.sources = append(l.sources, sourceBucket{})
	} else {
		i = l.hand
		l.hand = (l.hand + 1) % MaxSources
		delete(l.index, l.sources[i].source)
	}
	l.index[s] = i
	l.sources[i] = sourceBucket{s, bucket{l.each.Burst * 1000, now}}
	return &l.sources[i].bucket
}

// source is what shares a bucket: an IPv4 address or an IPv6 network. Ports
// are told apart only on this machine and in private networks, where many
// nodes have one address and nobody forges it (SPEC T-7).
func source(from netip.AddrPort) netip.AddrPort {
	ip := from.Addr()
	if ip.IsLoopback() || ip.IsPrivate() {
		return from
	}
	if ip.Is6() {
		if p, err := ip.Prefix(groupBits6); err == nil {
			ip = p.Addr()
		}
	}
	return netip.AddrPortFrom(ip, 0)
}

// fill adds what has run in since the last time. A clock that stands or goes
// back adds nothing.
func (b *bucket) fill(now packets.Time, r Rate) {
	if gone := int64(now - b.at); gone > 0 {
		full := r.Burst * 1000
		if r.Second > 0 && gone > full/r.Second {
			b.level = full
		} else {
			b.level = min(full, b.level+gone*r.Second)
		}
		b.at = now
	}
}
