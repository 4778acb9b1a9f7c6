package client_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/client"
	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox"
)

var _ client.Transport = (*tox.Node)(nil)

// errFull is what a transport says that takes nothing at the moment.
var errFull = errors.New("full")

// wire is one step that a Host took on its Transport.
type wire struct {
	verb string
	peer packets.PublicKey
	data []byte
}

// fake is a Transport that notes what is asked of it.
type fake struct {
	did  []wire
	full bool
}

func (f *fake) Write(_ packets.Time, peer packets.PublicKey, payload []byte, _ bool) error {
	if f.full {
		return errFull
	}
	f.did = append(f.did, wire{"write", peer, bytes.Clone(payload)})
	return nil
}

func (f *fake) Want(_ packets.Time, peer, _ packets.PublicKey) error {
	f.did = append(f.did, wire{verb: "want", peer: peer})
	return nil
}

func (f *fake) Release(_ packets.Time, peer packets.PublicKey) {
	f.did = append(f.did, wire{verb: "release", peer: peer})
}

// member is a Host and its transport in virtual time.
type member struct {
	*client.Host
	wires  *fake
	key    packets.PublicKey
	events []conference.Event
}

const began = 1_700_000_000 * packets.Second

func newMember(t *testing.T, id byte, friend packets.PublicKey) *member {
	t.Helper()
	m := &member{wires: &fake{}, key: packets.PublicKey{id}}
	engine, err := conference.New(conference.Config{
		Self: m.key, DHTKey: packets.PublicKey{id, 1}, Rand: rand.NewChaCha8([32]byte{id}),
		Friends: []packets.PublicKey{friend},
	}, nil, began)
	require.NoError(t, err)
	m.Host = client.NewHost(engine, m.wires)
	return m
}

// take keeps the events of the last input.
func (m *member) take() {
	for _, e := range m.Poll().Events {
		e.Text = bytes.Clone(e.Text)
		m.events = append(m.events, e)
	}
}

// of is the events of one kind.
func (m *member) of(kind conference.EventKind) (list []conference.Event) {
	for _, e := range m.events {
		if e.Kind == kind {
			list = append(list, e)
		}
	}
	return list
}

// pass delivers what two members wrote to each other, and ticks them, until
// both have nothing left; a frame is 50 ms.
func pass(t *testing.T, now packets.Time, a, b *member) packets.Time {
	t.Helper()
	for range 100 {
		now += 50
		idle := true
		for _, from := range []*member{a, b} {
			to := b
			if from == b {
				to = a
			}
			did := from.wires.did
			from.wires.did = nil
			for _, w := range did {
				require.Equal(t, to.key, w.peer)
				if w.verb == "write" {
					require.NoError(t, to.Receive(now, from.key, w.data))
					to.take()
					idle = false
				}
			}
		}
		for _, m := range []*member{a, b} {
			if wake := m.Wake(); wake != 0 && wake <= now {
				m.Tick(now)
				m.take()
			}
		}
		if idle {
			return now
		}
	}
	require.Fail(t, "they never stop")
	return 0
}

// do gives an input to a member and returns its error.
func (m *member) do(now packets.Time, f func(e *conference.Engine) error) error {
	var err error
	m.Do(now, func(e *conference.Engine) { err = f(e) })
	m.take()
	return err
}

// meet makes a conference of two members.
func meet(t *testing.T) (alice, bob *member, id packets.ID, now packets.Time) {
	t.Helper()
	alice, bob = newMember(t, 1, packets.PublicKey{2}), newMember(t, 2, packets.PublicKey{1})
	now = began
	for _, x := range [][2]*member{{alice, bob}, {bob, alice}} {
		x[0].Online(now, x[1].key, packets.PublicKey{x[1].key[0], 1})
		x[0].take()
		x[0].FriendReady(now, x[1].key)
		x[0].take()
	}
	require.NoError(t, alice.do(now, func(e *conference.Engine) error {
		id = e.Create(now, packets.Text)
		return nil
	}))
	require.True(t, alice.Poll().Dirty)
	require.NoError(t, alice.do(now, func(e *conference.Engine) error { return e.Invite(now, id, bob.key) }))
	now = pass(t, now, alice, bob)
	require.Len(t, bob.of(conference.Invitation), 1)
	require.NoError(t, bob.do(now, func(e *conference.Engine) error {
		return e.Join(now, bob.of(conference.Invitation)[0].Invited)
	}))
	var verbs []string
	for _, w := range bob.wires.did {
		verbs = append(verbs, w.verb)
	}
	require.Equal(t, []string{"write", "write", "want"}, verbs, "packets first, then connections")
	now = pass(t, now, alice, bob)
	require.Len(t, bob.of(conference.Connected), 1)
	return alice, bob, id, now
}

// Two Hosts over a Transport that only delivers: an invitation, a join, a text.
// A link that takes nothing loses a text and is tried again a second later.
func TestHost(t *testing.T) {
	t.Parallel()
	alice, bob, id, now := meet(t)
	say := func(text string) error {
		return alice.do(now, func(e *conference.Engine) error {
			_, err := e.Send(now, id, packets.NormalMessage, []byte(text))
			return err
		})
	}
	require.NoError(t, say("one"))
	alice.wires.full = true
	require.NoError(t, say("lost"), "nobody knows yet that the link is full")
	require.ErrorIs(t, say("two"), conference.ErrNotSent)
	alice.wires.full = false
	require.ErrorIs(t, say("three"), conference.ErrNotSent, "too early")
	now += packets.Second
	require.NoError(t, say("four"))
	pass(t, now, alice, bob)
	var texts []string
	for _, e := range bob.of(conference.Texted) {
		texts = append(texts, string(e.Text))
	}
	require.Equal(t, []string{"one", "four"}, texts)
}

// counter is a Transport that counts packets.
type counter struct {
	fake
	packets int
}

func (c *counter) Write(packets.Time, packets.PublicKey, []byte, bool) error {
	c.packets++
	return nil
}

// A packet that is passed on costs the Host no memory.
func TestHostDoesNotAllocate(t *testing.T) {
	alice, bob, id, now := meet(t)
	v, ok := alice.Engine().View(id)
	require.True(t, ok)
	i := slices.IndexFunc(v.Peers, func(p conference.Peer) bool { return p.Key == bob.key })
	ping := packets.Message{PeerNumber: v.Peers[i].Number, Number: 1000, Kind: packets.Ping}.Append(nil)
	wires := &counter{}
	alice.Host = client.NewHost(alice.Engine(), wires)
	passed := testing.AllocsPerRun(1000, func() {
		binary.BigEndian.PutUint32(ping[5:], binary.BigEndian.Uint32(ping[5:])+1)
		if alice.Receive(now, bob.key, ping) != nil {
			panic("refused")
		}
	})
	require.Zero(t, passed)
	require.Greater(t, wires.packets, 1000)
}
