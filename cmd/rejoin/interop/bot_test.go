//go:build toxcore

package interop

import (
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/tox/toxcore"
	"github.com/tox-rejoin/rejoin/tox/toxcore/lab"
)

// What the README's first screen promises: the bot runs as typed, on a machine
// without a network, and a stock peer who knows what the bot prints is in its
// group within two minutes. The bot is killed and is back in its group.
func TestStockPeerEntersTheLobby(t *testing.T) {
	t.Parallel()
	host := lab.NewNetwork(t).Host("pc")
	bot := startRobot(t, host)
	began := time.Now()
	sam := lab.StartStock(t, lab.StockConfig{Name: "sam", Host: host, Nodes: []lab.Node{bot.node}})
	group := bot.enter(sam)
	took := time.Since(began)
	t.Logf("in the group after %v", took)
	require.Less(t, took, 2*time.Minute)
	sam.WaitTitle(group, "Lobby", patience)
	bot.waitState("Lobby", "whole", patience)

	answers := func(kind toxcore.Kind, text string) lab.Match {
		expr := regexp.MustCompile(text)
		return lab.Of(kind, lab.From(bot.key()), func(e toxcore.Event) bool { return expr.Match(e.Data) })
	}
	sam.Message(bot.key(), "help")
	sam.Wait(patience, "the private commands", answers(toxcore.KindFriendMessage, `(?s)invite.*leave`))
	sam.Send(group, "!members")
	sam.Wait(patience, "the members", answers(toxcore.KindConferenceMessage, `sam`))
	sam.Message(bot.key(), "what?")
	sam.Wait(patience, "a line of help", answers(toxcore.KindFriendMessage, `help`))

	bot.Kill()
	killed := time.Now()
	bot.begin()
	bot.waitState("Lobby", "whole", 2*patience)
	t.Logf("whole %v after kill -9", time.Since(killed))
	sam.Send(group, "!title Den")
	sam.WaitTitle(group, "Den", patience)
	bot.Terminate()
	sam.WaitOffline(bot.key(), 10*time.Second) // it said goodbye
}
