package bot

import (
	"fmt"
	"strings"
	"time"

	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
)

// verb is what a line asks for.
type verb uint8

const (
	unknown verb = iota
	help
	info
	id
	groups
	invite
	leave
	members
	title
	tooMuch // whatever it asks for, it is too much at once
)

func privateVerbs() []verb { return []verb{help, info, id, groups, invite, leave} }
func groupVerbs() []verb   { return []verb{help, info, members, title} }

// String is the word by which people ask.
func (v verb) String() string {
	switch v {
	case help:
		return "help"
	case info:
		return "info"
	case id:
		return "id"
	case groups:
		return "groups"
	case invite:
		return "invite"
	case leave:
		return "leave"
	case members:
		return "members"
	case title:
		return "title"
	case tooMuch:
		return "too much"
	}
	return "unknown"
}

// Answer answers a command that Hear let through.
func (b *Bot) Answer(now time.Time, c *Command, s *State) Answer {
	if c.InGroup {
		return b.answerGroup(now, c, s)
	}
	switch c.verb {
	case help:
		return c.say(b.privateHelp()...)
	case info:
		return c.say(b.describe(now, s))
	case id:
		return c.say(s.Address)
	case groups:
		return c.say(listGroups(s)...)
	case invite:
		return c.invite(s)
	case leave:
		return b.leave(c, s)
	case tooMuch:
		return c.say("That is too much at once. I answer again in a while.")
	}
	return c.say("I know help, info, id, groups, invite [NAME] and leave NAME.")
}

func (b *Bot) answerGroup(now time.Time, c *Command, s *State) Answer {
	v := s.group(c.Group)
	if v == nil {
		return Answer{} // left while this was under way
	}
	switch c.verb {
	case help:
		return c.say("I know here:",
			"!help - this list", "!info - how this group and I are",
			"!members - who is here, and who is frozen", "!title TEXT - gives the group another title",
			"More in a private chat: write me help there.")
	case info:
		return c.say(fmt.Sprintf("%s (%v): %s.", named(v), v.ID, headcount(v)), b.describe(now, s))
	case members:
		return c.say(listMembers(now, v, s.Self)...)
	case title:
		return c.retitle()
	case tooMuch:
		return c.say("That is too much at once. I answer again in a while.")
	}
	return c.say("I know !help, !info, !members and !title TEXT.")
}

// say is an answer that only says something.
func (c *Command) say(lines ...string) Answer { return Answer{Say: pack(lines, c.limit())} }

func (b *Bot) privateHelp() []string {
	who := ""
	if len(b.policy.Owners) > 0 {
		who = " (my owners only)"
	}
	return []string{
		"I know:",
		"help - this list",
		"info - how I am",
		"id - my Tox ID",
		"groups - the groups that I am in",
		"invite [NAME] - invites you into a group; without a name into the first",
		"leave NAME - has me leave a group for good" + who,
		"NAME is a title, or the first digits of an id. In a group, write !help.",
	}
}

func (b *Bot) describe(now time.Time, s *State) string {
	found := "nobody can find me yet"
	if s.Reachable {
		found = "friends can find me"
	}
	return fmt.Sprintf("I am a bot of Rejoin. Up %s, %s, %s (%d online), %s, policy %s.",
		span(now.Sub(b.began)), found, plural(s.Friends, "friend"), s.Online, plural(len(s.Groups), "group"), b.policy.Mode)
}

func listGroups(s *State) []string {
	if len(s.Groups) == 0 {
		return []string{"I am in no group. Invite me into one."}
	}
	lines := []string{fmt.Sprintf("I am in %s:", plural(len(s.Groups), "group"))}
	for i := range s.Groups {
		v := &s.Groups[i]
		lines = append(lines, fmt.Sprintf("- %s (%v): %s", named(v), v.ID, headcount(v)))
	}
	return lines
}

func listMembers(now time.Time, v *conference.View, self packets.PublicKey) []string {
	lines := []string{headcount(v)}
	for i := range v.Peers {
		p := &v.Peers[i]
		me := ""
		if p.Key == self {
			me = " (that is me)"
		}
		lines = append(lines, "- "+called(p)+me)
	}
	for i := range v.Frozen {
		p := &v.Frozen[i]
		since := ""
		if p.LastActive > 0 {
			at := time.Unix(p.LastActive, 0).UTC()
			since = fmt.Sprintf(" since %s UTC (%s)", at.Format("2006-01-02 15:04"), span(now.Sub(at)))
		}
		lines = append(lines, "- "+called(p)+": frozen, silent"+since)
	}
	return lines
}

