package sim

import (
	"slices"

	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
)

// steadyTime is how long before a message nothing may have changed for its group
// to be steady.
const steadyTime = 10 * packets.Second

// promise is a message to a steady group: whole, with all links up and none
// coming or going. It has to reach everybody, once if it is a text.
type promise struct {
	by     int
	kind   packets.MessageKind
	text   string
	due    packets.Time
	churn  uint64
	before []int // texts that each node had been shown
}

// promise notes that node i says something to all.
func (w *World) promise(i int, kind packets.MessageKind, text string) {
	if w.audit != nil {
		w.audit.promised(w, i, kind, text)
	}
}

// promised notes that node i says something to all.
func (a *auditor) promised(w *World, i int, kind packets.MessageKind, text string) {
	a.promises = slices.DeleteFunc(a.promises, func(p promise) bool {
		return kind == packets.Title && p.kind == kind || kind == packets.Name && p.kind == kind && p.by == i
	})
	if text == "" || !w.Member(i) || w.now < w.churnAt+steadyTime || w.oddSaves > 0 || w.Live() < 2 || !w.together() {
		return
	}
	if kind == packets.Title && a.titles.apart { // by what the ledger says of this one
		return
	}
	p := promise{by: i, kind: kind, text: text, churn: w.churn}
	p.due = w.now + titleTime + 100*packets.Time(len(w.nodes))
	for k := range w.nodes {
		p.before = append(p.before, len(w.nodes[k].shown))
	}
	a.promises = append(a.promises, p)
}

// keep judges the promises that are due.
func (a *auditor) keep(w *World) {
	for len(a.promises) > 0 && a.promises[0].due <= w.now {
		p := a.promises[0]
		a.promises = a.promises[1:]
		if p.churn != w.churn || !w.Whole() {
			continue
		}
		w.hit(ProbeSteady)
		for i := range p.before {
			if w.live(i) {
				a.kept(w, i, &p)
			}
		}
	}
}

// kept judges whether a promise has been kept to node i.
func (a *auditor) kept(w *World, i int, p *promise) {
	v := w.view(i)
	if v == nil {
		return
	}
	switch p.kind {
	case packets.Title:
		if string(v.Title) != p.text {
			w.fail(i, "has the title %q, not %q, which peer %d set while all were connected", v.Title, p.text, p.by)
		}
	case packets.Name:
		k := slices.IndexFunc(v.Peers, func(q conference.Peer) bool { return q.Key == w.nodes[p.by].key })
		if k >= 0 && string(v.Peers[k].Name) != p.text {
			w.fail(i, "calls peer %d %q, not %q, as it has been called while all were connected", p.by, v.Peers[k].Name, p.text)
		}
	default:
		n := 0
		for _, s := range w.nodes[i].shown[p.before[i]:] {
			if int(s.from) == p.by && s.text == p.text {
				n++
			}
		}
		if n != 1 {
			w.fail(i, "was shown %q of peer %d %d times, which it said while all were connected", p.text, p.by, n)
		}
	}
}
