package sim

import "github.com/tox-rejoin/rejoin/conference"

// poll does what the engine of node i wants after an input (w.in): writes Sends,
// carries out Conns, saves, and publishes Events, in this order.
func (w *World) poll(i int) {
	n := &w.nodes[i]
	out := n.engine.Poll()
	for k := range out.Sends {
		w.send(i, &out.Sends[k])
	}
	for k := range out.Conns {
		w.conn(i, &out.Conns[k])
	}
	if out.Dirty {
		if w.cfg.KeepSaves {
			n.keepSave()
		}
		n.saved = n.engine.Save()
		w.stats.Saves++
	}
	for k := range out.Events {
		w.publish(i, &out.Events[k])
	}
	if out.Wake == 0 {
		w.setWake(i, 0)
	} else {
		w.setWake(i, out.Wake+n.skew)
	}
	if w.audit != nil && w.found {
		w.audit.after(w, i, &out)
	}
	if w.cfg.Check && (!w.cfg.Sparse || len(out.Events)+len(out.Conns) > 0 || out.Dirty || w.in.kind == inTick) {
		if err := n.engine.Check(); err != nil {
			w.fail(i, "Check: %v", err)
		}
	}
}

// CheckAll checks every engine and returns the first failure of this world.
func (w *World) CheckAll() error {
	for i := range w.nodes {
		if e := w.nodes[i].engine; e != nil {
			if err := e.Check(); err != nil {
				w.fail(i, "Check: %v", err)
			}
		}
	}
	return w.err
}

// publish is the application of node i: it accepts every invitation, keeps the
// texts, and knows how many peers are there.
func (w *World) publish(i int, e *conference.Event) {
	n := &w.nodes[i]
	w.trace.add(uint64(i)<<32|uint64(e.Kind)<<8|uint64(e.Message), uint64(uint32(e.Index))<<32|uint64(e.Number))
	w.trace.add(uint64(e.Active), uint64(e.Frozen))
	w.trace.bytes(e.Text)
	if e.Kind == conference.Invitation {
		n.invited = append(n.invited, e.Invited)
		if n.shy {
			return
		}
		w.schedule(w.now+acceptDelay, evJoin, uint32(i), 0, uint32(n.runs))
		return
	}
	if !w.found || e.ID != w.group {
		return
	}
	w.version++
	w.probeEvent(e)
	switch e.Kind {
	case conference.Texted:
		from, _ := w.indexOf(&e.Peer)
		n.shown = append(n.shown, shown{from, string(e.Text)})
		return
	case conference.Connected:
		n.member, n.belongs, n.renamed, n.joining = true, true, false, false
		n.calmAt = max(n.calmAt, w.now+lateAfter+8*n.slow) // nobody was frozen while it was joining
		if w.audit != nil {
			w.audit.joined(w)
		}
		n.sees = e.Active
		if w.zone != nil {
			w.findZones()
		}
	case conference.PeerJoined, conference.PeerLeft, conference.PeerFrozen, conference.PeerThawed:
		n.sees = e.Active
		w.lost = w.lost || w.cfg.Reference && e.Kind == conference.PeerLeft && e.Peer == n.key
	}
	if w.cfg.Log != nil {
		w.logEvent(i, e)
	}
}
