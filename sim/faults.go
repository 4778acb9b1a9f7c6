package sim

import "github.com/tox-rejoin/rejoin/packets"

// split tears the network into two or three parts.
func (p *trial) split() {
	parts := make([][]int, p.draw.Between(2, 3))
	for i := range p.w.nodes {
		k := p.draw.Below(len(parts))
		parts[k] = append(parts[k], i)
	}
	p.w.Split(parts...)
}

// away stops a node for a while.
func (p *trial) away(stop func(int)) error {
	a, ok := p.live()
	if !ok {
		return nil
	}
	stop(a)
	if err := p.spend(p.long()); err != nil {
		return err
	}
	if p.w.Running(a) {
		return nil
	}
	return p.w.Restart(a)
}

// stall stops what passes over one link, or breaks its session.
func (p *trial) stall() error {
	a, ok := p.live()
	if !ok {
		return nil
	}
	near := p.w.Neighbours(a)
	if len(near) == 0 {
		return nil
	}
	b := near[p.draw.Below(len(near))]
	if p.draw.Chance(0.3) {
		p.w.Reset(a, b)
		return p.spend(p.draw.within(1, 30) * packets.Second)
	}
	p.w.Stall(a, b, true)
	if err := p.spend(p.long()); err != nil {
		return err
	}
	p.w.Stall(a, b, false)
	return nil
}

// latePath lets a text reach a node behind several newer ones: all its links
// stall but one, which is reset at the moment when the text is sent and brings
// the newer ones.
func (p *trial) latePath() error {
	w := p.w
	r, ok := p.live()
	a, _ := p.live()
	if !ok || a == r {
		return nil
	}
	near := w.Neighbours(r)
	if len(near) < 2 {
		return nil
	}
	via := p.draw.Below(len(near))
	for k, b := range near {
		if k != via {
			w.Stall(r, b, true)
		}
	}
	w.Reset(r, near[via])
	if err := p.burst(a, 1); err != nil {
		return err
	}
	if err := w.Run(w.now + w.laws.ConnectMax + 4*(w.laws.Delay+w.laws.Spread)); err != nil {
		return err
	}
	if err := p.burst(a, p.draw.Between(6, 8)); err != nil {
		return err
	}
	if err := w.Run(w.now + p.draw.within(500, 5000)); err != nil {
		return err
	}
	for _, b := range near {
		w.Stall(r, b, false)
	}
	return p.spend(p.draw.within(1, 10) * packets.Second)
}

// comeAndGo lets somebody leave for good, be invited again, or come anew.
func (p *trial) comeAndGo() error {
	w := p.w
	a, ok := p.live()
	if !ok {
		return nil
	}
	if len(w.nodes) < MaxTrialPeers && p.draw.Chance(0.5) {
		b := w.Start(nodeName(len(w.nodes)))
		w.Befriend(a, b)
		if err := w.Run(w.now + w.laws.FindMax + packets.Second); err != nil {
			return err
		}
		return p.invite(a, b)
	}
	if w.Live() < MinTrialPeers {
		return nil
	}
	if err := p.bad(w.Leave(a)); err != nil {
		return err
	}
	if err := p.spend(p.long()); err != nil {
		return err
	}
	for b := range w.nodes {
		if w.belongs(b) && w.Running(b) && w.Running(a) && w.Friends(a, b) && p.draw.Chance(0.7) {
			return p.invite(b, a)
		}
	}
	return nil
}

func (p *trial) invite(a, b int) error {
	if err := p.bad(p.w.Invite(a, b)); err != nil {
		return err
	}
	return p.w.RunUntil(p.w.now+5*packets.Second, func() bool { return p.w.Member(b) })
}

// clearUp ends every fault and brings most of those back who are down.
func (p *trial) clearUp() error {
	p.w.Heal()
	for i := range p.w.nodes {
		if p.w.Running(i) || p.w.Live() > 1 && p.draw.Chance(0.2) {
			continue
		}
		if err := p.w.Restart(i); err != nil {
			return err
		}
		if err := p.w.Run(p.w.now + p.draw.within(1, 3000)); err != nil {
			return err
		}
	}
	return p.w.Run(p.w.now + packets.Second)
}
