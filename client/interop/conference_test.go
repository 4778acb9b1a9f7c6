//go:build toxcore

package interop

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/client"
	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/toxcore"
	"github.com/tox-rejoin/rejoin/tox/toxcore/lab"
)

// A stock peer and one of ours, whoever invites, have all that a conference has.
// The guest leaves, comes back by another invitation, and then the host leaves.
func TestStockAndUs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		order func(s *stock, o *ours) (host, guest member)
	}{
		{"stock invites us", func(s *stock, o *ours) (host, guest member) { return s, o }},
		{"we invite stock", func(s *stock, o *ours) (host, guest member) { return o, s }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			daemon := lab.StartDaemon(t, lab.DaemonConfig{})
			host, guest := c.order(startStock(t, "stock", nil, daemon.Node), startOurs(t, "ours", nil, daemon.Node))
			befriend(t, pair{host, guest})
			s := newScene(t, packets.Text, "Lobby", host, guest)
			s.everything(host, guest)
			s.leave(guest, host)
			s.bring(host, guest)
			s.waitWhole(host, guest)
			s.talk("hello again", host, guest)
			s.leave(host, guest)
			s.checkOnce()
		})
	}
}

// everything has all of the members do all that one can do in a conference.
func (s *scene) everything(members ...member) {
	s.t.Helper()
	for i, m := range members {
		s.say(m, packets.NormalMessage, "hello, "+m.label()+" here", members...)
		s.say(m, packets.Action, m.label()+" waves", members...)
		s.say(m, packets.NormalMessage, strings.Repeat(string(rune('a'+i)), packets.MaxText), members...)
		s.hear()
		name := strings.Repeat("new name of "+m.label()+" ", packets.MaxName)[:packets.MaxName]
		m.rename(name)
		s.waitWhole(members...)
		title := strings.Repeat("title of "+name, 2)[:packets.MaxName]
		m.retitle(title)
		s.waitTitle(title, members...)
	}
}

// leave has one leave for good. The others, not frozen but gone, forget it.
func (s *scene) leave(leaver member, others ...member) {
	s.t.Helper()
	leaver.leave()
	require.Equal(s.t, look{}, leaver.look())
	s.waitWhole(others...)
	for _, m := range others {
		require.NotContains(s.t, m.look().frozen, leaver.key())
		if o, ok := m.(*ours); ok {
			waitFor(o, "peer left", func(e client.PeerLeft) bool { return e.Key == leaver.key() })
		}
	}
}

// Two stock peers who are no friends are in a conference by us.
func TestChain(t *testing.T) {
	t.Parallel()
	daemon := lab.StartDaemon(t, lab.DaemonConfig{})
	alice, bob := startStock(t, "alice", nil, daemon.Node), startStock(t, "bob", nil, daemon.Node)
	o := startOurs(t, "ours", nil, daemon.Node)
	befriend(t, pair{alice, o}, pair{o, bob})
	s := newScene(t, packets.Text, "Lobby", alice, o, bob)
	s.everything(alice, o, bob)
	s.leave(o, alice, bob)
	s.talk("without us", alice, bob)
	s.checkOnce()
}

// Four stock peers and four of ours, each a friend of the next only, all hear all.
func TestEight(t *testing.T) {
	t.Parallel()
	daemon := lab.StartDaemon(t, lab.DaemonConfig{})
	var members []member
	var friends []pair
	for i, name := range []string{"1", "2", "3", "4"} {
		members = append(members, startStock(t, "stock "+name, nil, daemon.Node), startOurs(t, "ours "+name, nil, daemon.Node))
		if i > 0 {
			friends = append(friends, pair{members[2*i-1], members[2*i]})
		}
		friends = append(friends, pair{members[2*i], members[2*i+1]})
	}
	befriend(t, friends...)
	s := newScene(t, packets.Text, "Lobby", members...)
	s.talk("hello", members...)
	members[2].retitle("by stock")
	s.waitTitle("by stock", members...)
	members[5].retitle("by ours")
	s.waitTitle("by ours", members...)
	s.talk("hello again", members...)
	s.checkOnce()
}

// Two stock peers who cannot reach each other hear each other's sound, since we
// pass it on; and each hears what we send. We code no sound ourselves: what we
// send is what we heard.
func TestAudio(t *testing.T) {
	t.Parallel()
	network := lab.NewNetwork(t)
	west, middle, east := network.Host("west"), network.Host("middle"), network.Host("east")
	network.Cut([]*lab.Host{west}, []*lab.Host{east})
	daemon := lab.StartDaemon(t, lab.DaemonConfig{Host: middle})
	alice, bob := startStock(t, "alice", west, daemon.Node), startStock(t, "bob", east, daemon.Node)
	o := startOurs(t, "ours", middle, daemon.Node)
	befriend(t, pair{alice, o}, pair{o, bob})
	s := newScene(t, packets.AV, "Concert", alice, o, bob)
	s.talk("hello", alice, o, bob)

	const frames = 10
	hears := func(s *stock, from member) bool {
		return len(s.Events(lab.Of(toxcore.KindConferenceAudio, lab.From(toxcore.Key(from.key()))))) >= frames
	}
	sound := make([]int16, 960) // 20 ms of silence
	for _, c := range []struct{ from, to *stock }{{alice, bob}, {bob, alice}} {
		lab.Eventually(t, patience, c.to.label()+" hears "+c.from.label(), func() bool {
			c.from.SendAudio(c.from.number, sound)
			return hears(c.to, c.from)
		})
	}
	lab.Eventually(t, patience, "both hear us", func() bool {
		alice.SendAudio(alice.number, sound)
		heard := waitFor(o, "sound", func(e client.Audio) bool { return e.Key == alice.key() })
		ask[int](o, "SendAudio", ConferenceArgs{ID: o.id, Frame: heard.Data})
		return hears(alice, o) && hears(bob, o)
	})
	s.talk("bye", alice, o, bob)
	s.checkOnce()
}

// One packet in five gets lost between a stock peer and us, each way. All that
// happens in the conference happens all the same.
func TestLoss(t *testing.T) {
	t.Parallel()
	network := lab.NewNetwork(t)
	west, east := network.Host("west"), network.Host("east")
	daemon := lab.StartDaemon(t, lab.DaemonConfig{Host: east})
	host, guest := startStock(t, "stock", east, daemon.Node), startOurs(t, "ours", west, daemon.Node)
	befriend(t, pair{host, guest})
	network.Loss(200)
	s := newScene(t, packets.Text, "Lobby", host, guest)
	s.everything(host, guest)
	for range 10 {
		s.talk(fmt.Sprint("line ", len(s.said)), host, guest)
	}
	s.checkOnce()
}
