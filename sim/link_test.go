package sim

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
)

// friends is a world of two friends whose link is up.
func friends(t *testing.T, seed uint64) *fakes {
	t.Helper()
	fs := newFakes(2, Config{Seed: seed})
	fs.Befriend(0, 1)
	fs.seconds(11)
	require.GreaterOrEqual(t, fs.when(0, "online 1", 1), packets.Time(0))
	return fs
}

func TestFriendsFindEachOther(t *testing.T) {
	for seed := range uint64(50) {
		fs := friends(t, seed)
		up := fs.when(0, "online 1", 1)
		assert.GreaterOrEqual(t, up, DefaultFindMin)
		assert.LessOrEqual(t, up, DefaultFindMax)
		assert.Equal(t, up, fs.when(1, "online 0", 1))
		assert.Equal(t, up+DefaultDelay, fs.when(0, "ready 1", 1), "packet 24 takes its time")
	}
}

func TestDeadLinkIsNoticed(t *testing.T) {
	early, late := DefaultDeadMax, DefaultDeadMin
	for seed := range uint64(100) {
		fs := friends(t, seed)
		cut := fs.Since()
		fs.Split([]int{0}, []int{1})
		fs.seconds(40)
		for side := range 2 {
			down := fs.when(side, fmt.Sprintf("offline %d", 1-side), 1) - cut
			require.GreaterOrEqual(t, down, DefaultDeadMin)
			require.LessOrEqual(t, down, DefaultDeadMax)
			early, late = min(early, down), max(late, down)
		}
	}
	assert.Less(t, early, DefaultDeadMin+packets.Second, "the whole range is drawn from")
	assert.Greater(t, late, DefaultDeadMax-packets.Second)
}

// After a heal the new session takes 0.35 s or 33 to 34 s, about as often.
func TestReconnectIsBimodal(t *testing.T) {
	quick, slow := 0, 0
	for seed := range uint64(200) {
		fs := friends(t, seed)
		fs.Split([]int{0}, []int{1})
		fs.seconds(100)
		healed := fs.Since()
		fs.Heal()
		fs.seconds(40)
		switch took := fs.when(1, "online 0", 2) - healed; {
		case took == DefaultReconnect:
			quick++
		case took >= DefaultBackOffMin && took <= DefaultBackOffMax:
			slow++
		default:
			t.Fatalf("seed %d: %d ms", seed, took)
		}
	}
	assert.InDelta(t, 100, quick, 30)
	assert.Equal(t, 200, quick+slow)
}

// A cut that nobody noticed delays lossless packets and loses none; order stays.
func TestShortCutHoldsPackets(t *testing.T) {
	fs := friends(t, 1)
	fs.write(0, 1, "one")
	_ = fs.Run(fs.Now() + DefaultDelay/2)
	fs.Split([]int{0}, []int{1})
	fs.write(0, 1, "two")
	fs.do(0, conference.Output{Sends: []conference.Send{{To: fs.Key(1), Data: []byte("lossy"), Lossy: true}}})
	fs.seconds(10)
	assert.Equal(t, packets.Time(-1), fs.when(1, "packet 0 one", 1))
	healed := fs.Since()
	fs.write(0, 1, "three")
	fs.Heal()
	fs.write(0, 1, "four")
	fs.seconds(30)
	var got []string
	for k, g := range fs.node[1].got {
		if g[:3] == "pac" {
			got = append(got, g)
			assert.Equal(t, healed+DefaultDelay, fs.node[1].at[k])
		}
	}
	assert.Equal(t, []string{"packet 0 one", "packet 0 two", "packet 0 three", "packet 0 four"}, got)
	assert.Equal(t, packets.Time(-1), fs.when(1, "offline 0", 1))
	assert.EqualValues(t, 1, fs.Stats().Lost, "the lossy one")
}

func TestPacketsDieWithTheirSession(t *testing.T) {
	fs := friends(t, 1)
	fs.Split([]int{0}, []int{1})
	fs.write(0, 1, "late")
	fs.seconds(40)
	fs.Heal()
	fs.seconds(40)
	assert.Positive(t, fs.when(1, "online 0", 2))
	assert.Equal(t, packets.Time(-1), fs.when(1, "packet 0 late", 1))
	assert.EqualValues(t, 1, fs.Stats().Lost)

	fs.write(0, 1, "on its way")
	fs.Reset(0, 1)
	fs.seconds(2)
	assert.Positive(t, fs.when(1, "online 0", 3), "up again at once")
	assert.Equal(t, packets.Time(-1), fs.when(1, "packet 0 on its way", 1))
}

