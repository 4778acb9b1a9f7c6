package hostile

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/sim"
)

// each plays an attack with a few seeds.
func each(t *testing.T, base Trial, seeds uint64, attacks []Attack, judge func(t *testing.T, r Result)) {
	for _, a := range attacks {
		t.Run(a.String(), func(t *testing.T) {
			t.Parallel()
			for seed := uint64(1); seed <= seeds; seed++ {
				trial := base
				trial.Attack, trial.Seed = a, seed
				r := trial.Run()
				require.NoError(t, r.Err, "%+v", trial)
				judge(t, r)
			}
		})
	}
}

// bounded holds whatever an attacker does. What Trial asserts after every input
// (Check, the named limits, the answers to queries) comes as Result.Err.
func bounded(t *testing.T, r Result) {
	h := &r.Harm
	assert.False(t, h.Storm, "seed %d: packets go round for ever", r.Seed)
	assert.Zero(t, h.Own, "seed %d: an own entry was removed or frozen", r.Seed)
	assert.Zero(t, h.Hurried, "seed %d: lists too often", r.Seed)
	assert.LessOrEqual(t, h.Burst, mostSends, "seed %d: packets sent for one", r.Seed)
}

func TestBounds(t *testing.T) {
	each(t, Trial{Honest: 6}, 1, Attacks(), bounded)
}

func TestBoundsOfMixtures(t *testing.T) {
	each(t, Trial{Honest: 5, Rate: 2}, 12, []Attack{Mixture}, bounded)
}

// An attack is counted, and does something.
func TestAttacksAreSent(t *testing.T) {
	each(t, Trial{Honest: 3}, 1, Attacks(), func(t *testing.T, r Result) {
		attack, err := ParseAttack(t.Name()[strings.LastIndexByte(t.Name(), '/')+1:])
		require.NoError(t, err)
		for a, n := range r.Sent {
			assert.Equal(t, Attack(a) == attack, n > 0, "%v: %d packets", Attack(a), n)
		}
	})
}

// healing is the attacks that leave nothing behind.
func healing() []Attack { return without(Attacks(), Steal, Garbage) }

// speaking is the attacks in others' names, and with others' numbers.
func speaking() []Attack { return []Attack{Texts, Mute, Kill, Freeze, Names, Titles, Respond} }

func without[T comparable](list []T, those ...T) []T {
	return slices.DeleteFunc(list, func(v T) bool { return slices.Contains(those, v) })
}

// When the attacker has gone, everybody lists exactly those who are there, and
// is shown what everybody says, once.
func TestWholeAfterwards(t *testing.T) {
	each(t, Trial{}, 2, healing(), func(t *testing.T, r Result) {
		assert.GreaterOrEqual(t, r.Harm.Whole, packets.Time(0), "seed %d: %+v", r.Seed, r.Harm)
		assert.Zero(t, r.Harm.Lost+r.Harm.Ghost+r.Harm.Deaf, "seed %d: %+v", r.Seed, r.Harm)
	})
}

// Two halves that were apart during the attack merge, unless the attacker spoke
// for those who could not hear it.
func TestHalvesMergeAfterwards(t *testing.T) {
	each(t, Trial{Split: true}, 2, without(healing(), speaking()...), func(t *testing.T, r Result) {
		assert.GreaterOrEqual(t, r.Harm.Whole, packets.Time(0), "seed %d: %+v", r.Seed, r.Harm)
		assert.Zero(t, r.Harm.Lost+r.Harm.Ghost+r.Harm.Deaf, "seed %d: %+v", r.Seed, r.Harm)
	})
}

// They merge while the attack goes on as well, unless it is about who is who.
func TestHalvesMergeUnderAttack(t *testing.T) {
	attacks := []Attack{Queries, Unknown, Replay, Rejoins, Invites, Lossy}
	each(t, Trial{Split: true, Stay: true, Honest: 6}, 2, attacks, func(t *testing.T, r Result) {
		assert.GreaterOrEqual(t, r.Harm.Whole, packets.Time(0), "seed %d: %+v", r.Seed, r.Harm)
		assert.Zero(t, r.Harm.Lost+r.Harm.Deaf, "seed %d: %+v", r.Seed, r.Harm)
	})
}

// Where everybody is everybody's neighbour nobody can be put out.
func TestNeighboursStay(t *testing.T) {
	each(t, Trial{Honest: 4}, 3, []Attack{Kill, Freeze, Renumber, Steal}, func(t *testing.T, r Result) {
		assert.Less(t, r.Harm.Apart, 0.01, "seed %d", r.Seed)
		assert.Less(t, r.Harm.Wrong, 0.01, "seed %d", r.Seed)
		assert.Zero(t, r.Harm.Lost+r.Harm.Deaf, "seed %d: %+v", r.Seed, r.Harm)
	})
}

