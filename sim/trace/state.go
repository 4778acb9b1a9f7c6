package trace

import (
	"fmt"
	"strings"

	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
)

// compareState compares a snapshot, field by field.
func (in *instance) compareState(t int64, r *record, b *stateLine) *Mismatch {
	unix := fmt.Sprintf("clock of %s: %d", in.name, b.Unix)
	want, got := []string{unix}, []string{fmt.Sprintf("clock of %s: %d", in.name, in.now(t).Seconds())}
	for i := range b.Conferences {
		want = append(want, recordedState(&b.Conferences[i])...)
	}
	for _, v := range in.node.Views() {
		got = append(got, viewState(v)...)
		for i, p := range v.Peers {
			if m := in.members[v.ID]; i >= len(m) || m[i] != p.Key || len(m) != len(v.Peers) {
				in.blame("an active list that is not what the events said")
			}
		}
	}
	for i := range max(len(want), len(got)) {
		w, g := "nothing", "nothing"
		if i < len(want) {
			w = want[i]
		}
		if i < len(got) {
			g = got[i]
		}
		if w != g {
			return &Mismatch{r.line, "state: " + w, g}
		}
	}
	return nil
}

// stateText collects the fields of one conference as text.
type stateText struct {
	number uint16
	list   []string
}

func (s *stateText) add(format string, args ...any) {
	s.list = append(s.list, fmt.Sprintf("conference %d, ", s.number)+fmt.Sprintf(format, args...))
}

func (s *stateText) peer(list string, i int, number uint16, key, dht packets.PublicKey, name []byte, active int64, friend bool) {
	s.add("%s %d: number %d, key %s, DHT key %s, name %q, last active %d, friend %v", list, i, number, key.Hex(), dht.Hex(), name, active, friend)
}

func (s *stateText) connection(slot int, key packets.PublicKey, status, reasons string, group uint16) {
	s.add("connection in slot %d: key %s, %s, %s, group number %d", slot, key.Hex(), status, reasons, group)
}

func recordedState(c *stateConference) []string {
	s := stateText{number: c.Number}
	s.add("id %x, %s, %s", c.ID, c.Type, c.Status)
	s.add("title %q, fresh %v", c.Title, c.TitleFresh)
	s.add("own peer number %d", c.PeerNumber)
	s.add("message number %d, lossy %d", c.Message, c.Lossy)
	s.add("max frozen %d", c.MaxFrozen)
	for i, p := range c.Peers {
		s.peer("peer", i, p.Number, packets.PublicKey(p.Key), packets.PublicKey(p.DHT), p.Name, p.LastActive, p.Friend)
	}
	for i, p := range c.Frozen {
		s.peer("frozen peer", i, p.Number, packets.PublicKey(p.Key), packets.PublicKey(p.DHT), p.Name, p.LastActive, p.Friend)
	}
	for i, k := range c.Closest {
		if k == nil {
			s.add("closest %d: none", i)
		} else {
			s.add("closest %d: %s", i, packets.PublicKey(*k).Hex())
		}
	}
	for _, n := range c.Connections {
		s.connection(n.Slot, packets.PublicKey(n.Key), n.Status, strings.Join(n.Reasons, "+"), n.Group)
	}
	return s.list
}

func viewState(v conference.View) []string {
	s := stateText{number: v.Group}
	status := "valid"
	if v.Connected {
		status = "connected"
	}
	s.add("id %x, %v, %s", v.ID.Key[:], v.ID.Type, status)
	s.add("title %q, fresh %v", v.Title, v.TitleFresh)
	s.add("own peer number %d", v.PeerNumber)
	s.add("message number %d, lossy %d", v.Number, v.LossyNumber)
	s.add("max frozen %d", v.MaxFrozen)
	for i, p := range v.Peers {
		s.peer("peer", i, p.Number, p.Key, p.DHT, p.Name, p.LastActive, p.Friend)
	}
	for i, p := range v.Frozen {
		s.peer("frozen peer", i, p.Number, p.Key, p.DHT, p.Name, p.LastActive, p.Friend)
	}
	for i, c := range v.Closest {
		if c.Used {
			s.add("closest %d: %s", i, c.Key.Hex())
		} else {
			s.add("closest %d: none", i)
		}
	}
	for _, n := range v.Neighbours {
		status := "connecting"
		if n.Online {
			status = "online"
		}
		s.connection(n.Slot, n.Key, status, n.Reasons.String(), n.Group)
	}
	return s.list
}
