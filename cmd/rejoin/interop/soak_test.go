//go:build toxcore && soak

package interop

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/tox/toxcore"
	"github.com/tox-rejoin/rejoin/tox/toxcore/lab"
)

// What a soak is made of.
const (
	defaultSoak  = 30 * time.Minute
	guests       = 4
	shortCut     = 5 * time.Second
	longCut      = 150 * time.Second // everybody freezes everybody beyond it
	talkEvery    = 5 * time.Second
	sampleEvery  = 10 * time.Second
	wholeWithin  = 5 * time.Minute // after the last heal
	warmUp       = 3               // the first third of the samples is not judged
	growth       = 1.15            // of the last third over the second
	growthKiB    = 4096            // that memory may always have moved
	cutsOfThree  = 2               // of three turns are cuts, the third is loss
	lossPerMille = 200
)

// soak is a bot and guests of its group, each on a host of its own.
type soak struct {
	t       *testing.T
	report  io.Writer
	rand    *rand.Rand
	network *lab.Network
	hosts   []*lab.Host // the bot's is the first
	bot     *robot
	guests  []*lab.Stock
	groups  []uint32 // the group's number at each guest

	began, talked, sampled time.Time
	said                   []string
	memory                 []int // KiB
	cuts                   int
}

// For half an hour links are cut and healed at random while everybody talks; who
// is apart for long freezes the others. In the end the group is whole, nobody
// has got a message twice, and the bot's memory is flat. SOAK is another time, as
// "10m".
func TestSoak(t *testing.T) {
	last := defaultSoak
	if text := os.Getenv("SOAK"); text != "" {
		var err error
		last, err = time.ParseDuration(text)
		require.NoError(t, err)
	}
	seed := uint64(time.Now().UnixNano())
	s := &soak{t: t, report: os.Stdout, rand: rand.New(rand.NewPCG(seed, 0)), network: lab.NewNetwork(t)}
	s.gather()
	s.began = time.Now()
	s.print("%d stock peers and the bot are in the group; seed %d", guests, seed)
	for time.Since(s.began) < last {
		s.turn()
	}
	s.network.Heal()
	s.network.Loss(0)
	healed := time.Now()
	s.print("healed for good after %d cuts", s.cuts)
	s.waitWhole(wholeWithin)
	s.print("whole after %.0f s", time.Since(healed).Seconds())
	s.finish()
}

// gather starts everybody and brings them into the group.
func (s *soak) gather() {
	s.t.Helper()
	hub := lab.StartDaemon(s.t, lab.DaemonConfig{Host: s.network.Host("hub")})
	s.hosts = []*lab.Host{s.network.Host("bot")}
	entry := fmt.Sprintf("%v:%X", hub.Node.Addr, hub.Node.Key[:])
	s.bot = startRobot(s.t, s.hosts[0], "--bootstrap", entry)
	for i := range guests {
		name := fmt.Sprintf("guest%d", i+1)
		s.hosts = append(s.hosts, s.network.Host(name))
		g := lab.StartStock(s.t, lab.StockConfig{Name: name, Host: s.hosts[i+1], Nodes: []lab.Node{hub.Node}})
		s.guests = append(s.guests, g)
		s.groups = append(s.groups, s.bot.enter(g))
	}
	s.waitWhole(patience)
}

// print tells what happens, with the time since the beginning.
func (s *soak) print(format string, args ...any) {
	at := time.Duration(0)
	if !s.began.IsZero() {
		at = time.Since(s.began).Round(time.Second)
	}
	fmt.Fprintf(s.report, "soak %6v  %s\n", at, fmt.Sprintf(format, args...))
}

