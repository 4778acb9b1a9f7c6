//go:build oracle && linux && amd64

package oracle

/*
#cgo CFLAGS: -O2 -Wall -Wextra -Werror=implicit-function-declaration
#cgo LDFLAGS: -l:libtoxcore.a
#include "oracle.h"
#cgo noescape oracle_free
#cgo nocallback oracle_free
#cgo noescape oracle_quit
#cgo nocallback oracle_quit
#cgo noescape oracle_clear
#cgo nocallback oracle_clear
#cgo noescape oracle_load
#cgo nocallback oracle_load
#cgo noescape oracle_save
#cgo nocallback oracle_save
#cgo noescape oracle_set_friend
#cgo nocallback oracle_set_friend
#cgo noescape oracle_online
#cgo nocallback oracle_online
#cgo noescape oracle_offline
#cgo nocallback oracle_offline
#cgo noescape oracle_ready
#cgo nocallback oracle_ready
#cgo noescape oracle_writable
#cgo nocallback oracle_writable
#cgo noescape oracle_tick
#cgo nocallback oracle_tick
#cgo noescape oracle_conferences
#cgo nocallback oracle_conferences
#cgo noescape oracle_save_size
#cgo nocallback oracle_save_size
#cgo noescape oracle_receive
*/
import "C"

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/cgo"
	"slices"
	"unsafe"

	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/sim"
)

// Errors of New.
var (
	ErrLayout = errors.New("oracle: c-toxcore is not laid out as expected")
	ErrLoad   = errors.New("oracle: c-toxcore refuses the saved conferences")
	ErrName   = errors.New("oracle: name longer than 128 bytes")
)

// defaultFrame is what Config.Frame 0 means, in milliseconds.
const defaultFrame packets.Time = 50

// node is a sim.Node that group.c runs.
type node struct {
	c     *C.struct_node
	rand  *source
	frame packets.Time
	start packets.Time
	last  packets.Time // time of the last tick
	now   packets.Time

	maxFrozen int // Config.MaxFrozen

	dirty   bool
	quit    bool
	refused bool                      // group.c ignored the last packet
	saved   []packets.SavedConference // what Save returns after Quit
	out     conference.Output
	bytes   []byte // what the slices of out point to
}

// source is the reader that a node's C code draws from.
type source struct {
	rand io.Reader
	err  error
}

var _ sim.NewNode = New

// New makes a peer that c-toxcore's own code runs, with the conferences of
// saved. Config.Reference means nothing to it. It returns ErrLayout if the
// library is not the expected one, ErrName, or ErrLoad.
func New(cfg conference.Config, saved []packets.SavedConference, now packets.Time) (sim.Node, error) {
	n, err := newNode(cfg, saved, now)
	if err != nil {
		return nil, err
	}
	return n, nil
}

func newNode(cfg conference.Config, saved []packets.SavedConference, now packets.Time) (*node, error) {
	if problem := C.oracle_verify(); problem != nil {
		return nil, fmt.Errorf("%w: %s", ErrLayout, C.GoString(problem))
	}
	if len(cfg.Name) > packets.MaxName {
		return nil, fmt.Errorf("%w: %d bytes", ErrName, len(cfg.Name))
	}
	n := &node{rand: &source{rand: cfg.Rand}, frame: cfg.Frame, start: now, last: now, now: now, maxFrozen: cfg.MaxFrozen}
	if n.frame == 0 {
		n.frame = defaultFrame
	}
	handle := cgo.NewHandle(n.rand)
	n.c = C.oracle_new(key(&cfg.Self), key(&cfg.DHTKey), mem(cfg.Name), C.uint16_t(len(cfg.Name)),
		seconds(now), C.uintptr_t(handle))
	runtime.AddCleanup(n, func(c *C.struct_node) {
		C.oracle_free(c)
		handle.Delete()
	}, n.c)
	for i := range cfg.Friends {
		C.oracle_set_friend(n.c, key(&cfg.Friends[i]), true)
	}
	if len(saved) > 0 {
		section := packets.AppendConferences(nil, saved)
		if C.oracle_load(n.c, mem(section), C.uint32_t(len(section))) != 0 {
			return nil, fmt.Errorf("%w: %d conferences, %d bytes", ErrLoad, len(saved), len(section))
		}
		for i := range saved {
			n.limitFrozen(C.uint32_t(i), len(saved[i].Peers))
		}
	}
	return n, nil
}

