package friend

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
)

// FuzzReceive gives a machine with two connections, one of them online, a
// packet. What is refused changes nothing; what is not goes up as it came.
func FuzzReceive(f *testing.F) {
	f.Add(false, false, []byte{PacketAlive})
	f.Add(false, false, []byte{PacketRelays, 130, 127, 0, 0, 1})
	f.Add(false, false, []byte{PacketRequest, 1, 2, 3, 4, 'h', 'i'})
	f.Add(false, false, []byte{PacketRequest, 1, 2, 3, 4})
	f.Add(true, false, []byte{199, 0, 1})
	f.Add(false, true, []byte{64, 'x'})
	f.Add(true, false, bytes.Repeat([]byte{254}, packets.MaxPacket+1))
	f.Fuzz(func(t *testing.T, lossy, offline bool, p []byte) {
		m := New(Config{Real: packets.PublicKey{8}, DHT: packets.PublicKey{9}})
		one, two := packets.PublicKey{1}, packets.PublicKey{2}
		require.NoError(t, m.Hold(begin, FriendList, one))
		require.NoError(t, m.Hold(begin, FriendList, two))
		require.NoError(t, m.SessionUp(begin, one, packets.PublicKey{3}, netip.AddrPort{}))
		m.Poll()
		from := one
		if offline {
			from = two
		}
		before := m.fingerprint()
		err := m.Receive(begin+5*packets.Second, from, lossy, p)
		out := m.Poll()
		require.NoError(t, m.Check())
		require.Empty(t, out.Commands)
		if err != nil {
			require.Equal(t, before, m.fingerprint())
			require.Empty(t, out.Events)
			return
		}
		require.False(t, offline)
		switch p[0] {
		case PacketAlive, PacketRelays:
			require.Empty(t, out.Events)
		case PacketRequest:
			require.Equal(t, []Event{{Kind: Request, Real: one, NoSpam: [4]byte(p[1:]), Data: p[5:]}}, out.Events)
		default:
			require.Equal(t, []Event{{Kind: Payload, Real: one, Lossy: lossy, Data: p}}, out.Events)
		}
	})
}

// ledger checks that commands make sense to those who carry them out.
type ledger struct {
	t        *testing.T
	expected map[packets.PublicKey]bool
	searches map[packets.PublicKey]int
	online   map[packets.PublicKey]bool // for the onion client
	keys     map[packets.PublicKey]packets.PublicKey
	up       map[packets.PublicKey]bool // sessions that are established
}

func (l *ledger) carryOut(c Command) {
	_, ok := l.expected[c.Real]
	switch c.Kind {
	case Expect:
		was, ok := l.expected[c.Real]
		require.False(l.t, ok && was == c.Friend)
		l.expected[c.Real] = c.Friend
	case Forget:
		require.True(l.t, ok)
		delete(l.expected, c.Real)
		delete(l.up, c.Real)
	case Dial:
		require.True(l.t, ok)
		require.NotEmpty(l.t, c.Addrs)
		require.Positive(l.t, l.searches[c.DHT])
	case CloseSession:
		require.True(l.t, ok)
		delete(l.up, c.Real)
	case Send:
		require.True(l.t, l.up[c.Real])
	case SearchDHT:
		l.searches[c.DHT]++
	case StopDHT:
		l.searches[c.DHT]--
		require.GreaterOrEqual(l.t, l.searches[c.DHT], 0)
	case SearchOnion:
		require.NotContains(l.t, l.online, c.Real)
		l.online[c.Real], l.keys[c.Real] = false, packets.PublicKey{}
	case StopOnion:
		require.Contains(l.t, l.online, c.Real)
		delete(l.online, c.Real)
		delete(l.keys, c.Real)
	case OnionKey:
		require.Contains(l.t, l.online, c.Real)
		require.NotEqual(l.t, c.DHT, l.keys[c.Real])
		l.keys[c.Real] = c.DHT
	case OnionOnline:
		require.Contains(l.t, l.online, c.Real)
		require.NotEqual(l.t, c.Online, l.online[c.Real])
		l.online[c.Real] = c.Online
	default:
		require.Fail(l.t, "no such command")
	}
}