// turn cuts the network, or makes it lossy, for a while, heals it, and lets it
// be for a while.
func (s *soak) turn() {
	bad := shortCut + time.Duration(s.rand.Int64N(int64(longCut-shortCut)))
	what := "loss"
	if s.rand.IntN(3) < cutsOfThree {
		s.cuts++
		order := s.rand.Perm(len(s.hosts))
		at := 1 + s.rand.IntN(len(order)-1)
		var sides [2][]*lab.Host
		var names [2][]string
		for i, h := range order {
			side := 0
			if i >= at {
				side = 1
			}
			name := "bot"
			if h > 0 {
				name = fmt.Sprint(h)
			}
			sides[side] = append(sides[side], s.hosts[h])
			names[side] = append(names[side], name)
		}
		slices.Sort(names[0])
		slices.Sort(names[1])
		what = strings.Join(names[0], "+") + " | " + strings.Join(names[1], "+")
		s.network.Cut(sides[0], sides[1])
	} else {
		s.network.Loss(lossPerMille)
	}
	s.pass(bad)
	s.network.Heal()
	s.network.Loss(0)
	healed := time.Now()
	well := shortCut + time.Duration(s.rand.Int64N(int64(longCut)))
	whole := -1.0
	for time.Since(healed) < well {
		s.pass(time.Second)
		if whole < 0 && s.whole() {
			whole = time.Since(healed).Seconds()
		}
	}
	state := "not whole when the next began"
	if whole >= 0 {
		state = fmt.Sprintf("whole %3.0f s later", whole)
	}
	s.print("%-28s %4.0f s, %-30s memory %d KiB", what, bad.Seconds(), state, s.bot.memory())
}

// pass lets time pass, with talk and samples.
func (s *soak) pass(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if time.Since(s.talked) >= talkEvery {
			s.talked = time.Now()
			i := s.rand.IntN(len(s.guests))
			s.say(i, fmt.Sprintf("%d says %d", i, len(s.said)))
		}
		if time.Since(s.sampled) >= sampleEvery {
			s.sampled = time.Now()
			s.memory = append(s.memory, s.bot.memory())
		}
	}
}

// say has a guest say something; alone it may not be able to.
func (s *soak) say(i int, text string) {
	if online, _ := s.guests[i].Peers(s.groups[i]); len(online) > 1 {
		s.guests[i].Send(s.groups[i], text)
		s.said = append(s.said, text)
	}
}

// whole tells whether everybody lists everybody.
func (s *soak) whole() bool {
	for i, g := range s.guests {
		if online, _ := g.Peers(s.groups[i]); len(online) != guests+1 {
			return false
		}
	}
	return true
}

func (s *soak) waitWhole(limit time.Duration) {
	s.t.Helper()
	lab.Eventually(s.t, limit, "everybody lists everybody", s.whole)
}

// finish asserts what must hold in the end.
func (s *soak) finish() {
	s.bot.waitState("Lobby", "whole", patience)
	for i, g := range s.guests {
		text := fmt.Sprintf("%d, at last", i)
		g.Send(s.groups[i], text)
		for j, other := range s.guests {
			other.WaitSaid(s.groups[j], g.Key, text, patience)
		}
		s.said = append(s.said, text)
	}
	g := s.guests[0]
	g.Send(s.groups[0], "!members")
	g.Wait(patience, "the bot's members", lab.Of(toxcore.KindConferenceMessage, lab.From(s.bot.key()), lab.Prefix("")))
	twice, heard := 0, 0
	for i, g := range s.guests {
		for _, text := range s.said {
			n := g.Said(s.groups[i], text)
			heard += min(n, 1)
			twice += max(n-1, 0)
		}
	}
	third := len(s.memory) / warmUp
	before, after := median(s.memory[third:2*third]), median(s.memory[2*third:])
	s.print("%d messages, heard %d times by %d guests, %d times twice", len(s.said), heard, guests, twice)
	s.print("the bot's memory: %d KiB at first, median %d KiB in the second third, %d KiB in the last",
		s.memory[0], before, after)
	require.Zero(s.t, twice)
	require.LessOrEqual(s.t, float64(after), max(growth*float64(before), float64(before+growthKiB)), "memory grows")
}

func median(list []int) int {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[len(sorted)/2]
}

// memory is what the bot keeps in memory at the moment, in KiB.
func (r *robot) memory() int {
	r.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", r.PID()))
	require.NoError(r.t, err)
	for s := bufio.NewScanner(bytes.NewReader(status)); s.Scan(); {
		var kib int
		if n, _ := fmt.Sscanf(s.Text(), "VmRSS: %d kB", &kib); n == 1 {
			return kib
		}
	}
	require.Fail(r.t, "no VmRSS", "%s", status)
	return 0
}
