package conference

import (
	"math/rand"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
)

// pair is two friends on a lossless link without delay.
type pair struct {
	t   *testing.T
	now packets.Time
	key [2]packets.PublicKey
	e   [2]*Engine
	ev  [2][]Event
}

func newPair(t *testing.T, reference bool) *pair {
	p := &pair{t: t, now: 1_700_000_000_000}
	for i := range p.key {
		p.key[i][0] = byte(0x10 + i)
	}
	for i := range p.e {
		e, err := New(Config{
			Self: p.key[i], DHTKey: packets.PublicKey{9, byte(i)}, Name: []byte{'A' + byte(i)},
			Rand: rand.New(rand.NewSource(int64(i))), Friends: p.key[1-i : 2-i], Reference: reference,
		}, nil, p.now)
		require.NoError(t, err)
		p.e[i] = e
	}
	for i := range p.e {
		p.e[i].Online(p.now, p.key[1-i], packets.PublicKey{9, byte(1 - i)})
		p.e[i].FriendReady(p.now, p.key[1-i])
	}
	return p
}

// settle delivers until nothing is left to deliver, then lets d pass.
func (p *pair) settle(d packets.Time) {
	end := p.now + d
	for {
		for busy := true; busy; {
			busy = false
			for i := range p.e {
				out := p.e[i].Poll()
				var sends [][]byte
				for _, s := range out.Sends {
					sends = append(sends, append([]byte(nil), s.Data...))
				}
				for _, ev := range out.Events {
					ev.Text = append([]byte(nil), ev.Text...)
					p.ev[i] = append(p.ev[i], ev)
				}
				for _, b := range sends {
					busy = true
					require.NoError(p.t, p.e[1-i].Receive(p.now, p.key[i], b))
				}
				require.NoError(p.t, p.e[i].Check())
				if out.Wake != 0 && out.Wake <= p.now {
					p.e[i].Tick(p.now)
					busy = true
				}
			}
		}
		if p.now >= end {
			return
		}
		p.now += 50
	}
}

func TestTwoPeersMeetTalkAndFreeze(t *testing.T) {
	for _, reference := range []bool{true, false} {
		p := newPair(t, reference)
		id := p.e[0].Create(p.now, packets.Text)
		require.NoError(t, p.e[0].Invite(p.now, id, p.key[1]))
		p.settle(50)
		require.Equal(t, Invitation, p.ev[1][0].Kind)
		require.NoError(t, p.e[1].Join(p.now, p.ev[1][0].Invited))
		p.settle(1000)
		for i := range p.e {
			v, ok := p.e[i].View(id)
			require.True(t, ok)
			require.True(t, v.Connected)
			require.Len(t, v.Peers, 2)
		}
		_, err := p.e[0].Send(p.now, id, packets.NormalMessage, []byte("hi"))
		require.NoError(t, err)
		p.settle(50)
		for i := range p.e {
			last := p.ev[i][len(p.ev[i])-1]
			require.Equal(t, Texted, last.Kind)
			require.Equal(t, "hi", string(last.Text))
		}
		p.e[0].Offline(p.now, p.key[1])
		v, _ := p.e[0].View(id)
		require.Len(t, v.Frozen, 1)
	}
}