// soundLossy refuses the lossy packets that group.c sends to slot 0 of its table
// by mistake, as if that connection had no path.
func (n *node) soundLossy() { C.oracle_sound_lossy(n.c) }

//export rejoinOracleRandom
func rejoinOracleRandom(handle C.uintptr_t, to *C.uint8_t, size C.int) {
	s := cgo.Handle(handle).Value().(*source)
	if _, err := io.ReadFull(s.rand, unsafe.Slice((*byte)(to), int(size))); err != nil && s.err == nil {
		s.err = fmt.Errorf("oracle: drawing %d random bytes: %w", int(size), err)
	}
}

// SetFriend adds or drops the friend list's own reference to the connection.
func (n *node) SetFriend(peer packets.PublicKey, friend bool) {
	C.oracle_set_friend(n.c, key(&peer), C.bool(friend))
}

// Online tells that the connection to peer came up. Without a friendship and without a
// reference of the conferences there is none, and nothing happens.
func (n *node) Online(now packets.Time, peer, dht packets.PublicKey) {
	n.now = now
	C.oracle_online(n.c, seconds(now), key(&peer), key(&dht))
}

// Offline tells that the connection to peer went down.
func (n *node) Offline(now packets.Time, peer packets.PublicKey) {
	n.now = now
	C.oracle_offline(n.c, seconds(now), key(&peer))
}

// FriendReady lets invitations to and from friend pass from now on.
func (n *node) FriendReady(now packets.Time, friend packets.PublicKey) {
	n.now = now
	C.oracle_ready(n.c, key(&friend))
}

// SetWritable tells which packets peer's connection takes.
func (n *node) SetWritable(peer packets.PublicKey, lossless, lossy bool) {
	C.oracle_writable(n.c, key(&peer), C.bool(lossless), C.bool(lossy))
}

// Receive hands a packet to group.c. Its errors are those of the layers below:
// group.c itself does not say what it refused.
func (n *node) Receive(now packets.Time, from packets.PublicKey, p []byte) error {
	if n.quit {
		return conference.ErrQuit
	}
	n.now = now
	switch {
	case len(p) == 0 || !conferencePacket(p[0]):
		return fmt.Errorf("%w: %d bytes", conference.ErrPacket, len(p))
	case len(p) > packets.MaxPacket:
		return fmt.Errorf("%w: %d bytes", conference.ErrTooLong, len(p))
	}
	n.refused = n.refuses(from, p)
	if C.oracle_receive(n.c, seconds(now), key(&from), mem(p), C.uint32_t(len(p))) != 0 {
		return fmt.Errorf("%w: %v", conference.ErrNoLink, from)
	}
	n.dirty = true
	return nil
}

func conferencePacket(id byte) bool {
	return id >= packets.PacketInvite && id <= packets.PacketRejoin || id == packets.PacketLossy
}

// Tick is one run of c-toxcore's main loop over the conferences.
func (n *node) Tick(now packets.Time) {
	n.now, n.last = now, now
	if !n.quit {
		C.oracle_tick(n.c, seconds(now))
	}
}

// Poll returns what group.c asked for since the last call. Wake is always the
// next frame, since group.c has to be run in each.
func (n *node) Poll() conference.Output {
	n.decode()
	n.out.Wake = 0
	if !n.quit {
		n.out.Wake = n.wake()
	}
	n.out.Dirty = n.dirty || len(n.out.Events) > 0
	n.dirty = false
	return n.out
}

func (n *node) wake() packets.Time {
	frames := (n.now - n.start + n.frame - 1) / n.frame
	if ticked := (n.last-n.start)/n.frame + 1; frames < ticked {
		frames = ticked
	}
	return n.start + frames*n.frame
}

// Check reports that the node's reader failed, which C code cannot.
func (n *node) Check() error {
	return n.rand.err
}

// Save returns the conferences that group.c would write now, in order of group
// number; after Quit those that it would have written before.
func (n *node) Save() []packets.SavedConference {
	if n.quit {
		return n.saved
	}
	section := n.appendSection(nil)
	if len(section) == 0 {
		return nil
	}
	saved, err := packets.ParseConferences(section)
	if err != nil {
		panic(fmt.Sprintf("oracle: c-toxcore wrote a section that cannot be read: %v", err))
	}
	return saved
}

