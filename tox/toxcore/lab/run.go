//go:build toxcore

package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// stockPackage is the program of a stock peer.
const stockPackage = "github.com/tox-rejoin/rejoin/tox/toxcore/stock"

// Run builds stock peers and the given programs of this module, named by their
// import paths, runs the tests and returns the exit code for TestMain. If
// anything that the tests need is missing nothing runs, and the code is not 0.
func Run(m *testing.M, programs ...string) int {
	defer os.RemoveAll(workDir())
	if err := prepare(programs); err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		return 1
	}
	return m.Run()
}

// Program is the file of a program that Run was given, by the last element of
// its import path.
func Program(name string) string { return filepath.Join(workDir(), name) }

func prepare(programs []string) error {
	for _, program := range []string{"tox-bootstrapd", "ip", "nft"} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("%w (the documentation of package toxcore lists Debian's packages)", err)
		}
	}
	if err := sweep(); err != nil {
		return err
	}
	if err := os.RemoveAll(workDir()); err != nil {
		return err
	}
	if err := os.Mkdir(workDir(), 0o700); err != nil {
		return err
	}
	if err := build(stockPackage, "-tags=toxcore"); err != nil {
		return err
	}
	for _, program := range programs {
		if err := build(program); err != nil {
			return err
		}
	}
	return nil
}

// build builds a program for Program. Without the tag it must do without cgo.
func build(program string, tags ...string) error {
	args := append([]string{"build", "-buildvcs=false", "-o", Program(path.Base(program))}, tags...)
	cmd := exec.Command("go", append(args, program)...)
	if len(tags) == 0 {
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%v: %w\n%s", cmd, err, out)
	}
	return nil
}

// workPrefix begins the name of the folder where a test process keeps what its
// tests share; the number of the process follows.
const workPrefix = "rejoin-lab-"

func workDir() string {
	return filepath.Join(os.TempDir(), fmt.Sprintf("%s%d", workPrefix, os.Getpid()))
}

// namespacePrefix begins the names of all network namespaces; the number of the
// process that made it follows, and a hyphen.
const namespacePrefix = "rejoin-"

// namespaceFile is where ip keeps a namespace.
func namespaceFile(name string) string { return filepath.Join("/run/netns", name) }

// sweep removes what test processes left that were killed. Their programs have
// ended with them.
func sweep() error {
	out, err := exec.Command("ip", "netns", "list").Output()
	if err != nil {
		return fmt.Errorf("ip netns list: %w", err)
	}
	for line := range strings.Lines(string(out)) {
		name, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		if !orphan(name, namespacePrefix) {
			continue
		}
		out, err := exec.Command("ip", "netns", "delete", name).CombinedOutput()
		if _, gone := os.Stat(namespaceFile(name)); err != nil && gone == nil { // nobody else did, either
			return fmt.Errorf("ip netns delete %s: %w: %s", name, err, out)
		}
	}
	dirs, err := filepath.Glob(filepath.Join(os.TempDir(), workPrefix+"*"))
	for _, dir := range dirs {
		if orphan(filepath.Base(dir), workPrefix) {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}
	return err
}

// orphan tells whether the name is the prefix and the number of a process that
// is no more.
func orphan(name, prefix string) bool {
	rest, ours := strings.CutPrefix(name, prefix)
	owner, _, _ := strings.Cut(rest, "-")
	pid, err := strconv.Atoi(owner)
	return ours && err == nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
}
