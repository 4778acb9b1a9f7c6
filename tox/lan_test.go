package tox_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox"
	"github.com/tox-rejoin/rejoin/tox/crypto"
)

const lanEvery = 11 * packets.Second

// wire is nodes on one local network, in virtual time: what is sent to the
// broadcast address reaches all that listen on the port.
type wire struct {
	t         *testing.T
	now       packets.Time
	broadcast netip.Addr
	nodes     []*tox.Node
	addrs     []netip.AddrPort
	keys      []crypto.KeyPair
	called    int // datagrams to the broadcast address
	online    map[[2]int]bool
}

func newWire(t *testing.T) *wire {
	return &wire{t: t, now: start, broadcast: netip.MustParseAddr("192.168.1.255"), online: map[[2]int]bool{}}
}

// add adds a node that listens on a port; it looks for others only if it may
// call, and hears them only if lan is set.
func (w *wire) add(port uint16, lan, call bool) *tox.Node {
	i := len(w.nodes)
	seeded := rand.NewChaCha8([32]byte{byte(i)})
	cfg := tox.Config{Real: crypto.NewKeyPair(seeded), Rand: seeded, IPv4Only: true, LAN: lan}
	if call {
		cfg.Broadcast = []netip.Addr{w.broadcast}
	}
	n, err := tox.New(w.now, cfg)
	require.NoError(w.t, err)
	w.nodes, w.keys = append(w.nodes, n), append(w.keys, cfg.Real)
	w.addrs = append(w.addrs, netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 168, 1, byte(i + 1)}), port))
	return n
}

// run lets seconds pass, each of them in steps in which packets arrive.
func (w *wire) run(seconds int) {
	for range 20 * seconds {
		w.now += packets.Second / 20
		for i, n := range w.nodes {
			n.Tick(w.now)
			require.NoError(w.t, n.Check())
			out := n.Poll()
			for _, s := range out.Sends {
				w.deliver(w.addrs[i], s)
			}
			for _, e := range out.Events {
				if e.Kind == tox.Online {
					j := slices.IndexFunc(w.keys, func(k crypto.KeyPair) bool { return k.Public == e.Peer })
					w.online[[2]int{i, j}] = true
				}
			}
		}
	}
}

// deliver gives a datagram to those who hear it.
func (w *wire) deliver(from netip.AddrPort, s tox.Datagram) {
	if s.To.Addr() == w.broadcast {
		w.called++
	}
	for j, n := range w.nodes {
		if w.addrs[j] == s.To || s.To.Addr() == w.broadcast && s.To.Port() == w.addrs[j].Port() {
			_ = n.Receive(w.now, from, slices.Clone(s.Data)) // our own broadcasts are refused, for one
		}
	}
}

// Nodes of one network that know nobody find each other by broadcasts, and
// friends become friends.
// SPEC T-148, T-149
func TestLAN(t *testing.T) {
	w := newWire(t)
	usual, later, odd := w.add(33445, true, true), w.add(33461, true, false), w.add(5000, true, true)
	require.NoError(t, later.AcceptFriend(w.now, w.keys[2].Public))
	require.NoError(t, odd.AcceptFriend(w.now, w.keys[1].Public))
	require.False(t, usual.Connected())
	w.run(1)
	require.True(t, usual.Connected(), "it is heard on the usual port at once")
	require.True(t, odd.Connected())
	require.False(t, later.Connected(), "this port is called in the second round")
	w.run(12)
	require.True(t, later.Connected())
	w.run(60)
	require.True(t, w.online[[2]int{1, 2}] && w.online[[2]int{2, 1}], "friends")
}

// By default a node sends nothing to anybody, and hears nobody.
// SPEC T-147
func TestLANIsOff(t *testing.T) {
	w := newWire(t)
	off, asked := w.add(33445, false, true), w.add(5000, true, true)
	w.run(60)
	require.False(t, off.Connected())
	require.False(t, asked.Connected())
	require.Equal(t, 6*11, w.called, "all by the other one")
	require.ErrorIs(t, off.Receive(w.now, w.addrs[1], call(asked.DHTKey())), tox.ErrKind)

	listens := newWire(t)
	listens.add(33445, true, false)
	listens.run(60)
	require.Zero(t, listens.called, "it has no address to call")
}

// call is a packet of local discovery.
func call(key packets.PublicKey) []byte { return append([]byte{0x21}, key[:]...) }

// Every 11 s the usual port is called and ten others in turn, at each address.
// SPEC T-148
func TestLANSchedule(t *testing.T) {
	var broadcast, want []netip.Addr
	for i := range 20 {
		broadcast = append(broadcast, netip.AddrFrom4([4]byte{10, 0, byte(i), 255}))
	}
	want = slices.Clone(broadcast[:16])
	broadcast[3] = netip.AddrFrom16(broadcast[3].As16()) // mapped
	broadcast = slices.Insert(broadcast, 1, netip.Addr{}, netip.MustParseAddr("ff02::1"))
	seeded := rand.NewChaCha8([32]byte{})
	n, err := tox.New(start, tox.Config{Real: crypto.NewKeyPair(seeded), Rand: seeded, LAN: true, Broadcast: broadcast})
	require.NoError(t, err)
	next := uint16(33446)
	for round := range packets.Time(25) {
		now := start + round*lanEvery
		require.Equal(t, now, n.Poll().Wake)
		if round > 0 {
			n.Tick(now - 1)
			require.Empty(t, n.Poll().Sends)
		}
		n.Tick(now)
		ports := []uint16{33445}
		for len(ports) < 11 && next < 33545 {
			ports = append(ports, next)
			next++
		}
		if next == 33545 {
			next = 33446
		}
		var expected, sent []string
		for _, port := range ports {
			for _, to := range want {
				expected = append(expected, netip.AddrPortFrom(to, port).String())
			}
		}
		for _, s := range n.Poll().Sends {
			require.Equal(t, call(n.DHTKey()), s.Data)
			sent = append(sent, s.To.String())
		}
		require.Equal(t, expected, sent)
	}
}

