package main

import (
	"fmt"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/urfave/cli/v2"
)

// Limits of commands that run many seeds.
const (
	seedsListed   = 20 // failing seeds that are listed
	seedsProgress = 100 * time.Millisecond
	seedsSparse   = 15 * time.Second // between lines that are no terminal's
	seedsRanges   = 30               // ranges that get a hash of their own, at most
)

// seeds runs a range of seeds, several at a time.
type seeds struct {
	from, to uint64
	jobs     int
	live     *liveLine
	start    time.Time

	mu     sync.Mutex // held while a seed's result is added up
	next   uint64
	done   uint64
	failed []seedFail
	hashes []uint64  // of each range; a sum, so that the order does not matter
	lastAt time.Time // of the last sparse line
}

// seedFail is a seed that failed.
type seedFail struct {
	Seed   uint64 `json:"seed"`
	Reason string `json:"reason"`
	Again  string `json:"again"`          // the command that runs it again
	File   string `json:"file,omitempty"` // its scenario
}

// seedRange is a slice of the seeds with the hash of what happened in it.
type seedRange struct {
	From uint64 `json:"from"`
	To   uint64 `json:"to"`
	Hash string `json:"hash"`
}

// seedFlags are the flags of readSeeds.
func seedFlags(standard string) []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "seeds", Value: standard, Usage: "from `A-B`, or one seed"},
		&cli.IntFlag{Name: "jobs", Usage: "run `N` seeds at a time; default: one for each core"},
	}
}

// readSeeds reads the flags of seedFlags.
func readSeeds(c *cli.Context) (*seeds, error) {
	from, to, err := parseSeeds(c.String("seeds"))
	if err != nil {
		return nil, err
	}
	jobs := c.Int("jobs")
	if jobs < 0 {
		return nil, misusef("--jobs %d", jobs)
	}
	if jobs == 0 {
		jobs = runtime.GOMAXPROCS(0)
	}
	return newSeeds(from, to, jobs, newLiveLine(c.App.ErrWriter)), nil
}

func newSeeds(from, to uint64, jobs int, live *liveLine) *seeds {
	s := &seeds{from: from, to: to, next: from, jobs: jobs, live: live, start: time.Now(), failed: []seedFail{}}
	s.lastAt = s.start
	return s
}

// parseSeeds reads "A-B" or "A".
func parseSeeds(s string) (from, to uint64, err error) {
	a, b, ranged := strings.Cut(s, "-")
	if !ranged {
		b = a
	}
	if from, err = strconv.ParseUint(a, 10, 63); err == nil {
		to, err = strconv.ParseUint(b, 10, 63)
	}
	if err != nil || to < from {
		return 0, 0, misusef("--seeds %q: want A-B", s)
	}
	return from, to, nil
}

// run gives every seed to one, jobs at a time.
func (s *seeds) run(one func(seed uint64)) {
	var group sync.WaitGroup
	for range s.jobs {
		group.Go(func() {
			for {
				seed, more := s.take()
				if !more {
					return
				}
				one(seed)
			}
		})
	}
	group.Wait()
	s.live.clear()
	sort.Slice(s.failed, func(i, k int) bool { return s.failed[i].Seed < s.failed[k].Seed })
}

// take hands out the next seed.
func (s *seeds) take() (seed uint64, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next > s.to {
		return 0, false
	}
	s.next++
	return s.next - 1, true
}

// count counts a seed that is done, and its trace. mu is held.
func (s *seeds) count(seed, trace uint64, fail *seedFail) {
	s.done++
	if fail != nil {
		s.failed = append(s.failed, *fail)
	}
	i := int((seed - s.from) / s.step())
	for len(s.hashes) <= i {
		s.hashes = append(s.hashes, 0)
	}
	s.hashes[i] += trace
	s.progress()
}

// step is how many seeds have one hash: a power of ten, so that there are not
// too many of them.
func (s *seeds) step() uint64 {
	step := uint64(1000)
	for (s.to-s.from)/step >= seedsRanges {
		step *= 10
	}
	return step
}

// hash is that of all seeds.
func (s *seeds) hash() string {
	sum := uint64(0)
	for _, h := range s.hashes {
		sum += h
	}
	return fmt.Sprintf("%016x", sum)
}

// ranges are the hashes of slices of the seeds.
func (s *seeds) ranges() []seedRange {
	list := make([]seedRange, len(s.hashes))
	for i, h := range s.hashes {
		from := s.from + uint64(i)*s.step()
		list[i] = seedRange{from, min(s.to, from+s.step()-1), fmt.Sprintf("%016x", h)}
	}
	return list
}

// progress shows how far it is.
func (s *seeds) progress() {
	now := time.Now()
	every := seedsSparse
	if s.live.terminal {
		every = seedsProgress
	}
	if now.Sub(s.lastAt) < every {
		return
	}
	s.lastAt = now
	all := s.to - s.from + 1
	rate := float64(s.done) / now.Sub(s.start).Seconds()
	left := time.Duration(float64(all-s.done) / rate * float64(time.Second))
	line := fmt.Sprintf("%s %s of %s seeds, %.0f/s, %v left", bar(int(s.done), int(all), 20),
		commas(s.done), commas(all), rate, left.Round(time.Second))
	if n := len(s.failed); n > 0 {
		line += fmt.Sprintf(", %d FAILED", n)
	}
	if s.live.terminal {
		s.live.show(line)
	} else {
		s.live.keep(line)
	}
}

// tellFailed lists the seeds that failed.
func (s *seeds) tellFailed(say func(format string, args ...any)) {
	for i, f := range s.failed {
		if i == seedsListed {
			say("and %s\n", plural(len(s.failed)-i, "more failing seed"))
			break
		}
		say("FAIL seed %d: %s\n     %s\n", f.Seed, f.Reason, f.Again)
		if f.File != "" {
			say("     rejoin sim play %s\n", f.File)
		}
	}
}
