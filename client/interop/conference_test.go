//go:build toxcore

package interop

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/toxcore/lab"
)

// A stock peer and one of ours, whoever invites, have all that a conference has.
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
			both := []member{host, guest}
			s := newScene(t, packets.Text, "Lobby", both...)
			for i, m := range both {
				s.talk("hello", both...)
				s.say(m, packets.Action, fmt.Sprint("waves ", i), both...)
				s.say(m, packets.NormalMessage, strings.Repeat(string(rune('a'+i)), packets.MaxText), both...)
				m.rename(strings.Repeat(m.label(), 10))
				s.waitWhole(both...)
				title := fmt.Sprint("title ", i)
				m.retitle(title)
				s.waitTitle(title, both...)
			}
			s.checkOnce()
		})
	}
}
