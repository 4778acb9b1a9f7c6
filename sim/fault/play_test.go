package fault

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/sim"
)

// Every file of testdata ends as it says, and in no other way.
func TestScenarios(t *testing.T) {
	names, err := filepath.Glob("testdata/*.jsonl")
	require.NoError(t, err)
	require.NotEmpty(t, names)
	ends := map[sim.Reason]bool{}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".jsonl"), func(t *testing.T) {
			b, err := os.ReadFile(name)
			require.NoError(t, err)
			s, err := Read(bytes.NewReader(b))
			require.NoError(t, err)
			assert.Equal(t, string(b), string(s.Append(nil)), "it is in the one form")
			require.NotEmpty(t, s.Expect)
			require.NotEmpty(t, s.Note)
			told := 0
			r := Player{Tell: func(packets.Time, string) { told++ }}.Play(&s)
			assert.False(t, r.Failed(), "%s, %v", r.Why(), r.Verdict.Why)
			assert.Zero(t, r.Idle)
			assert.Len(t, s.Ops, told)
			ends[r.Reason] = true
			for other := range sim.NumReasons {
				if s.Expect = other.String(); other != r.Reason {
					r.Expect = s.Expect
					assert.True(t, r.Failed())
				}
			}
		})
	}
	for r := range sim.NumReasons {
		if !r.Blamed() && r != sim.OwnRemoved { // which is c-toxcore's alone
			assert.True(t, ends[r], "no file ends with %v", r)
		}
	}
}

// The first seeds, and those that showed something when they were new.
func TestSwarm(t *testing.T) {
	whole := 0
	for _, seed := range append(onceFailed(), firstSeeds(80)...) {
		s := Swarm(seed, 0)
		r := Player{}.Play(&s)
		require.False(t, r.Failed(), "seed %d: %s", seed, r.Why())
		if r.Reason == sim.Whole {
			whole++
			assert.Empty(t, r.Why())
		}
	}
	assert.Greater(t, whole, 60, "most seeds end whole")
}

// onceFailed are seeds that showed something about the simulator or an engine
// when they were new.
func onceFailed() []uint64 { return []uint64{189, 357, 2820} }

func firstSeeds(n int) []uint64 {
	list := make([]uint64, n)
	for i := range list {
		list[i] = uint64(i)
	}
	return list
}

// The same seed gives the same scenario and the same result, alone and beside
// others, read from a file or not; another seed gives another.
func TestSwarmIsDeterministic(t *testing.T) {
	const n = 24
	var alone, beside [n]Result
	for i := range alone {
		s := Swarm(uint64(i), 0)
		alone[i] = Player{}.Play(&s)
	}
	var all sync.WaitGroup
	for i := range beside {
		all.Go(func() {
			s := Swarm(uint64(i), 0)
			s, err := Read(bytes.NewReader(s.Append(nil)))
			if err == nil {
				beside[i] = Player{}.Play(&s)
			}
		})
	}
	all.Wait()
	hashes := map[uint64]bool{}
	for i := range alone {
		assert.Equal(t, alone[i], beside[i])
		hashes[alone[i].Hash] = true
	}
	assert.Len(t, hashes, n)
}

// Swarm draws all operations, all laws, and sizes about the protocol's numbers.
func TestSwarmDrawsEverything(t *testing.T) {
	kinds, laws, saves, sizes := map[Kind]int{}, map[sim.DelayLaw]int{}, map[Save]int{}, map[int]int{}
	cores := 0
	for seed := range uint64(2000) {
		s := Swarm(seed, 140)
		laws[s.Network.Delay.Law]++
		sizes[s.Peers]++
		for i := range s.Ops {
			o := &s.Ops[i]
			kinds[o.Kind]++
			if o.Kind == Restart {
				saves[o.Save]++
			}
			if o.Kind == Settle && len(o.Core) > 0 {
				cores++
			}
		}
	}
	assert.Len(t, kinds, 25)
	assert.Len(t, laws, 7)
	assert.Len(t, saves, 4)
	assert.Greater(t, cores, 300)
	assert.Equal(t, 2000, kinds[Settle])
	for _, n := range []int{3, 4, 5, 8, 15, 16, 17, 127, 128, 129} {
		assert.Greater(t, sizes[n], 10, "%d peers", n)
	}
	assert.Zero(t, sizes[60])
}

// liar is an engine with a planted bug.
type liar struct {
	*conference.Engine
	sends func(list []conference.Send) []conference.Send
}

func (l *liar) Poll() conference.Output {
	out := l.Engine.Poll()
	out.Sends = l.sends(slices.Clone(out.Sends))
	return out
}

// without drops packets from what an engine sends.
func without(drop func(p []byte) bool) func(list []conference.Send) []conference.Send {
	return func(list []conference.Send) []conference.Send {
		return slices.DeleteFunc(list, func(s conference.Send) bool { return drop(s.Data) })
	}
}

func direct(kind packets.DirectKind) func(p []byte) bool {
	return func(p []byte) bool { return len(p) > 3 && p[0] == packets.PacketDirect && p[3] == byte(kind) }
}

// Planted bugs are found, and the reason names them.
func TestSwarmFindsBugs(t *testing.T) {
	text := func(p []byte) bool {
		m, err := packets.ParseMessage(p)
		return err == nil && m.Kind == packets.NormalMessage && m.Number%3 == 0
	}
	for _, bug := range []struct {
		name   string
		sends  func(list []conference.Send) []conference.Send
		reason sim.Reason
		what   string
	}{
		{"no Rejoin", without(func(p []byte) bool { return p[0] == packets.PacketRejoin }), sim.WrongAct, "sends no Rejoin"},
		{"Rejoin not answered", without(func(p []byte) bool { return p[0] == packets.PacketOnline }), sim.WrongAct, ""},
		{"no peer lists", without(direct(packets.PeerResponse)), sim.WrongAct, "form"},
		{"texts get lost", without(text), sim.TextLost, "was shown the text of"},
	} {
		t.Run(bug.name, func(t *testing.T) {
			found := 0
			for seed := range uint64(40) {
				s := Swarm(seed, 8)
				r := Player{NewNode: func(c conference.Config, saved []packets.SavedConference, now packets.Time) (sim.Node, error) {
					e, err := conference.New(c, saved, now)
					return &liar{Engine: e, sends: bug.sends}, err
				}}.Play(&s)
				if r.Failed() && r.Reason == bug.reason && strings.Contains(r.Why(), bug.what) {
					found++
				}
				assert.NotContains(t, r.Why(), "panic")
			}
			assert.Greater(t, found, 5)
		})
	}
}

// A node that panics is a failure like any other.
func TestPanic(t *testing.T) {
	s := Swarm(1, 4)
	r := Player{NewNode: func(conference.Config, []packets.SavedConference, packets.Time) (sim.Node, error) {
		panic("engine on fire")
	}}.Play(&s)
	assert.True(t, r.Failed())
	assert.Contains(t, r.Why(), "wrong-act: panic: engine on fire")
}