func TestSameSeedSameResult(t *testing.T) {
	trial := Trial{Seed: 5, Attack: Mixture, Honest: 4}
	first := trial.Run()
	require.Equal(t, first, trial.Run())
}

func TestParseAttack(t *testing.T) {
	for a := range Mixture + 1 {
		got, err := ParseAttack(a.String())
		require.NoError(t, err)
		require.Equal(t, a, got)
	}
	_, err := ParseAttack("hugs")
	require.ErrorIs(t, err, ErrAttack)
}

// A conference takes a bounded amount of memory, however many peers with the
// longest names are announced.
func TestMemory(t *testing.T) {
	const announced, most = 60_000, 5 << 20
	e, now, id, friend := member(t)
	before := heap()
	for i := range uint32(announced) {
		key := packets.PublicKey(sha256.Sum256(binary.BigEndian.AppendUint32(nil, i)))
		number := uint16(i)
		data := packets.AppendNewPeer(nil, number, &key, &key)
		m := packets.Message{Number: i + 1, Kind: packets.NewPeer, PeerNumber: 65535, Data: data}
		require.NoError(t, e.Receive(now, friend, m.Append(nil)))
		name := []byte(fmt.Sprintf("%0*d", packets.MaxName, i))
		m = packets.Message{Number: 1, Kind: packets.Name, PeerNumber: number, Data: name}
		require.NoError(t, e.Receive(now, friend, m.Append(nil)))
		e.Poll()
		if i%1000 == 999 {
			now += 5 * packets.Second // some freeze meanwhile
			e.Tick(now)
			e.Poll()
			require.NoError(t, e.Check())
		}
	}
	v, ok := e.View(id)
	require.True(t, ok)
	assert.LessOrEqual(t, len(v.Peers), conference.MaxPeers)
	assert.LessOrEqual(t, len(v.Frozen), conference.DefaultFrozen)
	used := heap() - before
	assert.Less(t, used, int64(most), "bytes")
	runtime.KeepAlive(e)
}

// A payload that no session could carry changes nothing.
func TestTooLong(t *testing.T) {
	e, now, _, friend := member(t)
	before := e.Views()
	var list []byte
	for i := range uint16(40) {
		list = packets.AppendPeer(list, 100+i, &packets.PublicKey{3, byte(i)}, &packets.PublicKey{2}, "")
	}
	p := packets.Direct{Kind: packets.PeerResponse, Data: list}.Append(nil)
	require.ErrorIs(t, e.Receive(now, friend, p), conference.ErrTooLong)
	require.Equal(t, before, e.Views())
	require.NoError(t, e.Receive(now, friend, p[:packets.MaxPacket]))
	e.Poll()
	require.Len(t, e.Views()[0].Peers, len(before[0].Peers)+20)
}

// member is an engine in a conference with one friend, who has number 65535.
func member(t *testing.T) (*conference.Engine, packets.Time, packets.ID, packets.PublicKey) {
	now, friend := sim.Epoch, packets.PublicKey{1}
	e, err := conference.New(conference.Config{
		Self: packets.PublicKey{2}, Rand: rand.NewChaCha8([32]byte{}), Friends: []packets.PublicKey{friend},
	}, nil, now)
	require.NoError(t, err)
	e.Online(now, friend, friend)
	e.FriendReady(now, friend)
	id := e.Create(now, packets.Text)
	require.NoError(t, e.Receive(now, friend, packets.Invite{Kind: packets.KindMember, ID: id, PeerNumber: 65535}.Append(nil)))
	e.Poll()
	return e, now, id, friend
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// BenchmarkMixtures plays as many seeds as -benchtime says (1000x), with 8 to 16
// honest peers, and fails if a bound breaks.
func BenchmarkMixtures(b *testing.B) {
	whole := 0
	seed := uint64(0)
	for b.Loop() {
		seed++
		r := Trial{Seed: seed, Attack: Mixture, Honest: 8 + int(seed%9), Split: seed%3 == 0}.Run()
		if h := &r.Harm; r.Err != nil || h.Storm || h.Own+int(h.Hurried) > 0 {
			b.Fatalf("seed %d: %v %+v", seed, r.Err, *h)
		}
		if r.Harm.Whole >= 0 {
			whole++
		}
	}
	b.ReportMetric(float64(whole)/float64(seed), "whole/seed")
}
