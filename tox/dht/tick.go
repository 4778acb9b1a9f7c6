package dht

import "github.com/tox-rejoin/rejoin/packets"

// Tick does the periodic work, once in each second of the clock (SPEC T-31).
func (d *DHT) Tick(now packets.Time) {
	d.begin(now)
	sec := now.Seconds()
	if sec <= d.ticked {
		return
	}
	d.ticked = sec
	d.pings.expire(now)
	d.asked.expire(now)
	d.reconnect(now)

	for _, n := range d.close.named.take() { // SPEC T-33
		d.ask(now, n, d.self)
	}
	if !d.round(now, d.self, d.close.buckets[:], &d.close.rounds) {
		d.close.revive(sec)
	}
	for _, s := range d.searches {
		for _, n := range s.named.take() {
			d.ask(now, n, s.key)
		}
		one := [1][]entry{s.nodes}
		d.round(now, s.key, one[:], &s.rounds)
	}
	if len(d.maybe.nodes) > 0 && d.maybeAt+maybeEvery <= sec { // SPEC T-21
		d.maybeAt = sec
		for _, n := range d.maybe.take() {
			if d.close.fits(sec, n.Key) {
				d.ping(now, n)
			}
		}
	}
}

// reconnect asks saved nodes and bootstrap nodes while nobody else is known.
func (d *DHT) reconnect(now packets.Time) {
	sec := now.Seconds()
	if len(d.restored) > 0 {
		if d.close.connected(sec, true) {
			d.restored = nil
		}
		batch := d.restored[:min(restorePerTick, len(d.restored))] // SPEC T-42
		d.restored = d.restored[len(batch):]
		for _, n := range batch {
			d.ask(now, n, d.self)
		}
	}
	if len(d.boots) > 0 && d.bootAt+bootstrapEvery <= sec && !d.close.connected(sec, false) {
		d.bootAt = sec
		for _, n := range d.boots { // SPEC T-41
			d.ask(now, n, d.self)
		}
	}
}

// round asks the nodes of one list that are due for the nodes closest to base,
// and one good node at random more often. It is false if all are dead (SPEC T-30).
func (d *DHT) round(now packets.Time, base packets.PublicKey, lists [][]entry, r *rounds) bool {
	sec := now.Seconds()
	anybody, alive := false, false
	d.good = d.good[:0]
	for _, list := range lists {
		for i := range list {
			e := &list[i]
			anybody = true
			for j := range e.at {
				s := &e.at[j]
				if !s.alive(sec, deadAfter) { // SPEC T-26
					continue
				}
				alive = true
				n := Node{Key: e.key, Addr: s.addr}
				if s.asked+askEvery <= sec {
					s.asked = sec
					d.ask(now, n, base)
				}
				if s.alive(sec, badAfter) {
					d.good = append(d.good, n)
				}
			}
		}
	}
	if len(d.good) > 0 && (r.at+askRandomEvery <= sec || r.quick < quickRounds) {
		r.at = sec
		r.quick = min(r.quick+1, quickRounds)
		d.ask(now, d.good[d.random(len(d.good))], base)
	}
	return alive || !anybody
}
