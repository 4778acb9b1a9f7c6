package sim

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
)

// count is how often node i noted something.
func (fs *fakes) count(i int, what string) int {
	n := 0
	for _, g := range fs.node[i].got {
		if g == what {
			n++
		}
	}
	return n
}

// In a cut of one direction only who hears nothing notices, and tells the other.
func TestOneWayCut(t *testing.T) {
	for seed := range uint64(20) {
		fs := friends(t, seed)
		fs.Cut(true, []int{0}, []int{1})
		cut := fs.Since()
		fs.write(0, 1, "held")
		fs.write(1, 0, "through")
		fs.seconds(20)
		assert.Equal(t, -1, int(fs.when(1, "packet 0 held", 1)))
		assert.Equal(t, cut+DefaultDelay, fs.when(0, "packet 1 through", 1))
		fs.seconds(20)
		down := fs.when(1, "offline 0", 1)
		require.GreaterOrEqual(t, down-cut, DefaultDeadMin)
		require.LessOrEqual(t, down-cut, DefaultDeadMax)
		assert.Equal(t, down+DefaultDelay, fs.when(0, "offline 1", 1))
		assert.EqualValues(t, 1, fs.Coverage().Probes[ProbeOneSided])
		fs.Mend(true, []int{0}, []int{1})
		fs.seconds(40)
		assert.Positive(t, fs.when(1, "online 0", 2))
	}
}

// Cuts add up, and each is taken back alone.
func TestCutsAddUp(t *testing.T) {
	fs := newFakes(4, Config{Seed: 1})
	fs.Cut(false, []int{0, 1}, []int{2}, []int{3})
	fs.Cut(false, []int{0}, []int{1})
	passes := func() (list []int) {
		for a := range 4 {
			for b := range 4 {
				if a < b && fs.Passes(a, b) && fs.Passes(b, a) {
					list = append(list, 10*a+b)
				}
			}
		}
		return list
	}
	assert.Empty(t, passes())
	fs.Mend(false, []int{0, 1}, []int{3})
	assert.Equal(t, []int{3, 13}, passes())
	fs.Mend(true, []int{0}, []int{2})
	assert.True(t, fs.Passes(0, 2))
	assert.False(t, fs.Passes(2, 0))
	fs.Mend(false)
	assert.Len(t, passes(), 6)
	assert.Zero(t, fs.walls.n)
}

// A jam delays lossy packets as well; then everything comes at once.
func TestJam(t *testing.T) {
	fs := friends(t, 3)
	fs.Jam(false, []int{0}, []int{1})
	for range 3 {
		fs.write(0, 1, "one")
		fs.do(0, conference.Output{Sends: []conference.Send{{To: fs.Key(1), Data: []byte("lossy"), Lossy: true}}})
		fs.seconds(5)
	}
	assert.Zero(t, fs.count(1, "packet 0 one"))
	fs.Unjam(false, []int{0}, []int{1})
	at := fs.Since() + DefaultDelay
	fs.seconds(1)
	for n := range 3 {
		assert.Equal(t, at, fs.when(1, "packet 0 one", n+1))
		assert.Equal(t, at, fs.when(1, "packet 0 lossy", n+1))
	}
	assert.Zero(t, fs.Stats().Lost)
	fs.Jam(false, []int{0}, []int{1})
	fs.seconds(40)
	assert.Positive(t, fs.when(0, "offline 1", 1), "nobody waits for ever")
}

// A paused node does nothing. If it slept for long, it finds its links closed.
func TestPause(t *testing.T) {
	for _, long := range []bool{false, true} {
		fs := newFakes(2, Config{Seed: 5})
		fs.Befriend(0, 1)
		fs.seconds(11)
		require.NoError(t, fs.Pause(1))
		assert.True(t, fs.Paused(1))
		paused := fs.Since()
		fs.write(0, 1, "hello")
		fs.seconds(20)
		if long {
			fs.seconds(30)
		}
		for _, at := range fs.node[1].at {
			assert.LessOrEqual(t, at, paused)
		}
		fs.Resume(1)
		resumed := fs.Since()
		if long {
			assert.Equal(t, resumed, fs.when(1, "offline 0", 1))
			assert.Positive(t, fs.when(0, "offline 1", 1))
			fs.seconds(40)
			assert.Positive(t, fs.when(1, "online 0", 2))
			continue
		}
		fs.seconds(1)
		assert.Equal(t, resumed+DefaultDelay, fs.when(1, "packet 0 hello", 1))
	}
}

// Who wakes in a cut notices that as well.
func TestPauseInCut(t *testing.T) {
	fs := friends(t, 6)
	require.NoError(t, fs.Pause(1))
	fs.seconds(20)
	fs.Cut(false, []int{0}, []int{1})
	fs.seconds(20)
	fs.Resume(1)
	fs.seconds(40)
	assert.Positive(t, fs.when(0, "offline 1", 1))
	assert.Positive(t, fs.when(1, "offline 0", 1))
	fs.Mend(false)
	fs.seconds(40)
	assert.Positive(t, fs.when(1, "online 0", 2))
}

// A slow node sees packets and its clock only so often.
func TestSlow(t *testing.T) {
	fs := newFakes(0, Config{Seed: 5})
	fs.tick = 50
	fs.Start("slow")
	fs.Start("quick")
	fs.Befriend(0, 1)
	fs.seconds(11)
	fs.Slow(0, 700)
	fs.seconds(2)
	from := len(fs.node[0].at)
	for range 40 {
		fs.write(1, 0, "hello")
		_ = fs.Run(fs.Now() + 130)
	}
	for _, at := range fs.node[0].at[from:] {
		assert.Zero(t, (at+Epoch)%700)
	}
	assert.Greater(t, fs.count(0, "packet 1 hello"), 30)
}

