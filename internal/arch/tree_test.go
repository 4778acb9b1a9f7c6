// Package arch has no code, only tests: they hold the module to the shape that
// README.md and CONTRIBUTING.md describe.
package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	module = "github.com/tox-rejoin/rejoin"
	root   = "../.." // of the module, seen from this package
)

// A file is one parsed Go file of the module, whatever its build tags.
type file struct {
	name string // slash-separated, from the root
	dir  string // its package, slash-separated, from the root
	test bool
	fset *token.FileSet
	ast  *ast.File
}

// at is the position of n as a reader finds it.
func (f file) at(n ast.Node) string {
	return f.name + ":" + strconv.Itoa(f.fset.Position(n.Pos()).Line)
}

// imports are the import paths of f, in order.
func (f file) imports(t *testing.T) []string {
	t.Helper()
	var list []string
	for _, spec := range f.ast.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatalf("%s: %v", f.at(spec), err)
		}
		list = append(list, p)
	}
	return list
}

// walk calls visit with every regular file of the tree, but for what git and
// the go command ignore: names that begin with a dot, but for our own .ci and
// settings.
func walk(t *testing.T, visit func(name string)) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && strings.HasPrefix(d.Name(), ".") && name != "." && name != ".ci":
			return fs.SkipDir
		case d.Type().IsRegular():
			visit(name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// goFiles parses every Go file of the module.
func goFiles(t *testing.T) []file {
	t.Helper()
	fset := token.NewFileSet()
	var files []file
	walk(t, func(name string) {
		if path.Ext(name) != ".go" || slices.Contains(strings.Split(name, "/"), "testdata") {
			return
		}
		parsed, err := parser.ParseFile(fset, filepath.Join(root, filepath.FromSlash(name)), nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file{
			name: name, dir: path.Dir(name), test: strings.HasSuffix(name, "_test.go"),
			fset: fset, ast: parsed,
		})
	})
	if len(files) == 0 {
		t.Fatal("found no Go file: is this package still two folders below the root?")
	}
	return files
}

// under tells whether dir is top or below it.
func under(dir, top string) bool { return dir == top || strings.HasPrefix(dir, top+"/") }