// FuzzInputs gives a machine inputs in any order, five bytes each: what, which
// peer, which DHT key or user, how many quarters of a second pass, a detail.
func FuzzInputs(f *testing.F) {
	f.Add([]byte{0, 1, 1, 0, 0, 2, 1, 1, 0, 1, 3, 0, 1, 0, 1, 5, 1, 1, 1, 1, 8, 0, 0, 200, 0})
	f.Add([]byte{0, 1, 1, 0, 0, 4, 1, 2, 0, 0, 5, 1, 2, 0, 1, 6, 1, 0, 9, 1, 5, 1, 3, 0, 0, 1, 1, 1, 0, 0})
	f.Add([]byte{0, 1, 1, 0, 0, 0, 2, 2, 0, 0, 2, 1, 1, 0, 2, 2, 2, 1, 0, 1, 3, 0, 1, 0, 6, 6, 1, 0, 0, 0, 1, 1, 1, 0, 0})
	f.Fuzz(func(t *testing.T, script []byte) {
		script = script[:min(len(script), 1000)]
		m := New(Config{Real: packets.PublicKey{8}, DHT: packets.PublicKey{9}, MaxPeers: 3})
		l := &ledger{
			t: t, expected: map[packets.PublicKey]bool{}, searches: map[packets.PublicKey]int{},
			online: map[packets.PublicKey]bool{}, keys: map[packets.PublicKey]packets.PublicKey{},
			up: map[packets.PublicKey]bool{},
		}
		online := map[packets.PublicKey]bool{}
		now := begin
		for ; len(script) >= 5; script = script[5:] {
			real, dht, x := packets.PublicKey{script[1] % 9}, packets.PublicKey{script[2] % 10}, script[4]
			now += packets.Time(script[3]) * packets.Second / 4
			addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, x}), uint16(x%8))
			if x > 128 {
				addr = netip.AddrPortFrom(netip.AddrFrom16([16]byte{0xfe, 15: x}), uint16(x))
			}
			before := m.fingerprint()
			var err error
			switch script[0] % 9 {
			case 0:
				err = m.Hold(now, User(script[2]), real)
			case 1:
				m.Release(now, User(script[2]), real)
			case 2:
				err = m.DHTKeyKnown(now, real, dht, Source(x%5))
			case 3:
				err = m.AddressFound(now, dht, addr)
			case 4:
				err = m.SessionDHTKeyChanged(now, real, dht)
			case 5:
				if err = m.SessionUp(now, real, dht, addr); err == nil {
					l.up[real] = true
				}
			case 6:
				delete(l.up, real)
				err = m.SessionDown(now, real, x%2 == 1)
			case 7:
				err = m.Receive(now, real, x >= 192, []byte{x, 1, 2, 3, 4, 5})
			case 8:
				m.Tick(now)
			}
			if err != nil {
				require.Equal(t, before, m.fingerprint())
			}
			require.NoError(t, m.Check())
			out := m.Poll()
			require.False(t, err != nil && len(out.Commands)+len(out.Events) > 0)
			for _, c := range out.Commands {
				l.carryOut(c)
			}
			for _, e := range out.Events {
				switch e.Kind {
				case Online:
					online[e.Real] = true
				case Offline:
					require.True(t, online[e.Real])
					delete(online, e.Real)
				default:
					require.True(t, online[e.Real])
				}
			}
			for k := range byte(9) {
				key := packets.PublicKey{k}
				i, held := m.Peer(key)
				require.Equal(t, i.Online, online[key])
				_, expected := l.expected[key]
				require.Equal(t, expected, held)
				require.Equal(t, i.DHT, l.keys[key])
				require.Equal(t, i.Online, l.online[key])
			}
		}
		for k := range byte(9) {
			m.Release(now, FriendList, packets.PublicKey{k})
			m.Release(now, Conferences, packets.PublicKey{k})
		}
		for _, c := range m.Poll().Commands {
			l.carryOut(c)
		}
		require.Empty(t, l.expected)
		require.Empty(t, l.online)
		for _, n := range l.searches {
			require.Zero(t, n)
		}
	})
}
