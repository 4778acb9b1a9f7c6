package scenario

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
)

var errAction = errors.New("unknown step")

// action compiles one line of a given or when.
func (s *symbols) action(words []string) (action, error) {
	if len(words) > 2 && words[1] == "sends" {
		return s.sends(words[0], words[2:])
	}
	c, args, err := s.conf(words[1:])
	if err != nil {
		return nil, err
	}
	switch words[0] {
	case "we":
		return s.ours(c, args)
	case "tick":
		return pass(frame), wantFields(args, 0)
	case "wait":
		return wait(args)
	case "draw":
		return draw(args)
	case "founded":
		return s.founded(c), wantFields(args, 0)
	case "joined":
		return s.joined(c, args)
	case "admitted":
		return s.admitted(c, args)
	case "save":
		return save, wantFields(args, 0)
	case "restart":
		return restart, wantFields(args, 0)
	case "load", "load-file":
		return s.load(words[0] == "load-file", args)
	case "writable", "unwritable":
		return s.writable(words[0] == "writable", args)
	}
	return s.eachPeer(c, words[0], args)
}

// sequence does one action after the other.
func sequence(list ...action) action {
	return func(h *host) error {
		for _, a := range list {
			if err := a(h); err != nil {
				return err
			}
		}
		return nil
	}
}

// sends is a packet from a peer.
func (s *symbols) sends(from string, words []string) (action, error) {
	p, err := s.peer(from)
	if err != nil {
		return nil, err
	}
	data, err := s.packet(words, from, self)
	return func(h *host) error { return h.receive(p.key, data) }, err
}

// eachPeer is a step that takes peers.
func (s *symbols) eachPeer(c conf, verb string, args []string) (action, error) {
	var list []action
	for _, word := range args {
		p, err := s.peer(word)
		if err != nil {
			return nil, err
		}
		a, err := s.onPeer(c, verb, p)
		if err != nil {
			return nil, err
		}
		list = append(list, a)
	}
	if len(list) == 0 {
		return nil, errAction
	}
	return sequence(list...), nil
}

func (s *symbols) onPeer(c conf, verb string, p peer) (action, error) {
	switch verb {
	case "friend":
		return befriend(p), nil
	case "online":
		return online(p), nil
	case "ready":
		return ready(p), nil
	case "contact":
		return sequence(befriend(p), online(p), ready(p)), nil
	case "linked":
		data := packets.Online{Group: s.groupOf(p.who, c), ID: c.id}.Append(nil)
		return sequence(online(p), func(h *host) error { return h.receive(p.key, data) }), nil
	case "unfriend":
		return func(h *host) error {
			for i, k := range h.friends {
				if k == p.key {
					h.friends = append(h.friends[:i:i], h.friends[i+1:]...)
				}
			}
			h.node.SetFriend(p.key, false)
			return h.poll()
		}, nil
	case "offline":
		return func(h *host) error {
			h.node.Offline(h.now, p.key)
			return h.poll()
		}, nil
	}
	return nil, errAction
}

func befriend(p peer) action {
	return func(h *host) error {
		h.friends = append(h.friends, p.key)
		h.node.SetFriend(p.key, true)
		return h.poll()
	}
}

func online(p peer) action {
	return func(h *host) error {
		h.node.Online(h.now, p.key, p.dht)
		return h.poll()
	}
}

func ready(p peer) action {
	return func(h *host) error {
		h.node.FriendReady(h.now, p.key)
		return h.poll()
	}
}

func pass(d packets.Time) action { return func(h *host) error { return h.pass(d) } }

func wait(args []string) (action, error) {
	if err := wantFields(args, 1); err != nil {
		return nil, err
	}
	d, err := time.ParseDuration(args[0])
	if err == nil && d.Milliseconds()%frame != 0 {
		err = errors.New("not a whole number of frames")
	}
	return pass(packets.Time(d.Milliseconds())), err
}

func draw(args []string) (action, error) {
	var b []byte
	for _, w := range args {
		if word, times, ok := cutTimes(w); ok {
			n, err := parseTimes(times)
			if err != nil {
				return nil, err
			}
			for range n - 1 {
				part, err := hex.DecodeString(word)
				if err != nil {
					return nil, err
				}
				b = append(b, part...)
			}
			w = word
		}
		part, err := hex.DecodeString(w)
		if err != nil {
			return nil, err
		}
		b = append(b, part...)
	}
	return func(h *host) error {
		h.draws = append(h.draws, b...)
		return nil
	}, nil
}

func cutTimes(w string) (word, times string, ok bool) {
	for i := range w {
		if w[i] == '*' {
			return w[:i], w[i:], true
		}
	}
	return w, "", false
}

