package measure

import (
	"fmt"
	"strings"

	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/sim"
	"github.com/tox-rejoin/rejoin/sim/fault"
)

// Fault is a fault under which messages are counted: what begins it and what
// ends it, of operations of scenarios (package fault).
type Fault struct {
	Name       string
	Audio      bool         // lossy packets of an audio conference are counted; else texts
	Long       packets.Time // from beginning to end
	Begin, End []fault.Op
}

// Times of a scenario that counts messages.
const (
	lossLead  = 2 * packets.Second  // before the fault
	lossEvery = 3 * packets.Second  // somebody says something
	lossAfter = 60 * packets.Second // talk goes on so long after the fault
)

// Faults are the faults of the report in a group of so many.
func Faults(peers int) []Fault {
	halves := [][]int{numbers(0, peers/2), numbers(peers/2, peers)}
	one := peers / 3 // somebody in the midst
	op := func(k fault.Kind) fault.Op { return fault.Op{Kind: k, Node: one} }
	cut, jam := fault.Op{Kind: fault.Cut, Groups: halves}, fault.Op{Kind: fault.Jam, Groups: halves}
	back := fault.Op{Kind: fault.Restart, Node: one, Save: fault.Newest}
	storm := fault.Op{Kind: fault.Net, Network: sim.Network{Loss: 0.05, Duplicate: 0.05, Reorder: 0.05}}
	calm := fault.Op{Kind: fault.Net}
	ops := func(o ...fault.Op) []fault.Op { return o }
	return []Fault{
		{Name: "none", Long: 60 * packets.Second},
		{Name: "5 % of packets lost, doubled, overtaken", Long: 60 * packets.Second, Begin: ops(storm), End: ops(calm)},
		{Name: "the same, sound in lossy packets", Audio: true, Long: 60 * packets.Second, Begin: ops(storm), End: ops(calm)},
		{Name: "cut in halves for 20 s, unnoticed", Long: 20 * packets.Second, Begin: ops(cut), End: ops(fault.Op{Kind: fault.Heal})},
		{Name: "cut in halves for 2 min", Long: Cut, Begin: ops(cut), End: ops(fault.Op{Kind: fault.Heal})},
		{Name: "held up between halves for 20 s", Long: 20 * packets.Second, Begin: ops(jam), End: ops(fault.Op{Kind: fault.Unjam})},
		{Name: "one sleeps for 2 min", Long: Cut, Begin: ops(op(fault.Pause)), End: ops(op(fault.Resume))},
		{Name: "one crashes, back after 2 min", Long: Cut, Begin: ops(op(fault.Crash)), End: ops(back)},
		{Name: "one quits, back after 2 min", Long: Cut, Begin: ops(op(fault.Quit)), End: ops(back)},
	}
}

// Phase says when something was said.
type Phase uint8

// The phases.
const (
	During Phase = iota // while the fault lasted
	After               // in the minute behind it
	Merged              // when everybody listed everybody again, and stayed so
	NumPhases
)

func (p Phase) word() string {
	return [NumPhases]string{"during ", "after ", "here is "}[p] // the last as sim.World.Settle has it
}

// Count counts messages that others are to be shown.
type Count struct {
	Due  int `json:"due"`  // messages times the other peers, those who are away as well
	Lost int `json:"lost"` // were never shown
}

// Lost is what a fault does to messages, by when they were said.
type Lost struct {
	Counts [NumPhases]Count
	Apart  int // seeds in which the group did not become whole: nothing is Merged there
}

// Add adds what happened elsewhere.
func (l *Lost) Add(m *Lost) {
	for p := range l.Counts {
		l.Counts[p].Due += m.Counts[p].Due
		l.Counts[p].Lost += m.Counts[p].Lost
	}
	l.Apart += m.Apart
}

// Talk is a group that talks while a fault is upon it. Friends make a ring.
type Talk struct {
	Seed      uint64
	Peers     int
	NewNode   sim.NewNode // nil means sim.NewEngine
	Reference bool        // judge the nodes as c-toxcore, our own in Reference mode
}

