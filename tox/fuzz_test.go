package tox_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
)

// FuzzReceive gives a node of a small network, which has a friend and a
// neighbour, a datagram: the input, or one that the node received before with
// the input written over a part of it. What comes of it is sent to nobody, and
// the node goes on.
func FuzzReceive(f *testing.F) {
	for _, id := range []byte{0x00, 0x02, 0x04, 0x18, 0x1a, 0x1b, 0x20, 0x80, 0x83, 0x84, 0x86, 0x8c, 0xf0} {
		f.Add(bytes.Repeat([]byte{id}, 120), uint16(0xffff), uint16(0))
		f.Add([]byte{id}, uint16(7*int(id)), uint16(1+id))
	}
	f.Add([]byte{}, uint16(0), uint16(0))
	var w *world
	var seen [][]byte
	f.Fuzz(func(t *testing.T, p []byte, take, at uint16) {
		if w == nil {
			w, seen = recorded(t)
		}
		w.t = t
		x, friend := w.nodes[1], w.nodes[2]
		if int(take) < len(seen) {
			base := bytes.Clone(seen[take])
			copy(base[int(at)%len(base):], p)
			p = base
		}
		input := bytes.Clone(p)
		for _, from := range []*node{friend, w.nodes[0]} {
			_ = x.Receive(w.now, from.addr, p) // most are refused
			require.NoError(t, x.Check())
			for _, s := range x.Poll().Sends {
				require.NotEmpty(t, s.Data)
				require.LessOrEqual(t, len(s.Data), 2048)
				require.True(t, s.To.IsValid())
			}
		}
		require.Equal(t, input, p, "the datagram is the owner's")
		w.now += 10
		x.Tick(w.now)
		require.NoError(t, x.Check())
		if w.now > start+600*packets.Second {
			w = nil // most of what is known has run out
		}
	})
}

// recorded is a network with sessions, and what its second node received.
func recorded(t *testing.T) (*world, [][]byte) {
	w := newWorld(t, 9, 5, 0)
	var seen [][]byte
	kinds := map[string]int{}
	w.tap = func(to *node, p []byte) {
		if to != w.nodes[1] {
			return
		}
		kind := fmt.Sprintf("%x %d", p[0], len(p))
		if kinds[kind]++; kinds[kind] < 5 && len(seen) < 256 {
			seen = append(seen, bytes.Clone(p))
		}
	}
	w.ring()
	w.until(60, "all friends online", w.closed)
	w.run(30 * packets.Second)
	require.Greater(t, len(seen), 50)
	w.tap = nil
	return w, seen
}
