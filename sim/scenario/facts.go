package scenario

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
)

// fact compiles a line of a then about the state after the inputs.
func (s *symbols) fact(words []string) (expectation, error) {
	c, words, err := s.conf(words)
	if err != nil || len(words) == 0 {
		return nil, errors.Join(errExpect, err)
	}
	verb, args := words[0], words[1:]
	switch verb {
	case "active", "frozen":
		list, err := s.members(args)
		if err == nil && len(args) == 0 {
			err = errFields
		}
		return listExp{conf: c, frozen: verb == "frozen", want: list}, err
	case "neighbour":
		return s.wantNeighbour(c, args)
	case "saved":
		b, err := s.raw(args)
		return savedExp{want: b}, err
	}
	want := strings.Join(args, " ")
	if verb == "title" {
		text, err := s.data(args)
		return valueExp{name: verb, conf: c, want: string(text)}, err
	}
	if get := factGetters()[verb]; get == nil {
		return nil, errExpect
	}
	return valueExp{name: verb, conf: c, want: want}, nil
}

// valueExp wants a fact that can be written as a string.
type valueExp struct {
	name string
	conf conf
	want string
}

func (e valueExp) check(h *host) error {
	get := factGetters()[e.name]
	got, err := get(h, e.conf)
	if err != nil {
		return err
	}
	if got != e.want {
		return fmt.Errorf("%s is %q, want %q", e.name, got, e.want)
	}
	return nil
}

func (e valueExp) flipped() []expectation {
	list := []expectation{valueExp{e.name, e.conf, e.want + "0"}}
	if e.want != "" {
		list = append(list, valueExp{e.name, e.conf, ""})
	}
	switch e.want {
	case "yes":
		list = append(list, valueExp{e.name, e.conf, "no"})
	case "no":
		list = append(list, valueExp{e.name, e.conf, "yes"})
	}
	return list
}

type getter func(h *host, c conf) (string, error)

// factGetters render the facts as the files write them.
func factGetters() map[string]getter {
	return map[string]getter{
		"title":        viewed(func(_ *host, v conference.View) string { return string(v.Title) }),
		"fresh":        viewed(func(_ *host, v conference.View) string { return yesNo(v.TitleFresh) }),
		"connected":    viewed(func(_ *host, v conference.View) string { return yesNo(v.Connected) }),
		"peer-number":  viewed(func(_ *host, v conference.View) string { return fmt.Sprintf("%04x", v.PeerNumber) }),
		"number":       viewed(func(_ *host, v conference.View) string { return strconv.Itoa(int(v.Number)) }),
		"lossy-number": viewed(func(_ *host, v conference.View) string { return strconv.Itoa(int(v.LossyNumber)) }),
		"max-frozen":   viewed(func(_ *host, v conference.View) string { return strconv.Itoa(v.MaxFrozen) }),
		"closest":      viewed(showClosest),
		"neighbours":   viewed(showNeighbours),
		"last-active":  viewed(showLastActive),
		"friends":      viewed(showFriends),
		"count":        viewed(func(_ *host, v conference.View) string { return strconv.Itoa(len(v.Peers)) }),
		"conferences":  showConferences,
		"dirty":        func(h *host, _ conf) (string, error) { return yesNo(h.dirty), nil },
	}
}