// appendSection appends what group.c would write now, as it is, to b.
func (n *node) appendSection(b []byte) []byte {
	at, size := len(b), int(C.oracle_save_size(n.c))
	b = slices.Grow(b, size)[:at+size]
	if size > 0 {
		C.oracle_save(n.c, mem(b[at:]))
	}
	return b
}

// Quit says Freeze in every conference and ends the instance.
func (n *node) Quit(now packets.Time) {
	if n.quit {
		return
	}
	n.now = now
	n.saved = n.Save()
	n.quit = true
	C.oracle_quit(n.c)
}

// limitFrozen applies Config.MaxFrozen to a conference that has just been made,
// joined or loaded with so many saved peers.
func (n *node) limitFrozen(group C.uint32_t, saved int) {
	switch {
	case n.conferences()[group].max_frozen == 0: // a reused group number keeps none
	case n.maxFrozen > 0:
		C.oracle_max_frozen(n.c, seconds(n.now), group, C.uint32_t(max(n.maxFrozen, saved)))
	case n.maxFrozen < 0:
		C.oracle_max_frozen(n.c, seconds(n.now), group, C.uint32_t(saved))
	}
}

// decode turns the records of C into n.out. Its slices are reused.
func (n *node) decode() {
	n.bytes = append(n.bytes[:0], unsafe.Slice((*byte)(n.c.bytes), n.c.byte_count)...)
	o := &n.out
	o.Sends, o.Refused, o.Conns, o.Events = o.Sends[:0], o.Refused[:0], o.Conns[:0], o.Events[:0]
	records := unsafe.Slice(n.c.records, n.c.record_count)
	for i := range records {
		r := &records[i]
		var text []byte
		if r.size > 0 {
			text = n.bytes[r.data : r.data+r.size : r.data+r.size]
		}
		peer := publicKey(&r.peer)
		switch r.op {
		case C.RECORD_SEND:
			o.Sends = append(o.Sends, conference.Send{To: peer, Lossy: bool(r.lossy), Data: text})
		case C.RECORD_REFUSED:
			o.Refused = append(o.Refused, conference.Send{To: peer, Lossy: bool(r.lossy), Data: text})
		case C.RECORD_WANT:
			o.Conns = append(o.Conns, conference.Conn{Op: conference.Want, Peer: peer, DHT: publicKey(&r.dht)})
		case C.RECORD_RELEASE:
			o.Conns = append(o.Conns, conference.Conn{Op: conference.Release, Peer: peer})
		case C.RECORD_EVENT:
			o.Events = append(o.Events, decodeEvent(r, peer, text))
		}
	}
	C.oracle_clear(n.c)
}

func decodeEvent(r *C.struct_record, peer packets.PublicKey, text []byte) conference.Event {
	id := packets.ID{Type: packets.Type(r._type), Key: publicKey(&r.id)}
	e := conference.Event{
		Kind:    conference.EventKind(r.event),
		ID:      id,
		Peer:    peer,
		Index:   int(r.index),
		Active:  int(r.active),
		Frozen:  int(r.frozen),
		Message: packets.MessageKind(r.message),
		Number:  uint32(r.number),
		Text:    text,
	}
	if e.Kind == conference.Invitation {
		e.Invited = conference.Invited{From: peer, ID: id, Group: uint16(r.group)}
	}
	return e
}

// clone is a copy of C memory.
func clone(from *C.uint8_t, size C.uint8_t) []byte {
	if size == 0 {
		return nil
	}
	return slices.Clone(unsafe.Slice((*byte)(from), int(size)))
}

func key(k *packets.PublicKey) *C.uint8_t { return (*C.uint8_t)(&k[0]) }

func publicKey(k *[packets.KeySize]C.uint8_t) packets.PublicKey {
	return *(*packets.PublicKey)(unsafe.Pointer(k))
}

// mem is a pointer to b that is valid even if b is empty.
func mem(b []byte) *C.uint8_t {
	if len(b) == 0 {
		return (*C.uint8_t)(unsafe.Pointer(new(byte)))
	}
	return (*C.uint8_t)(&b[0])
}

func seconds(t packets.Time) C.uint64_t { return C.uint64_t(t.Seconds()) }
