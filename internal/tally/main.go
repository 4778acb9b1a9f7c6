// Command tally reads the output of go test -json, prints what failed and a
// line for each package, and counts the tests.
//
//	go test -json ./... | go run ./internal/tally -counts FILE
//
// It exits with 1 if a test failed, was skipped or did not finish, if a package
// did not build, or if there was no test at all: what does not run, proves
// nothing. Each test counts, sub-tests included. To the file of -counts it
// appends one line, "PASSED FAILED".
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
)

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// run is the command; it returns its exit code.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("tally", flag.ContinueOnError)
	flags.SetOutput(stderr)
	counts := flags.String("counts", "", "append \"PASSED FAILED\" to this `file`")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	t, err := read(stdin, stdout)
	if err != nil {
		fmt.Fprintf(stderr, "tally: %v\n", err)
		t.failed++
	}
	t.finish(stdout)
	if *counts != "" {
		if err := appendCounts(*counts, t); err != nil {
			fmt.Fprintf(stderr, "tally: %v\n", err)
			return 2
		}
	}
	if t.failed > 0 || t.passed == 0 {
		return 1
	}
	return 0
}

func appendCounts(name string, t *tally) error {
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(f, t.passed, t.failed); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