// Lossy packets are lost, doubled and overtaken as often as the network says.
func TestNetwork(t *testing.T) {
	fs := friends(t, 2)
	fs.SetNetwork(Network{Loss: 0.2, Duplicate: 0.3, Reorder: 0.4})
	const n = 2000
	for range n {
		fs.do(0, conference.Output{Sends: []conference.Send{{To: fs.Key(1), Data: []byte("lossy"), Lossy: true}}})
		_ = fs.Run(fs.Now() + 5)
	}
	fs.seconds(2)
	assert.InDelta(t, 0.2*n, float64(fs.Stats().Lost), 80)
	assert.InDelta(t, 0.8*0.3*n, float64(fs.Coverage().Probes[ProbeDuplicated]), 80)
	assert.InDelta(t, 0.8*0.4*n, float64(fs.Coverage().Probes[ProbeReordered]), 80)
	assert.InDelta(t, 0.8*1.3*n, float64(fs.count(1, "packet 0 lossy")), 120)
}

// A clock that jumps is seen at the next start, and not before.
func TestClock(t *testing.T) {
	fs := newFakes(1, Config{Seed: 2})
	fs.Clock(0, -1000*packets.Second)
	start := fs.node[0].start
	fs.seconds(5)
	assert.Equal(t, Epoch, start)
	fs.Crash(0)
	require.NoError(t, fs.Restart(0))
	assert.Equal(t, Epoch+5*packets.Second-1000*packets.Second, fs.node[0].start)
}

// Each law has the mean, or the quantiles, that it should have.
func TestDelayLaws(t *testing.T) {
	recorded := []packets.Time{30, 10, 20}
	for _, c := range []struct {
		d              Delay
		p10, p50, p99  packets.Time
		least, longest packets.Time
	}{
		{Delay{Law: ConstantDelay, Least: 70}, 70, 70, 70, 70, 70},
		{Delay{Law: UniformDelay, Least: 100, Scale: 1100}, 200, 600, 1090, 100, 1100},
		{Delay{Law: ExponentialDelay, Least: 50, Scale: 1000}, 155, 743, 4655, 50, MostDelay},
		{Delay{Law: LognormalDelay, Scale: 500, Shape: 0.8}, 179, 500, 3215, 1, MostDelay},
		{Delay{Law: ParetoDelay, Least: 100, Shape: 1.5}, 107, 159, 2154, 99, MostDelay},
		{Delay{Law: RecordedDelay, Recorded: recorded}, 10, 20, 30, 10, 30},
	} {
		s := newStream(1, streamPlan, 77)
		var n uint32
		const draws = 20_000
		got := make([]packets.Time, draws)
		for i := range got {
			got[i] = c.d.draw(&s, &n)
		}
		slices.Sort(got)
		assert.GreaterOrEqual(t, got[0], c.least)
		assert.LessOrEqual(t, got[draws-1], c.longest)
		for q, want := range map[int]packets.Time{10: c.p10, 50: c.p50, 99: c.p99} {
			assert.InEpsilon(t, int64(want), int64(got[draws*q/100]), 0.08, "law %d, quantile %d", c.d.Law, q)
		}
	}
}

// A recording is played in its order, from a place of each link's own.
func TestRecordedDelay(t *testing.T) {
	d := Delay{Law: RecordedDelay, Recorded: []packets.Time{1, 2, 3, 4, 5}}
	s := newStream(9, streamLink, 1)
	var n uint32
	last := d.draw(&s, &n)
	for range 20 {
		next := d.draw(&s, &n)
		assert.Equal(t, last%5+1, next)
		last = next
	}
}

// Who starts from an older save goes by that one; a torn file is refused.
func TestOldSaves(t *testing.T) {
	w := New(Config{Seed: 3, Check: true, Audit: true, KeepSaves: true})
	require.NoError(t, w.Gather(4))
	newest, before := w.Saved(2, 0), w.Saved(2, 1)
	require.NotEqual(t, newest, before)
	for left := range 64 {
		w.Crash(2)
		require.NoError(t, w.RestartTorn(2, uint16(left<<10)))
	}
	w.Crash(2)
	require.NoError(t, w.RestartCopy(2, 3))
	assert.Equal(t, w.Saved(3, 0)[0].PeerNumber, w.view(2).PeerNumber)
	assert.True(t, w.numberTaken())
	w.Delete(2)
	assert.Empty(t, w.Saved(2, 0))
	require.NoError(t, w.Restart(2))
	assert.Equal(t, 3, w.Live())
	probes := w.Coverage().Probes
	assert.EqualValues(t, 64, probes[ProbeTorn])
	assert.EqualValues(t, 1, probes[ProbeCopiedSave])
}

// Every cell and probe has a name of its own.
func TestCoverageNames(t *testing.T) {
	names := map[string]bool{}
	for i := range numCells {
		names[cellName(i)] = true
	}
	for p := range NumProbes {
		names[p.String()] = true
	}
	assert.Len(t, names, numCells+int(NumProbes))
	var c Coverage
	cells, probes := c.Missed()
	hit, all := c.Hit()
	assert.Zero(t, hit)
	assert.Len(t, cells, all)
	assert.Len(t, probes, int(NumProbes))
}

// Every reason has a name, and the name leads to it.
func TestReasonNames(t *testing.T) {
	for r := range NumReasons {
		assert.NotEmpty(t, r.String())
		got, ok := ParseReason(r.String())
		assert.True(t, ok)
		assert.Equal(t, r, got)
	}
	_, ok := ParseReason("because")
	assert.False(t, ok)
	assert.False(t, NumbersUsed.Blamed())
	assert.True(t, Unexplained.Blamed())
}
