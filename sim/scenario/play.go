package scenario

import (
	"errors"
	"fmt"
	"io"
	"reflect"

	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/sim"
)

// The clock of every scenario.
const (
	startTime = 1_700_000_000 * packets.Second
	frame     = 50 // milliseconds
)

// Options say how to play a scenario.
type Options struct {
	Mode Mode // Reference or Product
	// EveryFrame ticks in each frame, as c-toxcore does. Otherwise the node
	// is ticked only in frames in which its Output.Wake has come; the result
	// must be the same.
	EveryFrame bool
	// Mute is for a node that does not say why: its Receive may return nil for
	// what it drops, as c-toxcore's does, and a line "refused" then only wants
	// no effect; of other errors only the fact counts, not the name.
	Mute bool
}

// ErrMismatch is wrapped by the errors of Play: the node did something else.
var ErrMismatch = errors.New("scenario: mismatch")

// Play plays s on nodes made by newNode. It returns nil if everything was as
// written, else an error that wraps ErrMismatch and names the line.
func Play(s *Scenario, newNode sim.NewNode, opt Options) error {
	h := &host{symbols: s.sym, newNode: newNode, opt: opt, now: startTime, strict: s.unsent}
	if err := h.start(nil); err != nil {
		return err
	}
	for i, st := range s.Steps {
		if st.Block == Then && !st.Mode.matches(opt.Mode) {
			continue
		}
		if err := h.step(s.Steps, i); err != nil {
			return fmt.Errorf("%w: %s line %d: %s: %w", ErrMismatch, opt.Mode, st.Line, st.Text, err)
		}
	}
	if err := h.settle(); err != nil {
		return fmt.Errorf("%w: %s at the end: %w", ErrMismatch, opt.Mode, err)
	}
	return nil
}

// Modes are the modes in which s is to be played.
func (s *Scenario) Modes() []Mode {
	if s.Mode != Both {
		return []Mode{s.Mode}
	}
	return []Mode{Reference, Product}
}

// host is what surrounds the node under test: clock, links, draws and a record
// of what the node did since the last given or when began.
type host struct {
	*symbols
	newNode sim.NewNode
	opt     Options
	node    sim.Node
	now     packets.Time
	wake    packets.Time
	draws   draws
	friends []packets.PublicKey
	saved   []byte // conferences section of the last save
	block   Block

	sends  []conference.Send
	unsent []conference.Send // Output.Refused
	strict bool              // all of unsent must be mentioned
	conns  []conference.Conn
	events []conference.Event
	errs   []fault
	dirty  bool
}

// fault is an error that the node returned.
type fault struct {
	refused bool // by Receive
	err     error
}

// draws are the random bytes that the file provides.
type draws []byte

// Read hands out the next bytes and io.EOF when too few are left.
func (d *draws) Read(b []byte) (int, error) {
	if len(*d) < len(b) {
		return 0, fmt.Errorf("%w: a draw of %d bytes, %d provided", io.EOF, len(b), len(*d))
	}
	n := copy(b, *d)
	*d = (*d)[n:]
	return n, nil
}

// start makes the node. The clock of a node begins in whole seconds.
func (h *host) start(saved []packets.SavedConference) error {
	cfg := conference.Config{
		Self:      h.keys[self],
		DHTKey:    dhtKey(h.keys[self], 0),
		Name:      []byte(h.name),
		Rand:      &h.draws,
		Friends:   h.friends,
		MaxFrozen: h.maxFrozen,
		Frame:     frame,
		Reference: h.opt.Mode == Reference,
	}
	node, err := h.newNode(cfg, saved, h.now)
	if err != nil {
		h.node = nil
		return err
	}
	h.node, h.wake = node, 0
	h.poll()
	return nil
}

