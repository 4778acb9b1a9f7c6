package conference

import (
	"errors"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
)

// The saved numbers are ahead by a fixed distance, so a save is asked for long
// before the running ones get there.
func TestManyOwnMessagesAskForASave(t *testing.T) {
	s := newScene(false)
	sent, asked := 0, 0
	for sent < 3*int(saveEvery) {
		_, err := s.e.Send(s.now, s.text, packets.NormalMessage, []byte("x"))
		require.NoError(t, err)
		sent++
		if s.e.Poll().Dirty {
			asked++
		}
	}
	require.Equal(t, 3, asked)
}

func TestManyLossyPacketsAskForASave(t *testing.T) {
	s := newScene(false)
	asked := 0
	for range 3 * int(saveEveryLossy) {
		require.NoError(t, s.e.SendLossy(s.now, s.av, packets.LossyAudio, []byte("opus")))
		if s.e.Poll().Dirty {
			asked++
		}
	}
	require.Equal(t, 3, asked)
}

func TestWithoutRandomnessNothingIsMade(t *testing.T) {
	s := newScene(false)
	s.e.rand = iotest.ErrReader(errors.New("no randomness"))
	groups := len(s.e.Views())
	require.Zero(t, s.e.Create(s.now, packets.Text))
	accept := packets.Invite{Kind: packets.KindAccept, Group: 1, ID: s.text}
	require.NoError(t, s.e.Receive(s.now, keyC, accept.Append(nil)))
	require.Len(t, s.e.Views(), groups)
	require.Empty(t, s.e.Poll().Sends)
	require.NoError(t, s.e.Check())
}

func TestWakeIsOnTheGridOfFrames(t *testing.T) {
	for _, frame := range []packets.Time{0, 7, 50, 1000} {
		e, err := New(Config{Self: keyMe, Rand: zeros{}, Frame: frame}, nil, 1_700_000_000_123)
		require.NoError(t, err)
		e.Create(1_700_000_000_130, packets.Text)
		grid := frame
		if grid == 0 {
			grid = defaultFrame
		}
		require.NoError(t, e.SetName(1_700_000_000_131, []byte("me")))
		e.groups[0].sendName = true
		wake := e.Poll().Wake
		require.GreaterOrEqual(t, wake, packets.Time(1_700_000_000_131))
		require.Less(t, wake, 1_700_000_000_131+grid)
		require.Zero(t, (wake-1_700_000_000_123)%grid)
		e.Tick(wake)
		require.Zero(t, e.Poll().Wake, "nothing is due for somebody alone")
	}
}

// An invitation of a friend whose messenger is not there is refused and shown
// among the refused packets.
func TestInviteBeforeTheMessengerIsRefused(t *testing.T) {
	s := newScene(false)
	s.e.Offline(s.now, keyC)
	s.e.Online(s.now, keyC, dhtOf(keyC))
	s.e.Poll()
	require.ErrorIs(t, s.e.Invite(s.now, s.text, keyC), ErrNotSent)
	out := s.e.Poll()
	require.Empty(t, out.Sends)
	require.Len(t, out.Refused, 1)
	require.Equal(t, packets.PacketInvite, out.Refused[0].Data[0])
	s.e.FriendReady(s.now, keyC)
	require.NoError(t, s.e.Invite(s.now, s.text, keyC))
}

func TestQuitLeavesTheSaveAlone(t *testing.T) {
	s := newScene(false)
	before := s.e.Save()
	s.e.Quit(s.now)
	out := s.e.Poll()
	require.NotEmpty(t, out.Sends)
	require.NotEmpty(t, out.Conns)
	require.Zero(t, out.Wake)
	require.Equal(t, before, s.e.Save())
	require.ErrorIs(t, s.e.Receive(s.now, keyA, []byte{0x63, 0, 0, 0}), ErrQuit)
	require.NoError(t, s.e.Check())
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }
