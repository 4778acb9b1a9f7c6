//go:build toxcore

package interop

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/tox/toxcore/lab"
)

// Toxic, as its user sees it: it adds the bot, asks to be invited, talks in the
// group and sees the answer. The bot is killed as soon as that is done, and the
// group is whole again when it is back.
func TestToxicEntersTheLobby(t *testing.T) {
	t.Parallel()
	host := lab.NewNetwork(t).Host("pc")
	bot := startRobot(t, host)
	toxic := lab.StartToxic(t, lab.ToxicConfig{Name: "tina", Host: host, Nodes: []lab.Node{bot.node}})
	began := time.Now()
	toxic.AddFriend(bot.address, "")
	toxic.WaitText("has come online", patience)
	toxic.Chat(bot.key())
	toxic.Type("help")
	toxic.WaitScreen(patience, "the commands", `(?s)help.*invite \[NAME\]`)
	toxic.Type("invite")
	toxic.Join(bot.key(), "Lobby", patience)
	require.Less(t, time.Since(began), 2*time.Minute)
	toxic.Type("!members")
	toxic.WaitScreen(patience, "the bot's answer", `(?s)tina: !members.*rejoin: 2 here, 0 frozen: whole.*tina`)
	toxic.WaitScreen(patience, "the list of peers", `(?s)Peers: 2.*│rejoin.*│tina`)
	toxic.Type("!title Den of foxes")
	toxic.WaitWindow("Den of foxes", patience)

	bot.Kill()
	bot.begin()
	lab.Eventually(t, 2*patience, "the bot says that its group is whole", func() bool {
		groups := bot.log("group")
		return len(groups) > 0 && groups[len(groups)-1].State == "whole"
	})
	toxic.Type("!info")
	toxic.WaitScreen(patience, "an answer after the restart", `(?s)tina: !info.*rejoin: `)
	assert.Regexp(t, `Peers: 2`, toxic.Screen())
}
