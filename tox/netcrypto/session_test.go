package netcrypto

import (
	"container/heap"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
)

// kinds lists the kinds of a node's events.
func (n *node) kinds() (k []EventKind) {
	for _, e := range n.events {
		k = append(k, e.Kind)
	}
	return k
}

// SPEC T-97, T-100, T-103, T-107, T-111
func TestDialAndTalk(t *testing.T) {
	w := newNetwork(t, 1, faults{delay: 20})
	a, b := w.add(), w.add()
	b.expect(a)
	a.dial(b)
	w.runUntil(packets.Second, func() bool { return a.up(b) && b.up(a) })
	require.Equal(t, begin+100, w.now, "request, response, handshake, handshake, data: 5 ways")
	require.Equal(t, []EventKind{Established}, a.kinds())
	require.Equal(t, []EventKind{DHTKeyChanged, Established}, b.kinds())
	require.Equal(t, a.dht.Public, b.events[1].DHTKey)

	var got []Event
	b.onData = func(_ *node, e Event) { got = append(got, e) }
	n, err := a.Send(w.now, b.real.Public, []byte{64, 'h', 'i'})
	require.NoError(t, err)
	require.Zero(t, n)
	require.NoError(t, a.SendLossy(w.now, b.real.Public, []byte{199, 1}))
	a.drain()
	require.False(t, a.Acked(b.real.Public, 0))
	w.run(2 * packets.Second)
	require.True(t, a.Acked(b.real.Public, 0))
	require.False(t, a.Acked(b.real.Public, 1), "was never sent")
	require.Equal(t, []Event{
		{Kind: Payload, RealKey: a.real.Public, Data: []byte{64, 'h', 'i'}},
		{Kind: Payload, RealKey: a.real.Public, Data: []byte{199, 1}, Lossy: true},
	}, got)

	a.Close(w.now, b.real.Public)
	a.drain()
	w.run(packets.Second)
	require.Equal(t, Event{Kind: Lost, Reason: Killed, RealKey: a.real.Public, DHTKey: a.dht.Public}, b.events[2])
	require.Equal(t, []EventKind{Established}, a.kinds(), "the owner's own Close is no event")
}

func TestSendErrors(t *testing.T) {
	w := newNetwork(t, 2, faults{delay: 5})
	a, b := w.add(), w.add()
	b.expect(a)
	to := b.real.Public
	_, err := a.Send(w.now, to, []byte{64})
	require.ErrorIs(t, err, ErrNoSession)
	require.ErrorIs(t, a.Dial(w.now, to, b.dht.Public, b.addr), ErrUnexpected)
	require.ErrorIs(t, a.Expect(a.real.Public, true), ErrOwnKey)
	require.Error(t, a.Expect(packets.PublicKey{}, true), "low order")
	require.ErrorIs(t, a.SetAddress(w.now, to, b.addr), ErrNoSession)
	a.dial(b)
	_, err = a.Send(w.now, to, []byte{64})
	require.ErrorIs(t, err, ErrNoSession)
	require.ErrorIs(t, a.Dial(w.now, to, a.dht.Public, b.addr), ErrDHTKey)
	require.NoError(t, a.Dial(w.now, to, b.dht.Public))
	w.runUntil(packets.Second, func() bool { return a.up(b) })

	for _, p := range [][]byte{nil, {15}, {192}, {1}, make([]byte, MaxPayload+1)} {
		_, err = a.Send(w.now, to, p)
		require.Error(t, err)
	}
	for _, p := range [][]byte{nil, {191}, {255}, {2}} {
		require.Error(t, a.SendLossy(w.now, to, p))
	}
	a.Forget(w.now, to)
	_, err = a.Send(w.now, to, []byte{64})
	require.ErrorIs(t, err, ErrNoSession)
	require.ErrorIs(t, a.Dial(w.now, to, b.dht.Public, b.addr), ErrUnexpected)
}

