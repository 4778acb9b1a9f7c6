package arch

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A finding is a place that breaks a rule, and which.
type finding struct {
	node ast.Node
	what string
}

// A rule about code looks at one file.
type rule struct {
	name    string
	applies func(f file) bool
	find    func(f *ast.File) []finding
	bad     []string // a declaration each that the rule must find
	good    []string // a declaration each that it must leave alone
}

// in makes an applies for the non-test files of the given folders.
func in(tops ...string) func(file) bool {
	return func(f file) bool {
		return !f.test && slices.ContainsFunc(tops, func(top string) bool { return under(f.dir, top) })
	}
}

// rules are the habits that a test keeps instead of us.
func rules() []rule {
	code := func(f file) bool { return !f.test }
	machines := in("packets", "peers", "conference",
		"tox/crypto", "tox/dht", "tox/onion", "tox/netcrypto", "tox/friend", "tox/messenger")
	return []rule{
		{
			name: "no goroutine, no channel, no printing", applies: machines,
			find: findConcurrency,
			bad: []string{
				`func f() { go f() }`, `func f(c chan int) {}`, `func f() { select {} }`,
				`func f() { println() }`, `func f() { fmt.Println() }`, `type t struct{ c chan<- int }`,
			},
			good: []string{`func f() string { return fmt.Sprint() }`, `func f(l []int) { for range l {} }`},
		},
		{
			name: "no range over a map", applies: machines,
			find: findMapVars,
			bad:  []string{`func f(m map[int]int) { for range m {} }`, `type t struct{ m map[int]int }; func (x *t) f() { for range x.m {} }`},
			good: []string{`func f(m map[int]int) int { return m[0] }`, `func f(m []int) { for range m {} }`},
		},
		{
			name: "no package-level variable but sentinel errors", applies: code,
			find: findVars,
			bad:  []string{`var x int`, `var cache = map[int]int{}`, `var ErrX error`, `var errX = 3`},
			good: []string{
				`var ErrX = errors.New("x")`, `var errX = fmt.Errorf("%w: x", ErrY)`, `var _ error = errT{}`,
				`const x = 1`, `func f() { var x int; _ = x }`,
			},
		},
		{
			name: "no init", applies: func(file) bool { return true },
			find: findInit,
			bad:  []string{`func init() {}`},
			good: []string{`func (t) init() {}`, `func initial() {}`},
		},
		{
			name: "no skipped test", applies: func(f file) bool { return f.test },
			find: findCalls("Skip", "Skipf", "SkipNow"),
			bad:  []string{`func TestX(t *testing.T) { t.Skip("why") }`, `func f(b *testing.B) { b.SkipNow() }`},
			good: []string{`func TestX(t *testing.T) { t.Log("Skip") }`},
		},
		{
			name: "the wall clock is read only by hosts", applies: func(f file) bool {
				return machines(f) || in("sim", "persist")(f) && !in("sim/oracle/differ")(f) // a program
			},
			find: findCalls("time.Now", "time.Since", "time.Until", "time.Sleep", "time.After"),
			bad:  []string{`func f() { _ = time.Now() }`, `func f(x time.Time) { _ = time.Since(x) }`},
			good: []string{`func f(now int64) { x.Now() }`},
		},
	}
}

// findConcurrency finds what needs or makes another goroutine, and writing to
// the process's own streams.
func findConcurrency(f *ast.File) (list []finding) {
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			list = append(list, finding{n, "a go statement"})
		case *ast.ChanType:
			list = append(list, finding{n, "a channel"})
		case *ast.SelectStmt:
			list = append(list, finding{n, "a select"})
		case *ast.SendStmt:
			list = append(list, finding{n, "a send"})
		}
		return true
	})
	return append(list, findCalls("fmt.Print", "fmt.Println", "fmt.Printf", "print", "println")(f)...)
}

// findMapVars finds range statements over a name or field that the same file
// declares with a map type. Without types it cannot find all, but it finds the
// plain ones.
func findMapVars(f *ast.File) (list []finding) {
	maps := map[string]bool{}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Field:
			if _, ok := n.Type.(*ast.MapType); ok {
				for _, id := range n.Names {
					maps[id.Name] = true
				}
			}
		case *ast.ValueSpec:
			if _, ok := n.Type.(*ast.MapType); ok {
				for _, id := range n.Names {
					maps[id.Name] = true
				}
			}
		case *ast.AssignStmt:
			for i, right := range n.Rhs {
				if id, ok := n.Lhs[min(i, len(n.Lhs)-1)].(*ast.Ident); ok && makesMap(right) {
					maps[id.Name] = true
				}
			}
		}
		return true
	})
	ast.Inspect(f, func(n ast.Node) bool {
		if r, ok := n.(*ast.RangeStmt); ok && maps[lastName(r.X)] {
			list = append(list, finding{r, "a range over a map, whose order is random"})
		}
		return true
	})
	return list
}

