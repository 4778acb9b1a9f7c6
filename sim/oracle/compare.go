//go:build oracle && linux && amd64

package oracle

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
)

func (p *Pair) compareResult(want, got result) {
	if want.id != got.id || want.number != got.number {
		p.differ("result", fmt.Sprintf("%v %d", want.id, want.number), fmt.Sprintf("%v %d", got.id, got.number))
	}
	// group.c does not say which packets it refused; what a refusal may not do
	// is checked in do.
	if p.inputs[p.count-1].op == opReceive && want.err == nil {
		return
	}
	if !sameError(want.err, got.err) {
		p.differ("error", fmt.Sprint(want.err), fmt.Sprint(got.err))
	}
}

// sameError tells whether two errors wrap the same sentinel. The errors of
// Receive that both have need only be errors.
func sameError(want, got error) bool {
	if want == nil || got == nil {
		return want == nil && got == nil
	}
	for _, e := range []error{
		conference.ErrNoConference, conference.ErrNotFriend, conference.ErrNotConnected, conference.ErrNotJoined,
		conference.ErrNotSent, conference.ErrLength, conference.ErrDuplicate, conference.ErrType, conference.ErrFull,
		conference.ErrQuit,
	} {
		if errors.Is(want, e) != errors.Is(got, e) {
			return false
		}
	}
	return true
}

func (p *Pair) compareOutput(want, got conference.Output) {
	lists := []struct {
		what      string
		same      bool
		want, got func() string
	}{
		{"packets", slices.EqualFunc(want.Sends, got.Sends, equalSends),
			func() string { return sends(want.Sends) }, func() string { return sends(got.Sends) }},
		{"refused packets", slices.EqualFunc(want.Refused, got.Refused, equalSends),
			func() string { return sends(want.Refused) }, func() string { return sends(got.Refused) }},
		{"connections", slices.Equal(want.Conns, got.Conns),
			func() string { return list(want.Conns) }, func() string { return list(got.Conns) }},
		{"events", slices.EqualFunc(want.Events, got.Events, equalEvents),
			func() string { return list(want.Events) }, func() string { return list(got.Events) }},
	}
	for _, l := range lists {
		if !l.same {
			p.differ(l.what, l.want(), l.got())
		}
	}
	if a, b := p.drawn[0].at, p.drawn[1].at; a != b {
		p.differ("random bytes drawn", fmt.Sprint(a), fmt.Sprint(b))
	}
}

// compareState compares everything that can be seen of the two.
func (p *Pair) compareState() {
	if p.diff != nil {
		return
	}
	if err := p.got.Check(); err != nil {
		p.differ("invariant of the engine", "none broken", err.Error())
		return
	}
	if p.want.quit {
		if want, got := p.want.Save(), p.got.Save(); !slices.EqualFunc(want, got, equalSaves) {
			p.differ("save", "", cmp.Diff(want, got, cmpopts.EquateEmpty()))
		}
		return
	}
	p.sections[0] = p.want.appendSection(p.sections[0][:0])
	p.sections[1] = packets.AppendConferences(p.sections[1][:0], p.got.Save())
	if !bytes.Equal(p.sections[0], p.sections[1]) {
		p.differ("save", "", cmp.Diff(p.want.Save(), p.got.Save(), cmpopts.EquateEmpty()))
	}
	want, got := p.want.Views(), p.got.Views()
	if !slices.EqualFunc(want, got, equalViews) {
		p.differ("state (- c-toxcore, + engine)", "", viewsDiff(want, got))
	}
	p.views = got
}

func viewsDiff(want, got []conference.View) string { return cmp.Diff(want, got, cmpopts.EquateEmpty()) }

func empty(o conference.Output) bool {
	return len(o.Sends) == 0 && len(o.Refused) == 0 && len(o.Conns) == 0 && len(o.Events) == 0
}

func equalSends(a, b conference.Send) bool {
	return a.To == b.To && a.Lossy == b.Lossy && bytes.Equal(a.Data, b.Data)
}

func equalEvents(a, b conference.Event) bool {
	return a.Kind == b.Kind && a.ID == b.ID && a.Peer == b.Peer && a.Index == b.Index && a.Active == b.Active &&
		a.Frozen == b.Frozen && a.Message == b.Message && a.Number == b.Number && a.Invited == b.Invited &&
		bytes.Equal(a.Text, b.Text)
}

func equalViews(a, b conference.View) bool {
	return a.ID == b.ID && a.Group == b.Group && a.Connected == b.Connected && a.TitleFresh == b.TitleFresh &&
		a.PeerNumber == b.PeerNumber && a.Number == b.Number && a.LossyNumber == b.LossyNumber && a.MaxFrozen == b.MaxFrozen &&
		a.Closest == b.Closest && slices.Equal(a.Neighbours, b.Neighbours) && bytes.Equal(a.Title, b.Title) &&
		slices.EqualFunc(a.Peers, b.Peers, equalPeers) && slices.EqualFunc(a.Frozen, b.Frozen, equalPeers)
}

func equalPeers(a, b conference.Peer) bool {
	return a.Key == b.Key && a.DHT == b.DHT && a.Number == b.Number && a.LastActive == b.LastActive &&
		a.Friend == b.Friend && bytes.Equal(a.Name, b.Name)
}

func equalSaves(a, b packets.SavedConference) bool {
	return a.ID == b.ID && a.Number == b.Number && a.LossyNumber == b.LossyNumber && a.PeerNumber == b.PeerNumber &&
		bytes.Equal(a.Title, b.Title) && slices.EqualFunc(a.Peers, b.Peers, func(a, b packets.SavedPeer) bool {
		return a.Key == b.Key && a.DHT == b.DHT && a.Number == b.Number && a.LastActive == b.LastActive &&
			bytes.Equal(a.Name, b.Name)
	})
}

func sends(list []conference.Send) string {
	var b strings.Builder
	for _, s := range list {
		fmt.Fprintf(&b, "  to %v lossy %v: %s | %x\n", s.To, s.Lossy, describe(s.Data), s.Data[:min(len(s.Data), 80)])
	}
	return b.String()
}

func list[T any](list []T) string {
	var b strings.Builder
	for _, x := range list {
		fmt.Fprintf(&b, "  %+v\n", x)
	}
	return b.String()
}

func text(o conference.Output) string {
	return sends(o.Sends) + sends(o.Refused) + list(o.Conns) + list(o.Events)
}
