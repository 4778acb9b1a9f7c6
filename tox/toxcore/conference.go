//go:build toxcore

package toxcore

// #include "record.h"
import "C"

import (
	"fmt"
	"time"
	"unsafe"
)

// A Peer is a peer of a conference, as tox sees it.
type Peer struct {
	Key  Key    `json:"key"`
	Name []byte `json:"name,omitempty"`
	Ours bool   `json:"ours,omitempty"` // the peer is this instance
	// LastActive, of an offline peer, is when it last was heard of, in Unix seconds.
	LastActive int64 `json:"last_active,omitempty"`
}

// A Conference is what tox knows about one but for its peers.
type Conference struct {
	Number uint32         `json:"number"`
	ID     Key            `json:"id"`
	Type   ConferenceType `json:"type"`
	Title  []byte         `json:"title,omitempty"`
}

// ConferenceNew makes a conference and returns its number.
func (t *Tox) ConferenceNew(kind ConferenceType) (uint32, error) {
	if kind == ConferenceAudio {
		return audioNumber("toxav_add_av_groupchat", C.audio_new(t.c, t.records))
	}
	var code C.Tox_Err_Conference_New
	n := C.tox_conference_new(t.c, &code)
	return uint32(n), failed("tox_conference_new", code)
}

// ConferenceJoin accepts an invitation: friend, type and cookie are those of the
// event. It returns the conference's number.
func (t *Tox) ConferenceJoin(friend uint32, kind ConferenceType, cookie []byte) (uint32, error) {
	if kind == ConferenceAudio {
		n := C.audio_join(t.c, C.uint32_t(friend), bytesOf(cookie), C.uint16_t(len(cookie)), t.records)
		return audioNumber("toxav_join_av_groupchat", n)
	}
	var code C.Tox_Err_Conference_Join
	n := C.tox_conference_join(t.c, C.uint32_t(friend), bytesOf(cookie), C.size_t(len(cookie)), &code)
	return uint32(n), failed("tox_conference_join", code)
}

// audioNumber is the result of a call of toxav, which knows no error but -1.
func audioNumber(call string, n C.int64_t) (uint32, error) {
	if n < 0 {
		return 0, failed(call, uint32(1))
	}
	return uint32(n), nil
}

// ConferenceInvite invites a friend who is online.
func (t *Tox) ConferenceInvite(friend, conference uint32) error {
	var code C.Tox_Err_Conference_Invite
	C.tox_conference_invite(t.c, C.uint32_t(friend), C.uint32_t(conference), &code)
	return failed("tox_conference_invite", code)
}

// ConferenceDelete leaves a conference for good.
func (t *Tox) ConferenceDelete(conference uint32) error {
	var code C.Tox_Err_Conference_Delete
	C.tox_conference_delete(t.c, C.uint32_t(conference), &code)
	return failed("tox_conference_delete", code)
}

// ConferenceSend sends a message or action of 1 to 1372 bytes to all peers.
func (t *Tox) ConferenceSend(conference uint32, kind MessageType, text []byte) error {
	var code C.Tox_Err_Conference_Send_Message
	C.tox_conference_send_message(t.c, C.uint32_t(conference), C.Tox_Message_Type(kind),
		bytesOf(text), C.size_t(len(text)), &code)
	return failed("tox_conference_send_message", code)
}

// ConferenceSetTitle renames a conference, with at most 128 bytes.
func (t *Tox) ConferenceSetTitle(conference uint32, title []byte) error {
	var code C.Tox_Err_Conference_Title
	C.tox_conference_set_title(t.c, C.uint32_t(conference), bytesOf(title), C.size_t(len(title)), &code)
	return failed("tox_conference_set_title", code)
}

