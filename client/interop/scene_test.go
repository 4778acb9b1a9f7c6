//go:build toxcore

package interop

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/toxcore/lab"
)

// A member is a peer in the one conference that a test is about: one of ours or
// a stock one. What fails ends the test.
type member interface {
	label() string // its name, as last set
	key() packets.PublicKey

	accept(friend packets.PublicKey) // makes a friend without a request
	online(friend packets.PublicKey) bool

	found(t packets.Type, title string)
	invite(friend packets.PublicKey)
	join(from packets.PublicKey) // waits for the invitation, and for the conference
	leave()
	say(kind packets.MessageKind, text string)
	rename(name string)
	retitle(title string)
	look() look
	heard() []line // all that was ever said to it, its own echoes too
}

// look is what a member sees of the conference; nothing if it is in none.
type look struct {
	title          string
	active, frozen roll
}

// roll is names by key.
type roll map[packets.PublicKey]string

// rollOf is the members by their names of now.
func rollOf(members ...member) roll {
	r := roll{}
	for _, m := range members {
		r[m.key()] = m.label()
	}
	return r
}

// line is a message.
type line struct {
	author packets.PublicKey
	kind   packets.MessageKind
	text   string
}

func (l line) String() string { return fmt.Sprintf("%v (%d) %.40q", l.author, l.kind, l.text) }

// A scene is a conference and all that was said in it.
type scene struct {
	t    *testing.T
	said []said
	cast []member // everybody who ever was in it
}

// said is a line, who had to hear it, and who may have heard it, or not.
type said struct {
	line
	must, may []member
}

// pair is two who are to be friends.
type pair struct{ a, b member }

// befriend makes friends of all pairs, without requests, and waits until all
// are online.
func befriend(t *testing.T, pairs ...pair) {
	t.Helper()
	for _, p := range pairs {
		p.a.accept(p.b.key())
		p.b.accept(p.a.key())
	}
	for _, p := range pairs {
		lab.Eventually(t, patience, p.a.label()+" and "+p.b.label()+" are friends", func() bool {
			return p.a.online(p.b.key()) && p.b.online(p.a.key())
		})
	}
}

// newScene has the first member found a conference and each one invite the
// next, and waits until all see all. They must be friends.
func newScene(t *testing.T, kind packets.Type, title string, members ...member) *scene {
	t.Helper()
	s := &scene{t: t, cast: []member{members[0]}}
	members[0].found(kind, title)
	for _, m := range members[1:] {
		s.bring(s.cast[len(s.cast)-1], m)
	}
	s.waitWhole(members...)
	s.waitTitle(title, members...)
	return s
}

// bring has one invite another.
func (s *scene) bring(inviter, guest member) {
	s.t.Helper()
	inviter.invite(guest.key())
	guest.join(inviter.key())
	if !slices.Contains(s.cast, guest) {
		s.cast = append(s.cast, guest)
	}
}

// waitWhole waits until each of the members lists exactly all of them as active,
// by their names of now.
func (s *scene) waitWhole(members ...member) {
	s.t.Helper()
	s.wait("everybody lists everybody: "+labels(members), members, listing(members))
}

// listing is what a member of a conference of exactly the members sees.
func listing(members []member) func(look) bool {
	want := rollOf(members...)
	return func(l look) bool { return maps.Equal(l.active, want) }
}

// waitTitle waits until all the members have the title.
func (s *scene) waitTitle(title string, members ...member) {
	s.t.Helper()
	s.wait(fmt.Sprintf("all have the title %.40q", title), members, func(l look) bool { return l.title == title })
}

// wait waits until what each of the members sees is right.
func (s *scene) wait(what string, members []member, right func(look) bool) {
	s.t.Helper()
	seen := make([]look, len(members))
	finished := false
	defer func() {
		for i, m := range members {
			if !finished {
				s.t.Logf("%.40s sees %q, active %v, frozen %v", m.label(), seen[i].title, seen[i].active, seen[i].frozen)
			}
		}
	}()
	lab.Eventually(s.t, patience, what, func() bool {
		all := true
		for i, m := range members {
			seen[i] = m.look()
			all = all && right(seen[i])
		}
		return all
	})
	finished = true
}

func labels(members []member) (list string) {
	for i, m := range members {
		if i > 0 {
			list += ", "
		}
		list += fmt.Sprintf("%.40s", m.label())
	}
	return list
}

// say has one of the members say something, which all of them must hear.
func (s *scene) say(author member, kind packets.MessageKind, text string, members ...member) {
	s.t.Helper()
	author.say(kind, text)
	s.said = append(s.said, said{line: line{author.key(), kind, text}, must: members})
}

// talk has each of the members say something, and waits until all of them have
// heard it.
func (s *scene) talk(about string, members ...member) {
	s.t.Helper()
	for _, m := range members {
		s.say(m, packets.NormalMessage, m.label()+" says: "+about, members...)
	}
	s.hear()
}

// hear waits until everybody has heard everything.
func (s *scene) hear() {
	s.t.Helper()
	missing := ""
	defer func() {
		if missing != "" {
			s.t.Log(missing)
		}
	}()
	lab.Eventually(s.t, patience, "all is heard", func() bool {
		missing = s.unheard()
		return missing == ""
	})
}

// unheard is who has not heard what; "" if all have heard all.
func (s *scene) unheard() string {
	for _, m := range s.cast {
		heard := m.heard()
		for _, x := range s.said {
			if slices.Contains(x.must, m) && !slices.Contains(heard, x.line) {
				return fmt.Sprintf("%.40s has not heard %v", m.label(), x.line)
			}
		}
	}
	return ""
}

// patience is how long anything may take on a busy machine.
const patience = 2 * time.Minute

// late is how long copies of what has been heard may still be under way.
const late = 2 * time.Second

// chatter has each of the members say something that may get lost, since the
// conference is about to change.
func (s *scene) chatter(members ...member) {
	s.t.Helper()
	for _, m := range members {
		text := fmt.Sprintf("%s chatters: %d", m.label(), len(s.said))
		m.say(packets.NormalMessage, text)
		s.said = append(s.said, said{line: line{m.key(), packets.NormalMessage, text}, may: members})
	}
}

// checkOnce checks that everybody heard what it had to, each line once, and
// nothing that was not for it.
func (s *scene) checkOnce() {
	s.t.Helper()
	time.Sleep(late)
	for _, m := range s.cast {
		times := map[line]int{}
		for _, l := range m.heard() {
			times[l]++
		}
		for _, x := range s.said {
			n := times[x.line]
			delete(times, x.line)
			switch {
			case slices.Contains(x.must, m):
				require.Equal(s.t, 1, n, "how often %s heard %v", m.label(), x.line)
			case slices.Contains(x.may, m):
				require.LessOrEqual(s.t, n, 1, "how often %s heard %v", m.label(), x.line)
			default:
				require.Zero(s.t, n, "how often %s heard %v", m.label(), x.line)
			}
		}
		require.Empty(s.t, times, "%s heard what nobody said", m.label())
	}
}
