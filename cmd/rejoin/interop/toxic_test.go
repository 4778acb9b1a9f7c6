//go:build toxcore

package interop

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/tox/toxcore"
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

// Toxic takes the bot's profile over: the same Tox ID, friends and group. It hands
// the profile back, and the bot is whole again.
func TestToxicTakesTheProfile(t *testing.T) {
	t.Parallel()
	host := lab.NewNetwork(t).Host("pc")
	node := lab.StartDaemon(t, lab.DaemonConfig{Host: host}).Node
	entry := fmt.Sprintf("%v:%X", node.Addr, node.Key[:])
	bot := startRobot(t, host, "--bootstrap", entry, "--name", "robin")
	sam := lab.StartStock(t, lab.StockConfig{Name: "sam", Host: host, Nodes: []lab.Node{node}})
	group := bot.enter(sam)
	bot.Terminate()
	sam.WaitOffline(bot.key(), patience)

	profile := filepath.Join(bot.dir, "profile.tox")
	save, err := os.ReadFile(profile)
	require.NoError(t, err)
	toxic := lab.StartToxic(t, lab.ToxicConfig{Host: host, Nodes: []lab.Node{node}, Save: save})
	require.Equal(t, bot.address, toxic.ID())
	sam.WaitOnline(bot.key(), patience)
	sam.WaitPeers(group, patience, bot.key())
	toxic.Window("Lobby")
	toxic.Type("this is toxic")
	sam.WaitSaid(group, bot.key(), "this is toxic", patience)
	toxic.Quit()
	sam.WaitOffline(bot.key(), patience)

	require.NoError(t, os.WriteFile(profile, toxic.Save(), 0o600))
	bot.begin()
	require.Equal(t, toxic.ID(), bot.address)
	sam.WaitOnline(bot.key(), patience)
	sam.Send(group, "!members")
	sam.Wait(patience, "the members", lab.Of(toxcore.KindConferenceMessage, lab.From(bot.key()), lab.Prefix("2 here, 0 frozen: whole")))
	require.Equal(t, 1, sam.Said(group, "this is toxic"))
}
