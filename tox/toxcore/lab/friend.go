//go:build toxcore

package lab

import (
	"fmt"
	"time"

	"github.com/tox-rejoin/rejoin/tox/crypto"
	"github.com/tox-rejoin/rejoin/tox/toxcore"
)

// Befriend makes the two peers friends by a request and waits until each has the
// other online, within limit.
func (s *Stock) Befriend(other *Stock, limit time.Duration) {
	s.t.Helper()
	deadline := time.Now().Add(limit)
	s.AddFriend(other.Address, "hello from "+s.name)
	other.Wait(limit, "request of "+s.name, Of(toxcore.KindFriendRequest, From(s.Key)))
	other.AcceptFriend(s.Key)
	s.WaitOnline(other.Key, time.Until(deadline))
	other.WaitOnline(s.Key, time.Until(deadline))
}

// AddFriend adds a friend and sends a request. It returns the friend's number.
func (s *Stock) AddFriend(address crypto.Address, text string) uint32 {
	s.t.Helper()
	return s.do(toxcore.Command{Do: "friend_add", Address: address.String(), Data: []byte(text)}).Number
}

// AcceptFriend adds a friend without a request. It returns the friend's number.
func (s *Stock) AcceptFriend(key toxcore.Key) uint32 {
	s.t.Helper()
	return s.do(toxcore.Command{Do: "friend_accept", Key: key}).Number
}

// DeleteFriend forgets a friend, who is not told.
func (s *Stock) DeleteFriend(friend uint32) {
	s.t.Helper()
	s.do(toxcore.Command{Do: "friend_delete", Friend: friend})
}

// Friends are all friends, by number.
func (s *Stock) Friends() []toxcore.Friend {
	s.t.Helper()
	return s.do(toxcore.Command{Do: "friends"}).Friends
}

// Friend is the friend with the key.
func (s *Stock) Friend(key toxcore.Key) toxcore.Friend {
	s.t.Helper()
	for _, f := range s.Friends() {
		if f.Key == key {
			return f
		}
	}
	s.t.Fatalf("%s has no friend %v", s.name, key)
	return toxcore.Friend{}
}

// WaitOnline waits until the friend is online, however reached.
func (s *Stock) WaitOnline(key toxcore.Key, limit time.Duration) {
	s.t.Helper()
	Eventually(s.t, limit, fmt.Sprintf("%s: friend %v is online", s.name, key), func() bool {
		return s.Friend(key).Connection != toxcore.ConnectionNone
	})
}

// WaitOffline waits until the friend is offline.
func (s *Stock) WaitOffline(key toxcore.Key, limit time.Duration) {
	s.t.Helper()
	Eventually(s.t, limit, fmt.Sprintf("%s: friend %v is offline", s.name, key), func() bool {
		return s.Friend(key).Connection == toxcore.ConnectionNone
	})
}

// Message sends a message to a friend who is online. It returns the number for
// WaitReceipt.
func (s *Stock) Message(key toxcore.Key, text string) uint32 {
	s.t.Helper()
	friend := s.Friend(key).Number
	return s.do(toxcore.Command{Do: "friend_message", Friend: friend, Data: []byte(text)}).Number
}

// Action sends an action to a friend who is online. It returns the number for
// WaitReceipt.
func (s *Stock) Action(key toxcore.Key, text string) uint32 {
	s.t.Helper()
	friend := s.Friend(key).Number
	return s.do(toxcore.Command{Do: "friend_message", Friend: friend, Value: toxcore.MessageAction, Data: []byte(text)}).Number
}

// WaitMessage waits for a message from a friend with this text.
func (s *Stock) WaitMessage(from toxcore.Key, text string, limit time.Duration) {
	s.t.Helper()
	s.Wait(limit, fmt.Sprintf("message %.40q from %v", text, from),
		Of(toxcore.KindFriendMessage, From(from), Value(toxcore.MessageNormal), Text(text)))
}

// WaitReceipt waits until the friend's side has acknowledged a message.
func (s *Stock) WaitReceipt(from toxcore.Key, message uint32, limit time.Duration) {
	s.t.Helper()
	s.Wait(limit, fmt.Sprintf("receipt of message %d from %v", message, from),
		Of(toxcore.KindFriendReceipt, From(from), Number(message)))
}

// SendLossless sends a custom packet that begins with 160 to 191.
func (s *Stock) SendLossless(key toxcore.Key, packet []byte) {
	s.t.Helper()
	s.do(toxcore.Command{Do: "friend_lossless", Friend: s.Friend(key).Number, Data: packet})
}

// SendLossy sends a custom packet that begins with 192 to 254.
func (s *Stock) SendLossy(key toxcore.Key, packet []byte) {
	s.t.Helper()
	s.do(toxcore.Command{Do: "friend_lossy", Friend: s.Friend(key).Number, Data: packet})
}

// OfferFile offers a friend a file that is there only to be refused. It returns
// its number.
func (s *Stock) OfferFile(key toxcore.Key, name string, size uint32) uint32 {
	s.t.Helper()
	friend := s.Friend(key).Number
	return s.do(toxcore.Command{Do: "file_offer", Friend: friend, Value: size, Data: []byte(name)}).Number
}
