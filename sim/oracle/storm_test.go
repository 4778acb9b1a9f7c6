//go:build oracle && linux && amd64

package oracle

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/sim"
)

// twoFaced is a member that sends, once, two pings whose numbers are 2^31 apart.
type twoFaced struct {
	sim.Node
	armed *bool
}

// Poll adds the pings.
func (f twoFaced) Poll() conference.Output {
	out := f.Node.Poll()
	for _, v := range f.Views() {
		for _, nb := range v.Neighbours {
			if !*f.armed || !nb.Online {
				continue
			}
			*f.armed = false
			for _, number := range []uint32{v.Number + 1, v.Number + 1 + 1<<31} {
				m := packets.Message{Group: nb.Group, PeerNumber: v.PeerNumber, Number: number, Kind: packets.Ping}
				out.Sends = append(out.Sends, conference.Send{To: nb.Key, Data: m.Append(nil)})
			}
		}
	}
	return out
}

// TestTwoNumbersFarApart shows what two messages do whose numbers are 2^31 apart:
// each is newer than the other (SPEC C-66), so the window of eight takes both again
// and again, and a ring of peers relays them for ever. In product mode it does not
// (SPEC I-14).
func TestTwoNumbersFarApart(t *testing.T) {
	for _, c := range []struct {
		kind      Kind
		reference bool
	}{{Theirs, true}, {Ours, true}, {Ours, false}} {
		quiet, loud := storm(t, c.kind, c.reference)
		t.Logf("%c, reference %v: %d packets in a quiet minute, %d in the next", c.kind, c.reference, quiet, loud)
		if c.reference {
			require.Greater(t, loud, 20*quiet, "%c", c.kind)
		} else {
			require.Less(t, loud, 2*quiet)
		}
	}
}

// storm counts the packets of a minute before and of a minute after the two pings,
// the latter as long as they are few.
func storm(t *testing.T, kind Kind, reference bool) (quiet, loud uint64) {
	armed := false
	kinds := Kinds(slices.Repeat([]Kind{kind}, 4))
	made := 0
	w := sim.New(sim.Config{
		Seed: 1, Reference: reference,
		NewNode: func(cfg conference.Config, saved []packets.SavedConference, now packets.Time) (sim.Node, error) {
			n, err := kinds(cfg, saved, now)
			if made++; made == 4 {
				n = twoFaced{n, &armed}
			}
			return n, err
		},
	})
	require.NoError(t, w.Gather(4))
	before := w.Stats().Packets
	require.NoError(t, w.Run(w.Now()+60*packets.Second))
	quiet = w.Stats().Packets - before
	armed = true
	before = w.Stats().Packets
	require.NoError(t, w.RunUntil(w.Now()+60*packets.Second, func() bool { return w.Stats().Packets-before > 30*quiet }))
	require.False(t, armed)
	return quiet, w.Stats().Packets - before
}
