//go:build toxcore

package toxcore

// #include "record.h"
import "C"

import (
	"github.com/tox-rejoin/rejoin/tox/crypto"
)

// A Friend is what tox knows about one.
type Friend struct {
	Number        uint32     `json:"number"`
	Key           Key        `json:"key"`
	Connection    Connection `json:"connection"`
	Name          []byte     `json:"name,omitempty"`
	StatusMessage []byte     `json:"status_message,omitempty"`
	Status        uint32     `json:"status"` // 0 none, 1 away, 2 busy
}

// FriendAdd adds a friend by address and sends a request with the text, of 1 to
// 921 bytes. It returns the friend's number.
func (t *Tox) FriendAdd(address crypto.Address, text []byte) (uint32, error) {
	var code C.Tox_Err_Friend_Add
	n := C.tox_friend_add(t.c, bytesOf(address[:]), bytesOf(text), C.size_t(len(text)), &code)
	return uint32(n), failed("tox_friend_add", code)
}

// FriendAccept adds a friend by key and sends no request. It returns the
// friend's number.
func (t *Tox) FriendAccept(key Key) (uint32, error) {
	var code C.Tox_Err_Friend_Add
	n := C.tox_friend_add_norequest(t.c, bytesOf(key[:]), &code)
	return uint32(n), failed("tox_friend_add_norequest", code)
}

// FriendDelete forgets a friend, who is not told.
func (t *Tox) FriendDelete(friend uint32) error {
	var code C.Tox_Err_Friend_Delete
	C.tox_friend_delete(t.c, C.uint32_t(friend), &code)
	return failed("tox_friend_delete", code)
}

// Friends are all friends, by number.
func (t *Tox) Friends() []Friend {
	numbers := make([]C.uint32_t, C.tox_self_get_friend_list_size(t.c))
	if len(numbers) == 0 {
		return nil
	}
	C.tox_self_get_friend_list(t.c, &numbers[0])
	friends := make([]Friend, 0, len(numbers))
	for _, n := range numbers {
		f := Friend{
			Number:        uint32(n),
			Connection:    Connection(C.tox_friend_get_connection_status(t.c, n, nil)),
			Name:          make([]byte, C.tox_friend_get_name_size(t.c, n, nil)),
			StatusMessage: make([]byte, C.tox_friend_get_status_message_size(t.c, n, nil)),
			Status:        uint32(C.tox_friend_get_status(t.c, n, nil)),
		}
		C.tox_friend_get_public_key(t.c, n, bytesOf(f.Key[:]), nil)
		C.tox_friend_get_name(t.c, n, bytesOf(f.Name), nil)
		C.tox_friend_get_status_message(t.c, n, bytesOf(f.StatusMessage), nil)
		friends = append(friends, f)
	}
	return friends
}

// FriendMessage sends a message or action of 1 to 1372 bytes to a friend who is
// online. It returns the number that the event about its receipt will have.
func (t *Tox) FriendMessage(friend uint32, kind MessageType, text []byte) (uint32, error) {
	var code C.Tox_Err_Friend_Send_Message
	n := C.tox_friend_send_message(t.c, C.uint32_t(friend), C.Tox_Message_Type(kind), bytesOf(text), C.size_t(len(text)), &code)
	return uint32(n), failed("tox_friend_send_message", code)
}

// FriendTyping tells a friend whether we are typing.
func (t *Tox) FriendTyping(friend uint32, typing bool) error {
	var code C.Tox_Err_Set_Typing
	C.tox_self_set_typing(t.c, C.uint32_t(friend), C.bool(typing), &code)
	return failed("tox_self_set_typing", code)
}

// FriendLossless sends a custom packet that begins with a byte of 160 to 191 (or
// 69), at most 1373 bytes.
func (t *Tox) FriendLossless(friend uint32, packet []byte) error {
	var code C.Tox_Err_Friend_Custom_Packet
	C.tox_friend_send_lossless_packet(t.c, C.uint32_t(friend), bytesOf(packet), C.size_t(len(packet)), &code)
	return failed("tox_friend_send_lossless_packet", code)
}

// FriendLossy sends a custom packet that begins with a byte of 192 to 254, at
// most 1373 bytes.
func (t *Tox) FriendLossy(friend uint32, packet []byte) error {
	var code C.Tox_Err_Friend_Custom_Packet
	C.tox_friend_send_lossy_packet(t.c, C.uint32_t(friend), bytesOf(packet), C.size_t(len(packet)), &code)
	return failed("tox_friend_send_lossy_packet", code)
}

// FileOffer offers a friend a file of the name and size in bytes, which nobody
// could ever read: it is there to be refused. It returns the file's number.
func (t *Tox) FileOffer(friend uint32, name []byte, size uint64) (uint32, error) {
	var code C.Tox_Err_File_Send
	n := C.tox_file_send(t.c, C.uint32_t(friend), C.TOX_FILE_KIND_DATA, C.uint64_t(size), nil,
		bytesOf(name), C.size_t(len(name)), &code)
	return uint32(n), failed("tox_file_send", code)
}
