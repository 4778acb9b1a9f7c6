package bot_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/cmd/rejoin/bot"
	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
)

func key(b byte) packets.PublicKey { return packets.PublicKey{b, b, b, b} }

func groupID(b byte) packets.ID { return packets.ID{Key: key(b)} }

// start is when all tests begin.
func start() time.Time { return time.Date(2026, 11, 21, 15, 0, 0, 0, time.UTC) }

// peer is a member whom we heard so long before the start.
func peer(b byte, name string, ago time.Duration) conference.Peer {
	return conference.Peer{Key: key(b), Name: []byte(name), LastActive: start().Add(-ago).Unix()}
}

// self is the bot in tests, and alice a user.
const self, alice, bob = 1, 2, 3

// state is a bot in a group that has lost a member, in one that is whole, in two
// of one name, and in one that it is joining.
func state() bot.State {
	return bot.State{
		Self: key(self), Address: "ADDRESS", Reachable: true, Friends: 3, Online: 1,
		Groups: []conference.View{
			{ID: groupID(0xf0), Title: []byte("Later")},
			{
				ID: groupID(0xa1), Title: []byte("Lobby"), Connected: true,
				Peers:  []conference.Peer{peer(alice, "alice", 0), peer(self, "rejoin", 0)},
				Frozen: []conference.Peer{peer(bob, "bob", 75*time.Minute), {Key: key(9)}},
			},
			{
				ID: groupID(0xb2), Title: []byte("Wien ☕"), Connected: true,
				Peers: []conference.Peer{peer(self, "", 0), peer(alice, "!members\nx", 0)},
			},
			{ID: groupID(0xc3), Title: []byte("Twins"), Connected: true, Peers: []conference.Peer{peer(self, "", 0)}},
			{ID: groupID(0xc4), Title: []byte("Twins"), Connected: true, Peers: []conference.Peer{peer(self, "", 0)}},
		},
	}
}

// ask has alice write a line, in a group unless it is the zero one.
func ask(t *testing.T, b *bot.Bot, s bot.State, group packets.ID, text string) bot.Answer {
	t.Helper()
	c, ok := b.Hear(start(), bot.Line{From: key(alice), InGroup: group != packets.ID{}, Group: group, Text: text})
	if !ok {
		return bot.Answer{}
	}
	a := b.Answer(start().Add(90*time.Minute), &c, &s)
	for _, text := range a.Say {
		assert.False(t, strings.HasPrefix(text, "!"), "no bot may take an answer for a command: %q", text)
	}
	return a
}

func open() *bot.Bot { return bot.New(start(), bot.Policy{Mode: bot.Open}) }

const (
	privateHint = "I know help, info, id, groups, invite [NAME] and leave NAME."
	groupHint   = "I know !help, !info, !members and !title TEXT."
	allGroups   = "I am in 5 groups:\n- Later (f0f0f0f0): joining\n- Lobby (a1a1a1a1): 2 here, 2 frozen: partly connected\n" +
		"- Wien ☕ (b2b2b2b2): 2 here, 0 frozen: whole\n- Twins (c3c3c3c3): 1 here, 0 frozen: alone\n" +
		"- Twins (c4c4c4c4): 1 here, 0 frozen: alone"
)

func TestPrivateCommands(t *testing.T) {
	for line, want := range map[string]string{
		"help":       "I know:\nhelp - this list\ninfo - how I am\n",
		" HELP me ":  "I know:\nhelp - this list\n",
		"info":       "I am a bot of Rejoin. Up 1 h 30 min, friends can find me, 3 friends (1 online), 5 groups, policy open.",
		"Id":         "ADDRESS",
		"groups":     allGroups,
		"leave":      "Write leave and the name of the group.\n" + allGroups,
		"hello":      privateHint,
		"!help":      privateHint,
		"helpless":   privateHint,
		"invite Bar": "I am in no group \"Bar\".\n" + allGroups,
		"leave Bar":  "I am in no group \"Bar\".\n" + allGroups,
		"invite c":   "Several groups fit. Name one by the first digits of its id:\n- c3c3c3c3: Twins, 1 here, 0 frozen: alone\n- c4",
		"invite Twins": "Several groups fit. Name one by the first digits of its id:\n" +
			"- c3c3c3c3: Twins, 1 here, 0 frozen: alone\n- c4c4c4c4: Twins, 1 here, 0 frozen: alone",
	} {
		a := ask(t, open(), state(), packets.ID{}, line)
		assert.Equal(t, bot.Nothing, a.Do, line)
		require.Len(t, a.Say, 1, line)
		assert.True(t, strings.HasPrefix(a.Say[0], want), "%s: %s", line, a.Say[0])
	}
	assert.Empty(t, ask(t, open(), state(), packets.ID{}, " \n "))
}