// Under plays a fault of Faults(Peers) and counts who is not shown what. The
// error is a failure of the nodes.
func (t Talk) Under(f *Fault) (Lost, error) {
	s := f.scenario(t.Seed, t.Peers)
	s.Reference = t.Reference
	if err := s.Check(); err != nil {
		return Lost{}, err
	}
	if t.NewNode == nil {
		t.NewNode = sim.NewEngine
	}
	c := &counter{inner: t.NewNode, peers: t.Peers, audio: f.Audio, shown: map[string][]bool{}}
	r := fault.Player{NewNode: c.wrap}.Play(&s)
	if r.Err != nil {
		return Lost{}, r.Err
	}
	lost := c.lost()
	if r.Verdict.WholeAt == 0 {
		lost.Apart = 1
		lost.Counts[Merged] = Count{}
	}
	return lost, nil
}

// scenario is the fault with talk all around it.
func (f *Fault) scenario(seed uint64, peers int) fault.Scenario {
	s := fault.Scenario{Seed: seed, Peers: peers, Friends: fault.Friends{Shape: "ring"}, Audio: f.Audio}
	say := fault.Talk
	if f.Audio {
		say = fault.Lossy
	}
	word := 0
	at := func(t packets.Time, ops []fault.Op) {
		for _, o := range ops {
			o.T = t
			s.Ops = append(s.Ops, o)
		}
	}
	talk := func(p Phase, from, to packets.Time) {
		for t := from; t < to; t += lossEvery {
			for range 2 { // two who are far from each other
				at(t, []fault.Op{{Kind: say, Node: (word*peers/2 + word/2) % peers, Text: fmt.Sprint(p.word(), word)}})
				word++
			}
		}
	}
	at(lossLead, f.Begin)
	talk(During, lossLead+1, lossLead+f.Long)
	at(lossLead+f.Long, f.End)
	talk(After, lossLead+f.Long+1, lossLead+f.Long+lossAfter)
	at(lossLead+f.Long+lossAfter, []fault.Op{{Kind: fault.Settle}})
	return s
}

// counter counts what the nodes of a scenario say and are shown.
type counter struct {
	inner sim.NewNode
	peers int
	audio bool
	shown map[string][]bool // what was said: to whom it was shown, its author included
	order []string
}

// wrap makes a node that is listened to.
func (c *counter) wrap(cfg conference.Config, saved []packets.SavedConference, now packets.Time) (sim.Node, error) {
	n, err := c.inner(cfg, saved, now)
	if err != nil {
		return nil, err
	}
	return &listened{n, c, sim.NodeOf(&cfg.Self)}, nil
}

// say notes that a node has said something.
func (c *counter) say(me int, text []byte) {
	to := make([]bool, c.peers)
	to[me] = true
	c.shown[string(text)] = to
	c.order = append(c.order, string(text))
}

// lost counts what was not shown.
func (c *counter) lost() Lost {
	var l Lost
	for _, text := range c.order {
		for p := range NumPhases {
			if !strings.HasPrefix(text, p.word()) || p == Merged && c.audio {
				continue
			}
			for _, shown := range c.shown[text] {
				l.Counts[p].Due++
				if !shown {
					l.Counts[p].Lost++
				}
			}
			l.Counts[p].Due-- // its author
		}
	}
	return l
}

// listened is a node that is listened to.
type listened struct {
	sim.Node
	c  *counter
	me int
}

// Send notes what is said.
func (x *listened) Send(now packets.Time, id packets.ID, k packets.MessageKind, text []byte) (uint32, error) {
	n, err := x.Node.Send(now, id, k, text)
	if err == nil {
		x.c.say(x.me, text)
	}
	return n, err
}

// SendLossy notes what is sent.
func (x *listened) SendLossy(now packets.Time, id packets.ID, kind byte, data []byte) error {
	err := x.Node.SendLossy(now, id, kind, data)
	if err == nil {
		x.c.say(x.me, data)
	}
	return err
}

// Poll notes what is shown.
func (x *listened) Poll() conference.Output {
	out := x.Node.Poll()
	for i := range out.Events {
		switch e := &out.Events[i]; e.Kind {
		case conference.Texted, conference.AudioHeard:
			if to, ok := x.c.shown[string(e.Text)]; ok {
				to[x.me] = true
			}
		}
	}
	return out
}
