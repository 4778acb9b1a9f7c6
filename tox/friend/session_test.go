package friend_test

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/crypto"
	"github.com/tox-rejoin/rejoin/tox/friend"
	"github.com/tox-rejoin/rejoin/tox/netcrypto"
)

// wire is a network of machines with real sessions below them. The DHT is a
// list: every node is found a second after it is searched, and every 20 s.
type wire struct {
	t     testing.TB
	rand  *rand.Rand
	now   packets.Time
	loss  float64
	cut   bool
	peers []*peer
	queue []datagram // in the order of time
}

type datagram struct {
	at       packets.Time
	from, to netip.AddrPort
	data     []byte
}

// peer is friend connections on sessions, as a node of the network wires them.
type peer struct {
	w        *wire
	addr     netip.AddrPort
	real     crypto.KeyPair
	dht      crypto.KeyPair
	friends  *friend.Machine
	sessions *netcrypto.Machine
	searches map[packets.PublicKey]packets.Time // next time that it is found
	wakes    [2]packets.Time
	online   map[packets.PublicKey]bool
	changes  int // of online
	got      []byte
}

func newWire(t testing.TB, seed uint64, n int) *wire {
	w := &wire{t: t, rand: rand.New(rand.NewPCG(seed, 4)), now: 1_700_000_000_000}
	for k := range n {
		p := &peer{w: w, addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, 0, byte(k)}), 33445)}
		p.real = crypto.NewKeyPair(w.source())
		w.peers = append(w.peers, p)
		p.start()
	}
	return w
}

func (w *wire) source() *rand.ChaCha8 {
	var seed [32]byte
	binary.LittleEndian.PutUint64(seed[:], w.rand.Uint64())
	return rand.NewChaCha8(seed)
}

// start begins a run with a new DHT key.
func (p *peer) start() {
	r := p.w.source()
	p.dht = crypto.NewKeyPair(r)
	p.sessions = netcrypto.New(netcrypto.Config{Real: p.real, DHT: p.dht, Rand: r})
	p.friends = friend.New(friend.Config{Real: p.real.Public, DHT: p.dht.Public})
	p.searches, p.online = map[packets.PublicKey]packets.Time{}, map[packets.PublicKey]bool{}
}

// hold makes p hold o as a neighbour, whose DHT key somebody told.
func (p *peer) hold(o *peer) {
	require.NoError(p.w.t, p.friends.Hold(p.w.now, friend.Conferences, o.real.Public))
	require.NoError(p.w.t, p.friends.DHTKeyKnown(p.w.now, o.real.Public, o.dht.Public, friend.Hearsay))
	p.drain()
}

func (p *peer) release(o *peer) {
	p.friends.Release(p.w.now, friend.Conferences, o.real.Public)
	p.drain()
}

// drain carries everything between the machines until nothing is left.
func (p *peer) drain() {
	w := p.w
	for more := true; more; {
		more = false
		out := p.sessions.Poll()
		p.wakes[1] = out.Wake
		for _, d := range out.Sends {
			w.send(datagram{from: p.addr, to: d.To, data: bytes.Clone(d.Data)})
		}
		for _, e := range out.Events {
			more = p.event(e) || more
		}
		p.sessions.Tick(w.now) // voids what was polled
		next := p.friends.Poll()
		p.wakes[0] = next.Wake
		var failed []packets.PublicKey
		for _, c := range next.Commands {
			more = true
			if p.carryOut(c) != nil {
				failed = append(failed, c.Real)
			}
		}
		for _, e := range next.Events {
			p.take(e)
		}
		for _, real := range failed {
			require.NoError(w.t, p.friends.SessionDown(w.now, real, false))
		}
		require.NoError(w.t, p.friends.Check())
		require.NoError(w.t, p.sessions.Check())
	}
}

// event tells the friend connections what the sessions say. It is false if
// there is nothing to tell.
func (p *peer) event(e netcrypto.Event) bool {
	w := p.w
	var err error
	switch e.Kind {
	case netcrypto.Established:
		i, ok := p.sessions.Session(e.RealKey)
		require.True(w.t, ok)
		err = p.friends.SessionUp(w.now, e.RealKey, e.DHTKey, i.Addr)
	case netcrypto.Lost:
		err = p.friends.SessionDown(w.now, e.RealKey, e.Reason == netcrypto.Replaced)
	case netcrypto.DHTKeyChanged:
		err = p.friends.SessionDHTKeyChanged(w.now, e.RealKey, e.DHTKey)
	case netcrypto.Payload:
		err = p.friends.Receive(w.now, e.RealKey, e.Lossy, e.Data)
	default:
		return false
	}
	require.NoError(w.t, err)
	return true
}

// carryOut does a command. Only a dial's error counts.
func (p *peer) carryOut(c friend.Command) error {
	now := p.w.now
	switch c.Kind {
	case friend.Expect:
		require.NoError(p.w.t, p.sessions.Expect(c.Real, c.Friend))
	case friend.Forget:
		p.sessions.Forget(now, c.Real)
	case friend.Dial:
		return p.sessions.Dial(now, c.Real, c.DHT, c.Addrs...)
	case friend.CloseSession:
		p.sessions.Close(now, c.Real)
	case friend.Send:
		_, err := p.sessions.Send(now, c.Real, c.Data)
		require.NoError(p.w.t, err)
	case friend.SearchDHT:
		p.searches[c.DHT] = now + packets.Second
	case friend.StopDHT:
		delete(p.searches, c.DHT)
	}
	return nil
}

