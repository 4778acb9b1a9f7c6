package client_test

import (
	"context"
	"log"
	"os"
	"os/signal"

	"github.com/tox-rejoin/rejoin/client"
	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/messenger"
)

// A bot in 30 lines: it befriends everybody, goes wherever it is invited, and
// answers !ping.
func Example() {
	bot, err := client.Open("pingbot", client.Config{Name: "pingbot"})
	if err != nil {
		log.Fatal(err)
	}
	log.Print("my Tox ID is ", bot.Address())
	go func() {
		for event := range bot.Events() {
			var err error
			switch e := event.(type) {
			case client.FriendRequested:
				err = bot.AcceptFriend(e.From)
			case client.FriendMessage:
				_, err = bot.SendMessage(e.From, messenger.Normal, "invite me to a group")
			case client.Invited:
				err = bot.Join(e)
			case client.Message:
				if e.Text == "!ping" {
					_, err = bot.Say(e.Conference, packets.NormalMessage, "pong")
				}
			}
			if err != nil {
				log.Print(err)
			}
		}
	}()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	log.Print(bot.Run(ctx))
}