func TestInviteAndLeave(t *testing.T) {
	for line, want := range map[string]byte{
		"invite":               0xa1, // the first that we have joined
		"invite Lobby":         0xa1,
		"INVITE  lobby ":       0xa1,
		"invite Wien ☕":        0xb2,
		"invite b2b2":          0xb2,
		"invite C4C4C4C400000": 0xc4,
		"invite later":         0xf0,
		"leave LOBBY":          0xa1,
		"leave c3":             0xc3,
	} {
		a := ask(t, open(), state(), packets.ID{}, line)
		do := bot.Invite
		if line[0] == 'l' {
			do = bot.Leave
		}
		assert.Equal(t, do, a.Do, line)
		assert.Equal(t, groupID(want), a.Group, line)
		assert.Len(t, a.Say, 1, line)
		assert.NotEmpty(t, a.Failed, line)
	}
	s := state()
	s.Groups = nil
	for _, line := range []string{"invite", "invite Lobby", "leave Lobby", "groups"} {
		a := ask(t, open(), s, packets.ID{}, line)
		assert.Equal(t, bot.Answer{Say: []string{"I am in no group. Invite me into one."}}, a, line)
	}
}

// With owners only they can have the bot leave, and help says so.
func TestLeaveIsForOwners(t *testing.T) {
	b := bot.New(start(), bot.Policy{Mode: bot.Open, Owners: []packets.PublicKey{key(bob)}})
	a := ask(t, b, state(), packets.ID{}, "leave Lobby")
	assert.Equal(t, bot.Answer{Say: []string{"Only my owners can have me leave a group."}}, a)
	assert.Contains(t, ask(t, b, state(), packets.ID{}, "help").Say[0], "leave a group for good (my owners only)\n")
	b = bot.New(start(), bot.Policy{Mode: bot.Open, Owners: []packets.PublicKey{key(bob), key(alice)}})
	assert.Equal(t, bot.Leave, ask(t, b, state(), packets.ID{}, "leave Lobby").Do)
}

func TestGroupCommands(t *testing.T) {
	for line, want := range map[string]string{
		"!help": "I know here:\n!help - this list\n",
		"!info": "Lobby (a1a1a1a1): 2 here, 2 frozen: partly connected.\nI am a bot of Rejoin. Up 1 h 30 min,",
		"!MEMBERS": "2 here, 2 frozen: partly connected\n- alice\n- rejoin (that is me)\n" +
			"- bob: frozen, silent since 2026-11-21 13:45 UTC (2 h 45 min)\n- 09090909: frozen, silent",
		"!title":  "Write !title and the new title.",
		"!invite": groupHint,
		"!":       "",
		"help":    "",
		" !help":  "",
		"hi all":  "",
	} {
		a := ask(t, open(), state(), groupID(0xa1), line)
		assert.Equal(t, bot.Nothing, a.Do, line)
		if want == "" {
			assert.Empty(t, a.Say, line)
			continue
		}
		require.Len(t, a.Say, 1, line)
		assert.True(t, strings.HasPrefix(a.Say[0], want), "%s: %s", line, a.Say[0])
	}
	a := ask(t, open(), state(), groupID(0xb2), "!members")
	assert.Equal(t, []string{"2 here, 0 frozen: whole\n- 01010101 (that is me)\n- !members x"}, a.Say)
	assert.Empty(t, ask(t, open(), state(), groupID(0x77), "!members"), "a group that we have left")
}

func TestTitle(t *testing.T) {
	a := ask(t, open(), state(), groupID(0xa1), "!Title  A new\n\x1b[1mtitle ")
	assert.Equal(t, bot.Retitle, a.Do)
	assert.Equal(t, groupID(0xa1), a.Group)
	assert.Equal(t, "A new [1mtitle", a.Title)
	assert.Equal(t, []string{"The title is now: A new [1mtitle"}, a.Say)

	most := strings.Repeat("x", packets.MaxName)
	assert.Equal(t, most, ask(t, open(), state(), groupID(0xa1), "!title "+most).Title)
	a = ask(t, open(), state(), groupID(0xa1), "!title y"+most)
	assert.Equal(t, bot.Answer{Say: []string{"A title has at most 128 bytes, and this has 129."}}, a)
}

// Whom the policy does not allow gets no answer at all.
func TestPolicyIsSilent(t *testing.T) {
	b := bot.New(start(), bot.Policy{Mode: bot.Owners, Owners: []packets.PublicKey{key(bob)}})
	for _, line := range []string{"help", "hello", "invite"} {
		assert.Empty(t, ask(t, b, state(), packets.ID{}, line))
		assert.Empty(t, ask(t, b, state(), groupID(0xa1), "!"+line))
	}
}

// A list of many members comes in several messages, and ends somewhere.
func TestManyMembers(t *testing.T) {
	s := state()
	for i := range 2000 {
		s.Groups[1].Frozen = append(s.Groups[1].Frozen, peer(byte(i), fmt.Sprintf("peer %d %s", i, strings.Repeat("ä", 30)), time.Hour))
	}
	a := ask(t, open(), s, groupID(0xa1), "!members")
	require.Len(t, a.Say, 4)
	shown := 0
	for _, text := range a.Say {
		assert.LessOrEqual(t, len(text), packets.MaxText)
		shown += strings.Count(text, "- ")
	}
	assert.True(t, strings.HasSuffix(a.Say[3], fmt.Sprintf("\n… and %d more", 2004-shown)), a.Say[3])
}
