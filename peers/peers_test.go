package peers

import (
	"cmp"
	"fmt"
	"math/rand"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
)

// model is the plain form of a Set: two slices searched from the front.
type model struct{ active, frozen []*Peer }

func (m *model) list(frozen bool) *[]*Peer {
	if frozen {
		return &m.frozen
	}
	return &m.active
}

func (m *model) remove(p *Peer, frozen bool) {
	list := m.list(frozen)
	i := slices.Index(*list, p)
	last := len(*list) - 1
	(*list)[i] = (*list)[last]
	*list = (*list)[:last]
}

func (m *model) find(is func(*Peer) bool) *Peer {
	for _, list := range [][]*Peer{m.active, m.frozen} {
		if i := slices.IndexFunc(list, is); i >= 0 {
			return list[i]
		}
	}
	return nil
}

func (m *model) trim(limit int) {
	if len(m.frozen) <= limit {
		return
	}
	slices.SortStableFunc(m.frozen, func(a, b *Peer) int {
		if a.Friend != b.Friend {
			if a.Friend {
				return -1
			}
			return 1
		}
		return cmp.Compare(b.LastActive, a.LastActive)
	})
	m.frozen = m.frozen[:limit]
}

func TestSetAgainstModel(t *testing.T) {
	for seed := range int64(40) {
		r := rand.New(rand.NewSource(seed))
		var set Set
		var m model
		doubles := seed%4 == 3
		for range 600 {
			key, number := packets.PublicKey{byte(r.Intn(60)), 1}, uint16(r.Intn(60))
			var p *Peer
			if n := set.Active() + set.Frozen(); n > 0 {
				if i := r.Intn(n); i < set.Active() {
					p = set.At(i)
				} else {
					p = set.FrozenAt(i - set.Active())
				}
			}
			switch op := r.Intn(10); {
			case op < 4 && set.ByKey(&key) == nil && set.ByNumber(number) == nil:
				p, err := set.Add(&key, &key, number)
				require.NoError(t, err)
				m.active = append(m.active, p)
			case op < 5 && (doubles || set.ByKey(&key) == nil && set.ByNumber(number) == nil):
				p, err := set.Load(&key, &key, number)
				require.NoError(t, err)
				p.LastActive, p.Friend = uint64(r.Intn(5)), r.Intn(3) == 0
				m.frozen = append(m.frozen, p)
			case p == nil:
			case op < 6:
				m.remove(p, p.Frozen())
				set.Remove(p)
			case op < 8 && !p.Frozen():
				m.remove(p, false)
				set.Freeze(p)
				m.frozen = append(m.frozen, p)
			case op < 9 && p.Frozen():
				m.remove(p, true)
				set.Thaw(p)
				m.active = append(m.active, p)
			case op == 9 && r.Intn(4) == 0:
				limit := r.Intn(20)
				m.trim(limit)
				set.Trim(limit)
			}
			requireSame(t, &set, &m)
		}
	}
}

func requireSame(t *testing.T, set *Set, m *model) {
	t.Helper()
	require.NoError(t, set.Check())
	require.Equal(t, len(m.active), set.Active())
	require.Equal(t, len(m.frozen), set.Frozen())
	for i, p := range m.active {
		if set.At(i) != p || p.Index() != i || p.Frozen() {
			t.Fatalf("active peer %d is misplaced", i)
		}
	}
	for i, p := range m.frozen {
		if set.FrozenAt(i) != p || !p.Frozen() {
			t.Fatalf("frozen peer %d is misplaced", i)
		}
	}
	for n := range uint16(60) {
		key := packets.PublicKey{byte(n), 1}
		if m.find(func(p *Peer) bool { return p.Number == n }) != set.ByNumber(n) ||
			m.find(func(p *Peer) bool { return p.Key == key }) != set.ByKey(&key) {
			t.Fatalf("number or key %d is found elsewhere", n)
		}
	}
}

