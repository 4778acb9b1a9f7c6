package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/client"
	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/crypto"
	"github.com/tox-rejoin/rejoin/tox/dhtnode"
	"github.com/tox-rejoin/rejoin/tox/messenger"
)

// patience is how long anything may take on a busy machine.
const patience = 2 * time.Minute

// botLine is a line of the bot's log.
type botLine struct {
	Msg   string
	ToxID string `json:"tox_id"`
	Key   string `json:"dht_key"`
	Port  uint16 `json:"udp_port"`
	Title string
	State string
	Who   string
}

// robot is rejoin bot, as the command line starts it.
type robot struct {
	t     *testing.T
	lines chan botLine
	ended chan error
	end   context.CancelFunc

	address crypto.Address
	node    dhtnode.Node
}

// startRobot starts the bot with a directory and flags, and waits until it is
// ready. Tests that run command lines are not parallel: all share the help flag
// of package cli, which each writes.
func startRobot(t *testing.T, dir string, flags ...string) *robot {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &robot{t: t, lines: make(chan botLine, 1000), ended: make(chan error, 1), end: cancel}
	out, w := io.Pipe()
	go func() {
		args := append([]string{"rejoin", "bot", "--log", "json", "--dir", dir}, flags...)
		r.ended <- newApp(nil, w, io.Discard).RunContext(ctx, args)
		_ = w.Close()
	}()
	go func() {
		defer close(r.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			var l botLine
			if err := json.Unmarshal(s.Bytes(), &l); err != nil {
				l.Msg = "not JSON: " + s.Text()
			}
			r.lines <- l
		}
	}()
	t.Cleanup(r.stop)
	first := <-r.lines
	require.Equal(t, "ready", first.Msg, "the first line")
	var err error
	r.address, err = crypto.ParseAddress(first.ToxID)
	require.NoError(t, err)
	r.node.Key, err = packets.ParsePublicKey(first.Key)
	require.NoError(t, err)
	r.node.Addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), first.Port)
	return r
}

// stop ends it as a signal does; a second time it does nothing.
func (r *robot) stop() {
	if r.end == nil {
		return
	}
	r.end()
	r.end = nil
	require.NoError(r.t, <-r.ended)
}

// wait reads the log up to a line.
func (r *robot) wait(what string, is func(botLine) bool) {
	r.t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case l, ok := <-r.lines:
			require.True(r.t, ok, "the bot has ended before: %s", what)
			if is(l) {
				return
			}
		case <-timeout:
			require.Fail(r.t, "not in the log", what)
		}
	}
}

// waitState waits until the bot says how a group is.
func (r *robot) waitState(title, state string) {
	r.t.Helper()
	r.wait(title+" "+state, func(l botLine) bool { return l.Msg == "group" && l.Title == title && l.State == state })
}

// person is a user of the bot.
type person struct {
	*client.Client
	t *testing.T
}

func startPerson(t *testing.T, name string, nodes ...dhtnode.Node) *person {
	t.Helper()
	c, err := client.Open(t.TempDir(), client.Config{Name: name, Bootstrap: nodes})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
	})
	return &person{Client: c, t: t}
}

// waitFor drops events until there is one of type E that is the one.
func waitFor[E client.Event](p *person, what string, is func(E) bool) E {
	p.t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case e, ok := <-p.Events():
			require.True(p.t, ok, "stopped")
			if e, ok := e.(E); ok && is(e) {
				return e
			}
		case <-timeout:
			require.Fail(p.t, "no event", what)
		}
	}
}

// ask writes to the bot and returns its answer.
func (p *person) ask(to packets.PublicKey, text string) string {
	p.t.Helper()
	_, err := p.SendMessage(to, messenger.Normal, text)
	require.NoError(p.t, err)
	return waitFor(p, "answer to "+text, func(e client.FriendMessage) bool { return e.From == to }).Text
}

// enter has the bot invite the person into its first group.
func (p *person) enter(robot packets.PublicKey) (id packets.ID) {
	p.t.Helper()
	_, err := p.SendMessage(robot, messenger.Normal, "invite")
	require.NoError(p.t, err)
	joined, answered := false, false
	for !joined || !answered { // in any order
		switch e := waitFor(p, "invitation and answer", func(client.Event) bool { return true }).(type) {
		case client.Invited:
			require.Equal(p.t, robot, e.From)
			require.NoError(p.t, p.Join(e))
			id, joined = e.ID, true
		case client.FriendMessage:
			assert.Contains(p.t, e.Text, "I have invited you into Lobby.")
			answered = true
		}
	}
	return id
}