// ConferenceSetMaxOffline sets how many offline peers a conference remembers.
func (t *Tox) ConferenceSetMaxOffline(conference, peers uint32) error {
	var code C.Tox_Err_Conference_Set_Max_Offline
	C.tox_conference_set_max_offline(t.c, C.uint32_t(conference), C.uint32_t(peers), &code)
	return failed("tox_conference_set_max_offline", code)
}

// ConferenceAudio sends 48,000 samples a second of one channel to an audio
// conference; the number of samples must be one that Opus takes, as 960.
func (t *Tox) ConferenceAudio(conference uint32, samples []int16) error {
	pcm := (*C.int16_t)(unsafe.SliceData(samples))
	if !C.audio_send(t.c, C.uint32_t(conference), pcm, C.uint32_t(len(samples)), 48000) {
		return failed("toxav_group_send_audio", uint32(1))
	}
	return nil
}

// ConferenceEnableAudio makes an audio conference from savedata take and send
// audio.
func (t *Tox) ConferenceEnableAudio(conference uint32) error {
	if !C.audio_enable(t.c, C.uint32_t(conference), t.records) {
		return failed("toxav_groupchat_enable_av", uint32(1))
	}
	return nil
}

// Conferences are all conferences, those from savedata too.
func (t *Tox) Conferences() []Conference {
	numbers := make([]C.uint32_t, C.tox_conference_get_chatlist_size(t.c))
	if len(numbers) == 0 {
		return nil
	}
	C.tox_conference_get_chatlist(t.c, &numbers[0])
	list := make([]Conference, 0, len(numbers))
	for _, n := range numbers {
		c := Conference{Number: uint32(n), Type: ConferenceType(C.tox_conference_get_type(t.c, n, nil))}
		C.tox_conference_get_id(t.c, n, bytesOf(c.ID[:]))
		var code C.Tox_Err_Conference_Title // without a title the size is not to be trusted
		if size := C.tox_conference_get_title_size(t.c, n, &code); code == 0 {
			c.Title = make([]byte, size)
			C.tox_conference_get_title(t.c, n, bytesOf(c.Title), nil)
		}
		list = append(list, c)
	}
	return list
}

// ConferencePeers are the peers of a conference, by peer number, and those that
// it remembers as offline.
func (t *Tox) ConferencePeers(conference uint32) (online, offline []Peer, err error) {
	n := C.uint32_t(conference)
	var code C.Tox_Err_Conference_Peer_Query
	count := C.tox_conference_peer_count(t.c, n, &code)
	if code != 0 {
		return nil, nil, failed("tox_conference_peer_count", code)
	}
	for i := range count {
		p := Peer{
			Name: make([]byte, C.tox_conference_peer_get_name_size(t.c, n, i, nil)),
			Ours: bool(C.tox_conference_peer_number_is_ours(t.c, n, i, nil)),
		}
		C.tox_conference_peer_get_name(t.c, n, i, bytesOf(p.Name), nil)
		C.tox_conference_peer_get_public_key(t.c, n, i, bytesOf(p.Key[:]), nil)
		online = append(online, p)
	}
	for i := range C.tox_conference_offline_peer_count(t.c, n, nil) {
		p := Peer{
			Name:       make([]byte, C.tox_conference_offline_peer_get_name_size(t.c, n, i, nil)),
			LastActive: int64(C.tox_conference_offline_peer_get_last_active(t.c, n, i, nil)),
		}
		C.tox_conference_offline_peer_get_name(t.c, n, i, bytesOf(p.Name), nil)
		C.tox_conference_offline_peer_get_public_key(t.c, n, i, bytesOf(p.Key[:]), nil)
		offline = append(offline, p)
	}
	return online, offline, nil
}

// String is the peer as a line of a log.
func (p Peer) String() string {
	s := fmt.Sprintf("%v %q", p.Key, p.Name)
	if p.Ours {
		s += " (itself)"
	}
	if p.LastActive != 0 {
		s += " since " + time.Unix(p.LastActive, 0).UTC().Format(time.TimeOnly)
	}
	return s
}
