package hostile

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/sim"
)

// ErrForm is returned if the conference to be attacked did not form.
var ErrForm = errors.New("hostile: the conference did not form")

// Times of a trial.
const (
	calmTime   = 60 * packets.Second // how long the conference is watched before
	attackTime = 60 * packets.Second // how long it is attacked
	// wholeTime is how long it may take until it is whole again: a frozen peer
	// that does not exist is nobody's after 60 s, who has frozen everybody is
	// heard at the next ping, and a session may back off.
	wholeTime = 300 * packets.Second
	joinTime  = 30 * packets.Second
	rollTime  = 10 * packets.Second
	// settleTime is a ping of everybody more, before everybody says something.
	settleTime = 25 * packets.Second
	// lookTime is how often everybody's lists are looked at.
	lookTime = packets.Second
	// mostPackets, times the square of the peers, is how many packets a trial may
	// take. More than that is a storm: packets that are passed on without end.
	mostPackets = 10_000
)

// Defaults of Trial.
const (
	DefaultHonest = 8
	DefaultRate   = 1
	DefaultBogus  = 100
)

// Trial is a conference that is attacked by one of its members, all decided by
// the seed. Honest peers are friends in a chain; the attacker was invited by
// the last of them, and is a friend of one more.
type Trial struct {
	Seed      uint64
	Attack    Attack
	Honest    int         // honest peers, 2 or more; 0 means DefaultHonest
	Rate      int         // packets to each neighbour in each frame of 50 ms; 0 means DefaultRate
	Bogus     int         // peers that the attacker makes up, at most; 0 means DefaultBogus
	NewNode   sim.NewNode // honest peers; nil means our engine in product mode
	Reference bool        // as in sim.Config
	Split     bool        // the honest peers are in two halves during the attack
	Stay      bool        // the attacker goes on when the halves have met
}

// Result is what an attack did. The same Trial has the same Result.
type Result struct {
	Seed    uint64
	Sent    [numAttacks]uint64 // packets of the attacker, by attack
	Harm    Harm
	Members int   // honest peers
	Err     error // an honest peer broke a bound
}

// Harm is what honest peers suffered.
type Harm struct {
	Packets uint64  // the attacker's
	Apart   float64 // share of honest pairs and seconds of the attack in which one did not list the other
	Wrong   float64 // wrong entries per honest peer, in the mean
	Own     int     // times that an own entry was removed or frozen
	Sends   float64 // packets that all honest peers sent more, for each of the attacker's
	Bytes   float64 // bytes that they sent more, for each of the attacker's
	Burst   int     // packets that one packet made one peer send at once, at most
	Hurried uint64  // lists sent to a neighbour sooner than a second after the last
	Storm   bool    // packets were passed on without end; the trial was broken off

	// After the attack:
	Whole packets.Time // until everybody lists all honest peers and nobody else; -1: not in time
	Lost  int          // ordered pairs of honest peers of which one does not list the other at the end
	Ghost int          // wrong entries at the end: no such peer, or under another number than its own
	Deaf  int          // ordered pairs of which one is not shown once what the other says at the end
}

// trial plays one Trial.
type trial struct {
	Trial
	w       *sim.World
	honest  []*watch
	bad     *attacker
	sent    [numAttacks]uint64
	apart   int
	wrong   int
	samples int
	storm   bool
}

// Run plays the trial.
func (t Trial) Run() Result {
	if t.Honest == 0 {
		t.Honest = DefaultHonest
	}
	if t.Rate == 0 {
		t.Rate = DefaultRate
	}
	if t.Bogus == 0 {
		t.Bogus = DefaultBogus
	}
	if t.NewNode == nil {
		t.NewNode = sim.NewEngine
	}
	p := trial{Trial: t}
	p.w = sim.New(sim.Config{Seed: t.Seed, NewNode: p.newNode, Reference: t.Reference})
	r := Result{Seed: t.Seed, Members: t.Honest}
	r.Err = p.run(&r.Harm)
	for _, n := range p.honest {
		if r.Err == nil {
			r.Err = n.err
		}
	}
	r.Sent = p.sent
	return r
}

// newNode makes the honest nodes, and behind them the attacker.
func (p *trial) newNode(cfg conference.Config, saved []packets.SavedConference, now packets.Time) (sim.Node, error) {
	if len(p.honest) == p.Honest {
		cfg.Reference = false
		n, err := sim.NewEngine(cfg, saved, now)
		if err != nil {
			return nil, err
		}
		p.bad = newAttacker(n, cfg, p)
		return p.bad, nil
	}
	n, err := p.NewNode(cfg, saved, now)
	if err != nil {
		return nil, err
	}
	w := newWatch(n, cfg.Self, p.known, !p.Reference)
	p.honest = append(p.honest, w)
	return w, nil
}

// index is the node with that key, -1 if there is none.
func (p *trial) index(key packets.PublicKey) int {
	i := int(binary.LittleEndian.Uint32(key[packets.KeySize-4:]))
	if i < p.w.Len() && p.w.Key(i) == key {
		return i
	}
	return -1
}

// known tells whether a key is a node's.
func (p *trial) known(key packets.PublicKey) bool { return p.index(key) >= 0 }

