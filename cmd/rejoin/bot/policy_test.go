package bot_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/cmd/rejoin/bot"
	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/crypto"
)

func TestPolicy(t *testing.T) {
	const owner, member, stranger = 1, 2, 3
	for _, c := range []struct {
		policy        bot.Policy
		allows, leave string // of owner, member, stranger
	}{
		{bot.Policy{Mode: bot.Open}, "yyy", "yyy"},
		{bot.Policy{Mode: bot.Open, Owners: []packets.PublicKey{key(owner)}}, "yyy", "ynn"},
		{bot.Policy{Mode: bot.Owners, Owners: []packets.PublicKey{key(owner)}}, "ynn", "ynn"},
		{
			bot.Policy{Mode: bot.Owners, Owners: []packets.PublicKey{key(owner)}, Members: []packets.PublicKey{key(member)}},
			"ynn", "ynn",
		},
		{bot.Policy{Mode: bot.List, Members: []packets.PublicKey{key(member)}}, "nyn", "nyn"},
		{
			bot.Policy{Mode: bot.List, Owners: []packets.PublicKey{key(owner)}, Members: []packets.PublicKey{key(member)}},
			"yyn", "ynn",
		},
		{bot.Policy{}, "nnn", "nnn"},
	} {
		for i, who := range []byte{owner, member, stranger} {
			assert.Equal(t, c.allows[i] == 'y', c.policy.Allows(key(who)), "%+v allows %d", c.policy, who)
			assert.Equal(t, c.leave[i] == 'y', c.policy.MayLeave(key(who)), "%+v leave %d", c.policy, who)
		}
	}
}

func TestParseMode(t *testing.T) {
	for _, m := range []bot.Mode{bot.Open, bot.Owners, bot.List} {
		got, err := bot.ParseMode(string(m))
		require.NoError(t, err)
		assert.Equal(t, m, got)
	}
	for _, s := range []string{"", "Open", "closed"} {
		_, err := bot.ParseMode(s)
		require.ErrorIs(t, err, bot.ErrMode)
	}
}

func TestParsePeople(t *testing.T) {
	a, b := key(0xab), key(0xcd)
	id := crypto.NewAddress(b, [packets.NoSpamSize]byte{1, 2, 3, 4}).String()
	people, err := bot.ParsePeople(strings.NewReader(
		"# my friends\n\n" + a.Hex() + "\t # alice\r\n  " + strings.ToLower(id) + "\n" + strings.ToUpper(a.Hex())))
	require.NoError(t, err)
	assert.Equal(t, []packets.PublicKey{a, b, a}, people)

	people, err = bot.ParsePeople(strings.NewReader("# nobody\n"))
	require.NoError(t, err)
	assert.Empty(t, people)

	typo := "0" + id[1:]
	for text, want := range map[string]string{
		"alice":                    `line 1: want a Tox ID of 76 hex digits or a public key of 64, got "alice"`,
		"\n" + typo:                "line 2: the Tox ID has a typing error",
		a.Hex()[1:] + "x":          "line 1: want a Tox ID",
		a.Hex() + " " + b.Hex():    "line 1: want a Tox ID",
		strings.Repeat("x", 1e5):   "token too long",
		strings.Repeat("zz", 38):   "line 1: the Tox ID has a typing error",
		a.Hex() + "\n" + id + "00": "line 2: want a Tox ID",
	} {
		_, err := bot.ParsePeople(strings.NewReader(text))
		require.Error(t, err)
		assert.Contains(t, err.Error(), want)
	}
}