func TestLosslessPacketsKeepTheirOrder(t *testing.T) {
	laws := DefaultLaws()
	laws.Loss, laws.Spread = 0.4, 30
	fs := newFakes(2, Config{Seed: 3, Laws: laws})
	fs.Befriend(0, 1)
	fs.seconds(11)
	const n = 300
	for i := range n {
		fs.write(0, 1, fmt.Sprint(i))
		fs.do(0, conference.Output{Sends: []conference.Send{{To: fs.Key(1), Data: []byte("x"), Lossy: true}}})
		_ = fs.Run(fs.Now() + 5)
	}
	fs.seconds(60)
	next, lossy := 0, 0
	for _, g := range fs.node[1].got {
		switch g {
		case fmt.Sprintf("packet 0 %d", next):
			next++
		case "packet 0 x":
			lossy++
		}
	}
	assert.Equal(t, n, next)
	assert.InDelta(t, n*(1-laws.Loss), lossy, 40)
}

func TestNonFriendsConnectWhileBothWant(t *testing.T) {
	fs := newFakes(2, Config{Seed: 1})
	fs.want(0, 1)
	fs.seconds(60)
	assert.Equal(t, packets.Time(-1), fs.when(0, "online 1", 1))
	wanted := fs.Since()
	fs.want(1, 0)
	fs.seconds(3)
	up := fs.when(0, "online 1", 1) - wanted
	assert.GreaterOrEqual(t, up, DefaultConnectMin)
	assert.LessOrEqual(t, up, DefaultConnectMax)
	assert.Equal(t, packets.Time(-1), fs.when(0, "ready 1", 1), "no messenger between them")

	fs.write(0, 1, "bye")
	released := fs.Since()
	fs.release(0, 1)
	fs.seconds(60)
	assert.Equal(t, packets.Time(-1), fs.when(0, "offline 1", 1), "who releases is not told")
	assert.Equal(t, released+DefaultDelay, fs.when(1, "packet 0 bye", 1))
	assert.Equal(t, released+DefaultDelay, fs.when(1, "offline 0", 1), "behind what was sent before")
	assert.Equal(t, packets.Time(-1), fs.when(1, "online 0", 2))

	again := fs.Since()
	fs.want(0, 1)
	fs.seconds(3)
	assert.GreaterOrEqual(t, fs.when(1, "online 0", 2)-again, DefaultConnectMin, "a new connection")
}

// Release and Want in one breath make a new session.
func TestReleaseAndWant(t *testing.T) {
	fs := newFakes(2, Config{Seed: 1})
	fs.want(0, 1)
	fs.want(1, 0)
	fs.seconds(3)
	key := fs.Key(1)
	fs.do(0, conference.Output{Conns: []conference.Conn{{Op: conference.Release, Peer: key}, {Op: conference.Want, Peer: key}}})
	fs.seconds(3)
	assert.Positive(t, fs.when(1, "offline 0", 1))
	assert.Positive(t, fs.when(0, "online 1", 2))
}

// Who released a peer behind a cut is missed only when the link is noticed to be dead.
func TestReleaseInACut(t *testing.T) {
	fs := newFakes(2, Config{Seed: 1})
	fs.want(0, 1)
	fs.want(1, 0)
	fs.seconds(3)
	fs.Split([]int{0}, []int{1})
	cut := fs.Since()
	fs.release(0, 1)
	fs.seconds(40)
	assert.GreaterOrEqual(t, fs.when(1, "offline 0", 1)-cut, DefaultDeadMin)
}

func TestFriendLinkOutlivesRelease(t *testing.T) {
	fs := friends(t, 1)
	fs.want(0, 1)
	fs.release(0, 1)
	fs.seconds(60)
	assert.Equal(t, packets.Time(-1), fs.when(1, "offline 0", 1))
	fs.Unfriend(0, 1)
	fs.seconds(1)
	assert.Positive(t, fs.when(1, "offline 0", 1))
}

func TestCrashIsNoticedLate(t *testing.T) {
	fs := friends(t, 1)
	fs.write(1, 0, "last words")
	crashed := fs.Since()
	fs.Crash(1)
	fs.seconds(40)
	assert.Equal(t, crashed+DefaultDelay, fs.when(0, "packet 1 last words", 1))
	assert.GreaterOrEqual(t, fs.when(0, "offline 1", 1)-crashed, DefaultDeadMin)
	assert.ErrorIs(t, fs.Say(1, "x"), ErrDown)
	assert.ErrorIs(t, fs.Restart(0), ErrRunning)

	restarted := fs.Since()
	require.NoError(t, fs.Restart(1))
	fs.seconds(12)
	assert.GreaterOrEqual(t, fs.when(0, "online 1", 2)-restarted, DefaultFindMin)
}

