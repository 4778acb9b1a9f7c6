package netcrypto

import (
	"net/netip"

	"github.com/tox-rejoin/rejoin/packets"
)

// bucket is a token bucket, full at first. It holds the time at which it will
// be full again.
type bucket struct{ full packets.Time }

// take takes a token of a bucket that holds burst and gets one each interval.
func (b *bucket) take(now, interval packets.Time, burst int) bool {
	full := max(b.full, now) + interval
	if full-now > interval*packets.Time(burst) {
		return false
	}
	b.full = full
	return true
}

// source is what one sender of cookie requests and handshakes used up.
type source struct {
	addr       netip.AddrPort
	cookies    bucket
	handshakes bucket
}

// sources is the latest maxSources of them. Who forges senders can make it
// forget; the buckets for everybody together hold then.
type sources struct {
	list  []source
	index map[netip.AddrPort]int // into list; never ranged over
	next  int                    // the oldest once list is full
}

// of is the entry of a sender: ports count only on this machine's own
// addresses, of IPv6 addresses the first 64 bits count.
func (t *sources) of(from netip.AddrPort) *source {
	ip := from.Addr()
	switch {
	case ip.IsLoopback():
	case ip.Is4():
		from = netip.AddrPortFrom(ip, 0)
	default:
		if p, err := ip.WithZone("").Prefix(64); err == nil {
			from = netip.AddrPortFrom(p.Addr(), 0)
		}
	}
	if i, ok := t.index[from]; ok {
		return &t.list[i]
	}
	if len(t.list) < maxSources {
		t.index[from] = len(t.list)
		t.list = append(t.list, source{addr: from})
		return &t.list[len(t.list)-1]
	}
	s := &t.list[t.next]
	delete(t.index, s.addr)
	t.index[from] = t.next
	t.next = (t.next + 1) % maxSources
	*s = source{addr: from}
	return s
}

// What we decided about the rate of lossless packets.
const (
	paceBurst  = 128               // packets that go at once
	paceMin    = 256               // packets per second
	paceMax    = 16384             // packets per second
	paceStep   = packets.Time(20)  // between two rounds of sending
	paceWindow = packets.Time(500) // the rate changes at most this often
	milli      = 1000              // a packet, in thousandths
	paceGain   = 3                 // rate / delivered, in halves
)

// pacer is the token bucket of a session's lossless packets. While packets
// have to wait, its rate becomes 1.5 times what arrived lately: it grows while
// packets arrive, does not collapse under random loss, and loses at most a
// third at a bottleneck (SPEC T-115).
type pacer struct {
	rate      int64 // packets per second
	budget    int64 // thousandths of a packet
	stamp     packets.Time
	since     packets.Time // begin of the window
	delivered int          // packets acknowledged in the window
	limited   bool         // packets had to wait in the window
}

func newPacer(now packets.Time) pacer {
	return pacer{rate: paceMin, budget: paceBurst * milli, stamp: now, since: now}
}

// refill brings the budget up to date; rtt is the session's.
func (p *pacer) refill(now, rtt packets.Time) {
	if passed := now - p.since; passed >= max(paceWindow, 2*rtt) {
		if p.limited {
			want := int64(p.delivered) * milli / int64(passed) * paceGain / 2
			want = min(max(want, p.rate/2), p.rate*2)
			p.rate = min(max(want, paceMin), paceMax)
		}
		p.since, p.delivered, p.limited = now, 0, false
	}
	// A rate per second times milliseconds is thousandths.
	passed := min(now-p.stamp, 60*packets.Second)
	p.budget = min(p.budget+p.rate*int64(passed), paceBurst*milli+p.rate*int64(paceStep))
	p.stamp = now
}

// take takes the budget for one packet.
func (p *pacer) take() bool {
	if p.budget < milli {
		p.limited = true
		return false
	}
	p.budget -= milli
	return true
}
