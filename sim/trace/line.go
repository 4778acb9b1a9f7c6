package trace

import (
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/tox-rejoin/rejoin/packets"
)

// record is one line of a recording that matters.
type record struct {
	line int    // in the file, from 1 on
	t    int64  // t_ms
	node string // whose line it is: the receiver's of a deliver, the sender's of a packet; "" for net and end
	body any    // a pointer to one of the types below
}

// The bodies of the lines, by their type.
type (
	metaLine struct {
		Tick  int64 `json:"tick_ms"`
		Delay int64 `json:"one_way_delay_ms"`
	}
	nodeLine struct {
		Key    hexKey   `json:"pk"`
		DHT    hexKey   `json:"dht_pk"`
		Loaded bool     `json:"loaded"`
		Name   hexBytes `json:"name_hex"`
	}
	clockLine struct {
		Unix int64 `json:"unix_time_s"`
	}
	callLine struct {
		Op         string   `json:"op"`
		InCallback bool     `json:"in_callback"`
		Conference int64    `json:"conference"`
		Type       string   `json:"conference_type"`
		ID         hexBytes `json:"id"`
		Friend     int64    `json:"friend"`
		Peer       string   `json:"peer"`
		Cookie     hexBytes `json:"cookie"`
		Kind       string   `json:"kind"`
		Message    hexBytes `json:"message_hex"`
		Title      hexBytes `json:"title_hex"`
		Name       hexBytes `json:"name_hex"`
		MaxOffline int64    `json:"max_offline"`
		Payload    hexBytes `json:"payload_hex"`
		Save       int64    `json:"save"`
		Size       int64    `json:"size"`
		Savedata   hexBytes `json:"savedata_hex"`
		Friends    []string `json:"friends"`
	}
	resultLine struct {
		Op         string `json:"op"`
		OK         *bool  `json:"ok"`
		Error      *int64 `json:"error"`
		Result     *int64 `json:"result"`
		Conference *int64 `json:"conference"`
	}
	randomLine struct {
		Data hexBytes `json:"hex"`
	}
	packetLine struct {
		Seq      int64    `json:"seq"`
		From     string   `json:"from"`
		To       string   `json:"to"`
		Lossless bool     `json:"lossless"`
		Data     hexBytes `json:"hex"`
	}
	refusedLine struct {
		From     string   `json:"from"`
		To       *string  `json:"to"` // nil: no such friend connection
		Lossless bool     `json:"lossless"`
		Data     hexBytes `json:"hex"`
	}
	deliverLine struct {
		Seq  int64  `json:"seq"`
		From string `json:"from"`
		To   string `json:"to"`
	}
	connectionLine struct {
		Op     string `json:"op"`
		Peer   string `json:"peer"`
		Number int    `json:"connection"`
	}
	linkLine struct {
		Peer     string `json:"peer"`
		Online   bool   `json:"online"`
		Number   int    `json:"connection"`
		DHT      hexKey `json:"peer_dht_pk"`
		Periodic bool   `json:"periodic"`
	}
	eventLine struct {
		Event      string    `json:"event"`
		Conference int64     `json:"conference"`
		Peers      []*string `json:"peers"`
		Offline    int       `json:"offline_count"`
		Index      *int64    `json:"peer_index"`
		Key        hexBytes  `json:"peer_pk"`
		Peer       *string   `json:"peer"`
		Kind       string    `json:"kind"`
		Message    hexBytes  `json:"message_hex"`
		Title      hexBytes  `json:"title_hex"`
		Name       hexBytes  `json:"name_hex"`
		Friend     int64     `json:"friend"`
		Type       string    `json:"conference_type"`
		Cookie     hexBytes  `json:"cookie"`
	}
	netLine struct {
		Op     string     `json:"op"`
		Groups [][]string `json:"groups"`
	}
	stateLine struct {
		Unix        int64             `json:"unix_time_s"`
		Conferences []stateConference `json:"conferences"`
	}
	endLine struct{}
)

// stateConference is one conference of a state line.
type stateConference struct {
	Number      uint16            `json:"conference_number"`
	ID          hexBytes          `json:"id"`
	Type        string            `json:"type"`
	Status      string            `json:"status"`
	Title       hexBytes          `json:"title_hex"`
	TitleFresh  bool              `json:"title_fresh"`
	PeerNumber  uint16            `json:"self_peer_number"`
	Message     uint32            `json:"message_number"`
	Lossy       uint16            `json:"lossy_message_number"`
	MaxFrozen   int64             `json:"max_frozen"`
	Peers       []statePeer       `json:"peers"`
	Frozen      []statePeer       `json:"frozen"`
	Closest     []*hexKey         `json:"closest"`
	Connections []stateConnection `json:"connections"`
}

// statePeer is a peer in a stateConference.
type statePeer struct {
	Number     uint16   `json:"peer_number"`
	Key        hexKey   `json:"pk"`
	DHT        hexKey   `json:"dht_pk"`
	Name       hexBytes `json:"nick_hex"`
	LastActive int64    `json:"last_active_s"`
	Friend     bool     `json:"is_friend"`
}

// stateConnection is an entry of the connection table in a stateConference.
type stateConnection struct {
	Slot    int      `json:"slot"`
	Key     hexKey   `json:"pk"`
	Status  string   `json:"status"`
	Reasons []string `json:"reasons"`
	Group   uint16   `json:"remote_group_number"`
}

// isPhase2 tells whether the line comes after the iterations of its tick.
func (r *record) isPhase2() bool {
	switch b := r.body.(type) {
	case *callLine:
		return !b.InCallback
	case *nodeLine, *clockLine, *netLine, *stateLine, *endLine:
		return true
	}
	return false
}

// isPhase1 tells whether the line can only stand in an iteration.
func (r *record) isPhase1() bool {
	switch b := r.body.(type) {
	case *callLine:
		return b.InCallback
	case *deliverLine, *linkLine:
		return true
	}
	return false
}

// hexBytes is bytes that JSON has as hexadecimal digits.
type hexBytes []byte

// UnmarshalJSON reads a string of hexadecimal digits; null is nil.
func (h *hexBytes) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*h = nil
		return nil
	}
	if len(b) < 2 || b[0] != '"' {
		return fmt.Errorf("%.40s is not a string of hexadecimal digits", b)
	}
	out := make([]byte, hex.DecodedLen(len(b)-2))
	if _, err := hex.Decode(out, b[1:len(b)-1]); err != nil {
		return err
	}
	*h = out
	return nil
}

// hexKey is a public key that JSON has as hexadecimal digits.
type hexKey packets.PublicKey

// UnmarshalJSON reads a string of 64 hexadecimal digits.
func (k *hexKey) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	key, err := packets.ParsePublicKey(s)
	*k = hexKey(key)
	return err
}
