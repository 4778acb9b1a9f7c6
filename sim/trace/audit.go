package trace

import (
	"fmt"
	"slices"
)

// audit follows a recording without any engine: the order of its lines, the
// life of instances and links, and what became of every packet (rule 7 of the
// recordings' README).
type audit struct {
	rec   *recording
	hosts map[string]*host
	flows map[route]*flow
	dht   map[string][]hexKey // DHT keys that a node has had
	saves map[int64]bool

	groups  [][]string // of the split in force; nil: none
	changed int64      // when groups last changed
	onWay   []*transit // packets whose delivery is due, in order of sending
	bySeq   map[int64]*transit
	seq     int64 // of the last packet
}

// host is a node of the audit: its instance that runs now, or ran last.
type host struct {
	up      bool
	ending  bool // killed or crashed; the result line is due
	started int64
	links   map[string]*linkState
}

// linkState is one end of a friend connection.
type linkState struct {
	up      bool
	session int   // counts how often it came up
	downAt  int64 // t_ms when it last went down
}

// route is a direction between two nodes.
type route struct{ from, to string }

// flow is the ordered stream of lossless packets along a route.
type flow struct {
	held bool       // a cut holds packets up, or has and they may not be through
	sent []*transit // lossless packets in order of sending, without those known to be through
}

// transit is a packet on its way.
type transit struct {
	*packetLine
	line      int
	at        int64 // t_ms when it was sent
	cut       bool  // sender and receiver were cut apart while it was on its way
	held      bool  // others before it were held up by a cut
	delivered bool
	from, to  int // sessions of the two ends when it was sent
}

// auditRecording returns the first thing in rec that no recording can have.
func auditRecording(rec *recording) *Mismatch {
	a := &audit{
		rec:   rec,
		hosts: map[string]*host{},
		flows: map[route]*flow{},
		dht:   map[string][]hexKey{},
		saves: map[int64]bool{},
		bySeq: map[int64]*transit{},
	}
	if m := auditNeighbours(rec.records); m != nil {
		return first(m, a.run())
	}
	return a.run()
}

func (a *audit) run() (fault *Mismatch) {
	last := int64(-1)
	a.rec.ticks(func(group []*record) bool {
		t := group[0].t
		if t < last || t%a.rec.tick != 0 {
			fault = &Mismatch{group[0].line, fmt.Sprintf("t_ms: a multiple of %d, not before %d", a.rec.tick, last), fmt.Sprint(t)}
			return false
		}
		last = t
		fault = a.group(t, group)
		return fault == nil
	})
	return fault
}

// group audits all lines of one t_ms.
func (a *audit) group(t int64, group []*record) *Mismatch {
	if m := auditOrder(group); m != nil {
		return m
	}
	if m := a.settle(t - 1); m != nil {
		return m
	}
	settled := false
	for _, r := range group {
		if r.isPhase2() && !settled {
			settled = true
			if m := a.settle(t); m != nil {
				return m
			}
		}
		if m := a.record(r); m != nil {
			return m
		}
	}
	if !settled {
		return a.settle(t)
	}
	return nil
}

// auditOrder checks rules 2 and 3: within one t_ms come the iterations, one
// node after the other, and then calls, each followed by what it causes.
func auditOrder(group []*record) *Mismatch {
	phase2 := false
	node := ""
	seen := map[string]bool{}
	for _, r := range group {
		switch {
		case r.isPhase2():
			phase2, node = true, r.node
		case phase2 && r.isPhase1():
			return &Mismatch{r.line, "no input of an iteration behind calls of the same t_ms", describe(r)}
		case phase2 && r.node != node:
			return &Mismatch{r.line, "what the call or start of " + node + " causes", describe(r)}
		case !phase2 && r.node != node:
			if seen[r.node] {
				return &Mismatch{r.line, "the lines of one iteration of " + r.node + " side by side", describe(r)}
			}
			seen[r.node], node = true, r.node
		}
	}
	return nil
}