// askGroup says something in a group as soon as somebody is there, and returns
// the bot's answer.
func (p *person) askGroup(id packets.ID, robot packets.PublicKey, text string) string {
	p.t.Helper()
	require.Eventually(p.t, func() bool {
		_, err := p.Say(id, packets.NormalMessage, text)
		return !errors.Is(err, conference.ErrNotConnected)
	}, patience, 100*time.Millisecond)
	return waitFor(p, "answer to "+text, func(e client.Message) bool { return e.Key == robot }).Text
}

// Somebody adds the bot, is invited, and talks with it in the group. The bot is
// started again: it is back in the group, and finds the other by itself.
func TestBotServes(t *testing.T) {
	dir := t.TempDir()
	bot := startRobot(t, dir)
	bot.waitState("Lobby", "alone")
	key := bot.address.Key()
	pia := startPerson(t, "pia", bot.node)

	require.NoError(t, pia.AddFriend(bot.address, "let me in"))
	bot.wait("request", func(l botLine) bool { return l.Msg == "friend request accepted" && l.Who == pia.Key().String() })
	waitFor(pia, "bot online", func(e client.FriendOnline) bool { return e.Friend == key })
	assert.Contains(t, pia.ask(key, "help"), "invite [NAME]")
	assert.Equal(t, bot.address.String(), pia.ask(key, "ID"))
	assert.Contains(t, pia.ask(key, "hello?"), "I know help, ")

	id := pia.enter(key)
	bot.waitState("Lobby", "whole")
	members := pia.askGroup(id, key, "!members")
	assert.Contains(t, members, "2 here, 0 frozen: whole\n")
	assert.Contains(t, members, "- pia")
	assert.Contains(t, members, "- rejoin (that is me)")
	assert.Equal(t, "The title is now: Den", pia.askGroup(id, key, "!title Den"))
	assert.Contains(t, pia.ask(key, "groups"), "- Den (")

	bot.stop()
	bot = startRobot(t, dir)
	assert.Equal(t, key, bot.address.Key())
	bot.waitState("Den", "alone")
	bot.waitState("Den", "whole")
	assert.Contains(t, pia.askGroup(id, key, "!members"), "- pia")
}

// The signals that end it end it well.
func TestBotSignals(t *testing.T) {
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		bot := startRobot(t, t.TempDir())
		self, err := os.FindProcess(os.Getpid())
		require.NoError(t, err)
		require.NoError(t, self.Signal(s))
		bot.wait("stopped", func(l botLine) bool { return l.Msg == "stopped" })
		bot.stop()
	}
}

// A bot for its owners lets nobody else in, and leaves a group for them only. It
// goes where they invite it.
func TestBotPolicy(t *testing.T) {
	dir := t.TempDir()
	network := startPerson(t, "network") // of two companions and itself
	owner := startPerson(t, "owner", network.Node())
	stranger := startPerson(t, "stranger", network.Node())
	require.NoError(t, os.WriteFile(filepath.Join(dir, ownersFile), []byte(owner.Address().String()+" # me\n"), 0o600))
	node := network.Node()
	bot := startRobot(t, dir, "--policy", "owners", "--name", "Cerberus",
		"--bootstrap", node.Addr.String()+":"+strings.ToUpper(node.Key.Hex()))
	key := bot.address.Key()

	require.NoError(t, stranger.AddFriend(bot.address, "let me in"))
	bot.wait("refusal", func(l botLine) bool { return l.Msg == "friend request refused" && l.Who == stranger.Key().String() })
	require.NoError(t, owner.AddFriend(bot.address, "it is me"))
	waitFor(owner, "bot online", func(e client.FriendOnline) bool { return e.Friend == key })
	waitFor(owner, "name", func(e client.FriendRenamed) bool { return e.Friend == key && e.Name == "Cerberus" })
	_, err := stranger.SendMessage(key, messenger.Normal, "help")
	require.ErrorIs(t, err, messenger.ErrNotReady, "no friend of the bot")

	assert.Equal(t, "I have left Lobby.", owner.ask(key, "leave lobby"))
	assert.Equal(t, "I am in no group. Invite me into one.", owner.ask(key, "invite"))
	id, err := owner.CreateConference(packets.Text, "Mine")
	require.NoError(t, err)
	require.NoError(t, owner.Invite(id, key))
	bot.waitState("Mine", "whole")
	assert.Contains(t, owner.askGroup(id, key, "!info"), "Mine (")
	assert.Contains(t, owner.ask(key, "groups"), "I am in 1 group:\n- Mine (")
}
