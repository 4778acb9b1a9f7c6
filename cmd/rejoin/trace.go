package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/tox-rejoin/rejoin/sim/trace"
)

func traceCommand() *cli.Command {
	return family("trace", "recorded traffic of real c-toxcore", traceCheckCommand())
}

func traceCheckCommand() *cli.Command {
	return &cli.Command{
		Name:      "check",
		Usage:     "replay recordings and compare everything that our engine does",
		ArgsUsage: "FILE...",
		Description: "Every instance in a recording (JSON lines, plain or gzipped) is replayed by an engine\n" +
			"that gets exactly the recorded inputs: calls, deliveries, links, clock, random draws and\n" +
			"refused packets. It must send the same packets in the same tick, ask for the same\n" +
			"connections, return the same results, raise the same events, write the same saves and be\n" +
			"in the same state. The recording is checked, too: no line may be missing.\n\n" +
			"Prints one line for each file:\n\n" +
			"   ok FILE nodes=… packets=… states=… events=… saves=… quirks=…\n" +
			"   FAIL FILE line N: want … got …\n\n" +
			"quirks counts lossy packets that c-toxcore sends to the connection whose number stands in\n" +
			"slot 0 of its table; our engine does not imitate them, but each is accounted for.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "json", Usage: "end with one JSON object: ok, and of each file what its line says"},
		},
		OnUsageError: usageError,
		Action:       withArguments(traceCheck, "FILE..."),
	}
}

// traceReport is the outcome for one file, as JSON has it.
type traceReport struct {
	File string `json:"file"`
	OK   bool   `json:"ok"`
	trace.Result
	Line  int    `json:"line,omitempty"` // of the difference
	Want  string `json:"want,omitempty"`
	Got   string `json:"got,omitempty"`
	Error string `json:"error,omitempty"` // the file could not be read
}

func traceCheck(c *cli.Context, files []string) error {
	all := struct {
		OK    bool          `json:"ok"`
		Files []traceReport `json:"files"`
	}{OK: true}
	progress := newLiveLine(c.App.ErrWriter)
	for i, file := range files {
		progress.show(fmt.Sprintf("checking %d of %d: %s", i+1, len(files), file))
		report := traceCheckFile(file)
		progress.clear()
		if _, err := fmt.Fprintln(c.App.Writer, report); err != nil {
			return err
		}
		all.OK = all.OK && report.OK
		all.Files = append(all.Files, report)
	}
	if c.Bool("json") {
		if err := json.NewEncoder(c.App.Writer).Encode(all); err != nil {
			return err
		}
	}
	if !all.OK {
		return errBad
	}
	return nil
}

// traceCheckFile checks one file.
func traceCheckFile(name string) traceReport {
	report := traceReport{File: name}
	f, err := os.Open(name)
	if err != nil {
		report.Error = err.Error()
		return report
	}
	defer f.Close()
	report.Result, err = trace.Check(f, trace.Options{})
	var diff *trace.Mismatch
	switch {
	case err == nil:
		report.OK = true
	case errors.As(err, &diff):
		report.Line, report.Want, report.Got = diff.Line, diff.Want, diff.Got
	default:
		report.Error = fmt.Sprintf("%s: %v", name, err)
	}
	return report
}

// String is the line that is printed for the file.
func (r traceReport) String() string {
	switch {
	case r.OK:
		return fmt.Sprintf("ok %s %v", r.File, r.Result)
	case r.Error != "":
		return fmt.Sprintf("FAIL %s: %s", r.File, r.Error)
	}
	diff := trace.Mismatch{Line: r.Line, Want: r.Want, Got: r.Got}
	return fmt.Sprintf("FAIL %s %v", r.File, &diff)
}
