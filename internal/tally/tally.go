package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// An event is one line of go test -json (go doc test2json).
type event struct {
	Action     string
	Package    string
	ImportPath string // of build output
	Test       string
	Output     string
	Elapsed    float64 // seconds
}

// A key names a test; with an empty test, a package.
type key struct{ pkg, test string }

// A tally is what has been seen so far.
type tally struct {
	passed, failed int
	output         map[key]*strings.Builder // of what still runs
	running        []key                    // in order of start
	broken         map[string]bool          // packages in which a test failed
}

// read counts the events of r and reports to w. On an error the tally holds
// what was counted before it.
func read(r io.Reader, w io.Writer) (*tally, error) {
	t := &tally{output: map[key]*strings.Builder{}, broken: map[string]bool{}}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			fmt.Fprintln(w, lines.Text()) // the go command's own words
			continue
		}
		t.add(e, w)
	}
	return t, lines.Err()
}

// add counts one event.
func (t *tally) add(e event, w io.Writer) {
	k := key{e.Package, e.Test}
	switch e.Action {
	case "start", "run":
		t.output[k] = &strings.Builder{}
		t.running = append(t.running, k)
	case "build-output":
		io.WriteString(w, e.Output)
	case "output":
		if b := t.output[k]; b != nil {
			b.WriteString(e.Output)
		}
	case "pass", "fail", "skip":
		if e.Test == "" {
			t.endPackage(e, w)
		} else {
			t.endTest(e, w)
		}
		t.forget(k)
	}
}

func (t *tally) endTest(e event, w io.Writer) {
	if e.Action == "pass" {
		t.passed++
		return
	}
	t.failed++
	t.broken[e.Package] = true
	word := "FAIL"
	if e.Action == "skip" {
		word = "SKIPPED, and a skipped test is a failed test:"
	}
	fmt.Fprintf(w, "%s %s %s\n%s", word, e.Package, e.Test, t.text(e))
}

func (t *tally) endPackage(e event, w io.Writer) {
	switch e.Action {
	case "pass":
		fmt.Fprintf(w, "ok   %7.2fs  %s\n", e.Elapsed, e.Package)
	case "fail":
		// The package can fail by itself: it did not build, it panicked, it timed out.
		for _, k := range slices.Clone(t.running) {
			if k.pkg == e.Package && k.test != "" {
				t.endTest(event{Action: "fail", Package: k.pkg, Test: k.test}, w)
				t.forget(k)
			}
		}
		if !t.broken[e.Package] {
			t.failed++
		}
		fmt.Fprintf(w, "FAIL %7.2fs  %s\n%s", e.Elapsed, e.Package, t.text(e))
	}
	// A skipped package has no test files.
}

// text is what the test or package of e has printed.
func (t *tally) text(e event) string {
	if b := t.output[key{e.Package, e.Test}]; b != nil {
		return b.String()
	}
	return ""
}

func (t *tally) forget(k key) {
	delete(t.output, k)
	t.running = slices.DeleteFunc(t.running, func(o key) bool { return o == k })
}

// finish counts what never ended, and prints the result.
func (t *tally) finish(w io.Writer) {
	for _, k := range t.running {
		t.failed++
		fmt.Fprintf(w, "UNFINISHED %s %s\n", k.pkg, k.test)
	}
	if t.passed+t.failed == 0 {
		fmt.Fprintln(w, "no test ran")
	}
	fmt.Fprintf(w, "tests: %d passed, %d failed\n", t.passed, t.failed)
}
