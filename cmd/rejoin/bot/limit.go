package bot

import "time"

// How much the bot answers. A burst may come at once; then there is one more
// answer each time the refill has passed. A hint is the answer to what is no
// command: there are few, so that two bots do not talk with each other for long.
const (
	personBurst  = 10
	personRefill = 3 * time.Second
	groupBurst   = 20
	groupRefill  = 2 * time.Second
	hintBurst    = 5
	hintRefill   = time.Minute
	knockBurst   = 20 // friend requests and invitations of one person
	knockRefill  = 10 * time.Second

	maxBuckets = 1024 // people, or groups, whose use is remembered
)

// limiter is a token bucket for each key. A bucket that is full again is
// forgotten when there is need of room.
type limiter[K comparable] struct {
	burst   int
	refill  time.Duration
	buckets map[K]*bucket
}

// bucket is full at the time full: until then each refill that is missing is a
// token that has been taken.
type bucket struct {
	full    time.Time
	refused bool // since it was full
}

func newLimiter[K comparable](burst int, refill time.Duration) limiter[K] {
	return limiter[K]{burst: burst, refill: refill, buckets: map[K]*bucket{}}
}

// take takes a token of k, if there is one. first tells that none was there for
// the first time since the bucket was full.
func (l *limiter[K]) take(now time.Time, k K) (ok, first bool) {
	b := l.buckets[k]
	if b == nil {
		if b = l.add(now, k); b == nil {
			return false, false
		}
	}
	if !b.full.After(now) {
		*b = bucket{full: now}
	}
	if b.full.Sub(now) > time.Duration(l.burst-1)*l.refill {
		first, b.refused = !b.refused, true
		return false, first
	}
	b.full = b.full.Add(l.refill)
	return true, false
}

// add makes a bucket, or returns nil if there are too many.
func (l *limiter[K]) add(now time.Time, k K) *bucket {
	if len(l.buckets) >= maxBuckets {
		for other, b := range l.buckets {
			if !b.full.After(now) {
				delete(l.buckets, other)
			}
		}
		if len(l.buckets) >= maxBuckets {
			return nil
		}
	}
	b := &bucket{full: now}
	l.buckets[k] = b
	return b
}
