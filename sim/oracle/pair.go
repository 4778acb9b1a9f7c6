//go:build oracle && linux && amd64

package oracle

import (
	"bytes"
	"fmt"
	"io"
	"runtime/debug"
	"slices"

	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/sim"
)

// Difference is the first input after which the engine and c-toxcore disagree.
type Difference struct {
	Input int    // its number, from 0
	Call  string // what it was
	What  string // what differs
	Want  string // c-toxcore
	Got   string // the engine
}

// Error says all of it.
func (d *Difference) Error() string {
	return fmt.Sprintf("oracle: input %d, %s: %s\nwant (c-toxcore)\n%s\ngot (engine)\n%s", d.Input, d.Call, d.What, d.Want, d.Got)
}

// Pair is a sim.Node that is two: our engine in Reference mode and c-toxcore's
// own code. Both get every input, and after each everything that they say and
// hold is compared. To the host it is the latter. Check returns the first
// *Difference.
//
// The host has to tick it in every frame, as c-toxcore needs it. The engine gets
// those ticks for which it did not ask, too, and must not care.
//
// One thing is taken out of c-toxcore's output: the second receiver of a lossy
// packet, which it takes from slot 0 of its table by mistake (SPEC I-4b).
type Pair struct {
	want *node
	got  sim.Node
	wake packets.Time // when the engine asked to be ticked; 0: never
	lazy bool         // tick the engine only when it asked for it

	begin  beginning
	drawn  [2]*cursor // c-toxcore's and the engine's
	inputs []input    // for replay
	count  int
	diff   *Difference
	out    conference.Output // since the last Poll
	polled bool
	views  []conference.View // the engine's after the last input
	// The save files of c-toxcore and the engine after the last input.
	sections [2][]byte
	digest   *digest // of what went in and what c-toxcore said; nil: nobody asks
}

// beginning is what a pair was made from; random is what it drew so far.
type beginning struct {
	cfg    conference.Config
	saved  []packets.SavedConference
	now    packets.Time
	random *tape
}

