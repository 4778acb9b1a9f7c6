package scenario

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
)

// wantEvent reads an event: invited A, connected, joined B, left B, frozen B,
// thawed B, renamed B "x", titled B "x" (or - for nobody), normal B "hi",
// action B "waves", audio B 00; then index=2, active=3, frozen=1, number=5 and
// the inviter's group=0041, each if it matters.
func (s *symbols) wantEvent(words []string) (expectation, error) {
	c, words, err := s.conf(words)
	if err != nil || len(words) == 0 {
		return nil, errors.Join(errFields, err)
	}
	e := eventExp{want: conference.Event{ID: c.id}}
	kind, ok := eventKinds()[words[0]]
	if !ok {
		return nil, errExpect
	}
	e.want.Kind = kind
	if words[0] == "action" {
		e.want.Message = packets.Action
	} else if words[0] == "normal" {
		e.want.Message = packets.NormalMessage
	}
	words = words[1:]
	if kind != conference.Connected {
		if len(words) == 0 {
			return nil, errFields
		}
		if words[0] != "-" {
			p, err := s.peer(words[0])
			if err != nil {
				return nil, err
			}
			e.want.Peer = p.key
			if kind == conference.Invitation {
				e.want.Invited = conference.Invited{From: p.key, ID: c.id, Group: s.groupOf(p.who, c)}
			}
		}
		words = words[1:]
	}
	return e.fields(s, words)
}

func eventKinds() map[string]conference.EventKind {
	return map[string]conference.EventKind{
		"invited": conference.Invitation, "connected": conference.Connected,
		"joined": conference.PeerJoined, "left": conference.PeerLeft,
		"frozen": conference.PeerFrozen, "thawed": conference.PeerThawed,
		"renamed": conference.PeerRenamed, "titled": conference.Titled,
		"normal": conference.Texted, "action": conference.Texted,
		"audio": conference.AudioHeard,
	}
}

// eventExp wants the next event.
type eventExp struct {
	want  conference.Event
	index *int
	count *int // Active
	cold  *int // Frozen
	num   *uint32
}

func (e eventExp) fields(s *symbols, words []string) (expectation, error) {
	for _, w := range words {
		k, v, ok := strings.Cut(w, "=")
		if !ok || strings.HasPrefix(w, `"`) {
			b, err := s.data([]string{w})
			if err != nil {
				return nil, err
			}
			e.want.Text = append(e.want.Text, b...)
			continue
		}
		if k == "group" {
			g, err := parse16(v)
			if err != nil {
				return nil, err
			}
			e.want.Invited.Group = g
			continue
		}
		n, err := strconv.Atoi(v)
		if err != nil {
			return nil, err
		}
		switch k {
		case "index":
			e.index = &n
		case "active":
			e.count = &n
		case "frozen":
			e.cold = &n
		case "number":
			u := uint32(n)
			e.num = &u
		default:
			return nil, fmt.Errorf("unknown field %q", k)
		}
	}
	return e, nil
}

func (e eventExp) check(h *host) error {
	if len(h.events) == 0 {
		return fmt.Errorf("there was no event, want %s", h.showEvent(e.want))
	}
	got := h.events[0]
	w := e.want
	same := got.Kind == w.Kind && got.ID == w.ID && got.Message == w.Message &&
		got.Invited == w.Invited && bytes.Equal(got.Text, w.Text)
	if w.Kind != conference.Connected {
		same = same && got.Peer == w.Peer
	}
	same = same && (e.index == nil || *e.index == got.Index) && (e.count == nil || *e.count == got.Active) &&
		(e.cold == nil || *e.cold == got.Frozen) && (e.num == nil || *e.num == got.Number)
	if !same {
		return fmt.Errorf("got %s, want %s", h.showEvent(got), h.showEvent(w))
	}
	h.events = h.events[1:]
	return nil
}

func (e eventExp) flipped() []expectation {
	kind, who, text, id := e, e, e, e
	kind.want.Kind = e.want.Kind%conference.AudioHeard + 1
	who.want.Peer[16] ^= 1
	text.want.Text = append(append([]byte(nil), e.want.Text...), '?')
	id.want.ID.Key[5] ^= 1
	list := []expectation{kind, text, id}
	if e.want.Kind != conference.Connected {
		list = append(list, who)
	}
	more := func(set func(f *eventExp), given bool) {
		if given {
			f := e
			set(&f)
			list = append(list, f)
		}
	}
	plus := func(n *int) *int { m := *n + 1; return &m }
	more(func(f *eventExp) { f.index = plus(e.index) }, e.index != nil)
	more(func(f *eventExp) { f.count = plus(e.count) }, e.count != nil)
	more(func(f *eventExp) { f.cold = plus(e.cold) }, e.cold != nil)
	more(func(f *eventExp) { n := *e.num + 1; f.num = &n }, e.num != nil)
	return list
}
