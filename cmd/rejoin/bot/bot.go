// Package bot decides what the bot answers to what people write: text and a view
// of the world in, data out. It has no clock and no network; whoever runs it
// gives it the time, and does what an Answer says.
//
//	line -> Hear: policy, command words, rate limits -> Command
//	                              State, Command -> Answer -> Answer
//
// The two steps are apart so that a State is gathered only for lines that will
// be answered.
package bot

import (
	"strings"
	"time"

	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
)

// MaxGroups is how many groups the bot lets itself be invited into.
const MaxGroups = 64

// Bot is what the bot remembers between lines. It has one owner.
type Bot struct {
	policy Policy
	began  time.Time
	people limiter[packets.PublicKey]
	groups limiter[packets.ID]
	hints  limiter[packets.PublicKey]
	knocks limiter[packets.PublicKey]
}

// New makes a Bot that began to serve at now.
func New(now time.Time, policy Policy) *Bot {
	return &Bot{
		policy: policy, began: now,
		people: newLimiter[packets.PublicKey](personBurst, personRefill),
		groups: newLimiter[packets.ID](groupBurst, groupRefill),
		hints:  newLimiter[packets.PublicKey](hintBurst, hintRefill),
		knocks: newLimiter[packets.PublicKey](knockBurst, knockRefill),
	}
}

// Verdict is what becomes of a friend request or an invitation.
type Verdict uint8

// The verdicts.
const (
	Ignore Verdict = iota // not worth a line in a log: there were many
	Refuse                // the policy does not allow it
	Accept
)

// Knock decides on a friend request or an invitation.
func (b *Bot) Knock(now time.Time, who packets.PublicKey) Verdict {
	if ok, _ := b.knocks.take(now, who); !ok {
		return Ignore
	}
	if !b.policy.Allows(who) {
		return Refuse
	}
	return Accept
}

// Line is what somebody else wrote, to the bot alone or in a group.
type Line struct {
	From    packets.PublicKey
	InGroup bool
	Group   packets.ID // if InGroup
	Text    string
}

// State is what the bot knows of the world when it answers.
type State struct {
	Self            packets.PublicKey
	Address         string            // Tox ID
	Reachable       bool              // friends can find us
	Friends, Online int               // all friends, and those of them who are online
	Groups          []conference.View // in order of their numbers
}

// Deed is what has to be done before something is said.
type Deed uint8

// The deeds.
const (
	Nothing Deed = iota
	Invite       // invites who asked into Answer.Group
	Leave        // leaves Answer.Group
	Retitle      // sets the title of Answer.Group to Answer.Title
)

// Answer is what to do and then to say to where the line came from.
type Answer struct {
	Do     Deed
	Group  packets.ID
	Title  string
	Say    []string // messages, each as short as it must be
	Failed string   // said instead of Say if Do failed
}

// Command is a line that will be answered.
type Command struct {
	Line
	verb verb
	arg  string
}

// Word is the command, for logs.
func (c *Command) Word() string { return c.verb.String() }

// Hear takes a line and tells whether it will be answered: nothing is that comes
// from someone the policy does not allow, is no command in a group, or is more
// than the limits let through.
func (b *Bot) Hear(now time.Time, line Line) (Command, bool) {
	if !b.policy.Allows(line.From) {
		return Command{}, false
	}
	c, ok := parse(line)
	if !ok {
		return Command{}, false
	}
	if ok, first := b.people.take(now, line.From); !ok {
		c.verb = tooMuch
		return c, first && b.groupTakes(now, &line)
	}
	if line.InGroup {
		if ok, first := b.groups.take(now, line.Group); !ok {
			c.verb = tooMuch
			return c, first
		}
	}
	if c.verb == unknown {
		ok, _ := b.hints.take(now, line.From)
		return c, ok
	}
	return c, true
}

// groupTakes tells whether a group has room for one more answer.
func (b *Bot) groupTakes(now time.Time, line *Line) bool {
	if !line.InGroup {
		return true
	}
	ok, _ := b.groups.take(now, line.Group)
	return ok
}

// parse finds the command in a line; false if it is none.
func parse(line Line) (Command, bool) {
	text, verbs := strings.TrimSpace(line.Text), privateVerbs()
	if line.InGroup {
		// Only what begins so: a bot that quotes a command must not set off another.
		after, found := strings.CutPrefix(line.Text, "!")
		if !found {
			return Command{}, false
		}
		text, verbs = strings.TrimSpace(after), groupVerbs()
	}
	if text == "" {
		return Command{}, false
	}
	word, arg := text, ""
	if i := strings.IndexFunc(text, isSpace); i >= 0 {
		word, arg = text[:i], strings.TrimSpace(text[i:])
	}
	c := Command{Line: line, verb: unknown, arg: arg}
	for _, v := range verbs {
		if strings.EqualFold(word, v.String()) {
			c.verb = v
		}
	}
	return c, true
}
