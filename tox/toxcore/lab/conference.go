//go:build toxcore

package lab

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tox-rejoin/rejoin/tox/toxcore"
)

// NewConference makes a text conference, with a title if it is not empty, and
// returns its number.
func (s *Stock) NewConference(title string) uint32 {
	s.t.Helper()
	n := s.do(toxcore.Command{Do: "conference_new", Value: toxcore.ConferenceText}).Number
	if title != "" {
		s.SetTitle(n, title)
	}
	return n
}

// NewAudioConference makes an audio conference and returns its number.
func (s *Stock) NewAudioConference() uint32 {
	s.t.Helper()
	return s.do(toxcore.Command{Do: "conference_new", Value: toxcore.ConferenceAudio}).Number
}

// Conferences are all conferences.
func (s *Stock) Conferences() []toxcore.Conference {
	s.t.Helper()
	return s.do(toxcore.Command{Do: "conferences"}).Conferences
}

// Conference is the conference with the number.
func (s *Stock) Conference(number uint32) toxcore.Conference {
	s.t.Helper()
	for _, c := range s.Conferences() {
		if c.Number == number {
			return c
		}
	}
	s.t.Fatalf("%s has no conference %d", s.name, number)
	return toxcore.Conference{}
}

// Invite invites a friend who is online.
func (s *Stock) Invite(key toxcore.Key, conference uint32) {
	s.t.Helper()
	s.do(toxcore.Command{Do: "conference_invite", Friend: s.Friend(key).Number, Conference: conference})
}

// WaitInvite waits for an invitation by a friend, for Join.
func (s *Stock) WaitInvite(from toxcore.Key, limit time.Duration) toxcore.Event {
	s.t.Helper()
	return s.Wait(limit, fmt.Sprintf("invitation by %v", from), Of(toxcore.KindConferenceInvite, From(from)))
}

// Join accepts an invitation and returns the conference's number. Peers appear
// later.
func (s *Stock) Join(invite toxcore.Event) uint32 {
	s.t.Helper()
	return s.do(toxcore.Command{Do: "conference_join", Friend: invite.Friend, Value: invite.Value, Data: invite.Data}).Number
}

// Bring invites the other peer, a friend, has it join and waits until it is
// connected, within limit. It returns the conference's number over there.
func (s *Stock) Bring(other *Stock, conference uint32, limit time.Duration) uint32 {
	s.t.Helper()
	s.Invite(other.Key, conference)
	joined := other.Join(other.WaitInvite(s.Key, limit))
	other.Wait(limit, fmt.Sprintf("conference %d is connected", joined),
		Of(toxcore.KindConferenceConnected, In(joined)))
	return joined
}

// Send sends a message to a conference. While it reaches nobody, as just after a
// heal, libtoxcore refuses; Send tries again for a while.
func (s *Stock) Send(conference uint32, text string) {
	s.t.Helper()
	s.send(toxcore.Command{Do: "conference_send", Conference: conference, Data: []byte(text)})
}

// SendAction sends an action to a conference, as Send does a message.
func (s *Stock) SendAction(conference uint32, text string) {
	s.t.Helper()
	s.send(toxcore.Command{Do: "conference_send", Conference: conference, Value: toxcore.MessageAction, Data: []byte(text)})
}

func (s *Stock) send(c toxcore.Command) {
	s.t.Helper()
	for began := time.Now(); ; time.Sleep(pollEvery) {
		_, err := s.Do(c)
		if err == nil {
			return
		}
		if time.Since(began) > patience {
			s.t.Fatalf("%s: %v", s.name, err)
		}
	}
}

// WaitSaid waits for a message of a peer in a conference.
func (s *Stock) WaitSaid(conference uint32, from toxcore.Key, text string, limit time.Duration) {
	s.t.Helper()
	s.Wait(limit, fmt.Sprintf("conference message %.40q from %v", text, from),
		Of(toxcore.KindConferenceMessage, In(conference), From(from), Value(toxcore.MessageNormal), Text(text)))
}

// Said is how often a message with the text came to a conference, from anybody.
func (s *Stock) Said(conference uint32, text string) int {
	return len(s.Events(Of(toxcore.KindConferenceMessage, In(conference), Text(text))))
}

// SetTitle renames a conference.
func (s *Stock) SetTitle(conference uint32, title string) {
	s.t.Helper()
	s.do(toxcore.Command{Do: "conference_title", Conference: conference, Data: []byte(title)})
}

// WaitTitle waits until a conference has the title.
func (s *Stock) WaitTitle(conference uint32, title string, limit time.Duration) {
	s.t.Helper()
	Eventually(s.t, limit, fmt.Sprintf("%s: conference %d has the title %q", s.name, conference, title), func() bool {
		return string(s.Conference(conference).Title) == title
	})
}

// Peers are the peers of a conference, itself included, and those that it
// remembers as offline.
func (s *Stock) Peers(conference uint32) (online, offline []toxcore.Peer) {
	s.t.Helper()
	r := s.do(toxcore.Command{Do: "conference_peers", Conference: conference})
	return r.Peers, r.Offline
}

// WaitPeers waits until the peers of a conference, but for itself, are exactly
// those with the keys. Offline peers do not count.
func (s *Stock) WaitPeers(conference uint32, limit time.Duration, keys ...toxcore.Key) {
	s.t.Helper()
	want := sorted(keys)
	var online, offline []toxcore.Peer
	defer func() {
		s.Log("peers: %s; offline: %s", show(online), show(offline))
	}()
	Eventually(s.t, limit, fmt.Sprintf("%s: conference %d has %d other peers", s.name, conference, len(keys)), func() bool {
		online, offline = s.Peers(conference)
		var have []toxcore.Key
		for _, p := range online {
			if !p.Ours {
				have = append(have, p.Key)
			}
		}
		return slices.Equal(sorted(have), want)
	})
}

func sorted(keys []toxcore.Key) []toxcore.Key {
	return slices.SortedFunc(slices.Values(keys), func(a, b toxcore.Key) int { return slices.Compare(a[:], b[:]) })
}

func show(peers []toxcore.Peer) string {
	var list []string
	for _, p := range peers {
		list = append(list, p.String())
	}
	return "[" + strings.Join(list, ", ") + "]"
}

// DeleteConference leaves a conference for good.
func (s *Stock) DeleteConference(conference uint32) {
	s.t.Helper()
	s.do(toxcore.Command{Do: "conference_delete", Conference: conference})
}

// SetMaxOffline sets how many offline peers a conference remembers.
func (s *Stock) SetMaxOffline(conference, peers uint32) {
	s.t.Helper()
	s.do(toxcore.Command{Do: "conference_max_offline", Conference: conference, Value: peers})
}

// SendAudio sends 48,000 samples a second to an audio conference, as many at once
// as Opus takes: 960 is good.
func (s *Stock) SendAudio(conference uint32, samples []int16) {
	s.t.Helper()
	var pcm []byte
	for _, v := range samples {
		pcm = binary.LittleEndian.AppendUint16(pcm, uint16(v))
	}
	s.do(toxcore.Command{Do: "conference_audio", Conference: conference, Data: pcm})
}

// EnableAudio lets an audio conference that came from savedata take and send
// audio again.
func (s *Stock) EnableAudio(conference uint32) {
	s.t.Helper()
	s.do(toxcore.Command{Do: "conference_enable_audio", Conference: conference})
}