// auditNeighbours checks the lines that come only together: load, node, clock.
func auditNeighbours(records []*record) *Mismatch {
	var loading string // the load line before this one is of that node
	var starting *record
	for _, r := range records {
		clock, isClock := r.body.(*clockLine)
		if isClock != (starting != nil) || isClock && (r.node != starting.node || r.t != starting.t) {
			if starting != nil {
				return &Mismatch{r.line, "the clock line of " + starting.node, describe(r)}
			}
			return &Mismatch{r.line, "a node line before the clock line", fmt.Sprintf("clock %s %d", r.node, clock.Unix)}
		}
		starting = nil
		node, isNode := r.body.(*nodeLine)
		if isNode {
			starting = r
		}
		if loading != "" && !(isNode && node.Loaded && r.node == loading) || loading == "" && isNode && node.Loaded {
			return &Mismatch{r.line, "load and node line of a loaded instance together", describe(r)}
		}
		loading = ""
		if call, ok := r.body.(*callLine); ok && call.Op == "load" {
			loading = r.node
		}
	}
	return nil
}

// record audits one line on its own.
func (a *audit) record(r *record) *Mismatch {
	h := a.hosts[r.node]
	switch b := r.body.(type) {
	case *endLine:
		return nil
	case *netLine:
		a.net(r.t, b)
		return nil
	case *nodeLine:
		return a.start(r, h, b)
	case *callLine:
		if b.Op == "load" {
			return a.load(r, h, b)
		}
	}
	if h == nil || !h.up {
		return &Mismatch{r.line, "a line of a node that is running", describe(r)}
	}
	switch b := r.body.(type) {
	case *callLine:
		return a.call(r, h, b)
	case *resultLine:
		return a.result(r, h, b)
	case *packetLine:
		return a.send(r, h, b)
	case *refusedLine:
		return nil
	case *deliverLine:
		return a.deliver(r, h, b)
	case *linkLine:
		return a.link(r, h, b)
	case *connectionLine:
		if l := h.links[b.Peer]; b.Op == "close" && l != nil && l.up {
			l.up, l.downAt = false, r.t
		}
	}
	if h.ending {
		return &Mismatch{r.line, "the result line of the end of " + r.node, describe(r)}
	}
	return nil
}

func (a *audit) start(r *record, h *host, b *nodeLine) *Mismatch {
	if h == nil {
		h = &host{links: map[string]*linkState{}}
		a.hosts[r.node] = h
	}
	if h.up {
		return &Mismatch{r.line, "one running instance of " + r.node, "another start"}
	}
	h.up, h.ending, h.started = true, false, r.t
	for _, l := range h.links {
		l.up = false
	}
	a.dht[r.node] = append(a.dht[r.node], b.DHT)
	return nil
}

func (a *audit) load(r *record, h *host, b *callLine) *Mismatch {
	if h != nil && h.up {
		return &Mismatch{r.line, "a load by a node that is not running", describe(r)}
	}
	if !a.saves[b.Save] {
		return &Mismatch{r.line, "the number of a save further up", fmt.Sprint(b.Save)}
	}
	return nil
}

func (a *audit) call(r *record, h *host, b *callLine) *Mismatch {
	if h.ending {
		return &Mismatch{r.line, "the result line of the end of " + r.node, describe(r)}
	}
	switch b.Op {
	case "kill", "crash":
		h.ending = true
	case "save":
		if a.saves[b.Save] {
			return &Mismatch{r.line, "a new number for the save", fmt.Sprint(b.Save)}
		}
		a.saves[b.Save] = true
		if b.Size != int64(len(b.Savedata)) {
			return &Mismatch{r.line, fmt.Sprintf("size %d, as long as savedata_hex", len(b.Savedata)), fmt.Sprint(b.Size)}
		}
	}
	return nil
}

func (a *audit) result(r *record, h *host, b *resultLine) *Mismatch {
	ends := b.Op == "kill" || b.Op == "crash"
	if ends != h.ending {
		return &Mismatch{r.line, "the result line of a call that is under way", describe(r)}
	}
	if ends {
		h.up = false
	}
	return nil
}

func (a *audit) link(r *record, h *host, b *linkLine) *Mismatch {
	l := h.links[b.Peer]
	if l == nil {
		l = &linkState{}
		h.links[b.Peer] = l
	}
	if l.up == b.Online {
		return &Mismatch{r.line, "a change of the link", describe(r)}
	}
	l.up = b.Online
	if !slices.Contains(a.dht[b.Peer], b.DHT) {
		return &Mismatch{r.line, "peer_dht_pk: a DHT key that " + b.Peer + " has had", fmt.Sprintf("%x", b.DHT)}
	}
	if !b.Online {
		l.downAt = r.t
		return nil
	}
	l.session++
	if f := a.flows[route{r.node, b.Peer}]; f != nil && !a.cut(r.node, b.Peer) {
		f.held = false
	}
	return nil
}