// step does or checks one line.
func (h *host) step(steps []Step, i int) error {
	st := steps[i]
	if st.Block != Then && st.first {
		if err := h.settle(); err != nil {
			return fmt.Errorf("before this: %w", err)
		}
	}
	if st.Block == Then && h.block == Given {
		if err := h.settle(); err != nil {
			return fmt.Errorf("before this: %w", err)
		}
	}
	h.block = st.Block
	if st.Block == Then {
		if h.node == nil && len(h.errs) == 0 {
			return errors.New("there is no node")
		}
		return st.want.check(h)
	}
	if h.node == nil {
		return errors.New("there is no node")
	}
	if err := st.act(h); err != nil || h.node == nil {
		return err
	}
	if err := h.node.Check(); err != nil {
		return fmt.Errorf("Check: %w", err)
	}
	return nil
}

// settle ends a block: nothing may be left that no line has mentioned.
func (h *host) settle() error {
	if len(h.errs) > 0 {
		return fmt.Errorf("unexpected error: %w", h.errs[0].err)
	}
	if len(h.draws) > 0 {
		return fmt.Errorf("%d random bytes were not drawn", len(h.draws))
	}
	if h.block == When || h.block == Then {
		if err := h.leftover(); err != nil {
			return err
		}
	}
	h.sends, h.unsent, h.conns, h.events = nil, nil, nil, nil
	h.dirty = false
	return nil
}

// leftover returns an error if an effect has not been mentioned.
func (h *host) leftover() error {
	switch {
	case len(h.sends) > 0:
		return fmt.Errorf("unexpected packet: %s", h.showSend(h.sends[0]))
	case h.strict && len(h.unsent) > 0:
		return fmt.Errorf("unexpected unsent packet: %s", h.showSend(h.unsent[0]))
	case len(h.conns) > 0:
		return fmt.Errorf("unexpected connection: %s", h.showConn(h.conns[0]))
	case len(h.events) > 0:
		return fmt.Errorf("unexpected event: %s", h.showEvent(h.events[0]))
	}
	return nil
}

// poll takes the Output of the last input.
func (h *host) poll() {
	out := h.node.Poll()
	for _, s := range out.Sends {
		s.Data = append([]byte(nil), s.Data...)
		h.sends = append(h.sends, s)
	}
	for _, s := range out.Refused {
		s.Data = append([]byte(nil), s.Data...)
		h.unsent = append(h.unsent, s)
	}
	h.conns = append(h.conns, out.Conns...)
	for _, e := range out.Events {
		e.Text = append([]byte(nil), e.Text...)
		h.events = append(h.events, e)
	}
	h.dirty = h.dirty || out.Dirty
	h.wake = out.Wake
}

// receive gives a packet to the node. A refused packet must change nothing.
func (h *host) receive(from packets.PublicKey, data []byte) error {
	var before []conference.View
	if h.block != Given { // where nothing may be refused
		before = h.node.Views()
	}
	err := h.node.Receive(h.now, from, append([]byte(nil), data...))
	counts := [...]int{len(h.sends), len(h.unsent), len(h.conns), len(h.events)}
	h.poll()
	if err == nil {
		return nil
	}
	h.errs = append(h.errs, fault{refused: true, err: err})
	if counts != [...]int{len(h.sends), len(h.unsent), len(h.conns), len(h.events)} {
		return fmt.Errorf("a refused packet had an effect: %w", err)
	}
	if h.block != Given && !reflect.DeepEqual(before, h.node.Views()) {
		return fmt.Errorf("a refused packet changed the state: %w", err)
	}
	return nil
}

// call notes the result of one of our own calls.
func (h *host) call(err error) {
	if err != nil {
		h.errs = append(h.errs, fault{err: err})
	}
	h.poll()
}

// pass lets time go by, frame by frame.
func (h *host) pass(d packets.Time) {
	for until := h.now + d; h.now+frame <= until; {
		h.now += frame
		if !h.opt.EveryFrame && (h.wake == 0 || h.wake > h.now) {
			continue
		}
		h.node.Tick(h.now)
		h.poll()
	}
}

// view is the node's view of a conference.
func (h *host) view(c conf) (conference.View, error) {
	if h.node == nil {
		return conference.View{}, errors.New("there is no node")
	}
	for _, v := range h.node.Views() {
		if v.ID == c.id {
			return v, nil
		}
	}
	return conference.View{}, fmt.Errorf("no conference %s", h.showConf(c.id))
}
