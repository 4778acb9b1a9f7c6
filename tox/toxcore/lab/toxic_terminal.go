//go:build toxcore

package lab

import (
	"errors"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// terminalType is what a program in a terminal finds in TERM.
const terminalType = "screen-256color"

// A terminal is one program under a tmux server of its own. The server is this
// process's child, and the program ends with it.
type terminal struct {
	*Process
	socket string
	pid    int // of the program
}

// startTerminal starts a program in a terminal. The name is for logs.
func startTerminal(t testing.TB, name, socket string, program []string) *terminal {
	t.Helper()
	x := &terminal{socket: socket}
	x.Process = NewProcess(t, name, nil, "tmux", "-u", "-S", socket, "-f", "/dev/null", "-D")
	x.Start(nil)
	t.Cleanup(x.end)
	// The screen of a program that has ended must stay.
	start := append([]string{"set-option", "-g", "remain-on-exit", "on", ";",
		"set-option", "-g", "default-terminal", terminalType, ";",
		"new-session", "-d", "-x", "200", "-y", "50", "-P", "-F", "#{pane_pid}", "--"}, program...)
	Eventually(t, patience, name+": terminal", func() bool {
		out, err := x.try("", start...)
		if err != nil {
			x.Log("%v: %s", err, out)
			return false
		}
		x.pid, err = strconv.Atoi(strings.TrimSpace(out))
		return err == nil
	})
	return x
}

// try has the server carry out commands.
func (x *terminal) try(stdin string, commands ...string) (string, error) {
	cmd := exec.Command("tmux", append([]string{"-u", "-S", x.socket, "-N"}, commands...)...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (x *terminal) tmux(commands ...string) string {
	x.t.Helper()
	out, err := x.try("", commands...)
	if err != nil {
		x.t.Fatalf("%s: tmux %s: %v: %s", x.name, commands[0], err, out)
	}
	return out
}

// typeLine types a line as it is, since tmux gives no meaning to what it pastes.
func (x *terminal) typeLine(line string) {
	x.t.Helper()
	x.Log("typed: %s", line)
	out, err := x.try(line+"\n", "load-buffer", "-", ";", "paste-buffer", "-d")
	if err != nil {
		x.t.Fatalf("%s: tmux: %v: %s", x.name, err, out)
	}
}

// ended tells whether the program has ended: it has closed the terminal. Its
// exit status would be no sign, as tmux does not always learn it.
func (x *terminal) ended() bool {
	x.t.Helper()
	return strings.TrimSpace(x.tmux("display-message", "-p", "#{pane_dead}")) == "1"
}

// end shows the screen if the test failed, and ends the program for sure, so
// that nothing of it is left when its files are removed.
func (x *terminal) end() {
	if x.pid == 0 || !x.Running() {
		return
	}
	if x.t.Failed() {
		screen, err := x.try("", "capture-pane", "-p")
		x.t.Logf("%s, its last screen: %v\n%s", x.name, err, strings.TrimSpace(screen))
	}
	if x.ended() {
		return
	}
	if err := syscall.Kill(x.pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		x.t.Errorf("%s: %v", x.name, err)
	}
	Eventually(x.t, patience, x.name+": end", x.ended)
}
