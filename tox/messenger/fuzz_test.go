package messenger

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
)

// FuzzReceive gives a machine a packet of a friend who is ready, a friend who
// is not, or a stranger. What is refused changes nothing.
func FuzzReceive(f *testing.F) {
	for _, p := range [][]byte{
		{24}, {25}, {48, 'n'}, {49}, {50, 2}, {51, 1}, {64, 'x'}, {65, 'y'}, {69, 1},
		append([]byte{80, 3}, make([]byte, 60)...), {81, 0, 1, 2}, {96, 0, 0, 0}, {97, 1}, {160}, {199, 5}, {200, 5}, {255},
	} {
		f.Add(uint8(0), p)
		f.Add(uint8(1), p)
		f.Add(uint8(2), p)
	}
	f.Add(uint8(0), bytes.Repeat([]byte{160}, packets.MaxPacket+1))
	f.Fuzz(func(t *testing.T, who uint8, p []byte) {
		m, err := New(Config{Self: packets.PublicKey{9}}, begin)
		require.NoError(t, err)
		for k := range byte(2) {
			require.NoError(t, m.AcceptFriend(begin, packets.PublicKey{k}))
			m.Online(begin, packets.PublicKey{k})
		}
		require.NoError(t, m.Receive(begin, packets.PublicKey{0}, false, []byte{24}))
		m.Poll()
		from := packets.PublicKey{who % 3}
		before := m.fingerprint()
		err = m.Receive(begin+packets.Second, from, len(p) > 0 && p[0] >= firstLossy, p)
		out := m.Poll()
		require.NoError(t, m.Check())
		require.Empty(t, out.Conns)
		require.Empty(t, out.Requests)
		if err != nil {
			require.Equal(t, before, m.fingerprint())
			require.Empty(t, out.Events)
			require.Empty(t, out.Sends)
			return
		}
		for _, e := range out.Events {
			require.Equal(t, from, e.Peer)
			switch e.Kind {
			case Conference, Custom:
				require.Equal(t, p, e.Data)
			case Message, Renamed, StatusMessage:
				require.Equal(t, p[1:], e.Data)
			}
			require.True(t, from[0] == 0 || e.Kind == Conference || from[0] == 1 && e.Kind == Ready)
		}
		size := 0
		for _, s := range out.Sends {
			require.Equal(t, from, s.To)
			size += len(s.Data)
		}
		require.LessOrEqual(t, size, 16, "no more than a short answer")
	})
}

// FuzzInputs gives a machine inputs in any order, four bytes each: what, whom,
// how many quarters of a second pass, a detail.
func FuzzInputs(f *testing.F) {
	f.Add([]byte{0, 1, 0, 0, 4, 1, 0, 0, 6, 1, 0, 24, 7, 1, 0, 0, 8, 1, 1, 9, 5, 1, 0, 0})
	f.Add([]byte{1, 2, 0, 0, 10, 2, 0, 0, 11, 0, 40, 0, 3, 5, 0, 1, 4, 2, 0, 0, 6, 2, 0, 24, 9, 2, 0, 48, 2, 2, 0, 0})
	f.Fuzz(func(t *testing.T, script []byte) {
		script = script[:min(len(script), 1000)]
		m, err := New(Config{Self: packets.PublicKey{9}, MaxFriends: 3}, begin)
		require.NoError(t, err)
		now, number := begin, uint32(0)
		held, ready := map[packets.PublicKey]bool{}, map[packets.PublicKey]bool{}
		waiting := map[uint32]bool{}
		for ; len(script) >= 4; script = script[4:] {
			key, x := packets.PublicKey{script[1] % 11}, script[3]
			now += packets.Time(script[2]) * packets.Second / 4
			before := m.fingerprint()
			var err error
			switch script[0] % 13 {
			case 0:
				err = m.AcceptFriend(now, key)
			case 1:
				err = m.AddFriend(now, key, [4]byte{x}, []byte("text"))
			case 2:
				err = m.RemoveFriend(now, key)
			case 3:
				err = m.Request(now, key, [4]byte{0, 0, 0, x % 2}, []byte("text"))
			case 4:
				m.Online(now, key)
			case 5:
				m.Offline(now, key)
				number = 0
			case 6:
				err = m.Receive(now, key, x >= firstLossy, []byte{x})
			case 7:
				var n uint32
				if n, err = m.SendMessage(now, key, Normal, []byte("text")); err == nil {
					waiting[n] = true
				}
			case 8:
				m.Acked(now, key, uint32(x))
			case 9:
				m.Refused(now, key, x, uint32(x))
			case 10:
				m.RequestSent(now, key)
			case 11:
				m.Tick(now)
			case 12:
				err = m.SetTyping(now, key, x%2 == 1)
			}
			if err != nil {
				require.Equal(t, before, m.fingerprint())
			}
			require.NoError(t, m.Check())
			out := m.Poll()
			for _, s := range out.Sends {
				require.NotEmpty(t, s.Data)
				if s.Message != 0 {
					m.Sent(s.To, s.Message, number)
				}
				number++
			}
			for _, c := range out.Conns {
				require.NotEqual(t, c.Hold, held[c.Peer])
				held[c.Peer] = c.Hold
			}
			for _, e := range out.Events {
				switch e.Kind {
				case Ready, Gone:
					require.NotEqual(t, e.Kind == Ready, ready[e.Peer])
					ready[e.Peer] = e.Kind == Ready
				case Received, Lost:
					require.True(t, waiting[e.Number])
					delete(waiting, e.Number)
				}
			}
			for _, r := range out.Requests {
				require.True(t, held[r.To] && !ready[r.To])
			}
			require.NoError(t, m.Check())
		}
	})
}