// ours is one of our own calls.
func (s *symbols) ours(c conf, args []string) (action, error) {
	if len(args) == 0 {
		return nil, errAction
	}
	verb, args := args[0], args[1:]
	switch verb {
	case "create":
		return create(c), wantFields(args, 0)
	case "leave":
		return func(h *host) error { return h.call(h.node.Leave(h.now, c.id)) }, wantFields(args, 0)
	case "quit":
		return func(h *host) error {
			h.node.Quit(h.now)
			return h.poll()
		}, wantFields(args, 0)
	case "invite":
		return s.ourInvite(c, args)
	case "join":
		return s.ourJoin(c, args)
	case "send":
		return s.ourSend(c, args)
	case "title", "name":
		text, err := s.data(args)
		if verb == "name" {
			return func(h *host) error { return h.call(h.node.SetName(h.now, text)) }, err
		}
		return func(h *host) error { return h.call(h.node.SetTitle(h.now, c.id, text)) }, err
	case "max-frozen":
		if err := wantFields(args, 1); err != nil {
			return nil, err
		}
		n, err := strconv.Atoi(args[0])
		return func(h *host) error { return h.call(h.node.SetMaxFrozen(h.now, c.id, n)) }, err
	}
	return nil, errAction
}

// create also provides the id that the node draws.
func create(c conf) action {
	return func(h *host) error {
		h.draws = append(h.draws, c.id.Key[:]...)
		if id := h.node.Create(h.now, c.id.Type); id != c.id {
			return fmt.Errorf("created %s", h.showConf(id))
		}
		return h.poll()
	}
}

func (s *symbols) ourInvite(c conf, args []string) (action, error) {
	if err := wantFields(args, 1); err != nil {
		return nil, err
	}
	p, err := s.peer(args[0])
	return func(h *host) error { return h.call(h.node.Invite(h.now, c.id, p.key)) }, err
}

func (s *symbols) ourJoin(c conf, args []string) (action, error) {
	if len(args) == 0 {
		return nil, errFields
	}
	p, err := s.peer(args[0])
	if err != nil {
		return nil, err
	}
	f := fields{own: s.groupOf(p.who, c)}
	if len(args) > 1 {
		if args, err = f.options(append([]string{"join"}, args[1:]...)); err == nil {
			err = wantFields(args, 1)
		}
	}
	inv := conference.Invited{From: p.key, ID: c.id, Group: f.own}
	return func(h *host) error { return h.call(h.node.Join(h.now, inv)) }, err
}

func (s *symbols) ourSend(c conf, args []string) (action, error) {
	if len(args) < 2 {
		return nil, errFields
	}
	data, err := s.data(args[1:])
	if err != nil {
		return nil, err
	}
	if args[0] == "lossy" {
		return func(h *host) error { return h.call(h.node.SendLossy(h.now, c.id, data[0], data[1:])) }, nil
	}
	k, ok := messageKind(args[0])
	if !ok {
		return nil, errAction
	}
	return func(h *host) error {
		_, err := h.node.Send(h.now, c.id, k, data)
		return h.call(err)
	}, nil
}

// founded: we created the conference and a frame has passed.
func (s *symbols) founded(c conf) action { return sequence(create(c), pass(frame)) }

// joined: the first of the listed peers is a friend, who invited us; its list
// made us a member under the given number, a frame has passed, and our first
// Ping (1) and Name (2) have come back from it.
func (s *symbols) joined(c conf, args []string) (action, error) {
	if len(args) < 2 {
		return nil, errors.New("want: joined 17da A=0000 ...")
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
		if err := h.call(h.node.Join(h.now, inv)); err != nil {
			return err
		}
		for _, r := range responses {
			if err := h.receive(p.key, r); err != nil {
				return err
			}
		}
		if err := h.pass(frame); err != nil {
			return err
		}
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
			return h.pass(frame)
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
			return nil
		}
		section, _ := f.Section(packets.SectionConferences)
		return h.loadSection(section)
	}, err
}

func (s *symbols) writable(yes bool, args []string) (action, error) {
	if len(args) != 2 {
		return nil, errors.New("want: unwritable A lossless|lossy|both")
	}
	p, err := s.peer(args[0])
	if err != nil {
		return nil, err
	}
	lossless, lossy := yes, yes
	switch args[1] {
	case "lossless":
		lossy = true
	case "lossy":
		lossless = true
	case "both":
	default:
		return nil, errAction
	}
	return func(h *host) error {
		h.node.SetWritable(p.key, lossless, lossy)
		return h.poll()
	}, nil
}
