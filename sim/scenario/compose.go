package scenario

import (
	"errors"
	"slices"

	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
)

// founded: we created the conference and a frame has passed.
func (s *symbols) founded(c conf) action { return sequence(create(c), pass(frame)) }

// joined: the first of the listed peers is a friend, who invited us; its list
// made us a member under the given number, a frame has passed, and our first
// Ping (1) and Name (2) have come back from it.
func (s *symbols) joined(c conf, args []string) (action, error) {
	if len(args) < 2 {
		return nil, errors.New("want: joined NUMBER and at least one peer, as in joined 17da A=0000")
	}
	number, err := parse16(args[0])
	if err != nil {
		return nil, err
	}
	list, err := s.members(args[1:])
	if err != nil {
		return nil, err
	}
	p := list[0].peer
	invite := packets.Invite{Group: s.groupOf(p.who, c), ID: c.id}
	me := s.keys[self]
	list = append(list, member{peer: peer{who: self, key: me, dht: dhtKey(me, 0)}, number: number})
	responses := peerResponses(c.group, list)
	return func(h *host) error {
		if err := sequence(befriend(p), online(p), ready(p))(h); err != nil {
			return err
		}
		if err := h.receive(p.key, invite.Append(nil)); err != nil {
			return err
		}
		inv := conference.Invited{From: p.key, ID: c.id, Group: invite.Group}
		h.call(h.node.Join(h.now, inv))
		for _, r := range responses {
			if err := h.receive(p.key, r); err != nil {
				return err
			}
		}
		h.pass(frame)
		echo := packets.Message{Group: c.group, PeerNumber: number, Number: 1}
		if err := h.receive(p.key, echo.Append(nil)); err != nil {
			return err
		}
		echo.Number, echo.Kind, echo.Data = 2, packets.Name, []byte(h.name)
		return h.receive(p.key, echo.Append(nil))
	}, nil
}

// peerResponses is a list in as few packets as it fits.
func peerResponses(group uint16, list []member) [][]byte {
	header := packets.Direct{Group: group, Kind: packets.PeerResponse}.Append(nil)
	all := [][]byte{slices.Clone(header)}
	for _, m := range list {
		last := &all[len(all)-1]
		if len(*last)+packets.PeerEntryMin+len(m.name) > packets.MaxPacket {
			all = append(all, slices.Clone(header))
			last = &all[len(all)-1]
		}
		*last = packets.AppendPeer(*last, m.number, &m.key, &m.dht, string(m.name))
	}
	return all
}

// admitted: each listed peer is a friend, who accepted an invitation of ours,
// drew this number and asked for the list; a frame has passed after each.
func (s *symbols) admitted(c conf, args []string) (action, error) {
	list, err := s.members(args)
	if err != nil {
		return nil, err
	}
	var all []action
	for _, m := range list {
		accept := packets.Invite{Kind: packets.KindAccept, Group: s.groupOf(m.who, c), To: c.group, ID: c.id}
		query := packets.Direct{Group: c.group, Kind: packets.PeerQuery}
		all = append(all, func(h *host) error {
			if err := sequence(befriend(m.peer), online(m.peer), ready(m.peer))(h); err != nil {
				return err
			}
			h.draws = append(h.draws, byte(m.number>>8), byte(m.number))
			if err := h.receive(m.key, accept.Append(nil)); err != nil {
				return err
			}
			if err := h.receive(m.key, query.Append(nil)); err != nil {
				return err
			}
			h.pass(frame)
			return nil
		})
	}
	return sequence(all...), nil
}

// save keeps the conferences section for a later restart.
func save(h *host) error {
	h.saved = packets.AppendConferences(nil, h.node.Save())
	return nil
}

// restart starts again from the last save, or from a save made now. No link
// is up then.
func restart(h *host) error {
	if h.saved == nil {
		if err := save(h); err != nil {
			return err
		}
	}
	section := h.saved
	h.saved = nil
	return h.loadSection(section)
}

func (h *host) loadSection(section []byte) error {
	list, err := packets.ParseConferences(section)
	if err == nil {
		err = h.start(list)
	}
	if err != nil {
		h.node = nil
		h.errs = append(h.errs, fault{err: err})
	}
	return nil
}

// load starts from the raw bytes of a conferences section or of a whole file.
func (s *symbols) load(file bool, args []string) (action, error) {
	data, err := s.raw(args)
	return func(h *host) error {
		if !file {
			return h.loadSection(data)
		}
		f, err := packets.ParseSave(data)
		if err != nil {
			h.node = nil
			h.errs = append(h.errs, fault{err: err})
			return nil //nolint:nilerr // it is what the scenario expects
		}
		section, _ := f.Section(packets.SectionConferences)
		return h.loadSection(section)
	}, err
}
