package scenario

import (
	"encoding/hex"
	"errors"
	"fmt"
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

// always is an action that cannot fail.
func always(do func(h *host)) action {
	return func(h *host) error {
		do(h)
		return nil
	}
}

// input is an action that gives the node one input and cannot fail.
func input(do func(h *host)) action {
	return always(func(h *host) {
		do(h)
		h.poll()
	})
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
		return input(func(h *host) {
			for i, k := range h.friends {
				if k == p.key {
					h.friends = append(h.friends[:i:i], h.friends[i+1:]...)
				}
			}
			h.node.SetFriend(p.key, false)
		}), nil
	case "offline":
		return input(func(h *host) {
			h.node.Offline(h.now, p.key)
		}), nil
	}
	return nil, errAction
}

func befriend(p peer) action {
	return input(func(h *host) {
		h.friends = append(h.friends, p.key)
		h.node.SetFriend(p.key, true)
	})
}

func online(p peer) action {
	return input(func(h *host) {
		h.node.Online(h.now, p.key, p.dht)
	})
}

func ready(p peer) action {
	return input(func(h *host) {
		h.node.FriendReady(h.now, p.key)
	})
}

func pass(d packets.Time) action { return always(func(h *host) { h.pass(d) }) }

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
		return always(func(h *host) { h.call(h.node.Leave(h.now, c.id)) }), wantFields(args, 0)
	case "quit":
		return input(func(h *host) {
			h.node.Quit(h.now)
		}), wantFields(args, 0)
	case "invite":
		return s.ourInvite(c, args)
	case "join":
		return s.ourJoin(c, args)
	case "send":
		return s.ourSend(c, args)
	case "title", "name":
		text, err := s.data(args)
		if verb == "name" {
			return always(func(h *host) { h.call(h.node.SetName(h.now, text)) }), err
		}
		return always(func(h *host) { h.call(h.node.SetTitle(h.now, c.id, text)) }), err
	case "max-frozen":
		if err := wantFields(args, 1); err != nil {
			return nil, err
		}
		n, err := strconv.Atoi(args[0])
		return always(func(h *host) { h.call(h.node.SetMaxFrozen(h.now, c.id, n)) }), err
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
		h.poll()
		return nil
	}
}

func (s *symbols) ourInvite(c conf, args []string) (action, error) {
	if err := wantFields(args, 1); err != nil {
		return nil, err
	}
	p, err := s.peer(args[0])
	return always(func(h *host) { h.call(h.node.Invite(h.now, c.id, p.key)) }), err
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
	return always(func(h *host) { h.call(h.node.Join(h.now, inv)) }), err
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
		return always(func(h *host) { h.call(h.node.SendLossy(h.now, c.id, data[0], data[1:])) }), nil
	}
	k, ok := messageKind(args[0])
	if !ok {
		return nil, errAction
	}
	return always(func(h *host) {
		_, err := h.node.Send(h.now, c.id, k, data)
		h.call(err)
	}), nil
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
	return input(func(h *host) {
		h.node.SetWritable(p.key, lossless, lossy)
	}), nil
}
