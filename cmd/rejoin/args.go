package main

import (
	"cmp"
	"errors"
	"flag"
	"io"
	"strings"

	"github.com/urfave/cli/v2"
)

// family is a command that only has subcommands.
func family(name, usage string, commands ...*cli.Command) *cli.Command {
	return &cli.Command{
		Name:         name,
		Usage:        usage,
		OnUsageError: usageError,
		Subcommands:  commands,
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return misusef("unknown command %q; see rejoin %s --help", c.Args().First(), name)
			}
			return cli.ShowSubcommandHelp(c)
		},
	}
}

// withArguments is an action that gets the words of the command line that are
// no flags, one for each name; a last name that ends in "..." stands for one or
// more. Flags count wherever they stand.
func withArguments(action func(c *cli.Context, args []string) error, names ...string) cli.ActionFunc {
	return func(c *cli.Context) error {
		args, err := arguments(c)
		switch {
		case err != nil:
			return err
		case c.Bool("help"):
			return cli.ShowSubcommandHelp(c)
		case !fits(len(args), names):
			return misusef("%s: want %s, got %d arguments; see rejoin %[1]s --help",
				strings.TrimPrefix(c.Command.HelpName, "rejoin "), cmp.Or(strings.Join(names, " "), "none"), len(args))
		}
		return action(c, args)
	}
}

func fits(n int, names []string) bool {
	if len(names) > 0 && strings.HasSuffix(names[len(names)-1], "...") {
		return n >= len(names)
	}
	return n == len(names)
}

// arguments parses what the parser of the command left alone: everything
// behind the first word.
func arguments(c *cli.Context) ([]string, error) {
	set := flag.NewFlagSet(c.Command.Name, flag.ContinueOnError)
	set.SetOutput(io.Discard)
	for _, f := range c.Command.Flags {
		if err := f.Apply(set); err != nil {
			return nil, err
		}
	}
	var args []string
	for rest := c.Args().Slice(); len(rest) > 0; {
		if err := set.Parse(rest); err != nil {
			return nil, misuse{err}
		}
		parsed := rest[:len(rest)-set.NArg()]
		rest = set.Args()
		if n := len(parsed); n > 0 && parsed[n-1] == "--" {
			args = append(args, rest...)
			break
		}
		if len(rest) > 0 {
			args, rest = append(args, rest[0]), rest[1:]
		}
	}
	var err error
	set.Visit(func(f *flag.Flag) { err = errors.Join(err, c.Set(f.Name, f.Value.String())) })
	return args, err
}
