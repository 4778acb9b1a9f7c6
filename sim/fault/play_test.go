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

// load reads a file of testdata.
func load(t *testing.T, name string) Scenario {
	t.Helper()
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	s, err := Read(bytes.NewReader(b))
	require.NoError(t, err)
	return s
}

// Every file of testdata ends as it says, and in no other way.
func TestScenarios(t *testing.T) {
	names, err := filepath.Glob("testdata/*.jsonl")
	require.NoError(t, err)
	require.NotEmpty(t, names)
	ends := map[sim.Reason]bool{}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".jsonl"), func(t *testing.T) {
			s := load(t, name)
			b, err := os.ReadFile(name)
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

// Scenarios that showed something about the simulator or an engine when they
// were new. They are kept as files: a seed draws another one when Swarm changes.
func TestKept(t *testing.T) {
	names, err := filepath.Glob("testdata/kept/*.jsonl")
	require.NoError(t, err)
	require.NotEmpty(t, names)
	for _, name := range names {
		s := load(t, name)
		r := Player{}.Play(&s)
		assert.False(t, r.Failed(), "%s: %s", name, r.Why())
		s.Reference = true
		r = Player{}.Play(&s)
		assert.False(t, r.Failed(), "%s as c-toxcore: %s", name, r.Why())
	}
}

func TestSwarm(t *testing.T) {
	whole := 0
	for _, seed := range firstSeeds(80) {
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

// liar is an engine with a planted bug: it does not send what drop picks.
type liar struct {
	*conference.Engine
	drop func(l *liar, p []byte) bool
}

func (l *liar) Poll() conference.Output {
	out := l.Engine.Poll()
	out.Sends = slices.DeleteFunc(slices.Clone(out.Sends), func(s conference.Send) bool { return l.drop(l, s.Data) })
	return out
}

// own tells whether a message is the node's own.
func (l *liar) own(m *packets.Message) bool {
	views := l.Views()
	return len(views) == 0 || views[0].PeerNumber == m.PeerNumber
}

// first makes a drop of packets that begin with a byte.
func first(b byte) func(*liar, []byte) bool {
	return func(_ *liar, p []byte) bool { return p[0] == b }
}

// message makes a drop of some messages of a kind.
func message(kind packets.MessageKind, some func(l *liar, m *packets.Message) bool) func(*liar, []byte) bool {
	return func(l *liar, p []byte) bool {
		m, err := packets.ParseMessage(p)
		return err == nil && m.Kind == kind && some(l, &m)
	}
}

// misreader is an engine with another planted bug: it gets the name wrong of the
// last in its list.
type misreader struct{ *conference.Engine }

func (m misreader) Views() []conference.View {
	views := m.Engine.Views()
	for i := range views {
		if n := len(views[i].Peers); n > 1 && len(views[i].Peers[n-1].Name) > 4 {
			views[i].Peers[n-1].Name = []byte("???")
		}
	}
	return views
}

// Planted bugs are found, and the reason names them.
func TestSwarmFindsBugs(t *testing.T) {
	all := func(*liar, *packets.Message) bool { return true }
	others := func(l *liar, m *packets.Message) bool { return !l.own(m) }
	third := func(_ *liar, m *packets.Message) bool { return m.Number%3 == 0 }
	lies := func(drop func(*liar, []byte) bool) func(e *conference.Engine) sim.Node {
		return func(e *conference.Engine) sim.Node { return &liar{e, drop} }
	}
	for _, bug := range []struct {
		name   string
		calm   bool // found in a group without faults
		node   func(e *conference.Engine) sim.Node
		reason sim.Reason
		what   string
	}{
		{"no Rejoin", false, lies(first(packets.PacketRejoin)), sim.WrongAct, "sends no Rejoin"},
		{"no Online", false, lies(first(packets.PacketOnline)), sim.WrongAct, "does not answer the Rejoin"},
		{"no peer lists", false, lies(first(packets.PacketDirect)), sim.WrongAct, "has not joined"},
		{"no Names", false, lies(message(packets.Name, all)), sim.WrongAct, "does not say its name"},
		{"Names are not passed on", true, lies(message(packets.Name, others)), sim.WrongAct, "as it has been called while all were connected"},
		{"no Titles", true, lies(message(packets.Title, all)), sim.WrongAct, "set while all were connected"},
		{"texts are lost", false, lies(message(packets.NormalMessage, third)), sim.TextLost, "was shown the text of"},
		{"texts are lost to a steady group", true, lies(message(packets.NormalMessage, all)), sim.WrongAct, "said while all were connected"},
		{"wrong names", false, func(e *conference.Engine) sim.Node { return misreader{e} }, sim.Differ, `"???"`},
	} {
		t.Run(bug.name, func(t *testing.T) {
			found := 0
			for seed := range uint64(40) {
				s := Swarm(seed, 10)
				if bug.calm {
					s = load(t, "testdata/calm.jsonl")
					s.Seed, s.Expect = seed, ""
				}
				r := Player{NewNode: func(c conference.Config, saved []packets.SavedConference, now packets.Time) (sim.Node, error) {
					e, err := conference.New(c, saved, now)
					if err != nil {
						return nil, err
					}
					return bug.node(e), nil
				}}.Play(&s)
				if r.Failed() && r.Reason == bug.reason && strings.Contains(r.Why(), bug.what) {
					found++
				}
				assert.NotContains(t, r.Why(), "panic")
			}
			assert.Greater(t, found, 1)
		})
	}
}

// broken is an engine whose invariants do not hold once it has been renamed.
type broken struct {
	*conference.Engine
	renamed bool
}

func (b *broken) SetName(now packets.Time, name []byte) error {
	b.renamed = true
	return b.Engine.SetName(now, name)
}

func (b *broken) Check() error {
	if b.renamed {
		return conference.ErrLength
	}
	return b.Engine.Check()
}

// Every engine is checked.
func TestCheck(t *testing.T) {
	s := load(t, "testdata/calm.jsonl")
	r := Player{NewNode: func(c conference.Config, saved []packets.SavedConference, now packets.Time) (sim.Node, error) {
		e, err := conference.New(c, saved, now)
		return &broken{Engine: e}, err
	}}.Play(&s)
	assert.True(t, r.Failed())
	assert.Contains(t, r.Why(), "peer 3 Check: ")
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