func viewed(f func(*host, conference.View) string) getter {
	return func(h *host, c conf) (string, error) {
		v, err := h.view(c)
		if err != nil {
			return "", err
		}
		return f(h, v), nil
	}
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func showClosest(h *host, v conference.View) string {
	var words []string
	for _, c := range v.Closest {
		word := "-"
		if c.Used {
			word = h.show(c.Key)
			if c.DHT != dhtKey(c.Key, 0) {
				word = h.show(c.DHT)
			}
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

func showNeighbours(h *host, v conference.View) string {
	var words []string
	for _, n := range v.Neighbours {
		words = append(words, h.show(n.Key))
	}
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, " ")
}

// showLastActive lists all peers, seconds counted from the start.
func showLastActive(h *host, v conference.View) string {
	var words []string
	for _, p := range slices.Concat(v.Peers, v.Frozen) {
		words = append(words, fmt.Sprintf("%s=%d", h.show(p.Key), p.LastActive-startTime.Seconds()))
	}
	return strings.Join(words, " ")
}

// showFriends lists the peers that count as friends.
func showFriends(h *host, v conference.View) string {
	var words []string
	for _, p := range slices.Concat(v.Peers, v.Frozen) {
		if p.Friend {
			words = append(words, h.show(p.Key))
		}
	}
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, " ")
}

func showConferences(h *host, _ conf) (string, error) {
	var words []string
	for _, v := range h.node.Views() {
		words = append(words, fmt.Sprintf("%s=%04x", h.showConf(v.ID), v.Group))
	}
	if len(words) == 0 {
		return "none", nil
	}
	return strings.Join(words, " "), nil
}

// listExp wants the whole active or frozen list, in order.
type listExp struct {
	conf   conf
	frozen bool
	want   []member
}

func (e listExp) check(h *host) error {
	v, err := h.view(e.conf)
	if err != nil {
		return err
	}
	got := v.Peers
	if e.frozen {
		got = v.Frozen
	}
	same := len(got) == len(e.want)
	for i := 0; same && i < len(got); i++ {
		g, w := got[i], e.want[i]
		same = g.Key == w.key && g.Number == w.number && (w.run < 0 || g.DHT == w.dht) &&
			(!w.hasName || bytes.Equal(g.Name, w.name))
	}
	if !same {
		return fmt.Errorf("it is %s", showPeers(h, got))
	}
	return nil
}

func showPeers(h *host, list []conference.Peer) string {
	var words []string
	for _, p := range list {
		words = append(words, fmt.Sprintf("%s(%s)=%04x%q", h.show(p.Key), h.show(p.DHT), p.Number, p.Name))
	}
	return strings.Join(words, " ")
}

func (e listExp) flipped() []expectation {
	change := func(list []member) expectation { return listExp{e.conf, e.frozen, list} }
	extra := member{number: 0x7777}
	list := []expectation{change(append(slices.Clone(e.want), extra))}
	n := len(e.want)
	if n == 0 {
		return list
	}
	list = append(list, change(e.want[:n-1]))
	for i := range e.want {
		if i > 2 && i < n-1 {
			continue
		}
		edit := func(f func(m *member)) {
			w := slices.Clone(e.want)
			f(&w[i])
			list = append(list, change(w))
		}
		edit(func(m *member) { m.number++ })
		edit(func(m *member) { m.peer = stranger(m.peer) })
		if e.want[i].run >= 0 {
			edit(func(m *member) { m.dht = dhtKey(m.key, 15) })
		}
		if e.want[i].hasName {
			edit(func(m *member) { m.name = append(slices.Clone(m.name), '?') })
		}
	}
	if n > 1 {
		w := slices.Clone(e.want)
		w[0], w[n-1] = w[n-1], w[0]
		list = append(list, change(w))
	}
	return list
}

// wantNeighbour reads "neighbour A online closest introducer group=0041" or
// "neighbour A none".
func (s *symbols) wantNeighbour(c conf, args []string) (expectation, error) {
	if len(args) < 2 {
		return nil, errFields
	}
	p, err := s.peer(args[0])
	if err != nil {
		return nil, err
	}
	e := neighbourExp{conf: c, peer: p}
	for _, w := range args[1:] {
		switch w {
		case "none":
			e.absent = true
		case "online":
			e.want.Online = true
		case "connecting":
		default:
			if r, ok := conference.ParseReason(w); ok {
				e.want.Reasons |= r
				continue
			}
			g, ok := strings.CutPrefix(w, "group=")
			if !ok {
				return nil, fmt.Errorf("unknown word %q", w)
			}
			n, err := parse16(g)
			if err != nil {
				return nil, err
			}
			e.group = &n
		}
	}
	return e, nil
}

// neighbourExp wants one entry of the connection table, or its absence.
type neighbourExp struct {
	conf   conf
	peer   peer
	absent bool
	want   conference.Neighbour
	group  *uint16
}

func (e neighbourExp) check(h *host) error {
	v, err := h.view(e.conf)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(v.Neighbours, func(n conference.Neighbour) bool { return n.Key == e.peer.key })
	if i < 0 || e.absent {
		if e.absent == (i < 0) {
			return nil
		}
		return fmt.Errorf("the neighbours are %s", showNeighbours(h, v))
	}
	got := v.Neighbours[i]
	if got.Online != e.want.Online || got.Reasons != e.want.Reasons || e.group != nil && *e.group != got.Group {
		return fmt.Errorf("it is online=%v reasons=%v group=%04x", got.Online, got.Reasons, got.Group)
	}
	return nil
}

func (e neighbourExp) flipped() []expectation {
	other := e
	other.absent = !e.absent
	if e.absent {
		return []expectation{other}
	}
	state := e
	state.want.Online = !e.want.Online
	list := []expectation{other, state}
	for r := conference.ReasonClosest; r <= conference.ReasonFormer; r <<= 1 {
		reason := e
		reason.want.Reasons ^= r
		list = append(list, reason)
	}
	if e.group != nil {
		group := e
		g := *e.group + 1
		group.group = &g
		list = append(list, group)
	}
	return list
}

// savedExp wants the exact bytes of the conferences section.
type savedExp struct{ want []byte }

func (e savedExp) check(h *host) error {
	got := packets.AppendConferences(nil, h.node.Save())
	if !bytes.Equal(got, e.want) {
		return fmt.Errorf("it is\n%s, want\n%s", hex.EncodeToString(got), hex.EncodeToString(e.want))
	}
	return nil
}

func (e savedExp) flipped() []expectation {
	list := []expectation{savedExp{append(slices.Clone(e.want), 0)}}
	for _, i := range []int{0, 33, 37, 39, 41, 45, 46, len(e.want) / 2, len(e.want) - 1} {
		if i >= 0 && i < len(e.want) {
			b := slices.Clone(e.want)
			b[i] ^= 1
			list = append(list, savedExp{b})
		}
	}
	return list
}
