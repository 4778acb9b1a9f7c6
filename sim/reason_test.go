package sim

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
)

// faulty is an engine with bugs that begin when the group has formed.
type faulty struct {
	*conference.Engine
	on *bool
	defect
	drops uint64
}

// defect is what is wrong with a faulty engine.
type defect struct {
	drop   func(p []byte) bool // packets that it does not send
	twice  bool                // it shows texts twice
	deaf   bool                // it has no time
	slots  bool                // its table looks full
	losing bool                // it drops lists
}

func (f *faulty) Poll() conference.Output {
	out := f.Engine.Poll()
	if !*f.on {
		return out
	}
	if f.drop != nil {
		out.Sends = slices.DeleteFunc(slices.Clone(out.Sends), func(s conference.Send) bool { return f.drop(s.Data) })
	}
	if f.twice {
		out.Events = append(slices.Clone(out.Events), out.Events...)
	}
	if f.deaf {
		out.Wake = 0
	}
	return out
}

func (f *faulty) Views() []conference.View {
	views := f.Engine.Views()
	for i := range views {
		for *f.on && f.slots && len(views[i].Neighbours) < conference.MaxNeighbours {
			views[i].Neighbours = append(views[i].Neighbours, conference.Neighbour{})
		}
	}
	return views
}

func (f *faulty) Drops() conference.Drops {
	d := f.Engine.Drops()
	if *f.on && f.losing {
		f.drops++
		d[conference.DropEntry] += f.drops
	}
	return d
}

// Each failure has its reason. The auditors, who would find most of these bugs
// before, are not there.
func TestBlame(t *testing.T) {
	kind := func(b ...byte) func(p []byte) bool { return func(p []byte) bool { return slices.Contains(b, p[0]) } }
	texts := func(p []byte) bool {
		m, err := packets.ParseMessage(p)
		return err == nil && m.Kind == packets.NormalMessage
	}
	news := func(p []byte) bool {
		m, err := packets.ParseMessage(p)
		return p[0] == packets.PacketDirect || err == nil && m.Kind == packets.NewPeer
	}
	for want, b := range map[Reason]defect{
		Whole:            {},
		RejoinUnsent:     {drop: kind(packets.PacketRejoin, packets.PacketOnline)},
		RejoinUnanswered: {drop: kind(packets.PacketOnline)},
		NotTold:          {drop: news},
		SlotsFull:        {drop: news, slots: true},
		ListDropped:      {drop: news, losing: true},
		StillListed:      {deaf: true},
		TextLost:         {drop: texts},
		TextTwice:        {twice: true},
		NotConnected:     {},
	} {
		on := false
		w := New(Config{Seed: 2, Check: true, NewNode: func(c conference.Config, s []packets.SavedConference, now packets.Time) (Node, error) {
			e, err := conference.New(c, s, now)
			return &faulty{Engine: e, on: &on, defect: b}, err
		}})
		require.NoError(t, w.Gather(6))
		w.Start("newcomer")
		w.Befriend(0, 6)
		require.NoError(t, w.Run(w.Now()+11*packets.Second))
		w.Split([]int{0, 1, 2, 6}, []int{3, 4, 5})
		if want == StillListed {
			w.Heal()
			w.Crash(5)
		}
		on = b.deaf
		if !b.deaf {
			require.NoError(t, w.Invite(0, 6))
		}
		require.NoError(t, w.Run(w.Now()+110*packets.Second))
		on = true
		for i := range w.links {
			w.links[i].trying = want == NotConnected // that nobody tries
		}
		w.Heal()
		v, err := w.Settle(nil)
		require.NoError(t, err)
		assert.Equal(t, want.String(), v.Reason.String(), "%v", v.Why)
		assert.Equal(t, want == Whole, v.Converged)
		assert.Equal(t, want != Whole, v.Reason.Blamed())
	}
}
