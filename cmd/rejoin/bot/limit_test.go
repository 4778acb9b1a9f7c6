package bot_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/tox-rejoin/rejoin/cmd/rejoin/bot"
	"github.com/tox-rejoin/rejoin/packets"
)

// hear counts how many of n lines at one time are answered, and returns the last
// answer.
func hear(b *bot.Bot, at time.Duration, line bot.Line, n int) (answered int, last string) {
	s := state()
	for range n {
		if c, ok := b.Hear(start().Add(at), line); ok {
			answered++
			last = b.Answer(start().Add(at), &c, &s).Say[0]
		}
	}
	return answered, last
}

const enough = "That is too much at once. I answer again in a while."

// A person gets a burst of answers, one notice, and then silence; later one
// answer at a time, and no other notice before there was a pause.
func TestPersonLimit(t *testing.T) {
	b := open()
	line := bot.Line{From: key(alice), Text: "id"}
	n, last := hear(b, 0, line, 100)
	assert.Equal(t, 10+1, n)
	assert.Equal(t, enough, last)
	n, _ = hear(b, 2*time.Second, line, 100)
	assert.Zero(t, n)
	n, last = hear(b, 3*time.Second, line, 100)
	assert.Equal(t, 1, n)
	assert.Equal(t, "ADDRESS", last)
	n, _ = hear(b, 3*time.Second, bot.Line{From: key(bob), Text: "id"}, 3)
	assert.Equal(t, 3, n, "another person")
	n, last = hear(b, time.Hour, line, 100)
	assert.Equal(t, 10+1, n)
	assert.Equal(t, enough, last)
}

// Many persons together get no more in a group than the group's share.
func TestGroupLimit(t *testing.T) {
	b, answered := open(), 0
	for p := range 100 {
		n, _ := hear(b, 0, bot.Line{From: key(byte(p + 10)), InGroup: true, Group: groupID(0xa1), Text: "!help"}, 1)
		answered += n
	}
	assert.Equal(t, 20+1, answered)
	n, _ := hear(b, 0, bot.Line{From: key(200), InGroup: true, Group: groupID(0xb2), Text: "!help"}, 1)
	assert.Equal(t, 1, n, "another group")
	n, _ = hear(b, 0, bot.Line{From: key(201), Text: "help"}, 1)
	assert.Equal(t, 1, n, "a private chat")
	n, _ = hear(b, 2*time.Second, bot.Line{From: key(202), InGroup: true, Group: groupID(0xa1), Text: "!help"}, 5)
	assert.Equal(t, 1, n)
}

// What is said in a group without being a command costs nothing.
func TestTalkIsFree(t *testing.T) {
	b := open()
	n, _ := hear(b, 0, bot.Line{From: key(alice), InGroup: true, Group: groupID(0xa1), Text: "hello"}, 100)
	assert.Zero(t, n)
	n, _ = hear(b, 0, bot.Line{From: key(alice), InGroup: true, Group: groupID(0xa1), Text: "!info"}, 10)
	assert.Equal(t, 10, n)
}

// Two bots that answer all that the other says, a second later, fall silent.
func TestTwoBots(t *testing.T) {
	bots, said := [2]*bot.Bot{open(), open()}, "hello"
	s := state()
	for i := range 1000 {
		now := start().Add(time.Duration(i) * time.Second)
		c, ok := bots[i%2].Hear(now, bot.Line{From: key(byte(i % 2)), Text: said})
		if !ok {
			assert.Less(t, i, 20)
			return
		}
		said = bots[i%2].Answer(now, &c, &s).Say[0]
	}
	assert.Fail(t, "they talk for ever")
}

// A crowd of strangers is not remembered without end, and those who come in a
// quiet time are heard.
func TestManyPersons(t *testing.T) {
	b := open()
	crowd := func(at time.Duration, first byte) (answered int) {
		for p := range 3000 {
			from := packets.PublicKey{first, byte(p >> 8), byte(p)}
			n, _ := hear(b, at, bot.Line{From: from, Text: "id"}, 1)
			answered += n
		}
		return answered
	}
	assert.Equal(t, 1024, crowd(0, 1))
	assert.Equal(t, 1024, crowd(time.Minute, 2), "the first are forgotten")
}

// Who asks again and again is not even refused any more.
func TestKnock(t *testing.T) {
	b := bot.New(start(), bot.Policy{Mode: bot.List, Members: []packets.PublicKey{key(alice)}})
	count := func(at time.Duration, who byte) map[bot.Verdict]int {
		verdicts := map[bot.Verdict]int{}
		for range 100 {
			verdicts[b.Knock(start().Add(at), key(who))]++
		}
		return verdicts
	}
	assert.Equal(t, map[bot.Verdict]int{bot.Accept: 20, bot.Ignore: 80}, count(0, alice))
	assert.Equal(t, map[bot.Verdict]int{bot.Refuse: 20, bot.Ignore: 80}, count(0, bob))
	assert.Equal(t, map[bot.Verdict]int{bot.Accept: 1, bot.Ignore: 99}, count(10*time.Second, alice))
}