// What is no use is refused, and nothing is sent then.
// SPEC T-149
func TestLANRefused(t *testing.T) {
	w := newWire(t)
	n, other := w.add(33445, true, true), w.add(33445, true, true)
	near := netip.MustParseAddrPort("192.168.1.2:33445")
	good := call(other.DHTKey())
	for _, c := range []struct {
		name string
		from string
		p    []byte
	}{
		{"too short", near.String(), good[:32]},
		{"too long", near.String(), append(slices.Clone(good), 0)},
		{"empty", near.String(), good[:1]},
		{"from the Internet", "93.184.216.34:33445", good},
		{"from the IPv6 Internet", "[2001:db8::1]:33445", good},
		{"from a link-local address", "[fe80::1%eth0]:33445", good},
		{"from no port", "192.168.1.2:0", good},
		{"our own", near.String(), call(n.DHTKey())},
	} {
		require.ErrorIs(t, n.Receive(w.now, netip.MustParseAddrPort(c.from), c.p), tox.ErrLAN, c.name)
		require.Empty(t, n.Poll().Sends, c.name)
	}
	require.NoError(t, n.Receive(w.now, netip.MustParseAddrPort("[::ffff:192.168.1.2]:33445"), good))
	sends := n.Poll().Sends
	require.Len(t, sends, 1)
	require.Equal(t, near, sends[0].To)
	require.Equal(t, byte(0x02), sends[0].Data[0])
	require.NoError(t, n.Receive(w.now, near, call(packets.PublicKey{})), "a key of low order")
	require.Empty(t, n.Poll().Sends, "leads nowhere")
}

// A flood costs a few questions a second, whoever sends it.
// SPEC T-150
func TestLANFlood(t *testing.T) {
	w := newWire(t)
	n := w.add(33445, true, false)
	seeded := rand.NewChaCha8([32]byte{9})
	flood := func(from func(i int) netip.AddrPort) (taken int) {
		for i := range 1000 {
			err := n.Receive(w.now, from(i), call(crypto.NewKeyPair(seeded).Public))
			if err == nil {
				taken++
			} else {
				require.ErrorIs(t, err, tox.ErrLAN)
			}
		}
		require.Len(t, n.Poll().Sends, taken)
		return taken
	}
	one := func(int) netip.AddrPort { return netip.MustParseAddrPort("10.1.1.1:33445") }
	many := func(i int) netip.AddrPort {
		return netip.MustParseAddrPort(fmt.Sprintf("10.2.%d.%d:33445", i/250, i%250+1))
	}
	require.Equal(t, 4, flood(one))
	require.Equal(t, 28, flood(many))
	w.now += packets.Second
	require.Equal(t, 1, flood(one))
	require.Equal(t, 7, flood(many))
}

// FuzzLAN gives a node a packet of local discovery and its source. Whatever it
// is, the node asks the source at most, and only one that is near.
func FuzzLAN(f *testing.F) {
	for _, ip := range []string{"192.168.1.2", "127.0.0.1", "169.254.1.1", "93.184.216.34", "255.255.255.255", "::ffff:10.0.0.1", "fe80::1", "::"} {
		f.Add(call(packets.PublicKey{9}), netip.MustParseAddr(ip).AsSlice(), uint16(33445))
	}
	f.Add([]byte{0x21}, []byte{10, 0, 0, 1}, uint16(0))
	f.Fuzz(func(t *testing.T, p, ip []byte, port uint16) {
		addr, ok := netip.AddrFromSlice(ip)
		if !ok || len(p) == 0 || p[0] != 0x21 {
			return
		}
		n := newWire(t).add(33445, true, false)
		from := netip.AddrPortFrom(addr, port)
		err := n.Receive(start, from, p)
		sends := n.Poll().Sends
		require.NoError(t, n.Check())
		if err != nil {
			require.ErrorIs(t, err, tox.ErrLAN)
			require.Empty(t, sends)
			return
		}
		require.Len(t, p, 33)
		require.False(t, addr.IsMulticast() || addr.IsUnspecified() || addr == netip.AddrFrom4([4]byte{255, 255, 255, 255}))
		require.LessOrEqual(t, len(sends), 1) // none to a key of low order or by IPv6
		for _, s := range sends {
			require.Equal(t, netip.AddrPortFrom(addr.Unmap(), port), s.To)
			require.True(t, s.To.Addr().IsLoopback() || s.To.Addr().IsPrivate() || s.To.Addr().IsLinkLocalUnicast() || s.To.Addr().As4()[0] == 100)
		}
	})
}
