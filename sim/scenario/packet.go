package scenario

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/tox-rejoin/rejoin/packets"
)

var (
	errPacket = errors.New("unknown packet")
	errFields = errors.New("wrong number of fields")
)

// packet turns the words of a packet into bytes. Group numbers that the words
// leave out are the sender's and the receiver's own.
func (s *symbols) packet(words []string, from, to string) ([]byte, error) {
	c, words, err := s.conf(words)
	if err != nil {
		return nil, err
	}
	if len(words) == 0 {
		return nil, errPacket
	}
	if isRaw(words[0]) {
		return s.raw(words)
	}
	f := fields{conf: c, own: s.groupOf(from, c), other: s.groupOf(to, c)}
	if words, err = f.options(words); err != nil {
		return nil, err
	}
	return s.symbolic(f, words)
}

// fields are the numbers that most packets have.
type fields struct {
	conf  conf
	own   uint16 // the sender's group number
	other uint16 // the receiver's
}

// options takes own=0001 and to=0002 out of words.
func (f *fields) options(words []string) ([]string, error) {
	var rest []string
	for _, w := range words {
		var err error
		if v, ok := strings.CutPrefix(w, "own="); ok {
			f.own, err = parse16(v)
		} else if v, ok := strings.CutPrefix(w, "to="); ok {
			f.other, err = parse16(v)
		} else {
			rest = append(rest, w)
		}
		if err != nil {
			return nil, err
		}
	}
	if len(rest) == 0 {
		return nil, errPacket
	}
	return rest, nil
}

func (s *symbols) symbolic(f fields, words []string) ([]byte, error) {
	args := words[1:]
	switch words[0] {
	case "invite":
		return packets.Invite{Group: f.own, ID: f.conf.id}.Append(nil), wantFields(args, 0)
	case "accept":
		p := packets.Invite{Kind: packets.KindAccept, Group: f.own, To: f.other, ID: f.conf.id}
		return p.Append(nil), wantFields(args, 0)
	case "member":
		if err := wantFields(args, 1); err != nil {
			return nil, err
		}
		n, err := parse16(args[0])
		p := packets.Invite{Kind: packets.KindMember, Group: f.own, To: f.other, ID: f.conf.id, PeerNumber: n}
		return p.Append(nil), err
	case "online":
		return packets.Online{Group: f.own, ID: f.conf.id}.Append(nil), wantFields(args, 0)
	case "rejoin":
		return packets.Rejoin{ID: f.conf.id}.Append(nil), wantFields(args, 0)
	case "introduced", "query", "peers", "title-response":
		return s.direct(f, words[0], args)
	case "lossy":
		return s.lossy(f, args)
	}
	return s.message(f, words)
}

func wantFields(args []string, n int) error {
	if len(args) != n {
		return errFields
	}
	return nil
}

func (s *symbols) direct(f fields, form string, args []string) ([]byte, error) {
	p := packets.Direct{Group: f.other}
	var err error
	switch form {
	case "introduced":
		p.Kind, err = packets.PeerIntroduced, wantFields(args, 0)
	case "query":
		p.Kind, err = packets.PeerQuery, wantFields(args, 0)
	case "title-response":
		p.Kind = packets.TitleResponse
		p.Data, err = s.data(args)
	case "peers":
		p.Kind = packets.PeerResponse
		var list []member
		list, err = s.members(args)
		for _, m := range list {
			p.Data = packets.AppendPeer(p.Data, m.number, &m.key, &m.dht, string(m.name))
		}
	}
	return p.Append(nil), err
}

// authorAndNumber reads 17da#3: the author's peer number and the number of its
// message, of at most that many bits.
func authorAndNumber(word string, bits int) (author uint16, number uint64, err error) {
	who, count, ok := strings.Cut(word, "#")
	if !ok {
		return 0, 0, errPacket
	}
	if author, err = parse16(who); err != nil {
		return 0, 0, err
	}
	number, err = strconv.ParseUint(count, 10, bits)
	return author, number, err
}