// The data packet behind the handshake gets lost: another one follows when the
// peer's own has come, not a second later.
// SPEC T-100
func TestConfirmedAgain(t *testing.T) {
	w := newNetwork(t, 18, faults{delay: 20})
	a, b := w.add(), w.add()
	b.expect(a)
	a.dial(b)
	lost := func(d delivery) bool { return d.to == a.addr && d.data[0] == idData }
	for !slices.ContainsFunc(w.queue, lost) {
		require.True(t, w.step(w.now+packets.Second))
	}
	w.queue = slices.DeleteFunc(w.queue, lost)
	heap.Init(&w.queue)
	w.runUntil(packets.Second, func() bool { return a.up(b) && b.up(a) })
	require.Equal(t, begin+120, w.now)
}

// Nobody at the address: 8 cookie requests, one a second, then Lost.
// SPEC T-93
func TestDialGivesUp(t *testing.T) {
	w := newNetwork(t, 3, faults{})
	a, b := w.add(), w.add()
	b.dead = true
	a.dial(b)
	w.run(60 * packets.Second)
	require.Equal(t, 8, w.packets)
	require.Equal(t, []Event{{Kind: Lost, Reason: GaveUp, RealKey: b.real.Public, DHTKey: b.dht.Public}}, a.events)
	require.Zero(t, a.Poll().Wake, "nothing is due any more")

	// Without an address it waits.
	require.NoError(t, a.Dial(w.now, b.real.Public, b.dht.Public))
	a.drain()
	w.run(60 * packets.Second)
	require.Equal(t, 8, w.packets)
	b.dead = false
	b.expect(a)
	require.NoError(t, a.SetAddress(w.now, b.real.Public, b.addr))
	a.drain()
	w.runUntil(packets.Second, func() bool { return a.up(b) && b.up(a) })
}

// SPEC T-96
func TestSimultaneousDial(t *testing.T) {
	for seed := range uint64(50) {
		w := newNetwork(t, seed, faults{loss: 0.2, dup: 0.1, delay: 10, jitter: 60})
		a, b := w.add(), w.add()
		a.expect(b)
		a.dial(b)
		b.dial(a)
		w.runUntil(30*packets.Second, func() bool { return a.up(b) && b.up(a) })
		require.Equal(t, []EventKind{Established}, a.kinds())
		require.Equal(t, []EventKind{Established}, b.kinds())
	}
}

// message is numbered text of a length that depends on its number.
func message(k int) []byte {
	p := make([]byte, 5+k*k%(MaxPayload-4))
	p[0] = 64
	binary.BigEndian.PutUint32(p[1:], uint32(k))
	return p
}

// feed sends count messages to o as fast as it may and checks that o gets them
// in order, once.
func (n *node) feed(o *node, count int) (done func() bool) {
	t := n.net.t
	sent, got := 0, 0
	more := func() {
		for sent < count {
			if _, err := n.Send(n.net.now, o.real.Public, message(sent)); err != nil {
				require.ErrorIs(t, err, ErrFull)
				break
			}
			sent++
		}
	}
	n.onData = func(_ *node, e Event) {
		if e.Kind == Acked {
			more()
		}
	}
	o.onData = func(_ *node, e Event) {
		if e.Kind == Payload {
			require.Equal(t, message(got), e.Data, "message %d", got)
			got++
		}
	}
	more()
	n.drain()
	return func() bool { return got == count && n.Acked(o.real.Public, uint32(count-1)) }
}

