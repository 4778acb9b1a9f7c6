package arch

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")))
}

// blocks are the contents of the fenced blocks of README.md in a language.
func blocks(t *testing.T, language string) []string {
	t.Helper()
	var list []string
	fence := regexp.MustCompile("(?ms)^```" + language + "\n(.*?)^```$")
	for _, m := range fence.FindAllStringSubmatch(read(t, "README.md"), -1) {
		list = append(list, m[1])
	}
	if len(list) == 0 {
		t.Fatalf("README.md has no block in %q", language)
	}
	return list
}

// The Go code of README.md is code that compiles and runs as an example.
func TestReadmeCode(t *testing.T) {
	example := read(t, "conference/example_test.go")
	for _, b := range blocks(t, "go") {
		if !strings.Contains(example, b) {
			t.Errorf("not in conference/example_test.go as it stands:\n%s", b)
		}
	}
}

// What README.md shows of a command is what the command prints, but for the
// wall time.
func TestReadmeOutput(t *testing.T) {
	bin := filepath.Join(t.TempDir(), "rejoin.exe")
	if out, err := exec.Command("go", "build", "-o", bin, "../../cmd/rejoin").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	took := regexp.MustCompile(`virtual time in [0-9.]+ s`)
	for _, b := range blocks(t, "console") {
		line, want, _ := strings.Cut(b, "\n")
		args, ok := strings.CutPrefix(line, "$ go run ./cmd/rejoin ")
		if !ok {
			t.Errorf("do not know how to run %q", line)
			continue
		}
		cmd := exec.Command(bin, strings.Fields(args)...)
		cmd.Dir = root
		got, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v", args, err)
		}
		if g, w := took.ReplaceAllString(string(got), "-"), took.ReplaceAllString(want, "-"); g != w {
			t.Errorf("rejoin %s prints\n%s\nand in README.md is\n%s", args, g, w)
		}
	}
}

// The table of README.md names every folder of code, and no other.
func TestReadmeFolders(t *testing.T) {
	var listed, there []string
	row := regexp.MustCompile("(?m)^\\| `([a-z]+)[a-z/]*` \\|")
	for _, m := range row.FindAllStringSubmatch(read(t, "README.md"), -1) {
		listed = append(listed, m[1])
	}
	walk(t, func(name string) {
		if top, _, below := strings.Cut(name, "/"); below && !strings.HasPrefix(top, ".") {
			there = append(there, top)
		}
	})
	slices.Sort(listed)
	slices.Sort(there)
	listed, there = slices.Compact(listed), slices.Compact(there)
	if !slices.Equal(listed, there) {
		t.Errorf("README.md lists %v, there are %v", listed, there)
	}
}

// A text that names another text names one that is here.
func TestTextsExist(t *testing.T) {
	name := regexp.MustCompile(`\b[A-Za-z_]+\.md\b`)
	there := map[string]bool{}
	walk(t, func(file string) { there[filepath.Base(file)] = true })
	walk(t, func(file string) {
		if strings.Contains(file, "testdata/vectors/") || !slices.Contains([]string{".go", ".md", ".c", ".h"}, filepath.Ext(file)) {
			return
		}
		for n, line := range strings.Split(read(t, file), "\n") {
			for _, text := range name.FindAllString(line, -1) {
				if !there[text] {
					t.Errorf("%s:%d: there is no %s", file, n+1, text)
				}
			}
		}
	})
}