// NewPair makes a Pair; Config.Reference is taken for true.
func NewPair(cfg conference.Config, saved []packets.SavedConference, now packets.Time) (sim.Node, error) {
	cfg.Reference = true
	p, err := newPair(cfg, saved, now)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// newPair returns a *Difference if only one of the two can be made, and an
// error if none can.
func newPair(cfg conference.Config, saved []packets.SavedConference, now packets.Time) (*Pair, error) {
	t := &tape{from: cfg.Rand}
	p := &Pair{begin: beginning{cfg: cfg, saved: saved, now: now, random: t}, drawn: [2]*cursor{{tape: t}, {tape: t}}}
	cfg.Rand = p.drawn[0]
	want, wantErr := newNode(cfg, saved, now)
	cfg.Rand = p.drawn[1]
	got, gotErr := sim.NewEngine(cfg, saved, now)
	if (wantErr == nil) != (gotErr == nil) {
		return nil, &Difference{Call: "New", What: "error", Want: fmt.Sprint(wantErr), Got: fmt.Sprint(gotErr)}
	}
	if wantErr != nil {
		return nil, wantErr
	}
	want.soundLossy()
	p.want, p.got = want, got
	gotOut := got.Poll()
	p.wake = gotOut.Wake
	p.compareOutput(want.Poll(), gotOut)
	p.compareState()
	return p, nil
}

// tape hands the same random bytes to several cursors.
type tape struct {
	from  io.Reader
	drawn []byte
}

type cursor struct {
	tape *tape
	at   int
}

// Read gives the bytes that the other cursor got or will get.
func (c *cursor) Read(b []byte) (int, error) {
	t := c.tape
	if need := c.at + len(b) - len(t.drawn); need > 0 {
		old := len(t.drawn)
		t.drawn = append(t.drawn, make([]byte, need)...)
		if _, err := io.ReadFull(t.from, t.drawn[old:]); err != nil {
			return 0, err
		}
	}
	n := copy(b, t.drawn[c.at:])
	c.at += n
	return n, nil
}

// do makes a call on both, polls both, and compares. After a difference only
// c-toxcore goes on.
func (p *Pair) do(in input) result {
	in.data = bytes.Clone(in.data)
	p.inputs = append(p.inputs, in)
	want := in.apply(p.want)
	wantOut := p.want.Poll()
	p.digest.add(&in, want, &wantOut)
	p.collect(wantOut)
	if p.diff != nil {
		return want
	}
	p.count = len(p.inputs)
	early := in.op == opTick && (p.wake == 0 || p.wake > in.now)
	got, gotOut := result{}, conference.Output{Wake: p.wake}
	if !early || !p.lazy {
		got, gotOut = p.engine(in)
	}
	if p.diff != nil {
		return want
	}
	p.compareResult(want, got)
	p.compareOutput(wantOut, gotOut)
	before := p.views
	p.compareState()
	switch {
	case p.diff != nil:
	case early && (!empty(gotOut) || !slices.EqualFunc(before, p.views, equalViews)):
		p.differ("tick before its wake", fmt.Sprintf("nothing: wake is %d", p.wake),
			text(gotOut)+"\n"+viewsDiff(before, p.views))
	case in.op == opReceive && got.err != nil && (!empty(gotOut) || !slices.EqualFunc(before, p.views, equalViews)):
		p.differ("refused packet", "no effect", fmt.Sprintf("%v\n%s\n%s", got.err, text(gotOut), viewsDiff(before, p.views)))
	}
	p.wake = gotOut.Wake
	return want
}

// engine makes a call on our engine and polls it; a panic is a difference.
func (p *Pair) engine(in input) (r result, out conference.Output) {
	defer func() {
		if x := recover(); x != nil {
			p.differ("panic", "none", fmt.Sprintf("%v\n%s", x, debug.Stack()))
		}
	}()
	r = in.apply(p.got)
	return r, p.got.Poll()
}

// collect keeps what the host gets at its next Poll.
func (p *Pair) collect(out conference.Output) {
	if p.polled {
		p.out, p.polled = conference.Output{}, false
	}
	for _, s := range out.Sends {
		s.Data = bytes.Clone(s.Data)
		p.out.Sends = append(p.out.Sends, s)
	}
	for _, s := range out.Refused {
		s.Data = bytes.Clone(s.Data)
		p.out.Refused = append(p.out.Refused, s)
	}
	for _, e := range out.Events {
		e.Text = bytes.Clone(e.Text)
		p.out.Events = append(p.out.Events, e)
	}
	p.out.Conns = append(p.out.Conns, out.Conns...)
	p.out.Dirty = p.out.Dirty || out.Dirty
	p.out.Wake = out.Wake
}

func (p *Pair) differ(what, want, got string) {
	if p.diff != nil {
		return
	}
	p.diff = &Difference{Input: p.count - 1, What: what, Want: want, Got: got}
	if p.count > 0 {
		p.diff.Call = p.inputs[p.count-1].String()
	}
}

// The methods of sim.Node.

// SetFriend is sim.Node's.
func (p *Pair) SetFriend(peer packets.PublicKey, friend bool) {
	p.do(input{op: opSetFriend, now: p.want.now, peer: peer, on: friend})
}

// Online is sim.Node's.
func (p *Pair) Online(now packets.Time, peer, dht packets.PublicKey) {
	p.do(input{op: opOnline, now: now, peer: peer, dht: dht})
}

// Offline is sim.Node's.
func (p *Pair) Offline(now packets.Time, peer packets.PublicKey) {
	p.do(input{op: opOffline, now: now, peer: peer})
}

// FriendReady is sim.Node's.
func (p *Pair) FriendReady(now packets.Time, friend packets.PublicKey) {
	p.do(input{op: opReady, now: now, peer: friend})
}

// SetWritable is sim.Node's.
func (p *Pair) SetWritable(peer packets.PublicKey, lossless, lossy bool) {
	p.do(input{op: opWritable, now: p.want.now, peer: peer, on: lossless, more: lossy})
}

// Receive is sim.Node's.
func (p *Pair) Receive(now packets.Time, from packets.PublicKey, b []byte) error {
	return p.do(input{op: opReceive, now: now, peer: from, data: b}).err
}

// Tick is sim.Node's.
func (p *Pair) Tick(now packets.Time) { p.do(input{op: opTick, now: now}) }

// Create is sim.Node's.
func (p *Pair) Create(now packets.Time, t packets.Type) packets.ID {
	return p.do(input{op: opCreate, now: now, kind: byte(t)}).id
}

// Invite is sim.Node's.
func (p *Pair) Invite(now packets.Time, id packets.ID, friend packets.PublicKey) error {
	return p.do(input{op: opInvite, now: now, id: id, peer: friend}).err
}

// Join is sim.Node's.
func (p *Pair) Join(now packets.Time, inv conference.Invited) error {
	return p.do(input{op: opJoin, now: now, inv: inv}).err
}

// Send is sim.Node's.
func (p *Pair) Send(now packets.Time, id packets.ID, k packets.MessageKind, text []byte) (uint32, error) {
	r := p.do(input{op: opSend, now: now, id: id, kind: byte(k), data: text})
	return r.number, r.err
}

// SetTitle is sim.Node's.
func (p *Pair) SetTitle(now packets.Time, id packets.ID, title []byte) error {
	return p.do(input{op: opTitle, now: now, id: id, data: title}).err
}

// SetName is sim.Node's.
func (p *Pair) SetName(now packets.Time, name []byte) error {
	return p.do(input{op: opName, now: now, data: name}).err
}

// SetMaxFrozen is sim.Node's.
func (p *Pair) SetMaxFrozen(now packets.Time, id packets.ID, n int) error {
	return p.do(input{op: opMaxFrozen, now: now, id: id, n: n}).err
}

// SendLossy is sim.Node's.
func (p *Pair) SendLossy(now packets.Time, id packets.ID, kind byte, data []byte) error {
	return p.do(input{op: opLossy, now: now, id: id, kind: kind, data: data}).err
}

// Leave is sim.Node's.
func (p *Pair) Leave(now packets.Time, id packets.ID) error {
	return p.do(input{op: opLeave, now: now, id: id}).err
}

// Quit is sim.Node's.
func (p *Pair) Quit(now packets.Time) { p.do(input{op: opQuit, now: now}) }

// Poll is c-toxcore's output since the last call.
func (p *Pair) Poll() conference.Output {
	if p.polled {
		p.out = conference.Output{}
	}
	p.polled = true
	p.out.Wake = p.want.Poll().Wake
	return p.out
}

// Views is c-toxcore's.
func (p *Pair) Views() []conference.View { return p.want.Views() }

// Save is c-toxcore's.
func (p *Pair) Save() []packets.SavedConference { return p.want.Save() }

// Check returns the first *Difference.
func (p *Pair) Check() error {
	if p.diff != nil {
		return p.diff
	}
	return p.want.Check()
}
