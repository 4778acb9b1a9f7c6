package client_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/client"
	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/dhtnode"
	"github.com/tox-rejoin/rejoin/tox/messenger"
)

// patience is how long anything may take on a busy machine.
const patience = 2 * time.Minute

// user is a Client that runs until the test ends.
type user struct {
	*client.Client
	t    *testing.T
	stop func()
}

// start opens the profile in dir and runs it in the network of some nodes.
func start(t *testing.T, dir, name string, nodes ...dhtnode.Node) *user {
	t.Helper()
	c, err := client.Open(dir, client.Config{Name: name, Bootstrap: nodes, Program: t.Name()})
	require.NoError(t, err)
	return run(t, c)
}

func run(t *testing.T, c *client.Client) *user {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	u := &user{Client: c, t: t}
	stopped := false
	u.stop = func() {
		if !stopped {
			stopped = true
			cancel()
			require.NoError(t, <-ended)
		}
	}
	t.Cleanup(u.stop)
	return u
}

// wait drops events until there is one of type E.
func wait[E client.Event](u *user) E {
	u.t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case e, ok := <-u.Events():
			require.True(u.t, ok, "the client has stopped")
			if e, ok := e.(E); ok {
				return e
			}
		case <-timeout:
			var e E
			require.Fail(u.t, "no event", "%T", e)
		}
	}
}

// befriend makes two users friends by a request.
func befriend(a, b *user) {
	a.t.Helper()
	require.NoError(a.t, a.AddFriend(b.Address(), "it is me"))
	request := wait[client.FriendRequested](b)
	require.Equal(a.t, client.FriendRequested{From: a.Key(), Text: "it is me"}, request)
	require.NoError(a.t, b.AcceptFriend(request.From))
	require.Equal(a.t, b.Key(), wait[client.FriendOnline](a).Friend)
	require.Equal(a.t, a.Key(), wait[client.FriendOnline](b).Friend)
}

// bring has b join a conference of a.
func bring(a, b *user, id packets.ID) {
	a.t.Helper()
	require.NoError(a.t, a.Invite(id, b.Key()))
	invited := wait[client.Invited](b)
	require.Equal(a.t, id, invited.ID)
	require.NoError(a.t, b.Join(invited))
	require.Equal(a.t, id, wait[client.Joined](b).Conference)
}

// Two users become friends, meet in a conference, and talk.
func TestTwoUsers(t *testing.T) {
	t.Parallel()
	alice := start(t, t.TempDir(), "alice")
	bob := start(t, t.TempDir(), "bob", alice.Node())
	befriend(alice, bob)
	number, err := alice.SendMessage(bob.Key(), messenger.Normal, "hello")
	require.NoError(t, err)
	require.Equal(t, "hello", wait[client.FriendMessage](bob).Text)
	require.Equal(t, client.Delivered{To: bob.Key(), Number: number}, wait[client.Delivered](alice))

	id, err := alice.CreateConference(packets.Text, "Lobby")
	require.NoError(t, err)
	bring(alice, bob, id)
	require.Equal(t, "Lobby", wait[client.TitleChanged](bob).Title)
	_, err = bob.Say(id, packets.NormalMessage, "here")
	require.NoError(t, err)
	m := wait[client.Message](alice)
	require.Equal(t, "here", m.Text)
	require.Equal(t, bob.Key(), m.Key)
	require.False(t, m.Own)
	require.True(t, wait[client.Message](bob).Own)
}

// randomSource is a source of keys that nobody else has.
func randomSource(seed byte) *rand.ChaCha8 { return rand.NewChaCha8([32]byte{seed}) }