// message reads "17da#3 normal "hi"": the author's peer number, the message
// number, the kind and its data.
func (s *symbols) message(f fields, words []string) ([]byte, error) {
	author, number, err := authorAndNumber(words[0], 32)
	if err != nil {
		return nil, err
	}
	if len(words) < 2 {
		return nil, errFields
	}
	p := packets.Message{Group: f.other, PeerNumber: author, Number: uint32(number)}
	args := words[2:]
	switch words[1] {
	case "new-peer":
		var list []member
		if list, err = s.members(args); err == nil && len(list) != 1 {
			err = errFields
		}
		p.Kind = packets.NewPeer
		if err == nil {
			p.Data = packets.AppendNewPeer(nil, list[0].number, &list[0].key, &list[0].dht)
		}
		return p.Append(nil), err
	case "kind":
		if len(args) == 0 {
			return nil, errFields
		}
		var k uint64
		k, err = strconv.ParseUint(args[0], 10, 8)
		p.Kind = packets.MessageKind(k)
		if err != nil {
			return nil, err
		}
		args = args[1:]
	default:
		k, ok := messageKind(words[1])
		if !ok {
			return nil, errPacket
		}
		p.Kind = k
	}
	p.Data, err = s.data(args)
	return p.Append(nil), err
}

func messageKind(w string) (packets.MessageKind, bool) {
	switch w {
	case "ping":
		return packets.Ping, true
	case "kill":
		return packets.KillPeer, true
	case "freeze":
		return packets.FreezePeer, true
	case "name":
		return packets.Name, true
	case "title":
		return packets.Title, true
	case "normal":
		return packets.NormalMessage, true
	case "action":
		return packets.Action, true
	}
	return 0, false
}

// lossy reads "0000#5 c0 "data"".
func (s *symbols) lossy(f fields, args []string) ([]byte, error) {
	if len(args) < 2 {
		return nil, errFields
	}
	author, number, err := authorAndNumber(args[0], 16)
	if err != nil {
		return nil, err
	}
	data, err := s.data(args[1:])
	if err != nil || len(data) == 0 {
		return nil, errors.Join(errFields, err)
	}
	p := packets.Lossy{Group: f.other, PeerNumber: author, Number: uint16(number), Kind: data[0], Data: data[1:]}
	return p.Append(nil), nil
}

func isRaw(w string) bool {
	_, err := hex.DecodeString(w)
	return err == nil || strings.HasPrefix(w, "<")
}

// raw reads hexadecimal digits and symbols: <f> type and id of a conference,
// <pk A>, <dht A/1>, <78*1363> one byte many times, <le16 5>, <le32 5>, <le64 5>.
// Blanks do not matter.
func (s *symbols) raw(words []string) ([]byte, error) {
	text := strings.Join(words, " ")
	var out []byte
	for text != "" {
		var part string
		var err error
		var b []byte
		switch {
		case text[0] == ' ':
			text = text[1:]
			continue
		case text[0] == '<':
			var ok bool
			if part, text, ok = strings.Cut(text[1:], ">"); !ok {
				return nil, errors.New("missing >")
			}
			b, err = s.rawSymbol(strings.Fields(part))
		case text[0] == '"':
			if part, err = strconv.QuotedPrefix(text); err == nil {
				text = text[len(part):]
				b, err = parseText(part)
			}
		default:
			end := strings.IndexAny(text, ` <"`)
			if end < 0 {
				end = len(text)
			}
			part, text = text[:end], text[end:]
			b, err = hex.DecodeString(part)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, b...)
	}
	return out, nil
}

func (s *symbols) rawSymbol(words []string) ([]byte, error) {
	if len(words) == 1 {
		if c, ok := s.confs[words[0]]; ok {
			return append([]byte{byte(c.id.Type)}, c.id.Key[:]...), nil
		}
		if b, times, ok := strings.Cut(words[0], "*"); ok {
			one, err := hex.DecodeString(b)
			if err != nil {
				return nil, err
			}
			n, err := parseTimes("*" + times)
			return []byte(strings.Repeat(string(one), n)), err
		}
	}
	if len(words) != 2 {
		return nil, fmt.Errorf("unknown symbol <%s>", strings.Join(words, " "))
	}
	switch words[0] {
	case "pk", "dht":
		p, err := s.peer(words[1])
		if words[0] == "pk" {
			return p.key[:], err
		}
		return p.dht[:], err
	case "le16", "le32", "le64":
		n, err := strconv.ParseUint(words[1], 10, 64)
		b := binary.LittleEndian.AppendUint64(nil, n)
		size := map[string]int{"le16": 2, "le32": 4, "le64": 8}[words[0]]
		return b[:size], err
	}
	return nil, fmt.Errorf("unknown symbol <%s>", strings.Join(words, " "))
}

// data joins the bytes of words: texts, hexadecimal digits and raw symbols.
func (s *symbols) data(words []string) ([]byte, error) {
	var out []byte
	for _, w := range words {
		var b []byte
		var err error
		if strings.HasPrefix(w, `"`) {
			b, err = parseText(w)
		} else {
			b, err = s.raw([]string{w})
		}
		if err != nil {
			return nil, err
		}
		out = append(out, b...)
	}
	return out, nil
}
