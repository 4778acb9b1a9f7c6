//go:build oracle && linux && amd64

package oracle

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"

	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
)

// digest sums up, in order, all inputs of a run and all that c-toxcore answered.
// Texts of errors do not count.
type digest struct {
	sum    hash.Hash
	buffer []byte
}

func newDigest() *digest { return &digest{sum: sha256.New()} }

func (d *digest) number(n uint64) { d.buffer = binary.LittleEndian.AppendUint64(d.buffer, n) }

func (d *digest) flag(b bool) {
	n := byte(0)
	if b {
		n = 1
	}
	d.buffer = append(d.buffer, n)
}

func (d *digest) bytes(b []byte) {
	d.number(uint64(len(b)))
	d.buffer = append(d.buffer, b...)
}

func (d *digest) id(id *packets.ID) { d.buffer = append(append(d.buffer, byte(id.Type)), id.Key[:]...) }

func (d *digest) invited(i *conference.Invited) {
	d.buffer = append(d.buffer, i.From[:]...)
	d.id(&i.ID)
	d.number(uint64(i.Group))
}

// add is one input and what came of it. A nil digest takes nothing.
func (d *digest) add(in *input, r result, out *conference.Output) {
	if d == nil {
		return
	}
	d.buffer = append(d.buffer[:0], byte(in.op), in.kind)
	d.number(uint64(in.now))
	d.number(uint64(in.n))
	d.flag(in.on)
	d.flag(in.more)
	d.buffer = append(append(d.buffer, in.peer[:]...), in.dht[:]...)
	d.id(&in.id)
	d.invited(&in.inv)
	d.bytes(in.data)
	d.id(&r.id)
	d.number(uint64(r.number))
	d.flag(r.err != nil)
	d.sends(out.Sends)
	d.sends(out.Refused)
	for i := range out.Conns {
		c := &out.Conns[i]
		d.buffer = append(append(append(d.buffer, byte(c.Op)), c.Peer[:]...), c.DHT[:]...)
	}
	for i := range out.Events {
		d.event(&out.Events[i])
	}
	d.sum.Write(d.buffer)
}

func (d *digest) sends(list []conference.Send) {
	d.number(uint64(len(list)))
	for i := range list {
		d.buffer = append(d.buffer, list[i].To[:]...)
		d.flag(list[i].Lossy)
		d.bytes(list[i].Data)
	}
}

func (d *digest) event(e *conference.Event) {
	d.buffer = append(append(d.buffer, byte(e.Kind), byte(e.Message)), e.Peer[:]...)
	d.id(&e.ID)
	for _, n := range [4]int{e.Index, e.Active, e.Frozen, int(e.Number)} {
		d.number(uint64(n))
	}
	d.bytes(e.Text)
	d.invited(&e.Invited)
}

// save takes in what a node holds.
func (d *digest) save(list []packets.SavedConference) {
	d.sum.Write(packets.AppendConferences(nil, list))
}

// value is the digest in 64 bits.
func (d *digest) value() uint64 { return binary.LittleEndian.Uint64(d.sum.Sum(nil)) }
