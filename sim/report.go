package sim

import (
	"fmt"

	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
)

func (w *World) logEvent(i int, e *conference.Event) {
	who, _ := w.indexOf(&e.Peer)
	switch e.Kind {
	case conference.Connected:
		w.logf("peer %d is in the conference", i)
	case conference.PeerJoined:
		w.logf("peer %d meets peer %d, sees %d", i, who, e.Active)
	case conference.PeerLeft:
		w.logf("peer %d loses peer %d, sees %d", i, who, e.Active)
	case conference.PeerFrozen:
		w.logf("peer %d freezes peer %d, sees %d", i, who, e.Active)
	case conference.PeerThawed:
		w.logf("peer %d thaws peer %d, sees %d", i, who, e.Active)
	case conference.PeerRenamed:
		w.logf("peer %d knows peer %d as %q", i, who, e.Text)
	case conference.Titled:
		w.logf("peer %d sees the title %q", i, e.Text)
	}
}

func (w *World) logf(format string, args ...any) {
	if w.cfg.Log != nil {
		w.cfg.Log(w.now-Epoch, fmt.Sprintf(format, args...))
	}
}

// EngineError says what an engine did wrong, and when.
type EngineError struct {
	At   packets.Time // since the world began
	Node int          // who did it
	What string
}

func (f *EngineError) Error() string {
	return fmt.Sprintf("%d.%03d s: peer %d %s", f.At/packets.Second, f.At%packets.Second, f.Node, f.What)
}

// fail records the first failure; the world stops there.
func (w *World) fail(i int, format string, args ...any) {
	if w.err == nil {
		w.err = &EngineError{w.now - Epoch, i, fmt.Sprintf(format, args...)}
	}
}