func (p *trial) run(h *Harm) error {
	if err := p.form(); err != nil {
		return err
	}
	before, bytesBefore := p.traffic()
	if err := p.spend(calmTime, nil); err != nil {
		return err
	}
	calm, calmBytes := p.traffic()
	attacks := []Attack{p.Attack}
	if p.Attack == Mixture {
		attacks = p.mixture()
	}
	if p.Split {
		p.split()
	}
	bytesSent := p.w.Stats().Bytes
	p.bad.begin(attacks, p.Rate, p.Bogus)
	p.apart, p.wrong, p.samples = 0, 0, 0
	if err := p.spend(attackTime, p.sample); err != nil {
		return err
	}
	all, allBytes := p.traffic()
	if !p.Stay {
		p.w.Crash(p.Honest)
	}
	p.w.Heal()

	for _, n := range p.sent {
		h.Packets += n
	}
	badBytes := p.w.Stats().Bytes - bytesSent - (allBytes - calmBytes)
	h.Sends = over(float64(all-calm)-float64(calm-before), float64(h.Packets))
	h.Bytes = over(float64(allBytes-calmBytes)-float64(calmBytes-bytesBefore), float64(badBytes))
	h.Apart = over(float64(p.apart), float64(p.samples*p.Honest*(p.Honest-1)))
	h.Wrong = over(float64(p.wrong), float64(p.samples*p.Honest))
	return p.recover(h)
}

// over is a quotient, 0 of nothing.
func over(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return max(0, a/b)
}

// form makes the conference.
func (p *trial) form() error {
	all := p.Honest + 1
	for i := range all {
		p.w.Start(fmt.Sprintf("peer%d", i))
		if err := p.w.Run(p.w.Now() + 17); err != nil {
			return err
		}
		if i > 0 {
			p.w.Befriend(i-1, i)
		}
	}
	p.w.Befriend(int(p.Seed%uint64(p.Honest)), p.Honest)
	if err := p.w.Run(p.w.Now() + joinTime); err != nil {
		return err
	}
	kind := packets.Text
	if p.Attack == Lossy || p.Attack == Mixture && p.Seed%4 == 0 {
		kind = packets.AV
	}
	if _, err := p.w.Create(0, kind); err != nil {
		return err
	}
	for i := 1; i < all; i++ {
		if err := p.w.Invite(i-1, i); err != nil {
			return err
		}
		if err := p.w.RunUntil(p.w.Now()+joinTime, func() bool { return p.w.Member(i) }); err != nil {
			return err
		}
	}
	if err := p.w.RunUntil(p.w.Now()+2*joinTime, p.w.Whole); err != nil {
		return err
	}
	if !p.w.Whole() {
		return fmt.Errorf("%w: seed %d", ErrForm, p.Seed)
	}
	return p.w.Run(p.w.Now() + joinTime)
}

// mixture draws two to six attacks.
func (p *trial) mixture() []Attack {
	var some []Attack
	for range 2 + p.bad.r.IntN(5) {
		some = append(some, Attack(p.bad.r.IntN(int(numAttacks))))
	}
	return some
}

// split puts the first half of the honest peers out of reach.
func (p *trial) split() {
	var far []int
	for i := range p.Honest / 2 {
		far = append(far, i)
	}
	p.w.Split(far)
}

// traffic is how many packets and bytes honest peers have sent.
func (p *trial) traffic() (n, bytes uint64) {
	for _, h := range p.honest {
		n += h.packets
		bytes += h.bytes
	}
	return n, bytes
}

// spend lets time go by and looks at everybody now and then.
func (p *trial) spend(d packets.Time, look func()) error {
	until := p.w.Now() + d
	for p.w.Now() < until && !p.storm {
		tooMany := func() bool { return p.w.Stats().Packets > uint64(mostPackets*p.Honest*p.Honest) }
		if err := p.w.RunUntil(min(until, p.w.Now()+lookTime), tooMany); err != nil {
			return err
		}
		p.storm = tooMany()
		if look != nil {
			look()
		}
	}
	return nil
}

// sample looks at who is listed.
func (p *trial) sample() {
	lost, wrong := p.lists()
	p.apart += lost
	p.wrong += wrong
	p.samples++
}

// lists counts honest peers that others do not list under their own numbers, and
// entries that are wrong. The attacker is a member like others.
func (p *trial) lists() (lost, wrong int) {
	views := make([]conference.View, p.Honest)
	for i, n := range p.honest {
		if all := n.look(); len(all) > 0 {
			views[i] = all[0]
		}
	}
	for i := range views {
		seen := 0
		for _, peer := range views[i].Peers {
			k := p.index(peer.Key)
			switch {
			case k < 0 || k < p.Honest && peer.Number != views[k].PeerNumber:
				wrong++
			case k < p.Honest && k != i:
				seen++
			}
		}
		lost += p.Honest - 1 - seen
	}
	return lost, wrong
}

// recover waits until everything is as it was, now that the attacker has gone.
func (p *trial) recover(h *Harm) error {
	gone := p.w.Now()
	h.Whole = -1
	for p.w.Now() < gone+wholeTime && !p.storm {
		if err := p.spend(lookTime, nil); err != nil {
			return err
		}
		h.Lost, h.Ghost = p.lists()
		if h.Lost == 0 && (p.Stay || h.Ghost == 0) {
			h.Whole = p.w.Now() - gone
			break
		}
	}
	if h.Storm = p.storm; p.storm {
		return nil
	}
	return p.rollCall(h)
}

// rollCall has everybody say something, and counts who is shown it.
func (p *trial) rollCall(h *Harm) error {
	if err := p.spend(settleTime, nil); err != nil {
		return err
	}
	for _, n := range p.honest {
		clear(n.rolls)
	}
	for i := range p.honest {
		_ = p.w.Say(i, rollText) // who cannot say anything is not heard
		if err := p.w.Run(p.w.Now() + 2*frame); err != nil {
			return err
		}
	}
	if err := p.w.Run(p.w.Now() + rollTime); err != nil {
		return err
	}
	for _, n := range p.honest {
		for _, other := range p.honest {
			if n != other && n.rolls[other.self] != 1 {
				h.Deaf++
			}
		}
		h.Own += n.selfLost
		h.Burst = max(h.Burst, n.burst)
		h.Hurried += n.hurried
	}
	return nil
}
