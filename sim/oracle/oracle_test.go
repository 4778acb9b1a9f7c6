//go:build oracle && linux && amd64

package oracle

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/sim"
)

// TestMember pins the code that everything else here speaks for.
func TestMember(t *testing.T) {
	archive, err := exec.Command("gcc", "-print-file-name=libtoxcore.a").Output()
	require.NoError(t, err)
	member, err := exec.Command("ar", "p", strings.TrimSpace(string(archive)), "group.c.o").Output()
	require.NoError(t, err)
	sum := sha256.Sum256(member)
	require.Equal(t, "679fa9561285e1bd328561117a580cc42a4fe74e194bed56a15a67706beb9ce7", hex.EncodeToString(sum[:]))
}

// testKey is a key that sorts by its number.
func testKey(n byte) packets.PublicKey { return packets.PublicKey{n, 0x10, 31: n} }

func testDHT(n byte) packets.PublicKey { return packets.PublicKey{0xd0, n, 31: n} }

// duo is two nodes that are friends, on a wire without delay.
type duo struct {
	t     *testing.T
	now   packets.Time
	nodes map[packets.PublicKey]sim.Node
	keys  []packets.PublicKey
	event map[packets.PublicKey][]conference.Event
	conns map[packets.PublicKey][]conference.Conn
}

func newDuo(t *testing.T) *duo {
	d := &duo{
		t: t, now: 1_700_000_000 * packets.Second,
		nodes: map[packets.PublicKey]sim.Node{},
		event: map[packets.PublicKey][]conference.Event{},
		conns: map[packets.PublicKey][]conference.Conn{},
	}
	a, b := testKey(1), testKey(2)
	d.keys = []packets.PublicKey{a, b}
	for i, k := range d.keys {
		n, err := New(conference.Config{
			Self: k, DHTKey: testDHT(byte(i)), Name: []byte{'n', byte('A' + i)},
			Rand: bytes.NewReader(bytes.Repeat([]byte{byte(i + 1)}, 64)), Friends: []packets.PublicKey{d.keys[1-i]},
		}, nil, d.now)
		require.NoError(t, err)
		d.nodes[k] = n
	}
	d.link()
	return d
}

func (d *duo) link() {
	for i, k := range d.keys {
		d.nodes[k].Online(d.now, d.keys[1-i], testDHT(byte(1-i)))
		d.nodes[k].FriendReady(d.now, d.keys[1-i])
	}
	d.settle()
}

// settle carries packets until nothing moves.
func (d *duo) settle() {
	for moved := true; moved; {
		moved = false
		for i, k := range d.keys {
			out := d.nodes[k].Poll()
			for _, e := range out.Events {
				e.Text = bytes.Clone(e.Text)
				d.event[k] = append(d.event[k], e)
			}
			d.conns[k] = append(d.conns[k], out.Conns...)
			for _, s := range out.Sends {
				moved = true
				require.Equal(d.t, d.keys[1-i], s.To)
				require.NoError(d.t, d.nodes[s.To].Receive(d.now, k, bytes.Clone(s.Data)))
			}
		}
	}
}

func (d *duo) run(seconds int) {
	for range seconds {
		d.now += packets.Second
		for _, k := range d.keys {
			d.nodes[k].Tick(d.now)
		}
		d.settle()
	}
}

func (d *duo) join() packets.ID {
	a, b := d.keys[0], d.keys[1]
	id := d.nodes[a].Create(d.now, packets.Text)
	require.NoError(d.t, d.nodes[a].Invite(d.now, id, b))
	d.settle()
	require.Len(d.t, d.event[b], 1)
	e := d.event[b][0]
	require.Equal(d.t, conference.Event{
		Kind: conference.Invitation, ID: id, Peer: a, Index: -1, Text: nil,
		Invited: conference.Invited{From: a, ID: id},
	}, e)
	require.NoError(d.t, d.nodes[b].Join(d.now, e.Invited))
	d.settle()
	d.run(2)
	return id
}

