//go:build toxcore

package toxcore

import (
	"encoding/hex"
	"fmt"

	"github.com/tox-rejoin/rejoin/packets"
)

// A Kind says which callback of libtoxcore an Event is.
type Kind string

// Kinds, and which fields of Event they use besides Kind. Events about a friend
// or a peer also have its Key.
const (
	KindSelfConnection      Kind = "self_connection"       // Value: a Connection
	KindFriendRequest       Kind = "friend_request"        // Data: the text
	KindFriendConnection    Kind = "friend_connection"     // Friend; Value: a Connection
	KindFriendName          Kind = "friend_name"           // Friend, Data
	KindFriendStatusMessage Kind = "friend_status_message" // Friend, Data
	KindFriendStatus        Kind = "friend_status"         // Friend; Value: a Tox_User_Status
	KindFriendTyping        Kind = "friend_typing"         // Friend; Value: 0 or 1
	KindFriendMessage       Kind = "friend_message"        // Friend, Data; Value: a MessageType
	KindFriendReceipt       Kind = "friend_receipt"        // Friend; Number: what FriendMessage returned
	KindFriendLossless      Kind = "friend_lossless"       // Friend, Data
	KindFriendLossy         Kind = "friend_lossy"          // Friend, Data
	KindFileOffer           Kind = "file_offer"            // Friend; Number: of the file; Data: its name
	KindFileControl         Kind = "file_control"          // Friend; Number: of the file; Value: a FileControl
	KindConferenceInvite    Kind = "conference_invite"     // Friend; Value: a ConferenceType; Data: the cookie
	KindConferenceConnected Kind = "conference_connected"  // Conference
	KindConferenceMessage   Kind = "conference_message"    // Conference, Peer, Data; Value: a MessageType
	KindConferenceTitle     Kind = "conference_title"      // Conference, Peer, Data
	KindConferencePeerName  Kind = "conference_peer_name"  // Conference, Peer, Data
	KindConferencePeers     Kind = "conference_peers"      // Conference
	KindConferenceAudio     Kind = "conference_audio"      // Conference, Peer; Value: samples a second; Data: 16-bit samples
)

// A Connection is how a friend, or the network, is reached.
type Connection = uint32

// Connections, as Tox_Connection numbers them.
const (
	ConnectionNone Connection = iota
	ConnectionTCP
	ConnectionUDP
)

// A MessageType tells messages from actions.
type MessageType = uint32

// Message types, as Tox_Message_Type numbers them.
const (
	MessageNormal MessageType = iota
	MessageAction
)

// A ConferenceType tells text from audio conferences.
type ConferenceType = uint32

// Conference types, as Tox_Conference_Type numbers them.
const (
	ConferenceText ConferenceType = iota
	ConferenceAudio
)

// A FileControl is what one side of a file transfer tells the other.
type FileControl = uint32

// File controls, as Tox_File_Control numbers them.
const (
	FileResume FileControl = iota
	FilePause
	FileCancel
)

// A Key is a public key that JSON shows in hexadecimal.
type Key packets.PublicKey

// MarshalText is the whole key in lower-case hexadecimal.
func (k Key) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, k[:]), nil }

// UnmarshalText reads 64 hexadecimal digits.
func (k *Key) UnmarshalText(text []byte) error {
	key, err := packets.ParsePublicKey(string(text))
	*k = Key(key)
	return err
}

// String is the key's first 4 bytes in hexadecimal.
func (k Key) String() string { return packets.PublicKey(k).String() }

// Hex is the whole key in lower-case hexadecimal.
func (k Key) Hex() string { return packets.PublicKey(k).Hex() }

// An Event is one call of a callback of libtoxcore. Kind says which of the other
// fields it uses. Friend, Conference and Peer are libtoxcore's numbers; Peer was
// true only while the event was made, so go by Key.
type Event struct {
	Kind       Kind   `json:"kind"`
	Friend     uint32 `json:"friend,omitempty"`
	Conference uint32 `json:"conference,omitempty"`
	Peer       uint32 `json:"peer,omitempty"`
	Number     uint32 `json:"number,omitempty"`
	Value      uint32 `json:"value,omitempty"`
	Key        Key    `json:"key,omitzero"`
	Data       []byte `json:"data,omitempty"`
}

// String is the event as a line of a log.
func (e Event) String() string {
	const show = 60
	data, more := e.Data, ""
	if len(data) > show {
		data, more = data[:show], fmt.Sprintf("… (%d bytes)", len(e.Data))
	}
	line := fmt.Sprintf("%s friend=%d conference=%d value=%d", e.Kind, e.Friend, e.Conference, e.Value)
	if e.Number != 0 {
		line += fmt.Sprintf(" number=%d", e.Number)
	}
	if e.Key != (Key{}) {
		line += " key=" + e.Key.String()
	}
	if len(data) > 0 {
		line += fmt.Sprintf(" data=%q%s", data, more)
	}
	return line
}
