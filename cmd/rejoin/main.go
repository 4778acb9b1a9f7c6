// Command rejoin is a bot in Tox conferences, and simulates, checks and repairs them.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v2"
)

// Exit codes.
const (
	exitGood   = 0
	exitBad    = 1 // the command ran and the result is bad
	exitMisuse = 2 // the command line is wrong
)

// misuse is an error of the command line.
type misuse struct{ error }

func misusef(format string, args ...any) error { return misuse{fmt.Errorf(format, args...)} }

// errBad says that the result is bad and has been reported already.
var errBad = errors.New("bad result")

func main() { os.Exit(run(os.Args, os.Stdin, os.Stdout, os.Stderr)) }

// run executes one command line and returns its exit code.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	app := newApp(stdin, stdout, stderr)
	err := app.Run(args)
	var m misuse
	switch {
	case err == nil:
		return exitGood
	case errors.Is(err, errBad):
		return exitBad
	case errors.As(err, &m):
		fmt.Fprintf(stderr, "rejoin: %v\n", err)
		return exitMisuse
	}
	fmt.Fprintf(stderr, "rejoin: %v\n", err)
	return exitBad
}

func newApp(stdin io.Reader, stdout, stderr io.Writer) *cli.App {
	app := &cli.App{
		Name:  "rejoin",
		Usage: "Tox conferences that survive being torn apart",
		Description: "Exit codes: 0 good, 1 bad result, 2 misuse. With --json standard output ends with one\n" +
			"object on one line; progress goes to standard error.",
		Reader:         stdin,
		Writer:         stdout,
		ErrWriter:      stderr,
		ExitErrHandler: func(*cli.Context, error) {}, // run decides
		OnUsageError:   usageError,
		HideVersion:    true,
		Commands:       []*cli.Command{botCommand(), simCommand(), traceCommand(), saveCommand()},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return misusef("unknown command %q; see rejoin --help", c.Args().First())
			}
			return cli.ShowAppHelp(c)
		},
	}
	return app
}

func usageError(_ *cli.Context, err error, _ bool) error { return misuse{err} }
