//go:build toxcore

package interop

import (
	"testing"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/toxcore"
	"github.com/tox-rejoin/rejoin/tox/toxcore/lab"
)

// stock is a stock peer as a member.
type stock struct {
	*lab.Stock
	name   string
	number uint32 // of the conference
}

func startStock(t *testing.T, name string, host *lab.Host, nodes ...lab.Node) *stock {
	t.Helper()
	return &stock{Stock: lab.StartStock(t, lab.StockConfig{Name: name, Host: host, Nodes: nodes}), name: name}
}

func (s *stock) label() string          { return s.name }
func (s *stock) key() packets.PublicKey { return packets.PublicKey(s.Key) }

func (s *stock) accept(friend packets.PublicKey) { s.AcceptFriend(toxcore.Key(friend)) }

func (s *stock) online(friend packets.PublicKey) bool {
	return s.Friend(toxcore.Key(friend)).Connection != toxcore.ConnectionNone
}

func (s *stock) found(t packets.Type, title string) {
	if t == packets.AV {
		s.number = s.NewAudioConference()
		s.SetTitle(s.number, title)
		return
	}
	s.number = s.NewConference(title)
}

func (s *stock) invite(friend packets.PublicKey) { s.Invite(toxcore.Key(friend), s.number) }

func (s *stock) join(from packets.PublicKey) {
	s.number = s.Join(s.WaitInvite(toxcore.Key(from), patience))
	s.Wait(patience, "joined", lab.Of(toxcore.KindConferenceConnected, lab.In(s.number)))
}

func (s *stock) leave() { s.DeleteConference(s.number) }

func (s *stock) say(kind packets.MessageKind, text string) {
	if kind == packets.Action {
		s.SendAction(s.number, text)
		return
	}
	s.Send(s.number, text)
}

func (s *stock) rename(name string) {
	s.SetName(name)
	s.name = name
}

func (s *stock) retitle(title string) { s.SetTitle(s.number, title) }

func (s *stock) look() (l look) {
	for _, c := range s.Conferences() {
		if c.Number == s.number {
			online, offline := s.Peers(s.number)
			l.title, l.active, l.frozen = string(c.Title), stockNames(online), stockNames(offline)
		}
	}
	return l
}

func stockNames(peers []toxcore.Peer) roll {
	list := roll{}
	for _, p := range peers {
		list[packets.PublicKey(p.Key)] = string(p.Name)
	}
	return list
}

func (s *stock) heard() (lines []line) {
	for _, e := range s.Events(lab.Of(toxcore.KindConferenceMessage)) {
		kind := packets.NormalMessage
		if e.Value == toxcore.MessageAction {
			kind = packets.Action
		}
		lines = append(lines, line{author: packets.PublicKey(e.Key), kind: kind, text: string(e.Data)})
	}
	return lines
}
