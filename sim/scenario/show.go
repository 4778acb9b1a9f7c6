package scenario

import (
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/tox-rejoin/rejoin/conference"
)

// showSend writes a packet as a file would write it raw.
func (h *host) showSend(s conference.Send) string {
	return fmt.Sprintf("to %s: %s", h.show(s.To), h.showBytes(s.Data))
}

// showBytes is hexadecimal with the keys and ids that the file knows as symbols.
func (s *symbols) showBytes(b []byte) string {
	text := hex.EncodeToString(b)
	for _, name := range s.order {
		key := s.keys[name]
		text = strings.ReplaceAll(text, hex.EncodeToString(key[:]), " <pk "+name+"> ")
		for n := range 16 {
			dht := dhtKey(key, n)
			text = strings.ReplaceAll(text, hex.EncodeToString(dht[:]), fmt.Sprintf(" <dht %s/%d> ", name, n))
		}
	}
	for _, name := range []string{"f", "g", "h", "i"} {
		id := s.confs[name].id
		text = strings.ReplaceAll(text, hex.EncodeToString(append([]byte{byte(id.Type)}, id.Key[:]...)), " <"+name+"> ")
	}
	return text
}

func (h *host) showConn(c conference.Conn) string {
	switch c.Op {
	case conference.Want:
		return fmt.Sprintf("want %s (DHT key %s)", h.show(c.Peer), h.show(c.DHT))
	case conference.Release:
		return "release " + h.show(c.Peer)
	}
	return fmt.Sprintf("operation %d on %s", c.Op, h.show(c.Peer))
}

func (h *host) showEvent(e conference.Event) string {
	name := "event"
	for word, kind := range eventKinds() {
		if kind == e.Kind && (kind != conference.Texted || word == "normal") {
			name = word
		}
	}
	return fmt.Sprintf("%s %s %q message=%d index=%d active=%d frozen=%d number=%d group=%04x @%s",
		name, h.show(e.Peer), e.Text, e.Message, e.Index, e.Active, e.Frozen, e.Number, e.Invited.Group, h.showConf(e.ID))
}
