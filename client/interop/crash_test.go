//go:build toxcore

package interop

import (
	"testing"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/toxcore/lab"
)

// We are killed as soon as our first guest is there, and find the guest again.
func TestKilledAtOnce(t *testing.T) {
	t.Parallel()
	daemon := lab.StartDaemon(t, lab.DaemonConfig{})
	guest, o := startStock(t, "guest", nil, daemon.Node), startOurs(t, "ours", nil, daemon.Node)
	befriend(t, pair{o, guest})
	s := newScene(t, packets.Text, "Lobby", o, guest)
	o.kill()
	o.restart()
	s.waitWhole(o, guest)
	s.talk("back", o, guest)
	s.checkOnce()
}
