package trace

import (
	"fmt"

	"github.com/tox-rejoin/rejoin/packets"
)

// segment is one input of an instance and the lines behind it, up to the next
// input: what it causes.
type segment struct {
	input *record // nil: before the first input of the t_ms
	outs  []*record
}

// lastLine is the number of the segment's last line, or of the fallback.
func (s *segment) lastLine(fallback int) int {
	switch {
	case len(s.outs) > 0:
		return s.outs[len(s.outs)-1].line
	case s.input != nil:
		return s.input.line
	}
	return fallback
}

// isInput tells whether the line is one of an instance's inputs, or a moment at
// which its state is compared.
func (r *record) isInput() bool { return r.isPhase1() || r.isPhase2() }

// isInCallback tells whether the segment's input is a call in a callback.
func (s *segment) isInCallback() bool {
	return s.input != nil && !s.input.isPhase2() && isCall(s.input)
}

func isCall(r *record) bool { _, ok := r.body.(*callLine); return ok }

// segments cuts the lines of one turn into segments. The first iterating ones
// belong to the iteration; the rest are calls and what else comes after it.
func segments(lines []*record) (list []segment, iterating int) {
	list = []segment{{}}
	iterating = 1
	for _, r := range lines {
		if r.isInput() {
			list = append(list, segment{input: r})
			if !r.isPhase2() {
				iterating = len(list)
			}
			continue
		}
		last := &list[len(list)-1]
		last.outs = append(last.outs, r)
	}
	return list, iterating
}

// play replays all lines of the instance in one t_ms.
func (in *instance) play(t int64, lines []*record) *Mismatch {
	list, iterating := segments(lines)
	stepped := t == in.start // the first iteration is one tick later
	// In a callback the program may call us in the middle of an input or of the
	// periodic step; so the step is due from the last real input on.
	stepFrom := iterating - 1
	for stepFrom > 0 && list[stepFrom].isInCallback() {
		stepFrom--
	}
	for i := range list {
		s := &list[i]
		if i == 0 && stepped {
			continue // before the start there is nothing
		}
		rest := in.pending
		in.pending = outputs{}
		in.draws, in.drawn = drawsOf(s.outs), 0
		if s.input != nil {
			if m := in.input(t, s); m != nil {
				return m
			}
		}
		in.pending.behind(rest)
		step := func(left []*record) bool {
			if stepped || i < stepFrom || i >= iterating {
				return false
			}
			stepped = true
			in.step(t, left)
			return true
		}
		if m := in.compare(s, rest, step); m != nil {
			return m
		}
		if i == iterating-1 {
			step(nil)
		}
		if i+1 < len(list) && list[i+1].isInCallback() {
			continue // what is left may come behind the call
		}
		if got := in.leftover(); got != "" {
			return &Mismatch{s.lastLine(lines[0].line), "nothing more of " + in.name + " behind this line", got}
		}
	}
	in.last = t
	return nil
}

// drawsOf is the random lines among outs.
func drawsOf(outs []*record) (draws []*record) {
	for _, r := range outs {
		if _, ok := r.body.(*randomLine); ok {
			draws = append(draws, r)
		}
	}
	return draws
}

// leftover is something that no line shows; "" if there is nothing.
func (in *instance) leftover() string {
	if in.fault != "" {
		return in.fault
	}
	return in.pending.next()
}

// compare finds every recorded output of the segment among what was put out. If
// something is missing, it may come from the periodic step, once that is due.
func (in *instance) compare(s *segment, rest outputs, step func(left []*record) bool) *Mismatch {
	draws := 0
	for i, r := range s.outs {
		if b, ok := r.body.(*resultLine); ok {
			if m := in.compareResult(r, b, rest); m != nil {
				return m
			}
			continue
		}
		want := describe(r)
		if e, ok := r.body.(*eventLine); ok {
			want = describeEvent(r.node, e, in.rp.names)
		}
		if _, ok := r.body.(*randomLine); ok {
			if draws++; draws > in.drawn {
				return &Mismatch{r.line, want, "no random draw"}
			}
			continue
		}
		queue := in.pending.list(r)
		if len(*queue) == 0 {
			step(s.outs[i:])
		}
		if len(*queue) == 0 {
			return &Mismatch{r.line, want, in.instead()}
		}
		if (*queue)[0] != want {
			return &Mismatch{r.line, want, (*queue)[0]}
		}
		*queue = (*queue)[1:]
		in.count(r)
	}
	if in.result != nil && in.result.required {
		return &Mismatch{s.lastLine(0), "a result line of " + in.result.op, "none"}
	}
	in.result = nil
	return nil
}

// instead is what was put out in place of a line that was not.
func (in *instance) instead() string {
	if got := in.leftover(); got != "" {
		return "none of that, but " + got
	}
	return "nothing"
}

func (in *instance) count(r *record) {
	switch r.body.(type) {
	case *packetLine:
		in.rp.counts.Packets++
	case *eventLine:
		in.rp.counts.Events++
	}
}

// step does the periodic step of an iteration at t, if it is due. Left is what
// is recorded from there on in the same segment.
func (in *instance) step(t int64, left []*record) {
	now := in.now(t)
	if !in.rp.options.EveryTick && (in.wake == 0 || in.wake > now) {
		return
	}
	lift := in.hinder(left, in.pending.packets())
	in.node.Tick(now)
	in.collect()
	lift()
}

// catchUp does the iterations before t, in which nothing is recorded.
func (in *instance) catchUp(t int64, line int) *Mismatch {
	tick := in.rp.rec.tick
	for {
		next := in.last + tick
		if !in.rp.options.EveryTick {
			if in.wake == 0 {
				return nil
			}
			if due := in.start + int64(in.wake-in.now(in.start)); due > next {
				next = in.start + (due-in.start+tick-1)/tick*tick
			}
		}
		if next >= t {
			return nil
		}
		if m := in.idle(next, line); m != nil {
			return m
		}
	}
}

// idle does one iteration in which nothing is recorded; line is the one before
// which it would have to stand.
func (in *instance) idle(t int64, line int) *Mismatch {
	if in.ending || t == in.start {
		return nil
	}
	in.draws, in.drawn = nil, 0
	in.step(t, nil)
	in.last = t
	if got := in.leftover(); got != "" {
		return &Mismatch{line, fmt.Sprintf("nothing of %s in the iteration at %d ms", in.name, t), got}
	}
	return nil
}

// befriend takes a peer into the friend list; the friend list holds a
// connection, too.
func (in *instance) befriend(peer packets.PublicKey) {
	if number, opened := in.table.hold(peer, byFriendList); opened {
		in.pending.conns = append(in.pending.conns, describeConnection(in.name, "open", in.rp.name(peer), number))
	}
}