// makesMap tells whether x is make(map…) or a map literal.
func makesMap(x ast.Expr) bool {
	var t ast.Expr
	switch x := x.(type) {
	case *ast.CompositeLit:
		t = x.Type
	case *ast.CallExpr:
		if lastName(x.Fun) == "make" && len(x.Args) > 0 {
			t = x.Args[0]
		}
	}
	_, ok := t.(*ast.MapType)
	return ok
}

// lastName is the x of x and of a.b.x; "" for other expressions.
func lastName(x ast.Expr) string {
	switch x := x.(type) {
	case *ast.Ident:
		return x.Name
	case *ast.SelectorExpr:
		return x.Sel.Name
	}
	return ""
}

// findVars finds package-level variables that are neither a sentinel error
// nor a check at compile time.
func findVars(f *ast.File) (list []finding) {
	for _, d := range f.Decls {
		decl, ok := d.(*ast.GenDecl)
		if !ok || decl.Tok != token.VAR {
			continue
		}
		for _, s := range decl.Specs {
			spec := s.(*ast.ValueSpec)
			for i, id := range spec.Names {
				if id.Name == "_" || len(spec.Values) > i && isSentinel(id.Name, spec.Values[i]) {
					continue
				}
				list = append(list, finding{id, "variable " + id.Name})
			}
		}
	}
	return list
}

// isSentinel tells whether name = value reads like a sentinel error.
func isSentinel(name string, value ast.Expr) bool {
	call, ok := value.(*ast.CallExpr)
	if !ok || !strings.HasPrefix(name, "Err") && !strings.HasPrefix(name, "err") {
		return false
	}
	fun := callee(call)
	return fun == "errors.New" || fun == "fmt.Errorf"
}

// findInit finds init functions.
func findInit(f *ast.File) (list []finding) {
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
			list = append(list, finding{fn, "an init function"})
		}
	}
	return list
}

// findCalls makes a find for calls of the named functions, pkg.Name or Name;
// a Name alone is found as a method, too.
func findCalls(names ...string) func(*ast.File) []finding {
	return func(f *ast.File) (list []finding) {
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if full := callee(call); slices.Contains(names, full) || slices.Contains(names, lastName(call.Fun)) {
				list = append(list, finding{call, "a call of " + full})
			}
			return true
		})
		return list
	}
}

// callee is what call calls, as pkg.Name or Name.
func callee(call *ast.CallExpr) string {
	if sel, ok := call.Fun.(*ast.SelectorExpr); ok {
		if pkg, ok := sel.X.(*ast.Ident); ok {
			return pkg.Name + "." + sel.Sel.Name
		}
	}
	return lastName(call.Fun)
}

func TestCodeRules(t *testing.T) {
	files := goFiles(t)
	for _, r := range rules() {
		t.Run(strings.ReplaceAll(r.name, " ", "_"), func(t *testing.T) {
			for _, f := range files {
				if !r.applies(f) {
					continue
				}
				for _, hit := range r.find(f.ast) {
					t.Errorf("%s: %s", f.at(hit.node), hit.what)
				}
			}
		})
	}
}

// Each rule finds what it is there to find, and only that.
func TestCodeRulesFind(t *testing.T) {
	for _, r := range rules() {
		for i, src := range slices.Concat(r.bad, r.good) {
			f, err := parser.ParseFile(token.NewFileSet(), "", "package p; "+src, 0)
			if err != nil {
				t.Fatal(err)
			}
			if found := len(r.find(f)) > 0; found != (i < len(r.bad)) {
				t.Errorf("rule %q on %q: found = %v", r.name, src, found)
			}
		}
	}
}

// A clone must not know the machine it was made on.
func TestNoPathOfOneMachine(t *testing.T) {
	var paths [][]byte // put together here, so that this file is clean as well
	for _, dir := range []string{"work", "root", "tmp/bash"} {
		paths = append(paths, fmt.Appendf(nil, "/%s/", dir))
	}
	walk(t, func(name string) {
		data, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.IndexByte(data[:min(len(data), 8000)], 0) >= 0 {
			return // binary, by git's own test
		}
		for n, line := range bytes.Split(data, []byte("\n")) {
			for _, p := range paths {
				if bytes.Contains(line, p) {
					t.Errorf("%s:%d: %s", name, n+1, p)
				}
			}
		}
	})
}
