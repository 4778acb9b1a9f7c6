package scenario

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
)

var errExpect = errors.New("unknown expectation")

// expectation compiles one line of a then.
func (s *symbols) expectation(words []string) (expectation, error) {
	if words[0] == "to" || words[0] == "unsent" {
		return s.wantSend(words)
	}
	switch words[0] {
	case "nothing":
		return nothing{}, wantFields(words[1:], 0)
	case "dropped":
		return nothing{dropped: true}, wantFields(words[1:], 0)
	case "refused", "error":
		return s.wantError(words)
	case "want", "release":
		return s.wantConn(words)
	case "event":
		return s.wantEvent(words[1:])
	}
	return s.fact(words)
}

// wantSend reads "to A B: packet": one packet to each of them, in that order.
func (s *symbols) wantSend(words []string) (expectation, error) {
	e := sendExp{unsent: words[0] == "unsent"}
	i := 1
	for ; i < len(words); i++ {
		word, last := strings.CutSuffix(words[i], ":")
		p, err := s.peer(word)
		if err != nil {
			return nil, err
		}
		e.to = append(e.to, p)
		if last {
			break
		}
	}
	if i == len(words) {
		return nil, errors.New("want: to A B: packet")
	}
	for _, p := range e.to {
		b, err := s.packet(words[i+1:], self, p.who)
		if err != nil {
			return nil, err
		}
		e.data = append(e.data, b)
	}
	return e, nil
}

// sendExp wants the next packets.
type sendExp struct {
	unsent bool // in Output.Refused
	to     []peer
	data   [][]byte
}

func (e sendExp) check(h *host) error {
	queue := &h.sends
	if e.unsent {
		queue = &h.unsent
	}
	for i, p := range e.to {
		want := conference.Send{To: p.key, Lossy: len(e.data[i]) > 0 && e.data[i][0] == packets.PacketLossy, Data: e.data[i]}
		if len(*queue) == 0 {
			return fmt.Errorf("nothing was sent, want %s", h.showSend(want))
		}
		got := (*queue)[0]
		if got.To != want.To || got.Lossy != want.Lossy || !bytes.Equal(got.Data, want.Data) {
			return fmt.Errorf("got %s\nwant %s", h.showSend(got), h.showSend(want))
		}
		*queue = (*queue)[1:]
	}
	return nil
}

// flipped changes the receiver, some bytes, and the length.
func (e sendExp) flipped() []expectation {
	last := len(e.to) - 1
	change := func(data []byte) sendExp {
		f := sendExp{unsent: e.unsent, to: e.to, data: append([][]byte(nil), e.data...)}
		f.data[last] = data
		return f
	}
	data := e.data[last]
	var list []expectation
	for _, i := range []int{0, 1, 2, 3, 5, 9, len(data) / 2, len(data) - 1} {
		if i >= 0 && i < len(data) {
			other := append([]byte(nil), data...)
			other[i] ^= 1
			list = append(list, change(other))
		}
	}
	list = append(list, change(append(append([]byte(nil), data...), 0)))
	if len(data) > 0 {
		list = append(list, change(data[:len(data)-1]))
	}
	to := append([]peer(nil), e.to...)
	to[last] = stranger(to[last])
	return append(list, sendExp{unsent: e.unsent, to: to, data: e.data})
}

// stranger is a peer that is not p.
func stranger(p peer) peer {
	p.key[16] ^= 1
	p.who += "-flipped"
	return p
}

// nothing wants no effect at all; dropped also allows Receive to refuse.
type nothing struct{ dropped bool }

func (e nothing) check(h *host) error {
	if e.dropped && len(h.errs) > 0 && h.errs[0].refused {
		h.errs = h.errs[1:]
	}
	return h.leftover()
}

func (e nothing) flipped() []expectation {
	return []expectation{sendExp{to: []peer{{who: "nobody"}}, data: [][]byte{{packets.PacketOnline}}}}
}

