package trace_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/tox-rejoin/rejoin/internal/vectors"
	"github.com/tox-rejoin/rejoin/sim/trace"
)

// perKind is how many lines of each kind of each recording a test changes.
func perKind() int {
	if testing.Short() {
		return 1
	}
	return 2
}

// head is what the tests look at in a line.
type head struct {
	Type, Op, Event string
	Node            string
	T               int64 `json:"t_ms"`
	Unix            int64 `json:"unix_time_s"`
}

// kind is what a line is: its type with the op or event.
func (h head) kind() string { return strings.TrimSpace(h.Type + " " + h.Op + h.Event) }

// unseen is the kinds of lines without which a recording is as good: nothing
// follows from them (state: it is only compared; the others do not matter to
// the conference module).
func unseen() []string {
	return []string{
		"state", "note", "event self_connection_status", "event friend_connection_status", "event conference_audio",
	}
}

// lines is the lines of a recording, each with its end.
func lines(t *testing.T, name string) (list [][]byte, heads []head) {
	t.Helper()
	f, err := os.Open(vectors.Path("vectors", "wire", name+".jsonl.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(unzipped)
	if err != nil {
		t.Fatal(err)
	}
	list = bytes.SplitAfter(bytes.TrimSuffix(all, []byte("\n")), []byte("\n"))
	for _, l := range list {
		var h head
		if err := json.Unmarshal(l, &h); err != nil {
			t.Fatal(err)
		}
		heads = append(heads, h)
	}
	return list, heads
}

// sample is up to n lines of each kind, spread over the file.
func sample(heads []head, n int) (picked []int) {
	byKind := map[string][]int{}
	var kinds []string
	for i, h := range heads {
		if byKind[h.kind()] == nil {
			kinds = append(kinds, h.kind())
		}
		byKind[h.kind()] = append(byKind[h.kind()], i)
	}
	for _, k := range kinds {
		all := byKind[k]
		for j := range min(n, len(all)) {
			picked = append(picked, all[j*(len(all)-1)/max(1, min(n, len(all))-1)])
		}
	}
	return picked
}

// mustFail checks a changed recording.
func mustFail(t *testing.T, what string, list ...[][]byte) {
	t.Helper()
	_, err := trace.Check(bytes.NewReader(bytes.Join(slices.Concat(list...), nil)), trace.Options{})
	var diff *trace.Mismatch
	if !errors.As(err, &diff) {
		t.Errorf("%s: got %v, want a mismatch", what, err)
	}
}

// recordings is what the tests below change: all kinds of lines are in them.
func recordings() []string {
	if testing.Short() {
		return []string{"s1_two_peers", "s7_delete"}
	}
	return []string{"s1_two_peers", "s4b_split_leave", "s5_save_reload", "s5c_save_crash_quick", "s7_delete", "s9_invite_member", "s10_av_lossy"}
}

func TestDroppedLine(t *testing.T) {
	t.Parallel()
	for _, name := range recordings() {
		list, heads := lines(t, name)
		for _, i := range sample(heads, 2*perKind()) {
			if slices.Contains(unseen(), heads[i].kind()) {
				continue
			}
			what := fmt.Sprintf("%s without line %d, %s", name, i+1, heads[i].kind())
			mustFail(t, what, list[:i], list[i+1:])
		}
	}
}

func TestDoubledLine(t *testing.T) {
	t.Parallel()
	again := append(unseen(),
		"call conference_set_max_offline", // the same limit again
		"call conference_delete",          // a conference that is gone, when the first one caused nothing
		"net split", "net heal",           // the same cut again
	)
	for _, name := range recordings() {
		list, heads := lines(t, name)
		for _, i := range sample(heads, perKind()) {
			if slices.Contains(again, heads[i].kind()) {
				continue
			}
			what := fmt.Sprintf("%s with line %d doubled, %s", name, i+1, heads[i].kind())
			mustFail(t, what, list[:i+1], list[i:])
		}
	}
}

// Every line has to have the right time, but for a few at the edge of a tick: a
// link that changes without an effect may as well change one tick earlier.
func TestShiftedLine(t *testing.T) {
	t.Parallel()
	edge := append(unseen(), "link", "end", "net split", "net heal", "call conference_delete")
	for _, name := range recordings() {
		list, heads := lines(t, name)
		for _, i := range sample(heads, perKind()) {
			if slices.Contains(edge, heads[i].kind()) || heads[i].Type == "meta" {
				continue
			}
			for _, by := range []int64{-50, 50} {
				shifted := bytes.Replace(list[i], fmt.Appendf(nil, `"t_ms": %d`, heads[i].T), fmt.Appendf(nil, `"t_ms": %d`, heads[i].T+by), 1)
				what := fmt.Sprintf("%s with line %d shifted by %d ms, %s", name, i+1, by, heads[i].kind())
				mustFail(t, what, list[:i], [][]byte{shifted}, list[i+1:])
			}
		}
	}
}

// The clock of an instance one second more or less.
func TestShiftedClock(t *testing.T) {
	for _, name := range append(recordings(), "s8_twenty") {
		list, heads := lines(t, name)
		for i, h := range heads {
			if h.Type != "clock" || name == "s8_twenty" && h.Node != "K" {
				continue
			}
			for _, by := range []int64{-1, 1} {
				shifted := bytes.Replace(list[i], fmt.Append(nil, h.Unix), fmt.Append(nil, h.Unix+by), 1)
				mustFail(t, fmt.Sprintf("%s with clock of line %d shifted by %d s", name, i+1, by), list[:i], [][]byte{shifted}, list[i+1:])
			}
		}
	}
}

// One bit of one byte of a packet, the packet id and the last byte among them.
func TestChangedPacket(t *testing.T) {
	t.Parallel()
	for _, name := range recordings() {
		list, heads := lines(t, name)
		n := 0
		for i, h := range heads {
			if h.Type != "packet" && h.Type != "refused" {
				continue
			}
			if n++; n%32 != 0 && h.Type == "packet" {
				continue
			}
			at := bytes.Index(list[i], []byte(`"hex": "`)) + len(`"hex": "`)
			size := bytes.IndexByte(list[i][at:], '"')
			for _, digit := range []int{1, n % size, size - 1} {
				changed := bytes.Clone(list[i])
				if c := &changed[at+digit]; *c == '0' {
					*c = '1'
				} else {
					*c = '0'
				}
				what := fmt.Sprintf("%s with digit %d of line %d changed", name, digit, i+1)
				mustFail(t, what, list[:i], [][]byte{changed}, list[i+1:])
			}
		}
	}
}

// Two packets that one node sends in the wrong order, and a call behind what it
// causes.
func TestSwappedLines(t *testing.T) {
	t.Parallel()
	for _, name := range recordings() {
		list, heads := lines(t, name)
		done := map[string]int{}
		for i := 1; i < len(list); i++ {
			pair := heads[i-1].Type + " and " + heads[i].Type
			switch pair {
			case "packet and packet", "call and packet", "call and result", "packet and result", "deliver and packet", "link and packet",
				"node and clock", "call and node", "connection and connection", "call and random":
			default:
				continue
			}
			if done[pair]++; done[pair] > 2*perKind() {
				continue
			}
			what := fmt.Sprintf("%s with lines %d and %d swapped, %s", name, i, i+1, pair)
			mustFail(t, what, list[:i-1], [][]byte{list[i], list[i-1]}, list[i+1:])
		}
	}
}

// One digit of anything that a state line says.
func TestChangedState(t *testing.T) {
	list, heads := lines(t, "s7_delete")
	for i, h := range heads {
		if h.Type != "state" || !bytes.Contains(list[i], []byte(`"frozen": [{`)) {
			continue
		}
		for at, c := range list[i] {
			var other byte
			switch {
			case bytes.HasPrefix(list[i][at:], []byte("true")):
				mustFail(t, fmt.Sprintf("line %d: true made false at %d", i+1, at), list[:i],
					[][]byte{bytes.Join([][]byte{list[i][:at], list[i][at+4:]}, []byte("false"))}, list[i+1:])
				continue
			case c < '0' || c > '9' || at%61 != 0:
				continue
			case c == '1':
				other = '2'
			default:
				other = '1'
			}
			if bytes.Contains(list[i][max(0, at-12):at], []byte("t_ms")) {
				continue
			}
			changed := bytes.Clone(list[i])
			changed[at] = other
			mustFail(t, fmt.Sprintf("line %d: character %d changed", i+1, at), list[:i], [][]byte{changed}, list[i+1:])
		}
		return
	}
	t.Fatal("no state with a frozen peer")
}
