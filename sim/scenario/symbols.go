package scenario

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/tox-rejoin/rejoin/packets"
)

// symbols are the names a file can use: peers, conferences and the setup of
// the node under test.
type symbols struct {
	keys      map[string]packets.PublicKey // long-term keys used so far, "me" among them
	names     map[packets.PublicKey]string // the same, backwards
	confs     map[string]conf
	name      string // our own
	maxFrozen int
}

// conf is one conference that a file names.
type conf struct {
	id    packets.ID
	group uint16 // our own group number for it
	index uint16 // makes the neighbours' group numbers differ per conference
}

const self = "me"

func newSymbols() *symbols {
	s := &symbols{
		keys: map[string]packets.PublicKey{}, names: map[packets.PublicKey]string{},
		confs: map[string]conf{}, name: self,
	}
	s.setKey(self, fillKey([]byte{0x80}, 'M'))
	for i, name := range []string{"f", "g", "h", "i"} {
		c := conf{group: uint16(i), index: uint16(i)}
		c.id.Key = fillKey(nil, name[0])
		s.confs[name] = c
	}
	return s
}

func (s *symbols) setKey(name string, key packets.PublicKey) {
	delete(s.names, s.keys[name])
	s.keys[name], s.names[key] = key, name
}

func fillKey(prefix []byte, fill byte) packets.PublicKey {
	var k packets.PublicKey
	for i := range k {
		k[i] = fill
	}
	copy(k[:], prefix)
	return k
}

// declare reads one declaration line: peer, me, conference, config.
func (s *symbols) declare(words []string) error {
	switch {
	case words[0] == "me" || words[0] == "peer" && len(words) > 1:
		name, opts := self, words[1:]
		if words[0] == "peer" {
			name, opts = words[1], words[2:]
		}
		return s.declarePeer(name, opts)
	case words[0] == "conference" && len(words) > 1:
		return s.declareConference(words[1], words[2:])
	case words[0] == "config" && len(words) == 3 && words[1] == "max-frozen":
		n, err := strconv.Atoi(words[2])
		s.maxFrozen = n
		return err
	}
	return errors.New("unknown declaration")
}

func (s *symbols) declarePeer(name string, opts []string) error {
	for _, o := range opts {
		k, v, _ := strings.Cut(o, "=")
		switch {
		case k == "key":
			prefix, err := hex.DecodeString(v)
			if err != nil || len(prefix) > packets.KeySize {
				return fmt.Errorf("bad key %q", v)
			}
			fill := name[0]
			if name == self {
				fill = 'M'
			}
			s.setKey(name, fillKey(prefix, fill))
		case k == "name" && name == self:
			text, err := parseText(v)
			if err != nil {
				return err
			}
			s.name = string(text)
		default:
			return fmt.Errorf("unknown option %q", o)
		}
	}
	_, err := s.key(name)
	return err
}

func (s *symbols) declareConference(name string, opts []string) error {
	c, ok := s.confs[name]
	if !ok {
		return errors.New("conferences are f, g, h and i")
	}
	for _, o := range opts {
		k, v, _ := strings.Cut(o, "=")
		switch k {
		case "text":
		case "av":
			c.id.Type = packets.AV
		case "id":
			other, ok := s.confs[v]
			if !ok {
				return fmt.Errorf("unknown conference %q", v)
			}
			c.id.Key = other.id.Key
		case "group":
			g, err := parse16(v)
			if err != nil {
				return err
			}
			c.group = g
		default:
			return fmt.Errorf("unknown option %q", o)
		}
	}
	s.confs[name] = c
	return nil
}

// key is the long-term key of a peer: "me", a capital letter, or a capital
// letter and a number. The default key repeats the letter; the number, if any,
// is the second byte.
func (s *symbols) key(name string) (packets.PublicKey, error) {
	if k, ok := s.keys[name]; ok {
		return k, nil
	}
	if name == "" || name[0] < 'A' || name[0] > 'Z' {
		return packets.PublicKey{}, fmt.Errorf("not a peer: %q", name)
	}
	prefix := []byte{name[0]}
	if len(name) > 1 {
		n, err := strconv.ParseUint(name[1:], 10, 8)
		if err != nil {
			return packets.PublicKey{}, fmt.Errorf("not a peer: %q", name)
		}
		prefix = append(prefix, byte(n))
	}
	k := fillKey(prefix, name[0])
	s.setKey(name, k)
	return k, nil
}

// peer is a peer with one of its DHT keys, written A or, for its DHT key
// number 2, A/2.
type peer struct {
	who string // its name in the file
	key packets.PublicKey
	dht packets.PublicKey
	run int // number of the DHT key; -1 if the file gives none
}

func (s *symbols) peer(word string) (peer, error) {
	name, run, given := strings.Cut(word, "/")
	p := peer{who: name, run: -1}
	n := 0
	if given {
		var err error
		if n, err = strconv.Atoi(run); err != nil || n < 0 || n > 15 {
			return p, fmt.Errorf("bad DHT key number in %q", word)
		}
		p.run = n
	}
	var err error
	p.key, err = s.key(name)
	p.dht = dhtKey(p.key, n)
	return p, err
}

