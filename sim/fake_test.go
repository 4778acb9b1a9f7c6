package sim

import (
	"bytes"
	"fmt"

	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
)

// fake is a Node without any conference: it notes what it is given, and its
// test says what it wants.
type fake struct {
	w     *World
	self  packets.PublicKey
	got   []string
	at    []packets.Time // of each in got, since the world began
	out   conference.Output
	tick  packets.Time // wake every so often; 0: never
	start packets.Time
	say   func(f *fake) // called at each tick
	check error
}

func (f *fake) note(format string, args ...any) {
	f.got = append(f.got, fmt.Sprintf(format, args...))
	f.at = append(f.at, f.w.Since())
}

func (f *fake) index(k packets.PublicKey) uint32 { i, _ := f.w.indexOf(&k); return i }

func (f *fake) SetFriend(p packets.PublicKey, yes bool) { f.note("friend %d %v", f.index(p), yes) }
func (f *fake) Online(_ packets.Time, p, _ packets.PublicKey) {
	f.note("online %d", f.index(p))
}
func (f *fake) Offline(_ packets.Time, p packets.PublicKey) { f.note("offline %d", f.index(p)) }
func (f *fake) FriendReady(_ packets.Time, p packets.PublicKey) {
	f.note("ready %d", f.index(p))
}
func (f *fake) SetWritable(packets.PublicKey, bool, bool) {}
func (f *fake) Receive(_ packets.Time, from packets.PublicKey, p []byte) error {
	f.note("packet %d %s", f.index(from), bytes.TrimRight(p, "\x00"))
	return nil
}

func (f *fake) Tick(now packets.Time) {
	f.note("tick")
	f.out.Wake = now + f.tick
	if f.say != nil {
		f.say(f)
	}
}

func (f *fake) Create(packets.Time, packets.Type) packets.ID             { return packets.ID{} }
func (f *fake) Invite(packets.Time, packets.ID, packets.PublicKey) error { return nil }
func (f *fake) Join(packets.Time, conference.Invited) error              { return nil }
func (f *fake) SetTitle(packets.Time, packets.ID, []byte) error          { return nil }
func (f *fake) SetName(packets.Time, []byte) error                       { return nil }
func (f *fake) SetMaxFrozen(packets.Time, packets.ID, int) error         { return nil }
func (f *fake) SendLossy(packets.Time, packets.ID, byte, []byte) error   { return nil }
func (f *fake) Leave(packets.Time, packets.ID) error                     { return nil }
func (f *fake) Quit(packets.Time)                                        { f.note("quit") }
func (f *fake) Views() []conference.View                                 { return nil }
func (f *fake) Save() []packets.SavedConference                          { return nil }
func (f *fake) Check() error                                             { return f.check }
func (f *fake) Send(packets.Time, packets.ID, packets.MessageKind, []byte) (uint32, error) {
	return 0, nil
}

func (f *fake) Poll() conference.Output {
	out := f.out
	f.out = conference.Output{Wake: f.out.Wake}
	return out
}

// fakes is a world of fakes.
type fakes struct {
	*World
	node []*fake
	tick packets.Time
	say  func(f *fake)
}

func newFakes(n int, cfg Config) *fakes {
	fs := &fakes{}
	cfg.NewNode = func(c conference.Config, _ []packets.SavedConference, now packets.Time) (Node, error) {
		f := &fake{w: fs.World, self: c.Self, tick: fs.tick, say: fs.say, start: now}
		if f.tick > 0 {
			f.out.Wake = now + f.tick
		}
		i := f.index(c.Self)
		for int(i) >= len(fs.node) {
			fs.node = append(fs.node, nil)
		}
		fs.node[i] = f
		return f, nil
	}
	fs.World = New(cfg)
	for range n {
		fs.Start("fake")
	}
	return fs
}

// do gives node i's host something to do, as if a call had caused it.
func (fs *fakes) do(i int, out conference.Output) {
	f := fs.node[i]
	out.Wake = f.out.Wake
	f.out = out
	fs.called(i)
}

// write sends text from one node to another.
func (fs *fakes) write(from, to int, text string) {
	fs.do(from, conference.Output{Sends: []conference.Send{{To: fs.Key(to), Data: []byte(text)}}})
}

func (fs *fakes) want(i, peer int) {
	fs.do(i, conference.Output{Conns: []conference.Conn{{Op: conference.Want, Peer: fs.Key(peer)}}})
}

func (fs *fakes) release(i, peer int) {
	fs.do(i, conference.Output{Conns: []conference.Conn{{Op: conference.Release, Peer: fs.Key(peer)}}})
}

// when is the time of the n-th occurrence of what at node i, -1 if there is none.
func (fs *fakes) when(i int, what string, n int) packets.Time {
	for k, g := range fs.node[i].got {
		if g == what {
			if n--; n == 0 {
				return fs.node[i].at[k]
			}
		}
	}
	return -1
}

// seconds lets time go by.
func (fs *fakes) seconds(n int) { _ = fs.Run(fs.Now() + packets.Time(n)*packets.Second) }
