//go:build toxcore

package toxcore

/*
#cgo CFLAGS: -std=c11 -O2 -Wall -Wextra
#cgo pkg-config: toxcore
#include <stdlib.h>
#include "record.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
	"unsafe"

	"github.com/tox-rejoin/rejoin/tox/crypto"
)

// ErrCall is what the error of a refused call wraps.
var ErrCall = errors.New("toxcore: refused")

// failed is the error of a call by name, with the value of its Tox_Err
// enumeration, or nil for 0.
func failed[E ~uint32](call string, code E) error {
	if code == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s: error %d", ErrCall, call, code)
}

// Version is that of the library which is linked, as in "0.2.18".
func Version() string {
	return fmt.Sprintf("%d.%d.%d", C.tox_version_major(), C.tox_version_minor(), C.tox_version_patch())
}

// Options say how a Tox starts. IPv6 and proxies are always off.
type Options struct {
	UDPPort  uint16 // 0: UDP is off, all goes through relays
	LAN      bool   // it looks for others in the local networks
	Savedata []byte // of an earlier Tox; nil: a new identity
}

// A Tox is one instance of libtoxcore. One goroutine at a time may use it.
type Tox struct {
	c       *C.Tox
	records *C.struct_records
}

// New starts an instance. It returns ErrCall if the port is taken or the
// savedata damaged. The caller must Kill it.
func New(o Options) (*Tox, error) {
	var optionsError C.Tox_Err_Options_New
	options := C.tox_options_new(&optionsError)
	if err := failed("tox_options_new", optionsError); err != nil {
		return nil, err
	}
	defer C.tox_options_free(options)
	C.tox_options_set_ipv6_enabled(options, false)
	C.tox_options_set_local_discovery_enabled(options, C.bool(o.LAN))
	C.tox_options_set_udp_enabled(options, o.UDPPort != 0)
	C.tox_options_set_start_port(options, C.uint16_t(o.UDPPort))
	C.tox_options_set_end_port(options, C.uint16_t(o.UDPPort))
	if o.Savedata != nil {
		saved := C.CBytes(o.Savedata)
		defer C.free(saved)
		C.tox_options_set_savedata_type(options, C.TOX_SAVEDATA_TYPE_TOX_SAVE)
		C.tox_options_set_savedata_data(options, (*C.uint8_t)(saved), C.size_t(len(o.Savedata)))
	}
	var newError C.Tox_Err_New
	c := C.tox_new(options, &newError)
	if err := failed("tox_new", newError); err != nil {
		if c != nil { // it could not load all of the savedata
			C.tox_kill(c)
		}
		return nil, err
	}
	C.record_all(c)
	return &Tox{c: c, records: (*C.struct_records)(C.calloc(1, C.sizeof_struct_records))}, nil
}

// Kill ends the instance. It tells friends that it goes.
func (t *Tox) Kill() {
	C.tox_kill(t.c)
	C.records_free(t.records)
	t.c, t.records = nil, nil
}

// Interval is how long tox wants to wait until the next Iterate.
func (t *Tox) Interval() time.Duration {
	return time.Duration(C.tox_iteration_interval(t.c)) * time.Millisecond
}

// Iterate lets tox work, and returns what it reported meanwhile. The events are
// the caller's.
func (t *Tox) Iterate() []Event {
	C.tox_iterate(t.c, unsafe.Pointer(t.records))
	events := make([]Event, 0, t.records.count)
	for _, r := range unsafe.Slice(t.records.list, t.records.count) {
		e := Event{
			Kind: kindOf(r.kind), Friend: uint32(r.friend), Conference: uint32(r.conference), Peer: uint32(r.peer),
			Number: uint32(r.number), Value: uint32(r.value), Key: *(*Key)(unsafe.Pointer(&r.key)),
		}
		if r.length > 0 {
			e.Data = C.GoBytes(unsafe.Add(unsafe.Pointer(t.records.data), r.offset), C.int(r.length))
		}
		events = append(events, e)
	}
	t.records.count, t.records.used = 0, 0
	return events
}

func kindOf(kind C.enum_record_kind) Kind {
	return [...]Kind{
		C.RECORD_SELF_CONNECTION:       KindSelfConnection,
		C.RECORD_FRIEND_REQUEST:        KindFriendRequest,
		C.RECORD_FRIEND_CONNECTION:     KindFriendConnection,
		C.RECORD_FRIEND_NAME:           KindFriendName,
		C.RECORD_FRIEND_STATUS_MESSAGE: KindFriendStatusMessage,
		C.RECORD_FRIEND_STATUS:         KindFriendStatus,
		C.RECORD_FRIEND_TYPING:         KindFriendTyping,
		C.RECORD_FRIEND_MESSAGE:        KindFriendMessage,
		C.RECORD_FRIEND_RECEIPT:        KindFriendReceipt,
		C.RECORD_FRIEND_LOSSLESS:       KindFriendLossless,
		C.RECORD_FRIEND_LOSSY:          KindFriendLossy,
		C.RECORD_FILE_OFFER:            KindFileOffer,
		C.RECORD_FILE_CONTROL:          KindFileControl,
		C.RECORD_CONFERENCE_INVITE:     KindConferenceInvite,
		C.RECORD_CONFERENCE_CONNECTED:  KindConferenceConnected,
		C.RECORD_CONFERENCE_MESSAGE:    KindConferenceMessage,
		C.RECORD_CONFERENCE_TITLE:      KindConferenceTitle,
		C.RECORD_CONFERENCE_PEER_NAME:  KindConferencePeerName,
		C.RECORD_CONFERENCE_PEERS:      KindConferencePeers,
		C.RECORD_CONFERENCE_AUDIO:      KindConferenceAudio,
	}[kind]
}

// Savedata is the whole state as tox saves it, unencrypted.
func (t *Tox) Savedata() []byte {
	data := make([]byte, C.tox_get_savedata_size(t.c))
	C.tox_get_savedata(t.c, bytesOf(data))
	return data
}

// Bootstrap asks the node at the address for its neighbours, and uses it as a
// first hop of the onion.
func (t *Tox) Bootstrap(node netip.AddrPort, key Key) error {
	host := C.CString(node.Addr().String())
	defer C.free(unsafe.Pointer(host))
	var code C.Tox_Err_Bootstrap
	C.tox_bootstrap(t.c, host, C.uint16_t(node.Port()), bytesOf(key[:]), &code)
	return failed("tox_bootstrap", code)
}

// AddRelay makes tox use the TCP relay at the address.
func (t *Tox) AddRelay(relay netip.AddrPort, key Key) error {
	host := C.CString(relay.Addr().String())
	defer C.free(unsafe.Pointer(host))
	var code C.Tox_Err_Bootstrap
	C.tox_add_tcp_relay(t.c, host, C.uint16_t(relay.Port()), bytesOf(key[:]), &code)
	return failed("tox_add_tcp_relay", code)
}

// Connection is how tox believes to be connected to the network. In a network
// of local addresses only, UDP counts as TCP.
func (t *Tox) Connection() Connection { return Connection(C.tox_self_get_connection_status(t.c)) }

// Address is what others add as a friend.
func (t *Tox) Address() (a crypto.Address) {
	C.tox_self_get_address(t.c, bytesOf(a[:]))
	return a
}

// DHTKey is the key that this instance has in the DHT, new on every start.
func (t *Tox) DHTKey() (k Key) {
	C.tox_self_get_dht_id(t.c, bytesOf(k[:]))
	return k
}

// SetName sets the name that friends and conferences see, of at most 128 bytes.
func (t *Tox) SetName(name []byte) error {
	var code C.Tox_Err_Set_Info
	C.tox_self_set_name(t.c, bytesOf(name), C.size_t(len(name)), &code)
	return failed("tox_self_set_name", code)
}

// Name is the name as last set.
func (t *Tox) Name() []byte {
	name := make([]byte, C.tox_self_get_name_size(t.c))
	C.tox_self_get_name(t.c, bytesOf(name))
	return name
}

// SetStatusMessage sets the text beside the name, of at most 1007 bytes.
func (t *Tox) SetStatusMessage(text []byte) error {
	var code C.Tox_Err_Set_Info
	C.tox_self_set_status_message(t.c, bytesOf(text), C.size_t(len(text)), &code)
	return failed("tox_self_set_status_message", code)
}

// StatusMessage is the status message as last set.
func (t *Tox) StatusMessage() []byte {
	text := make([]byte, C.tox_self_get_status_message_size(t.c))
	C.tox_self_get_status_message(t.c, bytesOf(text))
	return text
}

// SetStatus sets the status: 0 none, 1 away, 2 busy.
func (t *Tox) SetStatus(status uint32) { C.tox_self_set_status(t.c, C.Tox_User_Status(status)) }

// bytesOf is the slice as C takes it; it must not be kept there.
func bytesOf(b []byte) *C.uint8_t { return (*C.uint8_t)(unsafe.SliceData(b)) }