func (p *peer) take(e friend.Event) {
	switch e.Kind {
	case friend.Online, friend.Offline:
		require.NotEqual(p.w.t, e.Kind == friend.Online, p.online[e.Real])
		p.online[e.Real] = e.Kind == friend.Online
		p.changes++
	case friend.Payload:
		p.got = append(p.got, e.Data[1:]...)
	}
}

func (w *wire) send(d datagram) {
	if w.cut || w.rand.Float64() < w.loss {
		return
	}
	d.at = w.now + 20 + packets.Time(w.rand.IntN(30))
	i := len(w.queue)
	for i > 0 && w.queue[i-1].at > d.at {
		i--
	}
	w.queue = append(w.queue, datagram{})
	copy(w.queue[i+1:], w.queue[i:])
	w.queue[i] = d
}

// pass lets time pass in steps of 10 ms, until done says so.
func (w *wire) pass(d packets.Time, done func() bool) {
	w.t.Helper()
	for until := w.now + d; w.now < until; w.now += 10 {
		if done != nil && done() {
			return
		}
		for len(w.queue) > 0 && w.queue[0].at <= w.now {
			d := w.queue[0]
			w.queue = w.queue[1:]
			for _, p := range w.peers {
				if p.addr == d.to {
					_ = p.sessions.Receive(w.now, d.from, d.data) // of old runs, or not wanted
					p.drain()
				}
			}
		}
		for _, p := range w.peers {
			for _, o := range w.peers { // not over the map: its order is random
				if at, ok := p.searches[o.dht.Public]; ok && at <= w.now && !w.cut {
					p.searches[o.dht.Public] = w.now + 20*packets.Second
					require.NoError(w.t, p.friends.AddressFound(w.now, o.dht.Public, o.addr))
					p.drain()
				}
			}
			if k := p.wakes[0]; k != 0 && k <= w.now {
				p.friends.Tick(w.now)
				p.drain()
			}
			if k := p.wakes[1]; k != 0 && k <= w.now {
				p.sessions.Tick(w.now)
				p.drain()
			}
		}
	}
	require.True(w.t, done == nil || done(), "not done in time")
}

// linked tells whether both are online for each other.
func linked(a, b *peer) func() bool {
	return func() bool { return a.online[b.real.Public] && b.online[a.real.Public] }
}

func unlinked(a, b *peer) func() bool {
	return func() bool { return !a.online[b.real.Public] && !b.online[a.real.Public] }
}

// Real sessions survive a fifth of all packets being lost, and carry
// everything in order.
func TestSessionsUnderLoss(t *testing.T) {
	for seed := range uint64(4) {
		w := newWire(t, seed, 2)
		w.loss = 0.2
		a, b := w.peers[0], w.peers[1]
		a.hold(b)
		b.hold(a)
		w.pass(20*packets.Second, linked(a, b))
		a.changes, b.changes = 0, 0 // a handshake that got lost may have cost a session
		var want []byte
		for k := range byte(200) {
			_, err := a.sessions.Send(w.now, b.real.Public, []byte{64, k})
			require.NoError(t, err)
			a.drain()
			want = append(want, k)
			w.pass(packets.Second, nil)
		}
		w.pass(5*packets.Second, nil)
		require.Zero(t, a.changes+b.changes)
		require.Equal(t, want, b.got)
	}
}

func TestSessionsCutAndRestarted(t *testing.T) {
	for seed := range uint64(6) {
		w := newWire(t, seed, 2)
		a, b := w.peers[0], w.peers[1]
		a.hold(b)
		w.pass(5*packets.Second, nil)
		require.True(t, unlinked(a, b)(), "only one wants")
		b.hold(a)
		w.pass(4*packets.Second, linked(a, b))

		w.cut = true
		w.pass(34*packets.Second, unlinked(a, b))
		w.pass(40*packets.Second+packets.Time(seed)*170, nil)
		w.cut = false
		w.pass(4*packets.Second, linked(a, b))

		a.release(b)
		w.pass(packets.Second, unlinked(a, b))
		a.hold(b)
		w.pass(4*packets.Second, linked(a, b))

		// b starts anew; a learns of it by b's handshake, long before it would
		// notice the silence.
		b.start()
		b.hold(a)
		w.pass(10*packets.Second, linked(a, b))
		i, ok := a.friends.Peer(b.real.Public)
		require.True(t, ok)
		require.Equal(t, b.dht.Public, i.DHT)

		// During a cut, too.
		w.cut = true
		w.pass(40*packets.Second, nil)
		b.start()
		b.hold(a)
		w.pass(20*packets.Second, nil)
		w.cut = false
		w.pass(4*packets.Second, linked(a, b))
		w.pass(100*packets.Second, nil)
		require.True(t, linked(a, b)())
	}
}
