package client

import (
	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/messenger"
)

// MaxEvents is how many events wait for who reads them.
const MaxEvents = 4096

// Event is one of the types below. Texts are what others sent: any bytes, as a
// rule UTF-8.
type Event interface{ event() }

// About ourselves.
type (
	// NetworkChanged says that friends can find us now, or no longer.
	NetworkChanged struct{ Online bool }
	// SaveFailed says that the profile could not be saved; that is tried again.
	SaveFailed struct{ Err error }
	// Missed says that so many events were dropped here, because nobody read them in time.
	Missed struct{ Count int }
)

// About friends.
type (
	// FriendRequested says that somebody wants to be our friend. AcceptFriend says yes.
	FriendRequested struct {
		From packets.PublicKey
		Text string
	}
	// FriendOnline says that the friend can be written to and invited.
	FriendOnline struct{ Friend packets.PublicKey }
	// FriendOffline says that it cannot any more.
	FriendOffline struct{ Friend packets.PublicKey }
	// FriendRenamed says that the friend has another name.
	FriendRenamed struct {
		Friend packets.PublicKey
		Name   string
	}
	// FriendStatusMessage says that the friend has another status message.
	FriendStatusMessage struct {
		Friend packets.PublicKey
		Text   string
	}
	// FriendStatus says that the friend has another status.
	FriendStatus struct {
		Friend packets.PublicKey
		Status packets.UserStatus
	}
	// FriendTyping says that the friend began or stopped to type.
	FriendTyping struct {
		Friend packets.PublicKey
		Typing bool
	}
	// FriendMessage says that the friend says something to us alone.
	FriendMessage struct {
		From packets.PublicKey
		Kind messenger.Kind
		Text string
	}
	// Delivered says that the friend's machine has our message Number.
	Delivered struct {
		To     packets.PublicKey
		Number uint32
	}
	// Undelivered says that the friend went before our message Number was acknowledged; it
	// may have arrived or not.
	Undelivered struct {
		To     packets.PublicKey
		Number uint32
	}
	// CustomPacket says that the friend sent a packet of an application, its id first.
	CustomPacket struct {
		From   packets.PublicKey
		Lossy  bool
		Packet []byte
	}
)

// About conferences. Index, Active and Frozen are the peer's place in the list
// of active peers and the lengths of the lists, as in conference.Event.
type (
	// Invited says that a friend invites us. Join says yes.
	Invited struct{ conference.Invited }
	// Joined says that the conference is ours; peers will appear.
	Joined struct{ Conference packets.ID }
	// PeerJoined says that a peer is new in the conference.
	PeerJoined struct{ Peer }
	// PeerLeft says that a peer has left for good.
	PeerLeft struct{ Peer }
	// PeerFrozen says that a peer is silent or away; it may come back.
	PeerFrozen struct{ Peer }
	// PeerThawed says that a frozen peer is back.
	PeerThawed struct{ Peer }
	// PeerRenamed says that a peer has another name.
	PeerRenamed struct {
		Peer
		Name string
	}
	// TitleChanged says that the conference has another title. Index is -1 if it was not a
	// change but what we were told of it.
	TitleChanged struct {
		Peer
		Title string
	}
	// Message says that somebody, also we ourselves, says something in a conference. Our
	// own comes when a neighbour has it.
	Message struct {
		Peer
		Own    bool
		Kind   packets.MessageKind // packets.NormalMessage or packets.Action
		Number uint32              // of the author's messages
		Text   string
	}
	// Audio is a lossy packet in an audio conference.
	Audio struct {
		Peer
		Number uint16
		Data   []byte // one Opus frame, by its kind
	}
)

// Peer is whom an event of a conference is about.
type Peer struct {
	Conference     packets.ID
	Key            packets.PublicKey
	Index          int
	Active, Frozen int
}

func (NetworkChanged) event()      {}
func (SaveFailed) event()          {}
func (Missed) event()              {}
func (FriendRequested) event()     {}
func (FriendOnline) event()        {}
func (FriendOffline) event()       {}
func (FriendRenamed) event()       {}
func (FriendStatusMessage) event() {}
func (FriendStatus) event()        {}
func (FriendTyping) event()        {}
func (FriendMessage) event()       {}
func (Delivered) event()           {}
func (Undelivered) event()         {}
func (CustomPacket) event()        {}
func (Invited) event()             {}
func (Joined) event()              {}
func (PeerJoined) event()          {}
func (PeerLeft) event()            {}
func (PeerFrozen) event()          {}
func (PeerThawed) event()          {}
func (PeerRenamed) event()         {}
func (TitleChanged) event()        {}
func (Message) event()             {}
func (Audio) event()               {}

// tell has an event published when what it tells is saved.
func (c *Client) tell(e Event) { c.waiting = append(c.waiting, e) }

// publish hands an event to who reads Events, if there is room.
func (c *Client) publish(e Event) {
	if c.missed > 0 {
		select {
		case c.events <- Missed{Count: c.missed}:
			c.missed = 0
		default:
		}
	}
	if c.missed == 0 {
		select {
		case c.events <- e:
			return
		default:
		}
	}
	c.missed++
}

// friendEvent is what the messenger says, as an Event; nil if it is not one.
func friendEvent(e *messenger.Event) Event {
	switch e.Kind {
	case messenger.Requested:
		return FriendRequested{From: e.Peer, Text: string(e.Data)}
	case messenger.Ready:
		return FriendOnline{Friend: e.Peer}
	case messenger.Gone:
		return FriendOffline{Friend: e.Peer}
	case messenger.Renamed:
		return FriendRenamed{Friend: e.Peer, Name: string(e.Data)}
	case messenger.StatusMessage:
		return FriendStatusMessage{Friend: e.Peer, Text: string(e.Data)}
	case messenger.Status:
		return FriendStatus{Friend: e.Peer, Status: e.Status}
	case messenger.Typing:
		return FriendTyping{Friend: e.Peer, Typing: e.Typing}
	case messenger.Message:
		return FriendMessage{From: e.Peer, Kind: e.Message, Text: string(e.Data)}
	case messenger.Received:
		return Delivered{To: e.Peer, Number: e.Number}
	case messenger.Lost:
		return Undelivered{To: e.Peer, Number: e.Number}
	case messenger.Custom:
		return CustomPacket{From: e.Peer, Lossy: e.Lossy, Packet: append([]byte(nil), e.Data...)}
	}
	return nil
}

// conferenceEvent is what the engine says, as an Event. self is our key.
func conferenceEvent(e *conference.Event, self packets.PublicKey) Event {
	p := Peer{Conference: e.ID, Key: e.Peer, Index: e.Index, Active: e.Active, Frozen: e.Frozen}
	switch e.Kind {
	case conference.Invitation:
		return Invited{Invited: e.Invited}
	case conference.Connected:
		return Joined{Conference: e.ID}
	case conference.PeerJoined:
		return PeerJoined{Peer: p}
	case conference.PeerLeft:
		return PeerLeft{Peer: p}
	case conference.PeerFrozen:
		return PeerFrozen{Peer: p}
	case conference.PeerThawed:
		return PeerThawed{Peer: p}
	case conference.PeerRenamed:
		return PeerRenamed{Peer: p, Name: string(e.Text)}
	case conference.Titled:
		return TitleChanged{Peer: p, Title: string(e.Text)}
	case conference.Texted:
		return Message{Peer: p, Own: e.Peer == self, Kind: e.Message, Number: e.Number, Text: string(e.Text)}
	case conference.AudioHeard:
		return Audio{Peer: p, Number: uint16(e.Number), Data: append([]byte(nil), e.Text...)}
	}
	return nil
}
