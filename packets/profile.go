package packets

import (
	"encoding/binary"
	"fmt"
)

// Lengths of the parts of a profile, in bytes.
const (
	NoSpamSize       = 4
	SavedKeysSize    = NoSpamSize + 2*KeySize
	MaxStatusMessage = 1007
	SavedFriendSize  = 2216
)

// SecretKey is an X25519 secret key. It never shows in a print-out.
type SecretKey [KeySize]byte

// String does not show the key.
func (SecretKey) String() string { return "secret key" }

// GoString does not show the key.
func (SecretKey) GoString() string { return "packets.SecretKey{}" }

// SavedKeys is the keys section: who we are.
type SavedKeys struct {
	NoSpam [NoSpamSize]byte // in the order of a Tox address
	Public PublicKey
	Secret SecretKey // belongs to Public; the codec does not check that
}

// ParseSavedKeys reads the data of a keys section. It returns ErrLength.
func ParseSavedKeys(data []byte) (SavedKeys, error) {
	if len(data) != SavedKeysSize {
		return SavedKeys{}, fmt.Errorf("%w: keys of %d bytes, want %d", ErrLength, len(data), SavedKeysSize)
	}
	return SavedKeys{
		NoSpam: [NoSpamSize]byte(data),
		Public: PublicKey(data[NoSpamSize:]),
		Secret: SecretKey(data[NoSpamSize+KeySize:]),
	}, nil
}

// Append writes the section's data behind dst.
func (k SavedKeys) Append(dst []byte) []byte {
	dst = append(dst, k.NoSpam[:]...)
	dst = append(dst, k.Public[:]...)
	return append(dst, k.Secret[:]...)
}

// UserStatus is what a user shows about their presence.
type UserStatus uint8

// The presences of a user.
const (
	Available UserStatus = 0
	Away      UserStatus = 1
	Busy      UserStatus = 2
)

// Name is the own name: nil if the file has none, or one that c-toxcore passes
// over because it is longer than MaxName.
func (s Save) Name() []byte { return s.text(SectionName, MaxName) }

// StatusMessage is the own status message, by the rule of Name.
func (s Save) StatusMessage() []byte { return s.text(SectionStatusMessage, MaxStatusMessage) }

// Status is the own presence; Available if the file has none, or one that is
// not one byte.
func (s Save) Status() UserStatus {
	if data, _ := s.Section(SectionStatus); len(data) == 1 {
		return UserStatus(data[0])
	}
	return Available
}

func (s Save) text(t SectionType, limit int) []byte {
	if data, _ := s.Section(t); len(data) <= limit {
		return data
	}
	return nil
}

// FriendStatus is how far a friendship has come.
type FriendStatus uint8

// Friend statuses of a save file. 0 is an unused record; c-toxcore saves 3 for
// all that is beyond.
const (
	FriendNone      FriendStatus = 0
	FriendAdded     FriendStatus = 1 // our request has yet to be sent
	FriendRequested FriendStatus = 2 // our request was sent
	FriendConfirmed FriendStatus = 3
)

// Where the fields of a SavedFriend are. Numbers in it are big endian.
const (
	friendKey           = 1
	friendRequest       = 33
	friendRequestLen    = 1058
	friendName          = 1060
	friendNameLen       = 1188
	friendMessage       = 1190
	friendMessageLen    = 2198
	friendUserStatus    = 2200
	friendNoSpam        = 2204
	friendLastSeen      = 2208
	friendRequestWindow = friendRequestLen - 1 // end of the field, before its pad
	friendMessageWindow = friendMessageLen - 1
)

// SavedFriend is the record of one friend: the file's bytes, so that pads and
// what stands behind a short text survive. A zero SavedFriend is an unused one.
type SavedFriend [SavedFriendSize]byte

