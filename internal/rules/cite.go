package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// citation is one place in the code that follows a rule, or a test of one.
type citation struct {
	rule string
	file string // relative to the module
	line int
	test string // its name; empty in code, and in the rest of a test file
}

// codeDirs hold the code that keeps the rules.
func codeDirs() []string { return []string{"packets", "peers", "conference", "persist", toxDir} }

// citations finds all citations in the code below dir.
func citations(root, dir string) ([]citation, error) {
	return inFiles(root, dir, false, citationsIn)
}

// testCitations finds all citations in the tests below dir.
func testCitations(root, dir string) ([]citation, error) {
	return inFiles(root, dir, true, testCitationsIn)
}

// inFiles looks for citations in the Go files below dir: those of tests or the
// others.
func inFiles(root, dir string, tests bool, find func(name, text string) ([]citation, error)) ([]citation, error) {
	var all []citation
	err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") != tests {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		found, err := find(filepath.ToSlash(name), string(text))
		all = append(all, found...)
		return err
	})
	return all, err
}

// testCitationsIn finds the citations in a file of tests. Those in the comment
// of a test, or of a fuzz target, have its name.
func testCitationsIn(name, text string) ([]citation, error) {
	all, err := citationsIn(name, text)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Doc == nil || f.Recv != nil || !strings.HasPrefix(f.Name.Name, "Test") && !strings.HasPrefix(f.Name.Name, "Fuzz") {
			continue
		}
		first, last := set.Position(f.Doc.Pos()).Line, set.Position(f.Doc.End()).Line
		for i := range all {
			if c := &all[i]; first <= c.line && c.line <= last {
				c.test = f.Name.Name
			}
		}
	}
	return all, nil
}

// citationsIn finds the citations in the text of a file.
func citationsIn(name, text string) ([]citation, error) {
	// A citation is "SPEC" and a list: SPEC C-1; SPEC C-1, C-2 and I-3;
	// SPEC C-8 to C-14. It may go on in the next line of a comment: such lines
	// become one, and form feeds keep count of them.
	citeList := regexp.MustCompile(`\bSPEC ([CIT]-\d+[a-z]?(?:(?:,|\s+to|,?\s+and)\s+[CIT]-\d+[a-z]?)*)`)
	newLine := regexp.MustCompile(`\n[ \t]*//`)
	text = newLine.ReplaceAllString(text, "\f")
	var all []citation
	for _, at := range citeList.FindAllStringSubmatchIndex(text, -1) {
		line := 1 + strings.Count(text[:at[0]], "\n") + strings.Count(text[:at[0]], "\f")
		rules, err := expand(text[at[2]:at[3]])
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, line, err)
		}
		for _, r := range rules {
			all = append(all, citation{rule: r, file: name, line: line})
		}
	}
	return all, nil
}

// expand turns "C-1, C-3 to C-5" into rules.
func expand(list string) ([]string, error) {
	citeItem := regexp.MustCompile(`(to\s+)?([CIT])-(\d+)([a-z]?)`)
	var rules []string
	last, lastKind := 0, ""
	for _, m := range citeItem.FindAllStringSubmatch(list, -1) {
		n, err := strconv.Atoi(m[3])
		if err != nil {
			return nil, err
		}
		if m[1] != "" {
			if m[2] != lastKind || n <= last {
				return nil, fmt.Errorf("bad range in %q", list)
			}
			for i := last + 1; i < n; i++ {
				rules = append(rules, fmt.Sprintf("%s-%d", m[2], i))
			}
		}
		rules = append(rules, m[2]+"-"+m[3]+m[4])
		last, lastKind = n, m[2]
	}
	return rules, nil
}
