package arch

import (
	"bufio"
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
	examples := read(t, "client/example_test.go") + read(t, "conference/example_test.go")
	for _, b := range blocks(t, "go") {
		if !strings.Contains(examples, b) {
			t.Errorf("in no example as it stands:\n%s", b)
		}
	}
}

// The first screen of README.md is what the bot prints, but for its keys, its
// port and where its files are.
func TestReadmeFirstScreen(t *testing.T) {
	dir := t.TempDir()
	bot := exec.Command(rejoin(t), "bot", "--dir", dir)
	out, err := bot.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := bot.Start(); err != nil {
		t.Fatal(err)
	}
	want := blocks(t, "text")[0]
	lines := bufio.NewReader(out)
	got := ""
	for range strings.Count(want, "\n") {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		got += line
	}
	if err := bot.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = bot.Wait() // says that it was killed
	secrets := regexp.MustCompile(`[0-9A-F]{64,76}|127.0.0.1 [0-9]+`)
	alike := func(s, dir string) string { return secrets.ReplaceAllString(strings.ReplaceAll(s, dir, "DIR"), "…") }
	if g, w := alike(got, dir), alike(want, "/home/you/.local/share/rejoin/bot"); g != w {
		t.Errorf("the bot prints\n%s\nand in README.md is\n%s", g, w)
	}
}

// rejoin is the command, built.
func rejoin(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "rejoin.exe")
	if out, err := exec.Command("go", "build", "-o", bin, "../../cmd/rejoin").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return bin
}

// What README.md shows of a command is what the command prints, but for the
// wall time.
func TestReadmeOutput(t *testing.T) {
	bin := rejoin(t)
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