// SPEC T-103, T-106, T-107
func TestTenThousandMessages(t *testing.T) {
	for _, c := range []struct {
		name  string
		f     faults
		limit packets.Time
	}{
		{"clean", faults{delay: 25}, 10 * packets.Second},
		{"reorder", faults{delay: 10, jitter: 200, dup: 0.2}, 30 * packets.Second},
		{"loss 20", faults{loss: 0.2, dup: 0.1, delay: 20, jitter: 40}, 30 * packets.Second},
		{"loss 50", faults{loss: 0.5, dup: 0.1, delay: 20, jitter: 40}, 180 * packets.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newNetwork(t, 7, c.f)
			a, b := w.add(), w.add()
			b.expect(a)
			a.dial(b)
			w.runUntil(60*packets.Second, func() bool { return a.up(b) && b.up(a) })
			start, packetsBefore := w.now, w.packets
			w.runUntil(c.limit, a.feed(b, 10_000))
			t.Logf("%d ms, %d datagrams, rate %d/s, rtt %d ms", w.now-start, w.packets-packetsBefore,
				a.session(b.real.Public).pace.rate, a.session(b.real.Public).rtt.get())
			require.NoError(t, a.Check())
			require.NoError(t, b.Check())
			require.Zero(t, a.session(b.real.Public).out.bytes)
			require.Zero(t, b.session(a.real.Public).in.bytes)
		})
	}
}

// A restarted peer, which has a new DHT key but the same address, is back at
// once if it was the one to dial, whichever side that is.
// SPEC T-97
func TestRestart(t *testing.T) {
	for _, f := range []faults{{delay: 20}, {loss: 0.2, dup: 0.2, delay: 20, jitter: 50}} {
		w := newNetwork(t, 11, f)
		a, b := w.add(), w.add()
		b.expect(a)
		a.dial(b)
		w.runUntil(30*packets.Second, func() bool { return a.up(b) && b.up(a) })
		for range 3 {
			a, b = b, a
			a.restart()
			b.events = nil
			w.run(packets.Second)
			require.True(t, b.up(a), "b has not noticed")
			a.dial(b)
			w.runUntil(30*packets.Second, func() bool { return a.up(b) && b.up(a) && len(b.events) >= 3 })
			require.Equal(t, []Event{
				{Kind: Lost, Reason: Replaced, RealKey: a.real.Public, DHTKey: b.events[0].DHTKey},
				{Kind: DHTKeyChanged, RealKey: a.real.Public, DHTKey: a.dht.Public},
				{Kind: Established, RealKey: a.real.Public, DHTKey: a.dht.Public},
			}, b.events)
			require.NotEqual(t, a.dht.Public, b.events[0].DHTKey)
			w.runUntil(30*packets.Second, b.feed(a, 50))
		}
	}
}

// A peer whose session got lost (the kill packet too) begins a new one with
// the same DHT key.
// SPEC T-99
func TestSessionRestart(t *testing.T) {
	w := newNetwork(t, 12, faults{delay: 20})
	a, b := w.add(), w.add()
	b.expect(a)
	a.dial(b)
	w.runUntil(packets.Second, func() bool { return a.up(b) && b.up(a) })
	a.Close(w.now, b.real.Public)
	a.Poll() // the kill packet gets lost
	b.events = nil
	a.dial(b)
	w.runUntil(packets.Second, func() bool { return a.up(b) && len(b.events) == 2 })
	require.Equal(t, []EventKind{Lost, Established}, b.kinds())
	w.runUntil(packets.Second, a.feed(b, 10))
}

// Closed after our confirmation, before the peer's: the peer is told too.
// SPEC T-111
func TestCloseBeforeConfirmed(t *testing.T) {
	w := newNetwork(t, 16, faults{delay: 20})
	a, b := w.add(), w.add()
	b.expect(a)
	a.dial(b)
	state := func(n, o *node) State { i, _ := n.Session(o.real.Public); return i.State }
	w.runUntil(packets.Second, func() bool { return state(b, a) == NotConfirmed })
	b.Close(w.now, a.real.Public)
	b.drain()
	w.run(30)
	require.Equal(t, []EventKind{Established, Lost}, a.kinds())
	require.Equal(t, Killed, a.events[1].Reason)
	require.Empty(t, b.sessions)
	w.run(20 * packets.Second)
	require.Empty(t, b.sessions, "its late packets begin nothing")
}