func TestTwoPeersChat(t *testing.T) {
	d := newDuo(t)
	a, b := d.keys[0], d.keys[1]
	id := d.join()
	require.Equal(t, packets.ID{Type: packets.Text, Key: packets.PublicKey(bytes.Repeat([]byte{1}, 32))}, id)
	number, err := d.nodes[a].Send(d.now, id, packets.NormalMessage, []byte("hi"))
	require.NoError(t, err)
	d.settle()

	last := d.event[b][len(d.event[b])-1]
	require.Equal(t, conference.Event{
		Kind: conference.Texted, ID: id, Peer: a, Index: 0, Active: 2, Message: packets.NormalMessage,
		Number: number, Text: []byte("hi"),
	}, last)
	echo := d.event[a][len(d.event[a])-1]
	require.Equal(t, last, echo, "the author hears itself at the same place")

	views := d.nodes[b].Views()
	require.Len(t, views, 1)
	require.True(t, views[0].Connected)
	require.Len(t, views[0].Peers, 2)
	require.Equal(t, []byte("nA"), views[0].Peers[0].Name)
	require.Equal(t, []byte("nB"), views[0].Peers[1].Name)
	require.Equal(t, []conference.Neighbour{{
		Slot: 0, Key: a, Online: true, Reasons: conference.ReasonClosest | conference.ReasonIntroducer,
	}}, views[0].Neighbours)
	require.Equal(t, []conference.Conn{{Op: conference.Want, Peer: a, DHT: testDHT(0)}}, d.conns[b])
}

func TestSplitFreezesAndHealThaws(t *testing.T) {
	d := newDuo(t)
	a, b := d.keys[0], d.keys[1]
	id := d.join()
	d.event = map[packets.PublicKey][]conference.Event{}
	d.nodes[a].Offline(d.now, b)
	d.nodes[b].Offline(d.now, a)
	d.settle()
	require.Equal(t, []conference.Event{{Kind: conference.PeerFrozen, ID: id, Peer: b, Index: 1, Active: 1}}, d.event[a])
	require.Len(t, d.nodes[a].Views()[0].Frozen, 1)
	_, err := d.nodes[a].Send(d.now, id, packets.NormalMessage, []byte("alone"))
	require.ErrorIs(t, err, conference.ErrNotConnected)

	d.event = map[packets.PublicKey][]conference.Event{}
	d.link()
	require.Equal(t, conference.Event{Kind: conference.PeerThawed, ID: id, Peer: b, Index: 1, Active: 2}, d.event[a][0])
	require.Len(t, d.nodes[b].Views()[0].Peers, 2)
}

func TestLeaveAndQuitDiffer(t *testing.T) {
	for _, leave := range []bool{true, false} {
		d := newDuo(t)
		a, b := d.keys[0], d.keys[1]
		id := d.join()
		d.event = map[packets.PublicKey][]conference.Event{}
		saved := d.nodes[b].Save()
		if leave {
			require.NoError(t, d.nodes[b].Leave(d.now, id))
		} else {
			d.nodes[b].Quit(d.now)
			require.Equal(t, saved, d.nodes[b].Save())
		}
		d.deliverFrom(b)
		kind := map[bool]conference.EventKind{true: conference.PeerLeft, false: conference.PeerFrozen}[leave]
		require.Equal(t, kind, d.event[a][0].Kind)
	}
}

// deliverFrom delivers only what from has to say.
func (d *duo) deliverFrom(from packets.PublicKey) {
	for _, s := range d.nodes[from].Poll().Sends {
		require.NoError(d.t, d.nodes[s.To].Receive(d.now, from, bytes.Clone(s.Data)))
		d.event[s.To] = append(d.event[s.To], d.nodes[s.To].Poll().Events...)
	}
}

func TestSavedConferencesLoad(t *testing.T) {
	d := newDuo(t)
	d.join()
	saved := d.nodes[d.keys[1]].Save()
	require.Len(t, saved, 1)
	cfg := conference.Config{Self: d.keys[1], DHTKey: testDHT(9), Rand: bytes.NewReader(nil)}
	n, err := New(cfg, saved, d.now)
	require.NoError(t, err)
	again := n.Save()
	saved[0].Number += packets.SaveOffset
	saved[0].LossyNumber += packets.SaveOffsetLossy
	require.Equal(t, saved, again)

	saved[0].Peers[0].Number = saved[0].PeerNumber
	_, err = New(cfg, saved, d.now)
	require.ErrorIs(t, err, ErrLoad)
}