func TestTrimPrefersFriendsThenTheMostRecent(t *testing.T) { // SPEC C-97
	var set Set
	for i := range byte(6) {
		key := packets.PublicKey{i}
		p, err := set.Add(&key, &key, uint16(i))
		require.NoError(t, err)
		p.LastActive, p.Friend = uint64(i), i == 0
		set.Freeze(p)
	}
	set.Trim(6)
	require.Equal(t, uint16(0), set.FrozenAt(0).Number, "below the limit the order stays")
	require.Equal(t, uint16(1), set.FrozenAt(1).Number)
	set.Trim(3)
	var kept []uint16
	for i := range set.Frozen() {
		kept = append(kept, set.FrozenAt(i).Number)
	}
	require.Equal(t, []uint16{0, 5, 4}, kept)
	set.Trim(0)
	require.Zero(t, set.Frozen())
}

func TestWhatSurvivesFreezeAndThaw(t *testing.T) { // SPEC C-94
	var set Set
	key := packets.PublicKey{1}
	p, err := set.Add(&key, &key, 1)
	require.NoError(t, err)
	p.SetName([]byte("name"))
	p.Window.Accept(5, packets.Ping)
	set.Lossy(p).Accept(9)
	p.DHTFresh = true
	set.Freeze(p)
	set.Thaw(p)
	require.Equal(t, "name", p.Name())
	require.True(t, p.Named)
	require.False(t, p.Window.Accept(5, packets.Ping))
	require.False(t, set.Lossy(p).Accept(9))
	require.False(t, p.DHTFresh)
	set.Remove(p)
	p, err = set.Add(&key, &key, 1)
	require.NoError(t, err)
	require.True(t, set.Lossy(p).Accept(9), "a new entry has empty windows")
}

func TestSetIsFullAtItsLimit(t *testing.T) {
	var set Set
	for i := range MaxKnown {
		key := packets.PublicKey{byte(i), byte(i >> 8)}
		_, err := set.Add(&key, &key, uint16(i))
		require.NoError(t, err)
	}
	key := packets.PublicKey{2: 1}
	_, err := set.Add(&key, &key, MaxKnown)
	require.ErrorIs(t, err, ErrFull)
	require.NoError(t, set.Check())
}

// BenchmarkMemory prints what one known peer of a text conference costs, its
// name not counted. c-toxcore: 552 bytes.
func BenchmarkMemory(b *testing.B) {
	for _, n := range []int{100, 1000, 1537, 4096} { // 1537: tables have just doubled
		b.Run(fmt.Sprintf("peers=%d", n), func(b *testing.B) {
			var used uint64
			for b.Loop() {
				used = memoryOf(n)
			}
			b.ReportMetric(float64(used)/float64(n), "B/peer")
		})
	}
}

func TestMemoryPerPeer(t *testing.T) {
	for _, n := range []int{1000, 1537, 4096} {
		require.LessOrEqual(t, memoryOf(n), uint64(200*n), "%d peers", n)
	}
}

// memoryOf is the heap that a Set of n peers holds.
func memoryOf(n int) uint64 {
	r := rand.New(rand.NewSource(int64(n)))
	sets := make([]*Set, 16) // several, so that other allocations do not count
	before := heap()
	for i := range sets {
		sets[i] = new(Set)
		for number := range n {
			key, dht := randomKey(r), randomKey(r)
			_, _ = sets[i].Add(&key, &dht, uint16(number))
		}
	}
	used := heap() - before
	runtime.KeepAlive(sets)
	return used / uint64(len(sets))
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func BenchmarkByNumber(b *testing.B) {
	set, _ := filled(1000)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if set.ByNumber(uint16(i%1000)*61) == nil {
			b.Fatal("not found")
		}
	}
}

func BenchmarkByKey(b *testing.B) {
	set, keys := filled(1000)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if set.ByKey(&keys[i%1000]) == nil {
			b.Fatal("not found")
		}
	}
}

func filled(n int) (*Set, []packets.PublicKey) {
	r := rand.New(rand.NewSource(1))
	set := new(Set)
	keys := make([]packets.PublicKey, n)
	for i := range keys {
		keys[i] = randomKey(r)
		_, _ = set.Add(&keys[i], &keys[i], uint16(i*61))
	}
	return set, keys
}