// dhtKey is DHT key number n of the peer with that long-term key.
func dhtKey(key packets.PublicKey, n int) packets.PublicKey {
	d := key
	d[31] = 0xd0 + byte(n)
	return d
}

// show names a key for messages: A, or A/1 for a DHT key.
func (s *symbols) show(key packets.PublicKey) string {
	if name, ok := s.names[key]; ok {
		return name
	}
	owner := key
	owner[31] = owner[30] // what dhtKey replaced
	if name, ok := s.names[owner]; ok && key[31] >= 0xd0 && key[31] < 0xe0 {
		return fmt.Sprintf("%s/%d", name, key[31]-0xd0)
	}
	return key.String() + "…"
}

// groupOf is the group number that a peer, or me, has for a conference.
func (s *symbols) groupOf(name string, c conf) uint16 {
	if name == self {
		return c.group
	}
	g := uint16(name[0])
	if len(name) > 1 {
		n, _ := strconv.Atoi(name[1:])
		g = g<<8 | uint16(n)
	}
	return g + c.index<<15
}

// conf takes the last "@g" out of words; without one it is conference f.
func (s *symbols) conf(words []string) (conf, []string, error) {
	c, rest := s.confs["f"], make([]string, 0, len(words))
	for _, w := range words {
		name, ok := strings.CutPrefix(w, "@")
		if !ok {
			rest = append(rest, w)
			continue
		}
		if c, ok = s.confs[name]; !ok {
			return c, nil, fmt.Errorf("unknown conference %q", name)
		}
	}
	return c, rest, nil
}

// showConf names an id for messages.
func (s *symbols) showConf(id packets.ID) string {
	for _, name := range []string{"f", "g", "h", "i"} {
		if s.confs[name].id == id {
			return name
		}
	}
	return id.String()
}

// member is one element of a list of peers: A=0001, A/2=0001"name".
type member struct {
	peer
	number  uint16
	name    []byte // its nick
	hasName bool   // the file gives the nick
}

// members reads elements; P1..P30=0100 stands for thirty of them with
// consecutive numbers, P30..P1=011d for the same ones backwards.
func (s *symbols) members(words []string) ([]member, error) {
	var list []member
	for _, w := range words {
		if w == "none" {
			continue
		}
		m, err := s.member(w)
		if err != nil {
			return nil, err
		}
		list = append(list, m...)
	}
	return list, nil
}

func (s *symbols) member(word string) ([]member, error) {
	who, value, ok := strings.Cut(word, "=")
	if !ok || len(value) < 4 {
		return nil, fmt.Errorf("want peer=number, not %q", word)
	}
	number, err := parse16(value[:4])
	if err != nil {
		return nil, err
	}
	m := member{number: number}
	if len(value) > 4 {
		m.hasName = true
		if m.name, err = parseText(value[4:]); err != nil {
			return nil, err
		}
	}
	from, to, ok := strings.Cut(who, "..")
	if ok {
		return s.memberRange(m, from, to)
	}
	m.peer, err = s.peer(who)
	return []member{m}, err
}

// memberRange is P1..P30=0100 or P30..P1=011d; the number is the first peer's.
func (s *symbols) memberRange(m member, from, to string) ([]member, error) {
	a, errA := strconv.Atoi(from[1:])
	b, errB := strconv.Atoi(to[1:])
	if errA != nil || errB != nil || from[0] != to[0] {
		return nil, fmt.Errorf("bad range %s..%s", from, to)
	}
	step := 1
	if b < a {
		step = -1
	}
	var list []member
	for i := a; i != b+step; i += step {
		one := m
		var err error
		if one.peer, err = s.peer(fmt.Sprintf("%c%d", from[0], i)); err != nil {
			return nil, err
		}
		one.number += uint16(i - a)
		list = append(list, one)
	}
	return list, nil
}

func parse16(w string) (uint16, error) {
	n, err := strconv.ParseUint(w, 16, 16)
	if err != nil || len(w) != 4 {
		return 0, fmt.Errorf("want four hexadecimal digits, not %q", w)
	}
	return uint16(n), nil
}

// parseText reads "text" or "x"*128.
func parseText(w string) ([]byte, error) {
	quoted, err := strconv.QuotedPrefix(w)
	if err != nil {
		return nil, fmt.Errorf("want a quoted text, not %q", w)
	}
	text, err := strconv.Unquote(quoted)
	if err != nil {
		return nil, err
	}
	if rest := w[len(quoted):]; rest != "" {
		times, err := parseTimes(rest)
		if err != nil {
			return nil, err
		}
		text = strings.Repeat(text, times)
	}
	return []byte(text), nil
}

func parseTimes(w string) (int, error) {
	n, err := strconv.Atoi(strings.TrimPrefix(w, "*"))
	if err != nil || w[0] != '*' || n < 0 || n > 1<<16 {
		return 0, fmt.Errorf("want *N, not %q", w)
	}
	return n, nil
}
