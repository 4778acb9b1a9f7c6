package sim

import "github.com/tox-rejoin/rejoin/packets"

// Laws say how links between nodes behave. They decide every heal figure. Times
// are in milliseconds; a range is drawn from evenly, for each link and occasion.
type Laws struct {
	// Delay is the one-way delay of a link. Spread makes links differ: each
	// session's delay lies within Delay±Spread. Spread is less than Delay.
	Delay, Spread packets.Time
	// Loss is the probability that a transmission is lost. A lossy packet is
	// then gone; a lossless one is sent again a round trip later, and what is
	// behind it waits.
	Loss float64
	// DeadMin to DeadMax after packets have stopped, a side notices.
	DeadMin, DeadMax packets.Time
	// Reconnect is how long a new session takes after a heal when one side is
	// still trying. With probability BackedOff neither is, and it takes
	// BackOffMin to BackOffMax.
	Reconnect              packets.Time
	BackedOff              float64
	BackOffMin, BackOffMax packets.Time
	// FindMin to FindMax is how long friends take to find each other after one
	// of them has started.
	FindMin, FindMax packets.Time
	// Renew is how long after a friend's new DHT key became known, which ends a
	// session with its former run, the new session is up.
	Renew packets.Time
	// ConnectMin to ConnectMax is how long non-friends take once both want each
	// other, also after one had released the other.
	ConnectMin, ConnectMax packets.Time
}

// Defaults of Laws. Recordings are those of testdata, made with c-toxcore 0.2.23.
const (
	DefaultDelay packets.Time = 50 // one tick of the recordings' network

	// A session ends 32 s after the last alive packet; they come every 8 s, and
	// some are on the way (SPEC.md, "Below a conference"; recordings s4, s5b, s5c: 25
	// to 30 s; real clients: 26 to 32 s).
	DefaultDeadMin = 26 * packets.Second
	DefaultDeadMax = 32 * packets.Second

	// Measured on real clients: 0.35 s, or 33 to 34 s when both sides had backed
	// off, about as often.
	DefaultReconnect  packets.Time = 350
	DefaultBackedOff               = 0.5
	DefaultBackOffMin              = 33 * packets.Second
	DefaultBackOffMax              = 34 * packets.Second

	// Recordings s1 to s8: friends are up 9.7 to 10.3 s after the start; s5*: 9.4
	// to 10.0 s after a restart.
	DefaultFindMin packets.Time = 9400
	DefaultFindMax packets.Time = 10300

	// Recording s5c: B drops C's former session, and 250 ms later has the new one.
	DefaultRenew packets.Time = 250

	// Recordings s3 to s8, from the later "open" of a pair to its "link" up.
	DefaultConnectMin packets.Time = 300
	DefaultConnectMax packets.Time = 2050
)

// DefaultLaws are the laws of a quiet network without loss.
func DefaultLaws() Laws {
	return Laws{
		Delay:      DefaultDelay,
		DeadMin:    DefaultDeadMin,
		DeadMax:    DefaultDeadMax,
		Reconnect:  DefaultReconnect,
		BackedOff:  DefaultBackedOff,
		BackOffMin: DefaultBackOffMin,
		BackOffMax: DefaultBackOffMax,
		FindMin:    DefaultFindMin,
		FindMax:    DefaultFindMax,
		Renew:      DefaultRenew,
		ConnectMin: DefaultConnectMin,
		ConnectMax: DefaultConnectMax,
	}
}

// resend is how long the network takes to notice a lost packet and send it
// again: a round trip.
func (l *Laws) resend(delay packets.Time) packets.Time { return 2 * delay }

// mostResends bounds the resends of one packet.
const mostResends = 8

func (s *Stream) within(lo, hi packets.Time) packets.Time {
	return lo + packets.Time(s.Below(int(hi-lo)+1))
}
