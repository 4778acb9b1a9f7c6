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
// and again, and a ring of peers relays them for ever, more and more often.
func TestTwoNumbersFarApart(t *testing.T) {
	for _, kind := range []Kind{Theirs, Ours} {
		armed := false
		kinds := Kinds(slices.Repeat([]Kind{kind}, 4))
		made := 0
		w := sim.New(sim.Config{Seed: 1, Reference: true, NewNode: func(cfg conference.Config, saved []packets.SavedConference, now packets.Time) (sim.Node, error) {
			n, err := kinds(cfg, saved, now)
			if made++; made == 4 {
				n = twoFaced{n, &armed}
			}
			return n, err
		}})
		require.NoError(t, w.Gather(4))
		before := w.Stats().Packets
		require.NoError(t, w.Run(w.Now()+60*packets.Second))
		quiet := w.Stats().Packets - before
		armed = true
		before = w.Stats().Packets
		until := w.Now() + 60*packets.Second
		require.NoError(t, w.RunUntil(until, func() bool { return w.Stats().Packets-before > 20*quiet }))
		require.False(t, armed)
		t.Logf("%c: %d packets in a quiet minute, %d in %d ms", kind, quiet, w.Stats().Packets-before, 60_000-int(until-w.Now()))
		require.Less(t, w.Now(), until, "%c: no storm", kind)
	}
}
