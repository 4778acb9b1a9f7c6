package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// stream is the output of go test -json, one event a line.
func stream(events ...string) string { return strings.Join(events, "\n") + "\n" }

func TestRun(t *testing.T) {
	const (
		start  = `{"Action":"start","Package":"m/p"}`
		runA   = `{"Action":"run","Package":"m/p","Test":"TestA"}`
		outA   = `{"Action":"output","Package":"m/p","Test":"TestA","Output":"want 1, got 2\n"}`
		passA  = `{"Action":"pass","Package":"m/p","Test":"TestA","Elapsed":0.1}`
		failA  = `{"Action":"fail","Package":"m/p","Test":"TestA"}`
		skipA  = `{"Action":"skip","Package":"m/p","Test":"TestA"}`
		pass   = `{"Action":"pass","Package":"m/p","Elapsed":1.5}`
		fail   = `{"Action":"fail","Package":"m/p"}`
		noTest = `{"Action":"skip","Package":"m/p"}`
		panics = `{"Action":"output","Package":"m/p","Output":"panic: out of range\n"}`
		build  = `{"Action":"build-output","ImportPath":"m/p","Output":"p.go:1: undefined: x\n"}`
	)
	for _, c := range []struct {
		name   string
		in     string
		code   int
		counts string
		says   []string
	}{
		{"passed", stream(start, runA, outA, passA, pass), 0, "1 0\n", []string{"ok      1.50s  m/p", "1 passed, 0 failed"}},
		{"failed", stream(start, runA, outA, failA, fail), 1, "0 1\n", []string{"FAIL m/p TestA\nwant 1, got 2\n", "0 passed, 1 failed"}},
		{"skipped", stream(start, runA, outA, skipA, pass), 1, "0 1\n", []string{"SKIPPED", "want 1, got 2"}},
		{"no test", stream(start, noTest), 1, "0 0\n", []string{"no test ran"}},
		{"nothing", "", 1, "0 0\n", []string{"no test ran"}},
		{"not built", stream(build, start, fail), 1, "0 1\n", []string{"p.go:1: undefined: x"}},
		{"panicked", stream(start, runA, outA, panics, fail), 1, "0 1\n", []string{"panic: out of range", "want 1, got 2"}},
		{"panicked in a test", stream(start, runA, outA, failA, panics, fail), 1, "0 1\n", []string{"panic: out of range"}},
		{"failed after its tests", stream(start, runA, passA, panics, fail), 1, "1 1\n", []string{"panic: out of range"}},
		{"cut off", stream(start, runA, passA), 1, "1 1\n", []string{"UNFINISHED m/p"}},
		{"no JSON", stream("go: cannot find main module"), 1, "0 0\n", []string{"go: cannot find main module"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			counts := filepath.Join(t.TempDir(), "counts")
			var out bytes.Buffer
			if code := run([]string{"-counts", counts}, strings.NewReader(c.in), &out, &out); code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			for _, s := range c.says {
				if !strings.Contains(out.String(), s) {
					t.Errorf("output lacks %q:\n%s", s, &out)
				}
			}
			got, err := os.ReadFile(counts)
			if err != nil || string(got) != c.counts {
				t.Errorf("counts %q, %v, want %q", got, err, c.counts)
			}
		})
	}
}

// Counts of several runs add up in one file.
func TestCountsAppend(t *testing.T) {
	counts := filepath.Join(t.TempDir(), "counts")
	in := stream(`{"Action":"run","Package":"p","Test":"T"}`, `{"Action":"pass","Package":"p","Test":"T"}`)
	for range 2 {
		run([]string{"-counts", counts}, strings.NewReader(in), &bytes.Buffer{}, &bytes.Buffer{})
	}
	got, err := os.ReadFile(counts)
	if err != nil || string(got) != "1 0\n1 0\n" {
		t.Errorf("counts %q, %v", got, err)
	}
}
