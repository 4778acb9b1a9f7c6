//go:build toxcore

package lab

import (
	"bufio"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	patience  = 20 * time.Second // for what a program does at once when it is well
	pollEvery = 100 * time.Millisecond
	showLines = 60 // of a program's log when its test fails
)

// A Process is a program that a test started. Its log is shown if the test
// fails; its end is the test's end at the latest.
type Process struct {
	t       testing.TB
	name    string
	host    *Host
	program string
	args    []string

	began  time.Time
	cmd    *exec.Cmd // of the latest start
	exited chan struct{}

	mu  sync.Mutex
	log []string
}

// NewProcess prepares a program to run on the host; nil means this machine's
// loopback. Start starts it. The name is for logs.
func NewProcess(t testing.TB, name string, host *Host, program string, args ...string) *Process {
	p := &Process{t: t, name: name, host: host, program: program, args: args, began: time.Now()}
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("%s, its last lines:\n%s", name, p.tail())
		}
	})
	return p
}

// Start starts the program, again if it has ended. It reads the program's
// standard error, and standard output with stdout, which nil means to log.
// It returns the program's standard input.
func (p *Process) Start(stdout func(line []byte)) io.WriteCloser {
	p.t.Helper()
	if p.Running() {
		p.t.Fatalf("%s runs already", p.name)
	}
	if stdout == nil {
		stdout = func(line []byte) { p.Log("%s", line) }
	}
	cmd := p.host.Command(p.program, p.args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	errs, err := cmd.StderrPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		p.t.Fatalf("%s: %v", p.name, err)
	}
	exited := make(chan struct{})
	p.cmd, p.exited = cmd, exited
	p.Log("started: %s", strings.Join(cmd.Args, " "))
	var readers sync.WaitGroup
	readers.Go(func() { lines(out, stdout) })
	readers.Go(func() { lines(errs, func(line []byte) { p.Log("stderr: %s", line) }) })
	go func() {
		readers.Wait()
		err := cmd.Wait()
		p.Log("ended: %v", err)
		close(exited)
	}()
	return stdin
}

// lines calls f with each line of r. The line is f's only until it returns.
func lines(r io.Reader, f func(line []byte)) {
	const longest = 16 << 20 // savedata in one line
	scanner := bufio.NewScanner(r)
	scanner.Buffer(nil, longest)
	for scanner.Scan() {
		f(scanner.Bytes())
	}
}

// Running tells whether the program was started and has not ended.
func (p *Process) Running() bool {
	if p.cmd == nil {
		return false
	}
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// PID is the number of the latest start's process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Exited is closed when the program has ended and all its output is read.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// ExitCode is that of the program's latest end; -1 if a signal ended it.
func (p *Process) ExitCode() int { return p.cmd.ProcessState.ExitCode() }

// Kill ends the program as kill -9 does, and waits for its end. It does nothing
// if the program does not run.
func (p *Process) Kill() {
	if !p.Running() {
		return
	}
	p.Log("killed")
	p.signal(syscall.SIGKILL)
	<-p.exited
}

// Terminate asks the program to end, as kill does, and waits for its end.
func (p *Process) Terminate() {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	p.WaitExit()
}

// WaitExit waits until the program has ended by itself.
func (p *Process) WaitExit() {
	p.t.Helper()
	select {
	case <-p.exited:
	case <-time.After(patience):
		p.t.Fatalf("%s does not end", p.name)
	}
}

// Pause stops the program where it is, until Resume: to others it falls silent.
func (p *Process) Pause() { p.signal(syscall.SIGSTOP) }

// Resume lets a paused program go on.
func (p *Process) Resume() { p.signal(syscall.SIGCONT) }

// signal may fail only because the program has just ended, which others notice.
func (p *Process) signal(s syscall.Signal) {
	if err := p.cmd.Process.Signal(s); err != nil {
		p.Log("signal %v: %v", s, err)
	}
}

// Log adds a line to the program's log.
func (p *Process) Log(format string, args ...any) {
	line := fmt.Sprintf("%7.2f s  ", time.Since(p.began).Seconds()) + fmt.Sprintf(format, args...)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.log = append(p.log, line)
}

func (p *Process) tail() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.log[max(0, len(p.log)-showLines):], "\n")
}

// Eventually waits until the condition holds and returns after how long. The
// test fails if that takes longer than limit; what says what was awaited.
func Eventually(t testing.TB, limit time.Duration, what string, condition func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	for !condition() {
		if time.Since(began) > limit {
			t.Fatalf("not within %v: %s", limit, what)
		}
		time.Sleep(pollEvery)
	}
	took := time.Since(began)
	t.Logf("%5.1f s: %s", took.Seconds(), what)
	return took
}
