package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/tox-rejoin/rejoin/packets"
)

// liveLine is a line that is written over and over on a terminal. Elsewhere
// only what is kept appears.
type liveLine struct {
	w        io.Writer
	terminal bool
	shown    bool
}

func newLiveLine(w io.Writer) *liveLine {
	return &liveLine{w: w, terminal: isTerminal(w)}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	null, _ := os.Stat(os.DevNull) // a character device as well
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && !os.SameFile(info, null)
}

// show replaces the line, on a terminal.
func (l *liveLine) show(line string) {
	if l.terminal {
		fmt.Fprintf(l.w, "\r\x1b[K%s", line)
		l.shown = true
	}
}

// keep writes a line that stays.
func (l *liveLine) keep(line string) {
	l.clear()
	fmt.Fprintln(l.w, line)
}

// clear takes the line away.
func (l *liveLine) clear() {
	if l.shown {
		fmt.Fprint(l.w, "\r\x1b[K")
		l.shown = false
	}
}

// bar is a bar of the given width that is filled to part of whole.
func bar(part, whole, width int) string {
	full := 0
	if whole > 0 {
		full = min(width, part*width/whole)
	}
	return strings.Repeat("█", full) + strings.Repeat("░", width-full)
}

// clock writes a virtual time as minutes and seconds.
func clock(t packets.Time) string {
	s := t.Seconds()
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}

// seconds writes a time with one decimal, rounded down.
func seconds(t packets.Time) string {
	return fmt.Sprintf("%d.%d s", t/packets.Second, t%packets.Second/100)
}

// commas writes a number with thousands set apart.
func commas(n uint64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// plural writes a number of things.
func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%s %ss", commas(uint64(n)), one)
}

// wall writes a time on the wall clock.
func wall(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return d.Round(time.Second).String()
}