// headcount is how many there are, and what that means.
func headcount(v *conference.View) string {
	if !v.Connected {
		return Joining.String()
	}
	return fmt.Sprintf("%d here, %d frozen: %v", len(v.Peers), len(v.Frozen), StandingOf(v))
}

func (c *Command) invite(s *State) Answer {
	v, why := s.find(c.arg)
	if v == nil {
		return c.say(why...)
	}
	return Answer{
		Do: Invite, Group: v.ID,
		Say:    []string{fmt.Sprintf("I have invited you into %s. Accept it, or join, as your client calls it.", named(v))},
		Failed: fmt.Sprintf("I could not invite you into %s. Please try again in a minute.", named(v)),
	}
}

func (b *Bot) leave(c *Command, s *State) Answer {
	if !b.policy.MayLeave(c.From) {
		return c.say("Only my owners can have me leave a group.")
	}
	if c.arg == "" {
		return c.say(append([]string{"Write leave and the name of the group."}, listGroups(s)...)...)
	}
	v, why := s.find(c.arg)
	if v == nil {
		return c.say(why...)
	}
	return Answer{
		Do: Leave, Group: v.ID,
		Say:    []string{fmt.Sprintf("I have left %s.", named(v))},
		Failed: fmt.Sprintf("I could not leave %s.", named(v)),
	}
}

func (c *Command) retitle() Answer {
	text := Clean([]byte(c.arg))
	switch {
	case text == "":
		return c.say("Write !title and the new title.")
	case len(text) > packets.MaxName:
		return c.say(fmt.Sprintf("A title has at most %d bytes, and this has %d.", packets.MaxName, len(text)))
	}
	return Answer{
		Do: Retitle, Group: c.Group, Title: text,
		Say: []string{"The title is now: " + text}, Failed: "I could not set the title.",
	}
}

// group is the group with an id; nil if there is none.
func (s *State) group(id packets.ID) *conference.View {
	for i := range s.Groups {
		if s.Groups[i].ID == id {
			return &s.Groups[i]
		}
	}
	return nil
}

// find is the group that someone means by name, or what to say if there is not
// exactly one. No name means the first.
func (s *State) find(name string) (*conference.View, []string) {
	if len(s.Groups) == 0 {
		return nil, listGroups(s)
	}
	if name == "" {
		return s.first(), nil
	}
	title := func(v *conference.View) string { return Clean(v.Title) }
	for _, means := range []func(v *conference.View) bool{
		func(v *conference.View) bool { return title(v) == name },
		func(v *conference.View) bool { return strings.EqualFold(title(v), name) },
		func(v *conference.View) bool {
			return strings.HasPrefix(packets.PublicKey(v.ID.Key).Hex(), strings.ToLower(name))
		},
	} {
		var found []*conference.View
		for i := range s.Groups {
			if means(&s.Groups[i]) {
				found = append(found, &s.Groups[i])
			}
		}
		switch {
		case len(found) == 1:
			return found[0], nil
		case len(found) > 1:
			lines := []string{"Several groups fit. Name one by the first digits of its id:"}
			for _, v := range found {
				lines = append(lines, fmt.Sprintf("- %v: %s, %s", v.ID, named(v), headcount(v)))
			}
			return nil, lines
		}
	}
	return nil, append([]string{fmt.Sprintf("I am in no group %q.", short([]byte(name)))}, listGroups(s)...)
}

// first is the first group that we have joined, if there is one.
func (s *State) first() *conference.View {
	for i := range s.Groups {
		if s.Groups[i].Connected {
			return &s.Groups[i]
		}
	}
	return &s.Groups[0]
}

// named is what to call a group.
func named(v *conference.View) string {
	if title := short(v.Title); title != "" {
		return title
	}
	return "a group without a title"
}

// called is what to call a peer.
func called(p *conference.Peer) string {
	if name := short(p.Name); name != "" {
		return name
	}
	return p.Key.String()
}

// span is a time in its two largest units.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	d = max(d, 0)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < day:
		return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%d d %d h", d/day, d%day/time.Hour)
}

// plural writes a number of things.
func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}
