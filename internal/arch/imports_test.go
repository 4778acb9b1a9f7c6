package arch

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"
)

// A layer is a folder with all below it that no earlier layer has, and what its non-test files
// may import.
type layer struct {
	dir    string
	module []string // layers of this module, itself included where it has sub-packages
	others []string // modules of others
	std    []string // packages of the standard library; nil: all but denied
	denied []string // folders of the standard library
}

// pureStd is all that a pure package may import: nothing that knows a clock,
// a random source, a file, a network or another goroutine. It has no maps:
// their order is a random source, too.
func pureStd() []string {
	return []string{
		"bytes", "cmp", "encoding/binary", "encoding/hex", "errors", "fmt", "io", "iter",
		"math", "math/bits", "slices", "sort", "strconv", "strings", "unicode/utf8",
	}
}

// layers is the whole of who may know whom. Arrows point one way.
func layers() []layer {
	return []layer{
		{dir: "packets", std: pureStd()},
		{dir: "peers", module: []string{"packets"}, std: pureStd()},
		{dir: "conference", module: []string{"peers", "packets"}, std: pureStd()},
		{
			dir: "persist", module: []string{"persist", "packets"},
			others: []string{"golang.org/x/crypto", "golang.org/x/sys"},
			denied: []string{"net", "unsafe"},
		},
		{ // behind a build tag, for tests only
			dir: "sim/oracle", module: []string{"sim", "conference", "peers", "packets"},
			others: []string{"github.com/google/go-cmp"},
			denied: []string{"net", "crypto/rand"},
		},
		{
			dir: "sim", module: []string{"sim", "conference", "peers", "packets"},
			denied: []string{"net", "crypto/rand"},
		},
		machine("tox/crypto"),
		machine("tox/dhtnode"),
		machine("tox/dht", "tox/crypto", "tox/dhtnode"),
		machine("tox/onion", "tox/crypto", "tox/dhtnode"),
		machine("tox/netcrypto", "tox/crypto", "tox/dhtnode"),
		machine("tox/friend"),
		machine("tox/messenger"),
		{
			dir: "tox", module: []string{"tox", "packets"},
			others: []string{"golang.org/x/crypto", "filippo.io/edwards25519"},
		},
		{
			dir: "client", module: []string{"tox", "persist", "conference", "packets"},
			denied: []string{"unsafe"},
		},
		{
			dir:    "cmd",
			module: []string{"cmd", "client", "tox", "sim", "persist", "conference", "peers", "packets"},
			others: []string{"github.com/urfave/cli/v2", "github.com/lmittmann/tint", "github.com/schollz/progressbar/v3", "golang.org/x/term"},
			denied: []string{"unsafe"},
		},
		{dir: "internal", module: []string{"internal", "sim", "persist", "conference", "peers", "packets"}},
	}
}

// machine is the layer of one machine of the transport: no clock, no socket, no
// random source of its own, and no other machine.
func machine(dir string, below ...string) layer {
	return layer{
		dir: dir, module: append(below, dir, "packets"), others: []string{"golang.org/x/crypto"},
		denied: []string{"context", "log", "math/rand", "crypto/rand", "net/http", "os", "sync", "syscall", "time", "unsafe"},
	}
}

// layerOf is the layer that dir belongs to.
func layerOf(dir string) (layer, bool) {
	for _, l := range layers() {
		if under(dir, l.dir) {
			return l, true
		}
	}
	return layer{}, false
}

// refuse says why a file of l may not import p; "" if it may.
func (l layer) refuse(p string) string {
	first, _, _ := strings.Cut(p, "/")
	in := func(list []string) bool {
		return slices.ContainsFunc(list, func(top string) bool { return under(p, top) })
	}
	switch {
	case p == module || strings.HasPrefix(p, module+"/"):
		dir := strings.TrimPrefix(strings.TrimPrefix(p, module), "/")
		if !slices.ContainsFunc(l.module, func(top string) bool { return under(dir, top) }) {
			return fmt.Sprintf("%s may import of this module only %v", l.dir, l.module)
		}
	case strings.Contains(first, "."):
		if !in(l.others) {
			return fmt.Sprintf("%s may import of others' modules only %v", l.dir, l.others)
		}
	case l.std != nil:
		if !slices.Contains(l.std, p) {
			return fmt.Sprintf("%s may import of the standard library only %v", l.dir, l.std)
		}
	case in(l.denied):
		return fmt.Sprintf("%s may not import %v", l.dir, l.denied)
	}
	return ""
}

// Every import in non-test code follows layers. Because a pure package may
// import only pure packages and a fixed part of the standard library, what
// holds for each file here holds for all that it pulls in from this module.
func TestImportsPointOneWay(t *testing.T) {
	for _, f := range goFiles(t) {
		l, ok := layerOf(f.dir)
		if !ok {
			t.Errorf("%s: folder %s has no row in layers()", f.name, f.dir)
			continue
		}
		if f.test {
			continue
		}
		if f.dir == "tox" && path.Base(f.name) != "runner.go" && !strings.HasPrefix(path.Base(f.name), "broadcast") {
			l = machine("tox") // the node is a machine as well; its runner has the socket and the clock
		}
		for _, p := range f.imports(t) {
			if why := l.refuse(p); why != "" {
				t.Errorf("%s imports %q: %s", f.name, p, why)
			}
		}
	}
}

// The rows themselves: no layer may reach itself by way of another.
func TestLayersHaveNoCycle(t *testing.T) {
	next := map[string][]string{}
	for _, l := range layers() {
		next[l.dir] = l.module
	}
	var reach func(from, to string, seen []string) bool
	reach = func(from, to string, seen []string) bool {
		for _, n := range next[from] {
			if n == from || slices.Contains(seen, n) {
				continue
			}
			if n == to || reach(n, to, append(seen, n)) {
				return true
			}
		}
		return false
	}
	for _, l := range layers() {
		for _, n := range l.module {
			if _, ok := next[n]; !ok {
				t.Errorf("%s may import %s, which has no row", l.dir, n)
			}
		}
		if reach(l.dir, l.dir, nil) {
			t.Errorf("%s can reach itself through the layers that it may import", l.dir)
		}
	}
}

// The check must see what it forbids.
func TestRefuse(t *testing.T) {
	for _, c := range []struct {
		dir, path string
		refused   bool
	}{
		{"packets", "fmt", false},
		{"packets", "time", true},
		{"packets", "unsafe", true},
		{"packets", module + "/peers", true},
		{"conference", module + "/packets", false},
		{"conference", module + "/persist", true},
		{"conference", "math/rand/v2", true},
		{"conference", "math/rand", true},
		{"conference", "sync/atomic", true},
		{"conference", "github.com/google/go-cmp/cmp", true},
		{"peers", "crypto/rand", true},
		{"persist", "golang.org/x/crypto/scrypt", false},
		{"persist", module + "/conference", true},
		{"sim", "time", false},
		{"sim", "net", true},
		{"sim", "net/netip", true},
		{"sim", module + "/client", true},
		{"sim/oracle", "C", false},
		{"sim/oracle", module + "/sim", false},
		{"sim", module + "/tox/dht", true},
		{"cmd/rejoin", module + "/sim", false},
		{"cmd/rejoin", module, true},
		{"client", "github.com/urfave/cli/v2", true},
	} {
		l, ok := layerOf(c.dir)
		if !ok {
			t.Fatalf("no layer for %s", c.dir)
		}
		if why := l.refuse(c.path); (why != "") != c.refused {
			t.Errorf("%s imports %q: refused = %q, want refused: %v", c.dir, c.path, why, c.refused)
		}
	}
}
