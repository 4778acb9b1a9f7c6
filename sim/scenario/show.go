package scenario

import (
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
)

// showSend writes a packet as a file would write it raw.
func (h *host) showSend(s conference.Send) string {
	return fmt.Sprintf("to %s: %s", h.show(s.To), h.showBytes(s.Data))
}

// showBytes is hexadecimal with the keys and ids that the file knows as symbols.
func (s *symbols) showBytes(b []byte) string {
	var text strings.Builder
	for len(b) > 0 {
		size, symbol := s.symbolAt(b)
		if size == 0 {
			size, symbol = 1, hex.EncodeToString(b[:1])
		}
		text.WriteString(symbol)
		b = b[size:]
	}
	return text.String()
}

// symbolAt is the symbol that b begins with and its length, or 0.
func (s *symbols) symbolAt(b []byte) (int, string) {
	if len(b) > packets.KeySize {
		id := packets.ID{Type: packets.Type(b[0]), Key: [packets.KeySize]byte(b[1:])}
		if name := s.showConf(id); len(name) == 1 {
			return 1 + packets.KeySize, " <" + name + "> "
		}
	}
	if len(b) < packets.KeySize {
		return 0, ""
	}
	switch name := s.show(packets.PublicKey(b)); {
	case strings.HasSuffix(name, "…"):
		return 0, ""
	case strings.Contains(name, "/"):
		return packets.KeySize, " <dht " + name + "> "
	default:
		return packets.KeySize, " <pk " + name + "> "
	}
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
