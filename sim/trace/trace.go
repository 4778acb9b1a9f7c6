// Package trace checks recordings of c-toxcore conferences: it replays each
// recorded instance through a sim.Node in Reference mode, gives it exactly what
// was recorded as input and compares everything that it does. The recording
// itself is checked as well.
//
// A recording is text, one JSON object a line; the format and the rules of the
// replay are in testdata/vectors/README.md.
package trace

import (
	"fmt"
	"io"

	"github.com/tox-rejoin/rejoin/sim"
)

// Options says how Check replays. The zero value is what the command uses.
type Options struct {
	// New makes the node of each recorded instance; nil means sim.NewEngine.
	New sim.NewNode
	// EveryTick calls Tick in every iteration, not only when Output.Wake asks
	// for it. The outcome has to be the same.
	EveryTick bool
	// Invariants calls Node.Check after every input.
	Invariants bool
}

// Result counts what was compared.
type Result struct {
	Nodes   int `json:"nodes"`   // instances: each start and restart is one
	Packets int `json:"packets"` // packets sent
	States  int `json:"states"`  // snapshots of the internal state
	Events  int `json:"events"`  // conference events, audio aside
	Saves   int `json:"saves"`   // conference sections of saves
	Quirks  int `json:"quirks"`  // second receivers of lossy packets taken from slot 0, which we do not imitate
}

// String is the counts as the command prints them.
func (r Result) String() string {
	return fmt.Sprintf("nodes=%d packets=%d states=%d events=%d saves=%d quirks=%d",
		r.Nodes, r.Packets, r.States, r.Events, r.Saves, r.Quirks)
}

// Mismatch is the first difference: between the recording and the replay, or
// between the recording and what a recording must be.
type Mismatch struct {
	Line int    // of the recording, from 1 on
	Want string // what is recorded, or what has to stand there
	Got  string // what the replay did, or what stands there
}

// Error is "line N: want … got …".
func (m *Mismatch) Error() string {
	return fmt.Sprintf("line %d: want %s got %s", m.Line, m.Want, m.Got)
}

// Check reads one recording, plain or gzipped, and replays it. A difference is
// a *Mismatch; other errors are those of r.
func Check(r io.Reader, o Options) (Result, error) {
	if o.New == nil {
		o.New = sim.NewEngine
	}
	rec, err := read(r)
	if err != nil {
		return Result{}, err
	}
	fault := auditRecording(rec)
	res, diff := replayRecording(rec, o)
	if m := first(fault, diff); m != nil {
		m.Want, m.Got = around(m.Want, m.Got)
		return res, m
	}
	return res, nil
}

// first is the mismatch that comes first in the file; nil if there is none.
func first(list ...*Mismatch) *Mismatch {
	var best *Mismatch
	for _, m := range list {
		if m != nil && (best == nil || m.Line < best.Line) {
			best = m
		}
	}
	return best
}

// around cuts two long texts to a window about their first difference.
func around(a, b string) (string, string) {
	const before, window = 60, 200
	if len(a) <= window && len(b) <= window {
		return a, b
	}
	same := 0
	for same < min(len(a), len(b)) && a[same] == b[same] {
		same++
	}
	cut := func(s string) string {
		head, from := "", max(0, same-before)
		if from > before { // keep the beginning: it says what it is
			head = s[:before] + "…"
		} else {
			from = 0
		}
		to := min(len(s), from+window)
		tail := ""
		if to < len(s) {
			tail = fmt.Sprintf("… (%d characters)", len(s))
		}
		return head + s[from:to] + tail
	}
	return cut(a), cut(b)
}
