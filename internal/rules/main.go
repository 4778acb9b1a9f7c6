// Command rules checks that SPEC.md, code, scenarios and tests belong together,
// and prints which rule is cited where and shown by what. It exits with 1 if
//
//   - a rule of the engine or the codec is not cited in code, or has no scenario,
//   - a rule of the transport is not cited in the code of its package, or not in
//     the comment of a test,
//   - code, or a test of the transport, cites a rule that SPEC.md does not have,
//   - a scenario is for a rule that SPEC.md does not have, or is misnamed,
//   - a scenario fails, or still passes when one of its expectations is made wrong.
//
// Run it anywhere in the module: go run ./internal/rules
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"text/tabwriter"
)

func main() {
	root, err := moduleRoot()
	if err == nil {
		err = run(root, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "rules:", err)
		os.Exit(1)
	}
}

// errProblems says that problems have been printed.
var errProblems = errors.New("rules, code, scenarios and tests do not belong together")

// run checks the module at root and prints the table and the problems.
func run(root string, out io.Writer) error {
	m, err := load(root)
	if err != nil {
		return err
	}
	flips, problems := m.play()
	problems = append(m.problems(), problems...)
	if err := m.table(out); err != nil {
		return err
	}
	for _, p := range problems {
		fmt.Fprintln(out, "problem:", p)
	}
	_, err = fmt.Fprintf(out, "%d rules, %d citations, %d scenarios, %d wrong expectations noticed, %d citations in tests, %d problems\n",
		len(m.rules), len(m.cites), len(m.scenarios), flips, len(m.tests), len(problems))
	if err == nil && len(problems) > 0 {
		err = errProblems
	}
	return err
}

// table prints one line for each rule.
func (m *module) table(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "rule\tkept in\tcited\tscenarios, tests")
	for _, r := range m.rules {
		var where, played []string
		for _, c := range m.cites {
			if c.rule == r.name {
				where = append(where, fmt.Sprintf("%s:%d", c.file, c.line))
			}
		}
		for _, s := range m.scenarios {
			if s.parsed.Rule == r.name {
				played = append(played, s.name)
			}
		}
		for _, c := range m.tests {
			if c.rule == r.name && c.test != "" {
				played = append(played, path.Dir(c.file)+":"+c.test)
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", r.name, strings.Join(r.kept, ", "), strings.Join(where, " "), strings.Join(played, " "))
	}
	return w.Flush()
}

// moduleRoot is the nearest folder above the working directory with a go.mod.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, statErr := os.Stat(filepath.Join(dir, "go.mod")); statErr == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("not inside the module")
		}
		dir = up
	}
	return "", err
}
