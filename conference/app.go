package conference

import (
	"errors"
	"fmt"
	"slices"

	"github.com/tox-rejoin/rejoin/packets"
)

// Send sends a text, NormalMessage or Action, and returns its message number.
// It is shown when its echo comes back. It returns ErrLength beyond
// packets.MaxText bytes, ErrNotConnected, changing nothing, or ErrNotSent.
// Nobody shows an empty text (SPEC C-56 to C-58, C-134).
func (e *Engine) Send(now packets.Time, id packets.ID, k packets.MessageKind, text []byte) (uint32, error) {
	g, err := e.find(now, id)
	switch {
	case err != nil:
		return 0, err
	case k != packets.NormalMessage && k != packets.Action:
		return 0, fmt.Errorf("%w: %d", packets.ErrKind, k)
	case len(text) > packets.MaxText:
		return 0, fmt.Errorf("%w: text of %d bytes", ErrLength, len(text))
	}
	if err := e.sendMessage(g, k, text); err != nil {
		return 0, err
	}
	return g.messages, nil
}

// SetTitle sets the title, 1 to packets.MaxName bytes. It is stored at once,
// even if it cannot be sent: ErrNotConnected or ErrNotSent (SPEC C-111, C-113,
// C-114).
func (e *Engine) SetTitle(now packets.Time, id packets.ID, title []byte) error {
	g, err := e.find(now, id)
	if err != nil {
		return err
	}
	title = e.titleBytes(title)
	if len(title) == 0 || len(title) > packets.MaxName {
		return fmt.Errorf("%w: title of %d bytes", ErrLength, len(title))
	}
	if string(g.title) == string(title) {
		return nil
	}
	g.title = append(g.title[:0], title...)
	g.titleFresh = g.titleFresh || e.better.titleFresh // SPEC I-9
	e.out.Dirty = true
	g.titled = g.messages + 1
	if g.peers.Active() == 1 {
		return nil
	}
	err = e.sendMessage(g, packets.Title, title)
	if !errors.Is(err, ErrNotConnected) {
		g.titled = g.messages // which is not always one more
	}
	return err
}

// SetName changes our name everywhere, at most packets.MaxName bytes. It
// returns ErrLength.
func (e *Engine) SetName(now packets.Time, name []byte) error {
	e.begin(now)
	switch {
	case e.quit:
		return ErrQuit
	case len(name) > packets.MaxName:
		return fmt.Errorf("%w: name of %d bytes", ErrLength, len(name))
	}
	e.name = slices.Clone(name)
	for _, s := range e.groups {
		if s.group == nil || !s.connected {
			continue
		}
		if p := e.own(s.group); p != nil && e.better.nameAtOnce {
			p.SetName(name) // SPEC I-7
		}
		e.sayName(s.group) // SPEC C-115
	}
	return nil
}

// SetMaxFrozen sets how many frozen peers a conference keeps, for this run; a
// negative n is 0 (SPEC C-98).
func (e *Engine) SetMaxFrozen(now packets.Time, id packets.ID, n int) error {
	g, err := e.find(now, id)
	if err != nil {
		return err
	}
	g.maxFrozen = max(0, n)
	if g.peers.Frozen() > g.maxFrozen {
		g.peers.Trim(g.maxFrozen)
		e.out.Dirty = true
	}
	return nil
}

// Leave leaves a conference for good (Kill) and forgets it (SPEC C-101, C-132).
func (e *Engine) Leave(now packets.Time, id packets.ID) error {
	g, err := e.find(now, id)
	if err != nil {
		return err
	}
	e.leave(g, packets.KillPeer)
	if g.connected && e.better.retryJoin {
		e.former = append(e.former, former{g.id, g.self})
		if len(e.former) > maxFormer {
			e.former = slices.Delete(e.former, 0, 1)
		}
	}
	e.deleteGroup(g)
	return nil
}

// Quit says goodbye until next time (Freeze) in every conference and lets all
// connections go. The engine does nothing any more after it, but Save is what
// it was before (SPEC C-101).
func (e *Engine) Quit(now packets.Time) {
	e.begin(now)
	if e.quit {
		return
	}
	for _, s := range e.groups {
		if s.group != nil {
			used := s.messages
			e.leave(s.group, packets.FreezePeer)
			s.messages = used
		}
	}
	e.quit = true
}

// leave announces our going and drops all entries.
func (e *Engine) leave(g *group, kind packets.MessageKind) {
	_ = e.sendMessage(g, kind, []byte{byte(g.self >> 8), byte(g.self)})
	for i := range g.conns {
		if g.conns[i].state != free {
			e.removeConn(g, i)
		}
	}
}
