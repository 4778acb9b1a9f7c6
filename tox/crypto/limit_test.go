package crypto_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/crypto"
)

// passes counts how many of n packets at one moment are allowed.
func passes(l *crypto.Limiter, now packets.Time, from string, n int) (allowed int) {
	for range n {
		if l.Allow(now, netip.MustParseAddrPort(from)) {
			allowed++
		}
	}
	return allowed
}

// SPEC T-7
func TestLimiterRates(t *testing.T) {
	l := crypto.NewLimiter(crypto.Rate{Burst: 10, Second: 5}, crypto.Rate{Burst: 25, Second: 100})
	const start = 1_700_000_000_000
	require.Equal(t, 10, passes(l, start, "8.8.8.8:1", 100), "the burst")
	require.Equal(t, 0, passes(l, start+199, "8.8.8.8:2", 100), "ports of one address share")
	require.Equal(t, 1, passes(l, start+200, "8.8.8.8:3", 100), "5 a second")
	require.Equal(t, 10, passes(l, start+1_000_000, "8.8.8.8:1", 100), "never more than the burst")
	require.Equal(t, 10, passes(l, start+1_000_000, "9.9.9.9:1", 100))
	require.Equal(t, 5, passes(l, start+1_000_000, "7.7.7.7:1", 100), "all together")
	require.Equal(t, 0, passes(l, start, "7.7.7.7:1", 100), "a clock that goes back adds nothing")
	asked := 0
	for range 30 {
		if l.AllowSource(start+1_000_000, netip.MustParseAddrPort("6.6.6.6:1")) {
			asked++
		}
	}
	require.Equal(t, 10, asked, "only its own bucket counts")
}

// SPEC T-7
func TestLimiterSources(t *testing.T) {
	l := crypto.NewLimiter(crypto.Rate{Burst: 1, Second: 1}, crypto.Rate{Burst: 1000, Second: 1000})
	require.Equal(t, 1, passes(l, 0, "[2001:db8::1]:1", 5))
	require.Equal(t, 0, passes(l, 0, "[2001:db8::2]:1", 5), "one IPv6 network is one source")
	require.Equal(t, 1, passes(l, 0, "[2001:db8:0:1::1]:1", 5))
	require.Equal(t, 1, passes(l, 0, "127.0.0.1:1", 5))
	require.Equal(t, 1, passes(l, 0, "127.0.0.1:2", 5), "many nodes live on one private address")
}

// A flood from more sources than the table holds is stopped by the bucket for all.
// SPEC T-7
func TestLimiterManySources(t *testing.T) {
	l := crypto.NewLimiter(crypto.Rate{Burst: 10, Second: 10}, crypto.Rate{Burst: 50, Second: 100})
	allowed := 0
	for i := range 5 * crypto.MaxSources {
		from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{8, byte(i >> 16), byte(i >> 8), byte(i)}), 1)
		if l.Allow(1, from) {
			allowed++
		}
	}
	require.Equal(t, 50, allowed)
}

func TestLimiterZeroRefuses(t *testing.T) {
	l := crypto.NewLimiter(crypto.Rate{}, crypto.Rate{Burst: 1, Second: 1})
	require.Zero(t, passes(l, 5000, "8.8.8.8:1", 5))
}

func BenchmarkLimiter(b *testing.B) {
	l := crypto.NewLimiter(crypto.Rate{Burst: 1 << 40, Second: 1}, crypto.Rate{Burst: 1 << 40, Second: 1})
	from := netip.MustParseAddrPort("[2001:db8::1]:1")
	b.ReportAllocs()
	for b.Loop() {
		l.Allow(1, from)
	}
}
