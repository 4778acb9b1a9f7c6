//go:build oracle && linux && amd64

package oracle

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
)

// epoch is when the virtual clocks start.
const epoch = 1_700_000_000 * packets.Second

// solo is one pair among neighbours that exist only as keys: every packet of
// theirs is made up, most of it valid, all of it hostile.
type solo struct {
	forger
	now   packets.Time
	frame packets.Time

	friends map[packets.PublicKey]bool
	up      map[packets.PublicKey]bool
	wanted  map[packets.PublicKey]bool
	invited []conference.Invited
	weights [numOps]int
	early   bool    // all friends are online from the start
	odd     bool    // saved lists may hold a key or number twice, and ourselves
	jump    float64 // chance of a long pause between ticks
}

// source of a run's random bytes: a small space makes peer numbers collide.
type smallRand struct {
	r     *rand.Rand
	space uint16
}

func (s smallRand) Read(b []byte) (int, error) {
	if len(b) == 2 && s.space != 0 {
		binary.BigEndian.PutUint16(b, uint16(s.r.IntN(int(s.space))))
		return 2, nil
	}
	for i := range b {
		b[i] = byte(s.r.Uint32())
	}
	return len(b), nil
}

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

func randomBytes(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// randomKeys are all different; some agree in the part that orders them.
func randomKeys(r *rand.Rand, n int) []packets.PublicKey {
	keys := make([]packets.PublicKey, n)
	for i := range keys {
		copy(keys[i][:], randomBytes(r, packets.KeySize))
		if i > 0 && r.IntN(8) == 0 {
			copy(keys[i][:8], keys[r.IntN(i)][:8])
		}
	}
	return keys
}

// newSolo draws every parameter of a run from its seed.
func newSolo(seed uint64, reference bool, d *digest) (*solo, error) {
	r := rand.New(rand.NewPCG(seed, 1))
	s := &solo{
		forger:  newForger(r, randomKeys(r, 2+pick(r, []int{2, 4, 8, 20, 24}))),
		now:     epoch + packets.Time(r.IntN(1000)),
		frame:   pick(r, []packets.Time{50, 50, 250, 1000}),
		friends: map[packets.PublicKey]bool{}, up: map[packets.PublicKey]bool{}, wanted: map[packets.PublicKey]bool{},
		jump: pick(r, []float64{0, 0.02, 0.3}),
	}
	cfg := conference.Config{
		Self: s.keys[0], DHTKey: s.dht(), Name: randomBytes(r, pick(r, []int{0, 3, 128})), Frame: s.frame,
		MaxFrozen: pick(r, []int{0, 0, 0, 2, -1}), Reference: reference,
		Rand: smallRand{r: rand.New(rand.NewPCG(seed, 2)), space: pick(r, []uint16{0, 0, 1, 4, 40})},
	}
	s.odd, s.early = r.IntN(4) == 0, r.IntN(2) == 0
	friendly := pick(r, []float64{r.Float64(), 1})
	for _, k := range s.keys[1:] {
		if r.Float64() < friendly {
			cfg.Friends = append(cfg.Friends, k)
			s.friends[k] = true
		}
	}
	for o := range s.weights {
		s.weights[o] = pick(r, []int{0, 1, 1, 3})
	}
	s.weights[opReceive] = pick(r, []int{20, 60, 200})
	s.weights[opOnline] = pick(r, []int{3, 10})
	s.weights[opTick] = pick(r, []int{5, 20, 60})
	s.weights[opReady] = s.weights[opOnline]
	s.weights[opCreate], s.weights[opQuit], s.weights[opLeave] = 1, 0, r.IntN(2)
	if r.IntN(4) != 0 {
		s.weights[opWritable] = 0
	}
	if r.IntN(3) == 0 { // nobody leaves, so tables fill up
		s.stayAll()
		s.weights[opOffline] = 0
	}
	var err error
	s.pair, err = newPair(cfg, s.saved(), s.now)
	if err == nil {
		s.pair.lazy, s.pair.digest = r.IntN(2) == 0, d
	}
	return s, err
}

// saved is what a run begins with: mostly nothing.
func (s *solo) saved() []packets.SavedConference {
	var all []packets.SavedConference
	for s.r.IntN(3) == 0 && len(all) < 3 {
		c := packets.SavedConference{
			ID:     packets.ID{Type: packets.Type(s.r.IntN(2)), Key: packets.PublicKey(randomBytes(s.r, 32))},
			Number: pick(s.r, []uint32{s.r.Uint32(), math.MaxUint32 - 2}), LossyNumber: uint16(s.r.Uint32()), PeerNumber: pick(s.r, s.numbers),
			Title: randomBytes(s.r, pick(s.r, []int{0, 5, 128})),
		}
		for n := s.r.IntN(8); n > 0; n-- {
			p := packets.SavedPeer{
				Key: pick(s.r, s.keys), DHT: s.dht(), Number: pick(s.r, s.numbers),
				LastActive: uint64(epoch.Seconds()) - uint64(s.r.IntN(4)*30), Name: randomBytes(s.r, pick(s.r, []int{0, 4, 128})),
			}
			known := slices.ContainsFunc(c.Peers, func(o packets.SavedPeer) bool { return o.Key == p.Key || o.Number == p.Number })
			if s.odd || !known && p.Number != c.PeerNumber && p.Key != s.keys[0] {
				c.Peers = append(c.Peers, p)
			}
		}
		s.ids = append(s.ids, c.ID)
		all = append(all, c)
	}
	return all
}

// soloInputs is how many inputs one run has.
const soloInputs = 400

// run makes the inputs and returns the first difference.
func (s *solo) run() error {
	for _, k := range s.keys {
		if s.friends[k] && s.early {
			s.up[k] = true
			s.pair.do(input{op: opOnline, now: s.now, peer: k, dht: s.dht()})
			s.pair.do(input{op: opReady, now: s.now, peer: k})
		}
	}
	s.carryOut()
	for range soloInputs {
		s.step()
		if err := s.pair.Check(); err != nil {
			return err
		}
	}
	if s.r.IntN(2) == 0 {
		s.pair.do(input{op: opQuit, now: s.now})
	}
	return s.pair.Check()
}

func (s *solo) step() {
	total := 0
	for _, w := range s.weights {
		total += w
	}
	at := s.r.IntN(total)
	o := op(0)
	for at >= s.weights[o] {
		at -= s.weights[o]
		o++
	}
	in := input{op: o, now: s.now, peer: s.keys[1+s.r.IntN(len(s.keys)-1)], id: s.id()}
	if !s.fill(&in) {
		return
	}
	r := s.pair.do(in)
	if o == opCreate {
		s.ids = append(s.ids, r.id)
	}
	s.carryOut()
}

// fill chooses the arguments; false: this input makes no sense now.
func (s *solo) fill(in *input) bool {
	r := s.r
	switch in.op {
	case opSetFriend:
		in.on = r.IntN(2) == 0
		if !in.on && s.up[in.peer] && !s.wanted[in.peer] {
			return false // the host reports the link down first
		}
		s.friends[in.peer] = in.on
	case opOnline:
		if s.up[in.peer] || !s.friends[in.peer] && !s.wanted[in.peer] {
			return false
		}
		s.up[in.peer] = true
		in.dht = s.dht()
	case opOffline:
		if !s.up[in.peer] {
			return false
		}
		delete(s.up, in.peer)
	case opReady:
		return s.up[in.peer] && s.friends[in.peer]
	case opWritable:
		in.on, in.more = r.IntN(3) != 0, r.IntN(3) != 0
		return s.up[in.peer]
	case opReceive:
		if len(s.up) == 0 {
			return false
		}
		in.peer = s.sender()
		in.data = s.packet()
		return len(in.data) > 0
	case opTick:
		s.now += s.frame
		if r.Float64() < s.jump {
			s.now += packets.Time(pick(r, []int{1, 5, 20, 25, 60, 61})) * packets.Second / s.frame * s.frame
		}
		in.now = s.now
	case opCreate:
		in.kind = byte(r.IntN(2))
		return len(s.ids) < 4
	case opJoin:
		in.inv = conference.Invited{From: in.peer, ID: s.id(), Group: uint16(r.IntN(3))}
		if len(s.invited) > 0 && r.IntN(4) != 0 {
			in.inv = pick(r, s.invited)
		}
	case opSend:
		in.kind = byte(pick(r, []packets.MessageKind{packets.NormalMessage, packets.Action}))
		in.data = randomBytes(r, pick(r, []int{0, 1, 20, 1363, 1364}))
	case opTitle:
		in.data = randomBytes(r, pick(r, []int{0, 1, 5, 128, 129, 256, 260}))
	case opName:
		in.data = randomBytes(r, pick(r, []int{0, 1, 5, 128, 129}))
	case opMaxFrozen:
		in.n = pick(r, []int{-1, 0, 1, 2, 3, 5, 128})
	case opLossy:
		in.kind = pick(r, []byte{packets.LossyAudio, 0xc1})
		in.data = randomBytes(r, pick(r, []int{0, 1, 30, 1365, 1366}))
	}
	return true
}

// carryOut does what a host does with an output: links follow references.
func (s *solo) carryOut() {
	out := s.pair.Poll()
	for _, c := range out.Conns {
		if c.Op == conference.Want {
			s.wanted[c.Peer] = true
			continue
		}
		delete(s.wanted, c.Peer)
		if !s.friends[c.Peer] {
			delete(s.up, c.Peer)
		}
	}
	for _, e := range out.Events {
		if e.Kind == conference.Invitation && len(s.invited) < 8 {
			s.invited = append(s.invited, e.Invited)
		}
	}
}

// sender is somebody whose link is up, in an order that the seed decides.
func (s *solo) sender() packets.PublicKey {
	var up []packets.PublicKey
	for _, k := range s.keys {
		if s.up[k] {
			up = append(up, k)
		}
	}
	return pick(s.r, up)
}