// wantError reads "refused", "refused no-entry" or "error not-connected".
func (s *symbols) wantError(words []string) (expectation, error) {
	e := errorExp{refused: words[0] == "refused"}
	if len(words) == 1 && e.refused {
		return e, nil
	}
	if len(words) != 2 {
		return nil, errFields
	}
	e.name = words[1]
	if _, ok := errorNames()[e.name]; !ok {
		return nil, fmt.Errorf("unknown error %q", e.name)
	}
	return e, nil
}

// errorNames are the errors that a file can name.
func errorNames() map[string]error {
	return map[string]error{
		"no-link":        conference.ErrNoLink,
		"not-friend":     conference.ErrNotFriend,
		"no-conference":  conference.ErrNoConference,
		"no-entry":       conference.ErrNoEntry,
		"unknown-peer":   conference.ErrUnknownPeer,
		"too-long":       conference.ErrTooLong,
		"packet":         conference.ErrPacket,
		"not-connected":  conference.ErrNotConnected,
		"not-joined":     conference.ErrNotJoined,
		"not-sent":       conference.ErrNotSent,
		"length":         conference.ErrLength,
		"duplicate":      conference.ErrDuplicate,
		"type":           conference.ErrType,
		"full":           conference.ErrFull,
		"quit":           conference.ErrQuit,
		"too-short":      packets.ErrTooShort,
		"wrong-length":   packets.ErrLength,
		"kind":           packets.ErrKind,
		"name":           packets.ErrName,
		"cut":            packets.ErrCut,
		"own-number":     packets.ErrOwnNumber,
		"section-cookie": packets.ErrSectionCookie,
	}
}

// errorExp wants the next error.
type errorExp struct {
	refused bool
	name    string // empty: any
}

func (e errorExp) check(h *host) error {
	if len(h.errs) == 0 {
		if e.refused && h.opt.Mute {
			return nil
		}
		return errors.New("there was no error")
	}
	got := h.errs[0]
	named := e.name == "" || h.opt.Mute || errors.Is(got.err, errorNames()[e.name])
	if got.refused != e.refused || !named {
		return fmt.Errorf("got error %w (by Receive: %v)", got.err, got.refused)
	}
	h.errs = h.errs[1:]
	return nil
}

func (e errorExp) flipped() []expectation {
	list := []expectation{errorExp{refused: !e.refused, name: e.name}}
	if e.name != "" {
		for name, err := range errorNames() {
			if !errors.Is(err, errorNames()[e.name]) {
				list = append(list, errorExp{refused: e.refused, name: name})
			}
		}
	}
	return list
}

func (s *symbols) wantConn(words []string) (expectation, error) {
	if err := wantFields(words, 2); err != nil {
		return nil, err
	}
	p, err := s.peer(words[1])
	e := connExp{op: conference.Want, peer: p}
	if words[0] == "release" {
		e.op = conference.Release
	}
	return e, err
}

// connExp wants the next operation on a friend connection; with the DHT key.
type connExp struct {
	op   conference.ConnOp
	peer peer
}

func (e connExp) check(h *host) error {
	want := conference.Conn{Op: e.op, Peer: e.peer.key}
	if e.op == conference.Want {
		want.DHT = e.peer.dht
	}
	if len(h.conns) == 0 {
		return fmt.Errorf("no connection was asked for, want %s", h.showConn(want))
	}
	got := h.conns[0]
	if e.op == conference.Release {
		got.DHT = want.DHT
	}
	if got != want {
		return fmt.Errorf("got %s, want %s", h.showConn(got), h.showConn(want))
	}
	h.conns = h.conns[1:]
	return nil
}

func (e connExp) flipped() []expectation {
	list := []expectation{
		connExp{op: conference.Want + conference.Release - e.op, peer: e.peer},
		connExp{op: e.op, peer: stranger(e.peer)},
	}
	if e.op == conference.Want {
		other := e.peer
		other.dht = dhtKey(other.key, 15)
		list = append(list, connExp{op: e.op, peer: other})
	}
	return list
}