// ParseFriends reads the data of a friends section; the records are copies. It
// returns ErrLength if the data is not made of whole records.
func ParseFriends(data []byte) ([]SavedFriend, error) {
	if n := len(data) % SavedFriendSize; n != 0 {
		return nil, fmt.Errorf("%w: friends of %d bytes, %d over", ErrLength, len(data), n)
	}
	friends := make([]SavedFriend, len(data)/SavedFriendSize)
	for i := range friends {
		copy(friends[i][:], data[i*SavedFriendSize:])
	}
	return friends, nil
}

// AppendFriends writes the data of a friends section behind dst.
func AppendFriends(dst []byte, friends []SavedFriend) []byte {
	for i := range friends {
		dst = append(dst, friends[i][:]...)
	}
	return dst
}

// Status is how far the friendship has come; more than FriendConfirmed means
// the same as that.
func (f *SavedFriend) Status() FriendStatus { return FriendStatus(f[0]) }

// SetStatus changes Status.
func (f *SavedFriend) SetStatus(s FriendStatus) { f[0] = byte(s) }

// Key is the friend's long-term key.
func (f *SavedFriend) Key() PublicKey { return PublicKey(f[friendKey:friendRequest]) }

// SetKey changes Key.
func (f *SavedFriend) SetKey(k PublicKey) { copy(f[friendKey:], k[:]) }

// Request is the text of our friend request. It aliases the record; nil if its
// length is more than the field holds.
func (f *SavedFriend) Request() []byte {
	return f.text(friendRequest, friendRequestWindow, friendRequestLen)
}

// SetRequest changes Request; text beyond 1024 bytes is cut.
func (f *SavedFriend) SetRequest(text []byte) {
	f.setText(friendRequest, friendRequestWindow, friendRequestLen, text)
}

// Name is the friend's name, by the rules of Request.
func (f *SavedFriend) Name() []byte { return f.text(friendName, friendNameLen, friendNameLen) }

// SetName changes Name; bytes beyond MaxName are cut.
func (f *SavedFriend) SetName(name []byte) { f.setText(friendName, friendNameLen, friendNameLen, name) }

// StatusMessage is the friend's status message, by the rules of Request.
func (f *SavedFriend) StatusMessage() []byte {
	return f.text(friendMessage, friendMessageWindow, friendMessageLen)
}

// SetStatusMessage changes StatusMessage; bytes beyond MaxStatusMessage are cut.
func (f *SavedFriend) SetStatusMessage(text []byte) {
	f.setText(friendMessage, friendMessageWindow, friendMessageLen, text)
}

// UserStatus is the presence that the friend showed last.
func (f *SavedFriend) UserStatus() UserStatus { return UserStatus(f[friendUserStatus]) }

// SetUserStatus changes UserStatus.
func (f *SavedFriend) SetUserStatus(s UserStatus) { f[friendUserStatus] = byte(s) }

// NoSpam is the one that our friend request carries.
func (f *SavedFriend) NoSpam() [NoSpamSize]byte {
	return [NoSpamSize]byte(f[friendNoSpam:friendLastSeen])
}

// SetNoSpam changes NoSpam.
func (f *SavedFriend) SetNoSpam(n [NoSpamSize]byte) { copy(f[friendNoSpam:], n[:]) }

// LastSeen is when the friend was last online, Unix time in seconds.
func (f *SavedFriend) LastSeen() uint64 { return binary.BigEndian.Uint64(f[friendLastSeen:]) }

// SetLastSeen changes LastSeen.
func (f *SavedFriend) SetLastSeen(t uint64) { binary.BigEndian.PutUint64(f[friendLastSeen:], t) }

func (f *SavedFriend) text(from, end, length int) []byte {
	n := int(binary.BigEndian.Uint16(f[length:]))
	if n > end-from {
		return nil
	}
	return f[from : from+n : from+n]
}

// setText also clears what an older, longer text leaves in the field.
func (f *SavedFriend) setText(from, end, length int, text []byte) {
	field := f[from:end]
	n := copy(field, text)
	clear(field[n:])
	binary.BigEndian.PutUint16(f[length:], uint16(n))
}
