package trace

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/tox-rejoin/rejoin/packets"
)

// Limits of a recording.
const (
	maxLine = 64 << 20          // bytes of a line; one with a whole savedata is the longest that occurs
	maxTime = 31 * 86400 * 1000 // t_ms
	maxUnix = 1 << 40           // unix_time_s
)

// recording is a whole file. It is kept in memory, since the replay has to look
// ahead: at failures that belong to an input, and at nodes that start later.
type recording struct {
	tick, delay int64     // ms
	records     []*record // without meta and lines that do not matter
	names       map[string]packets.PublicKey
	keys        map[packets.PublicKey]string
	sent        map[int64]*packetLine // by seq
}

// read reads a recording, plain or gzipped. What is wrong with a line is a
// *Mismatch.
func read(r io.Reader) (*recording, error) {
	in := bufio.NewReader(r)
	if magic, err := in.Peek(2); err == nil && magic[0] == 0x1f && magic[1] == 0x8b {
		unzipped, err := gzip.NewReader(in)
		if err != nil {
			return nil, err
		}
		in = bufio.NewReader(unzipped)
	}
	rec := &recording{
		names: map[string]packets.PublicKey{},
		keys:  map[packets.PublicKey]string{},
		sent:  map[int64]*packetLine{},
	}
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 0, 1<<16), maxLine)
	n, ended := 0, false
	for lines.Scan() {
		n++
		if ended {
			return nil, &Mismatch{n, "nothing behind the end line", "a line"}
		}
		r, err := rec.parse(n, lines.Bytes())
		if err != nil {
			return nil, err
		}
		if r != nil {
			_, ended = r.body.(*endLine)
			rec.add(r)
		}
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return nil, &Mismatch{n + 1, fmt.Sprintf("a line of at most %d bytes", maxLine), "a longer one"}
	case err != nil:
		return nil, err
	case !ended:
		return nil, &Mismatch{n + 1, "the end line", "the end of the file"}
	}
	return rec, nil
}

// parse reads line n. The record is nil for meta and for lines that do not
// matter.
func (rec *recording) parse(n int, b []byte) (*record, error) {
	var head struct {
		Type           string
		T              *int64 `json:"t_ms"`
		Node, From, To *string
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return nil, &Mismatch{n, "a JSON object", fmt.Sprintf("%.60q (%v)", b, err)}
	}
	if (n == 1) != (head.Type == "meta") {
		return nil, &Mismatch{n, "the meta line as the first one and only there", head.Type}
	}
	body := newBody(head.Type)
	if body == nil {
		return nil, nil
	}
	if err := json.Unmarshal(b, body); err != nil {
		return nil, &Mismatch{n, "a line of type " + head.Type, err.Error()}
	}
	if m, ok := body.(*metaLine); ok {
		rec.tick, rec.delay = m.Tick, m.Delay
		if m.Tick <= 0 || m.Delay < 0 {
			return nil, &Mismatch{n, "tick_ms above 0 and one_way_delay_ms not below", fmt.Sprintf("%d and %d", m.Tick, m.Delay)}
		}
		return nil, nil
	}
	r := &record{line: n, body: body}
	if head.T == nil {
		return nil, &Mismatch{n, "t_ms", "a line without"}
	}
	if r.t = *head.T; r.t < 0 || r.t > maxTime {
		return nil, &Mismatch{n, fmt.Sprintf("t_ms from 0 to %d", int64(maxTime)), fmt.Sprint(r.t)}
	}
	if c, ok := body.(*clockLine); ok && (c.Unix < 0 || c.Unix > maxUnix) {
		return nil, &Mismatch{n, fmt.Sprintf("unix_time_s from 0 to %d", int64(maxUnix)), fmt.Sprint(c.Unix)}
	}
	owner := head.Node
	switch body.(type) {
	case *packetLine, *refusedLine:
		owner = head.From
	case *deliverLine:
		owner = head.To
	case *netLine, *endLine:
		return r, nil
	}
	if owner == nil {
		return nil, &Mismatch{n, "the name of a node", "a line without"}
	}
	r.node = *owner
	return r, nil
}

// newBody is an empty body for a line of that type; nil if it does not matter.
func newBody(kind string) any {
	switch kind {
	case "meta":
		return new(metaLine)
	case "node":
		return new(nodeLine)
	case "clock":
		return new(clockLine)
	case "call":
		return new(callLine)
	case "result":
		return new(resultLine)
	case "random":
		return new(randomLine)
	case "packet":
		return new(packetLine)
	case "refused":
		return new(refusedLine)
	case "deliver":
		return new(deliverLine)
	case "connection":
		return new(connectionLine)
	case "link":
		return new(linkLine)
	case "event":
		return new(eventLine)
	case "net":
		return new(netLine)
	case "state":
		return new(stateLine)
	case "end":
		return new(endLine)
	}
	return nil
}

// add appends r and indexes what others refer to.
func (rec *recording) add(r *record) {
	rec.records = append(rec.records, r)
	switch b := r.body.(type) {
	case *nodeLine:
		key := packets.PublicKey(b.Key)
		if _, known := rec.names[r.node]; !known {
			rec.names[r.node] = key
		}
		rec.keys[key] = r.node
	case *packetLine:
		if _, known := rec.sent[b.Seq]; !known {
			rec.sent[b.Seq] = b
		}
	}
}

// ticks calls f with the records of each t_ms in which there are any, until f
// returns false.
func (rec *recording) ticks(f func(group []*record) bool) {
	for rest := rec.records; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].t == rest[0].t {
			n++
		}
		if !f(rest[:n]) {
			return
		}
		rest = rest[n:]
	}
}
