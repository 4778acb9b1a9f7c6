//go:build toxcore

package lab

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// stockPackage is the program of a stock peer.
const stockPackage = "github.com/tox-rejoin/rejoin/tox/toxcore/stock"

// Run builds what the tests start, runs them and returns the exit code for
// TestMain. If a program is missing nothing runs, and the code is not 0.
func Run(m *testing.M) int {
	if err := prepare(); err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		return 1
	}
	defer os.RemoveAll(workDir())
	return m.Run()
}

func prepare() error {
	for _, program := range []string{"tox-bootstrapd", "ip", "nft"} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("%w (see the documentation of package toxcore for Debian's packages)", err)
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
	build := exec.Command("go", "build", "-buildvcs=false", "-tags=toxcore", "-o", stockProgram(), stockPackage)
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("%v: %w\n%s", build, err, out)
	}
	return nil
}

// workDir is where this process keeps what its tests share.
func workDir() string { return filepath.Join(os.TempDir(), fmt.Sprintf("rejoin-lab-%d", os.Getpid())) }

func stockProgram() string { return filepath.Join(workDir(), "stock") }

// namespacePrefix begins the names of all network namespaces; the number of the
// process that made it follows, and a hyphen.
const namespacePrefix = "rejoin-"

// sweep removes namespaces of test processes that were killed before they could.
func sweep() error {
	out, err := exec.Command("ip", "netns", "list").Output()
	if err != nil {
		return fmt.Errorf("ip netns list: %w", err)
	}
	for line := range strings.Lines(string(out)) {
		name, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		rest, ours := strings.CutPrefix(name, namespacePrefix)
		owner, _, _ := strings.Cut(rest, "-")
		pid, err := strconv.Atoi(owner)
		if !ours || err != nil || syscall.Kill(pid, 0) == nil {
			continue
		}
		if out, err := exec.Command("ip", "netns", "delete", name).CombinedOutput(); err != nil {
			return fmt.Errorf("ip netns delete %s: %w: %s", name, err, out)
		}
	}
	return nil
}
