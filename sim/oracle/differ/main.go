//go:build oracle && linux && amd64

// Command differ runs our engine, in Reference mode, and c-toxcore's own code
// side by side through many seeds, and compares them after every input:
//
//	go run -tags oracle ./sim/oracle/differ --seeds 1-20000
//
// Each range of seeds gets one line with its combined hash on standard output;
// progress goes to standard error. The hash of a range is the sum, modulo 2^64,
// of those of its parts, and ../differential.txt holds those of a whole run. It
// exits with 1 on a difference and prints the line that shows it again. If
// c-toxcore aborts the process, --each tells which seed did it.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/tox-rejoin/rejoin/sim/oracle"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

var errSeeds = errors.New("seeds are given as FIRST-LAST")

// job is what the command line asks for.
type job struct {
	first, last uint64
	drivers     []oracle.Driver
	names       string
	jobs        int
	size        uint64 // of a range
	each        bool
}

func run(args []string, out, progress io.Writer) int {
	j, err := parse(args, progress)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(progress, "differ:", err)
		return 2
	}
	return j.play(out, progress)
}

func parse(args []string, progress io.Writer) (j job, err error) {
	f := flag.NewFlagSet("differ", flag.ContinueOnError)
	f.SetOutput(progress)
	seeds := f.String("seeds", "1-100", "`first-last` seed")
	f.StringVar(&j.names, "drivers", "mesh,solo", "which `drivers` each seed is played with")
	f.IntVar(&j.jobs, "jobs", runtime.GOMAXPROCS(0), "seeds at the same time")
	f.Uint64Var(&j.size, "range", 1000, "seeds for each line")
	f.BoolVar(&j.each, "each", false, "name each seed before it is played")
	if err = f.Parse(args); err != nil {
		return j, err
	}
	if f.NArg() > 0 {
		return j, fmt.Errorf("what is %q?", f.Arg(0))
	}
	first, last, _ := strings.Cut(*seeds, "-")
	j.first, err = strconv.ParseUint(first, 10, 64)
	if err == nil {
		j.last, err = strconv.ParseUint(last, 10, 64)
	}
	if err != nil || j.last < j.first {
		return j, fmt.Errorf("%w: %q", errSeeds, *seeds)
	}
	if j.jobs < 1 || j.size < 1 {
		return j, errors.New("jobs and range are at least 1")
	}
	j.drivers, err = oracle.ParseDrivers(j.names)
	return j, err
}

// play plays all seeds, a range at a time, and tells the exit code.
func (j *job) play(out, progress io.Writer) int {
	begin := time.Now()
	inputs, total := 0, uint64(0)
	for from := j.first; from <= j.last; from += j.size {
		to := min(from+j.size-1, j.last)
		sum := uint64(0)
		for _, o := range j.playRange(from, to, progress) {
			if o.Difference != "" {
				fmt.Fprintln(out, o.Difference)
				return 1
			}
			inputs += o.Inputs
			sum += o.Combined()
		}
		total += sum
		fmt.Fprintf(out, "%d-%d %s %016x\n", from, to, j.names, sum)
		seconds := time.Since(begin).Seconds()
		fmt.Fprintf(progress, "%d of %d seeds, %d inputs, %.1f seeds/s\n",
			to-j.first+1, j.last-j.first+1, inputs, float64(to-j.first+1)/seconds)
	}
	fmt.Fprintf(out, "all %d-%d %s %016x, %d inputs, no difference\n", j.first, j.last, j.names, total, inputs)
	return 0
}

// playRange plays the seeds of one range, several at a time, and returns their
// outcomes in order.
func (j *job) playRange(from, to uint64, progress io.Writer) []oracle.Outcome {
	outcomes := make([]oracle.Outcome, to-from+1)
	seeds := make(chan uint64)
	done := make(chan struct{})
	for range j.jobs {
		go func() {
			for seed := range seeds {
				outcomes[seed-from] = oracle.Differ(seed, j.drivers)
			}
			done <- struct{}{}
		}()
	}
	for seed := from; seed <= to; seed++ {
		if j.each {
			fmt.Fprintf(progress, "seed %d\n", seed)
		}
		seeds <- seed
	}
	close(seeds)
	for range j.jobs {
		<-done
	}
	return outcomes
}