// A friend that is back before anybody noticed ends the old session with its
// new DHT key (recording s5c).
func TestQuickRestart(t *testing.T) {
	fs := friends(t, 1)
	before := fs.nodes[1].dht
	fs.Crash(1)
	fs.seconds(4)
	require.NoError(t, fs.Restart(1))
	assert.NotEqual(t, before, fs.nodes[1].dht)
	fs.seconds(12)
	down, up := fs.when(0, "offline 1", 1), fs.when(0, "online 1", 2)
	assert.Equal(t, DefaultRenew, up-down)
}

func TestQuitIsHeardAtOnce(t *testing.T) {
	fs := friends(t, 1)
	quit := fs.Since()
	fs.Quit(1)
	fs.seconds(1)
	assert.Equal(t, quit+DefaultDelay, fs.when(0, "offline 1", 1))
	assert.False(t, fs.Running(1))
}

func TestStall(t *testing.T) {
	fs := newFakes(3, Config{Seed: 1})
	fs.Befriend(0, 1)
	fs.Befriend(0, 2)
	fs.seconds(11)
	assert.Equal(t, []int{1, 2}, fs.Neighbours(0))
	fs.Stall(0, 1, true)
	fs.write(0, 1, "held")
	fs.write(0, 2, "sent")
	fs.seconds(5)
	assert.Positive(t, fs.when(2, "packet 0 sent", 1))
	assert.Equal(t, packets.Time(-1), fs.when(1, "packet 0 held", 1))
	fs.Stall(0, 1, false)
	fs.seconds(1)
	assert.Positive(t, fs.when(1, "packet 0 held", 1))
}

// What an engine must not do is a failure of the world.
func TestEngineErrors(t *testing.T) {
	for name, wrong := range map[string]func(fs *fakes){
		"sends without a link":     func(fs *fakes) { fs.write(0, 2, "x") },
		"sends to nobody":          func(fs *fakes) { fs.do(0, conference.Output{Sends: []conference.Send{{Data: []byte("x")}}}) },
		"sends nothing":            func(fs *fakes) { fs.write(0, 1, "") },
		"sends too much":           func(fs *fakes) { fs.write(0, 1, string(make([]byte, packets.MaxPacket+1))) },
		"wants twice":              func(fs *fakes) { fs.want(0, 1); fs.want(0, 1) },
		"releases without wanting": func(fs *fakes) { fs.release(0, 1) },
		"wants itself":             func(fs *fakes) { fs.want(0, 0) },
		"wakes again and again": func(fs *fakes) {
			fs.do(0, conference.Output{})
			fs.node[0].out.Wake = fs.Now()
			fs.called(0)
			fs.seconds(1)
		},
		"does not pass its checks": func(fs *fakes) { fs.cfg.Check = true; fs.node[0].check = errors.New("odd"); fs.called(0) },
	} {
		t.Run(name, func(t *testing.T) {
			fs := newFakes(3, Config{Seed: 1})
			fs.Befriend(0, 1)
			fs.seconds(11)
			require.NoError(t, fs.Run(fs.Now()))
			wrong(fs)
			err := fs.Run(fs.Now() + 1)
			var wrongs *EngineError
			require.ErrorAs(t, err, &wrongs)
			assert.Equal(t, 0, wrongs.Node)
			assert.Equal(t, err, fs.Run(fs.Now()+packets.Second), "and stays so")
		})
	}
}

// All inputs of a moment come before its tick.
func TestInputsBeforeTicks(t *testing.T) {
	fs := newFakes(0, Config{Seed: 1})
	fs.tick = 50
	fs.say = func(f *fake) {
		if f.w.links != nil && f.w.links[0].up[0] {
			for i := range 2 {
				if k := f.w.Key(i); k != f.self {
					f.out.Sends = append(f.out.Sends, conference.Send{To: k, Data: []byte("hello")})
				}
			}
		}
	}
	fs.Start("a")
	fs.Start("b")
	fs.Befriend(0, 1)
	fs.seconds(12)
	together := 0
	f := fs.node[1]
	for k := range f.got[1:] {
		if f.at[k] != f.at[k+1] {
			continue
		}
		assert.NotEqual(t, [2]string{"tick", "packet 0 hello"}, [2]string{f.got[k], f.got[k+1]})
		if f.got[k] == "packet 0 hello" && f.got[k+1] == "tick" {
			together++
		}
	}
	assert.Positive(t, together)
}
