package trace

import "fmt"

// cut tells whether datagrams between two nodes are dropped at the moment.
func (a *audit) cut(x, y string) bool { return apart(a.groups, x, y) }

// apart tells whether two nodes are in different groups. A node in none
// reaches all.
func apart(groups [][]string, x, y string) bool {
	gx, gy := -1, -1
	for i, g := range groups {
		for _, n := range g {
			if n == x {
				gx = i
			}
			if n == y {
				gy = i
			}
		}
	}
	return gx >= 0 && gy >= 0 && gx != gy
}

// net changes who is cut apart. Streams between those who are, or were, may
// lag behind from now on: packets that no recording shows are in them, too.
func (a *audit) net(t int64, b *netLine) {
	before := a.groups
	a.groups, a.changed = nil, t
	if b.Op == "split" {
		a.groups = b.Groups
	}
	for x := range a.hosts {
		for y := range a.hosts {
			if apart(before, x, y) || a.cut(x, y) {
				a.flow(route{x, y}).held = true
			}
		}
	}
	for _, p := range a.onWay {
		p.cut = p.cut || a.cut(p.From, p.To)
	}
}

func (a *audit) flow(r route) *flow {
	f := a.flows[r]
	if f == nil {
		f = &flow{}
		a.flows[r] = f
	}
	return f
}

// session is how often the link of node to peer came up so far.
func (a *audit) session(node, peer string) int {
	if h := a.hosts[node]; h != nil && h.links[peer] != nil {
		return h.links[peer].session
	}
	return 0
}

// send notes a packet whose delivery is due one delay later.
func (a *audit) send(r *record, h *host, b *packetLine) *Mismatch {
	a.seq++
	if b.Seq != a.seq {
		return &Mismatch{r.line, fmt.Sprintf("the packet with seq %d", a.seq), fmt.Sprintf("seq %d", b.Seq)}
	}
	if l := h.links[b.To]; l == nil || !l.up {
		return &Mismatch{r.line, "a packet over a link that is up", describe(r)}
	}
	f := a.flow(route{b.From, b.To})
	p := &transit{
		packetLine: b, line: r.line, at: r.t,
		cut: a.cut(b.From, b.To), held: f.held,
		from: a.session(b.From, b.To), to: a.session(b.To, b.From),
	}
	a.bySeq[b.Seq] = p
	a.onWay = append(a.onWay, p)
	if b.Lossless {
		f.sent = append(f.sent, p)
	}
	return nil
}

// deliver checks that the packet can arrive now.
func (a *audit) deliver(r *record, h *host, b *deliverLine) *Mismatch {
	fail := func(want string) *Mismatch { return &Mismatch{r.line, want, describe(r)} }
	p := a.bySeq[b.Seq]
	switch {
	case p == nil || p.From != b.From || p.To != b.To:
		return fail("the delivery of a packet that was sent so")
	case p.delivered:
		return fail(fmt.Sprintf("each packet once, and seq %d came before", b.Seq))
	case h.links[b.From] == nil || !h.links[b.From].up:
		return fail("a delivery over a link that is up")
	case r.t < p.at+a.rec.delay:
		return fail(fmt.Sprintf("the delivery at %d ms", p.at+a.rec.delay))
	case r.t > p.at+a.rec.delay && !(p.Lossless && (p.cut || p.held)):
		return fail(fmt.Sprintf("the delivery at %d ms, for no cut held it up", p.at+a.rec.delay))
	case a.cut(b.From, b.To) && a.changed < r.t-a.rec.delay:
		return fail("no delivery between two who are cut apart")
	}
	p.delivered = true
	if !p.Lossless {
		return nil
	}
	f := a.flow(route{p.From, p.To})
	for i, q := range f.sent {
		if q == p {
			f.sent = f.sent[i+1:]
			if r.t == p.at+a.rec.delay && !a.cut(p.From, p.To) {
				f.held = false
			}
			return nil
		}
		if !q.delivered && q.from == p.from && q.to == a.session(p.To, p.From) {
			return fail(fmt.Sprintf("the delivery of seq %d before, sent in the same session", q.Seq))
		}
	}
	return fail("lossless packets of a connection in order")
}

// settle checks the packets that were due at or before t: one that has not
// arrived needs a reason.
func (a *audit) settle(t int64) *Mismatch {
	for len(a.onWay) > 0 && a.onWay[0].at+a.rec.delay <= t {
		p := a.onWay[0]
		a.onWay = a.onWay[1:]
		due := p.at + a.rec.delay
		if p.delivered || p.cut || p.Lossless && p.held || a.deaf(p, due) {
			continue
		}
		return &Mismatch{p.line, fmt.Sprintf("the delivery of seq %d at %d ms", p.Seq, due), "none, and nothing that kept it from arriving"}
	}
	return nil
}

// deaf tells whether the receiver could not get a packet in its iteration of
// the moment: it was down, or its link was.
func (a *audit) deaf(p *transit, due int64) bool {
	h := a.hosts[p.To]
	if h == nil || !h.up || h.started >= due {
		return true
	}
	l := h.links[p.From]
	return l == nil || !l.up || l.downAt == due
}