// We dial an outdated DHT key; the peer's own handshake tells the present one.
// SPEC T-97
func TestOutdatedDHTKey(t *testing.T) {
	w := newNetwork(t, 13, faults{delay: 20})
	a, b := w.add(), w.add()
	a.expect(b)
	old := b.dht.Public
	b.restart()
	require.NoError(t, a.Dial(w.now, b.real.Public, old, b.addr))
	a.drain()
	w.run(2 * packets.Second)
	b.dial(a)
	w.runUntil(packets.Second, func() bool { return a.up(b) && b.up(a) })
	require.Equal(t, []EventKind{DHTKeyChanged, Established}, a.kinds())
	require.ErrorIs(t, a.Dial(w.now, b.real.Public, old, b.addr), ErrDHTKey, "the owner must close it first")
}

// While the peer is silent nothing but small requests goes out; then all goes.
// SPEC T-110, T-113
func TestSilence(t *testing.T) {
	w := newNetwork(t, 14, faults{delay: 20})
	a, b := w.add(), w.add()
	b.expect(a)
	a.dial(b)
	w.runUntil(packets.Second, func() bool { return a.up(b) && b.up(a) })
	w.cut = func(_, _ netip.AddrPort) bool { return true }
	w.run(10 * packets.Second)
	i, _ := a.Session(b.real.Public)
	require.False(t, i.Addr.IsValid())
	require.ErrorIs(t, a.SendLossy(w.now, b.real.Public, []byte{200}), ErrNoPath)
	before := w.packets
	done := a.feed(b, 500)
	w.run(10 * packets.Second)
	require.LessOrEqual(t, w.packets-before, 22, "one request a second each")
	w.cut = nil
	w.runUntil(5*packets.Second, done)
}

// Many machines, all of them dial all others at once: sessions come up though
// cookies are limited to 10 a second, and all traffic arrives.
func TestManyMachines(t *testing.T) {
	w := newNetwork(t, 15, faults{loss: 0.2, dup: 0.1, delay: 10, jitter: 100})
	const count, messages = 12, 30
	for range count {
		w.add()
	}
	next := map[string]byte{}
	for _, n := range w.nodes {
		n.onData = func(n *node, e Event) {
			if e.Kind == Payload {
				k := fmt.Sprint(n.addr, e.RealKey)
				require.Equal(t, []byte{64, next[k]}, e.Data)
				next[k]++
			}
		}
	}
	redial := func() (all bool) {
		all = true
		for i, n := range w.nodes {
			for j, o := range w.nodes {
				if i == j {
					continue
				}
				if _, ok := n.Session(o.real.Public); !ok {
					n.dial(o)
				}
				all = all && n.up(o)
			}
		}
		return all
	}
	for !redial() {
		w.run(packets.Second)
		require.Less(t, w.now, begin+60*packets.Second)
	}
	for k := range messages {
		for _, n := range w.nodes {
			for _, o := range w.nodes {
				if n != o {
					_, err := n.Send(w.now, o.real.Public, []byte{64, byte(k)})
					require.NoError(t, err)
				}
			}
			n.drain()
		}
		w.run(50)
	}
	w.run(20 * packets.Second)
	require.Len(t, next, count*(count-1))
	for k, got := range next {
		require.EqualValues(t, messages, got, k)
	}
	for _, n := range w.nodes {
		require.NoError(t, n.Check())
		require.Zero(t, n.pool.taken, "all was acknowledged")
	}
}

// The peer gives cookies but takes no handshake: the same one 8 times, one a
// second, then Lost.
// SPEC T-94
func TestHandshakeGivesUp(t *testing.T) {
	w := newNetwork(t, 17, faults{delay: 20})
	a, b := w.add(), w.add()
	var sent []delivery
	w.tap = func(d delivery) {
		if d.data[0] == idHandshake {
			sent = append(sent, d)
		}
	}
	a.dial(b)
	w.run(60 * packets.Second)
	require.Len(t, sent, 8)
	for i, d := range sent {
		require.Equal(t, sent[0].data, d.data)
		require.Equal(t, sent[0].at+packets.Time(i)*packets.Second, d.at)
	}
	require.Equal(t, []Event{{Kind: Lost, Reason: GaveUp, RealKey: b.real.Public, DHTKey: b.dht.Public}}, a.events)
	require.Empty(t, b.events)
}
