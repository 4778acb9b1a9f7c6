//go:build toxcore

package toxcore_test

import (
	"encoding/json"
	"io"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/tox/toxcore"
)

func start(t *testing.T, o toxcore.Options) *toxcore.Tox {
	t.Helper()
	tox, err := toxcore.New(o)
	require.NoError(t, err)
	t.Cleanup(tox.Kill)
	return tox
}

// Without a network an instance has all that its savedata keeps.
func TestSavedata(t *testing.T) {
	first, friend := start(t, toxcore.Options{}), start(t, toxcore.Options{})
	require.NoError(t, first.SetName([]byte("alice")))
	require.NoError(t, first.SetStatusMessage([]byte("here")))
	number, err := first.FriendAdd(friend.Address(), []byte("hello"))
	require.NoError(t, err)
	text, err := first.ConferenceNew(toxcore.ConferenceText)
	require.NoError(t, err)
	require.NoError(t, first.ConferenceSetTitle(text, []byte("title")))
	require.NoError(t, first.ConferenceSetMaxOffline(text, 5))
	audio, err := first.ConferenceNew(toxcore.ConferenceAudio)
	require.NoError(t, err)
	first.Iterate()
	first.Iterate()

	second := start(t, toxcore.Options{Savedata: first.Savedata()})
	assert.Equal(t, first.Address(), second.Address())
	assert.NotEqual(t, first.DHTKey(), second.DHTKey())
	assert.Equal(t, "alice", string(second.Name()))
	assert.Equal(t, "here", string(second.StatusMessage()))
	address := friend.Address()
	assert.Equal(t, []toxcore.Friend{{
		Number: number, Key: toxcore.Key(address.Key()), Name: []byte{}, StatusMessage: []byte{},
	}}, second.Friends())
	assert.Equal(t, first.Conferences(), second.Conferences())
	require.Len(t, second.Conferences(), 2)
	assert.Equal(t, "title", string(second.Conferences()[text].Title))
	assert.Equal(t, toxcore.ConferenceAudio, second.Conferences()[audio].Type)
	online, offline, err := second.ConferencePeers(text)
	require.NoError(t, err)
	assert.Empty(t, offline)
	if assert.Len(t, online, 1) {
		assert.True(t, online[0].Ours)
		assert.Equal(t, "alice", string(online[0].Name))
		own := second.Address()
		assert.Equal(t, toxcore.Key(own.Key()), online[0].Key)
	}
	require.NoError(t, second.ConferenceEnableAudio(audio))
	require.NoError(t, second.ConferenceDelete(text))
	require.NoError(t, second.FriendDelete(number))
	assert.Empty(t, second.Friends())
}

// What libtoxcore refuses is an error with the call's name.
func TestRefused(t *testing.T) {
	tox := start(t, toxcore.Options{})
	_, err := toxcore.New(toxcore.Options{Savedata: []byte("no savedata")})
	assert.ErrorIs(t, err, toxcore.ErrCall)
	for call, err := range map[string]error{
		"tox_friend_send_lossless_packet": tox.FriendLossless(0, []byte{160}),
		"tox_friend_send_lossy_packet":    tox.FriendLossy(0, []byte{200}),
		"tox_friend_delete":               tox.FriendDelete(0),
		"tox_self_set_typing":             tox.FriendTyping(0, true),
		"tox_conference_invite":           tox.ConferenceInvite(0, 0),
		"tox_conference_delete":           tox.ConferenceDelete(0),
		"tox_conference_send_message":     tox.ConferenceSend(0, toxcore.MessageNormal, []byte("hello")),
		"tox_conference_set_title":        tox.ConferenceSetTitle(0, []byte("title")),
		"tox_conference_set_max_offline":  tox.ConferenceSetMaxOffline(0, 1),
		"toxav_group_send_audio":          tox.ConferenceAudio(0, make([]int16, 960)),
		"tox_self_set_name":               tox.SetName(make([]byte, 129)),
		"tox_friend_add": func() error {
			_, err := tox.FriendAdd(tox.Address(), []byte("hello")) // its own
			return err
		}(),
		"tox_conference_peer_count": func() error {
			_, _, err := tox.ConferencePeers(0)
			return err
		}(),
	} {
		assert.ErrorIs(t, err, toxcore.ErrCall, call)
		assert.ErrorContains(t, err, call)
	}
}

// A server answers commands in order, saves, and ends with the command quit, the
// end of its input or a line that is no command.
func TestServer(t *testing.T) {
	save := filepath.Join(t.TempDir(), "profile.tox")
	serve := func() (*json.Encoder, *json.Decoder, io.Closer, <-chan error) {
		in, commands := io.Pipe()
		replies, out := io.Pipe()
		ended := make(chan error, 1)
		server := toxcore.NewServer(start(t, toxcore.Options{}), save)
		go func() { ended <- server.Serve(in, out) }()
		return json.NewEncoder(commands), json.NewDecoder(replies), commands, ended
	}
	ending := func(ended <-chan error) error {
		select {
		case err := <-ended:
			return err
		case <-time.After(10 * time.Second):
			t.Fatal("the server goes on")
			return nil
		}
	}

	commands, replies, _, ended := serve()
	for i, do := range []string{"self", "dance", "savedata", "quit"} {
		id := uint64(i + 1)
		require.NoError(t, commands.Encode(toxcore.Command{ID: id, Do: do}))
		var r toxcore.Reply
		require.NoError(t, replies.Decode(&r))
		assert.Equal(t, id, r.ID)
		assert.Equal(t, do == "dance", r.Error != "", r.Error)
		assert.Equal(t, do == "self", r.Self != nil)
		assert.Equal(t, do == "savedata", len(r.Data) > 0)
	}
	require.NoError(t, ending(ended))
	assert.FileExists(t, save)

	_, _, input, ended := serve()
	require.NoError(t, input.Close())
	require.NoError(t, ending(ended))

	commands, _, _, ended = serve()
	require.NoError(t, commands.Encode("no command"))
	require.Error(t, ending(ended))
}
