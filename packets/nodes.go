package packets

import (
	"encoding/binary"
	"fmt"
)

// Family is the first byte of a packed node: the kind of its address.
type Family uint8

// The families in use.
const (
	UDP4 Family = 2
	UDP6 Family = 10
	TCP4 Family = 130
	TCP6 Family = 138
)

// addressSize is the length of an address of the family, 0 for an unknown one.
func (f Family) addressSize() int {
	switch f {
	case UDP4, TCP4:
		return 4
	case UDP6, TCP6:
		return 16
	}
	return 0
}

// Node is a node of the DHT or a TCP relay.
type Node struct {
	Family Family
	IP     [16]byte // IPv4 in the first 4 bytes, the others 0
	Port   uint16
	Key    PublicKey // of its DHT or of the relay
}

// NodeList is a list of packed nodes, as in the sections TCP relays and path
// nodes. A bad list never makes a file bad: c-toxcore ignores what it cannot
// read of it.
type NodeList struct {
	Nodes []Node
	Rest  []byte // from the first node that cannot be read
}

// ParseNodes reads packed nodes up to the first that is cut short or has an
// unknown family; from there on all is Rest, which aliases data.
func ParseNodes(data []byte) NodeList {
	var l NodeList
	for len(data) > 0 {
		n := Family(data[0]).addressSize()
		if n == 0 || len(data) < 1+n+2+KeySize {
			break
		}
		node := Node{Family: Family(data[0]), Port: binary.BigEndian.Uint16(data[1+n:]), Key: PublicKey(data[3+n:])}
		copy(node.IP[:], data[1:1+n])
		l.Nodes = append(l.Nodes, node)
		data = data[3+n+KeySize:]
	}
	if len(data) > 0 {
		l.Rest = data
	}
	return l
}

// Append writes nodes and Rest behind dst. A node of unknown family is left
// out.
func (l NodeList) Append(dst []byte) []byte {
	for i := range l.Nodes {
		node := &l.Nodes[i]
		n := node.Family.addressSize()
		if n == 0 {
			continue
		}
		dst = append(dst, byte(node.Family))
		dst = append(dst, node.IP[:n]...)
		dst = binary.BigEndian.AppendUint16(dst, node.Port)
		dst = append(dst, node.Key[:]...)
	}
	return append(dst, l.Rest...)
}

// Framing inside the DHT section.
const (
	dhtCookie        = 0x0159000d
	dhtSectionCookie = 0x11ce
	dhtHeadSize      = 4
)

// SectionDHTNodes is the only section inside the DHT section.
const SectionDHTNodes SectionType = 4 // NodeList

// SavedDHT is the DHT section.
type SavedDHT struct {
	Sections []Section // in the file's order; type SectionDHTNodes is a NodeList
	Rest     []byte    // from the first inner section that cannot be read
}

// ParseSavedDHT reads the data of a DHT section, which the result aliases. It
// returns ErrCut or ErrSectionCookie if the section has not its own cookie;
// c-toxcore ignores it then.
func ParseSavedDHT(data []byte) (SavedDHT, error) {
	if len(data) < dhtHeadSize {
		return SavedDHT{}, fmt.Errorf("%w: DHT nodes of %d bytes", ErrCut, len(data))
	}
	if c := binary.LittleEndian.Uint32(data); c != dhtCookie {
		return SavedDHT{}, fmt.Errorf("%w: DHT nodes with %08x instead of %08x", ErrSectionCookie, c, dhtCookie)
	}
	var d SavedDHT
	end, err := readSections(data, dhtHeadSize, dhtSectionCookie, func(x Section) bool {
		d.Sections = append(d.Sections, x)
		return true
	})
	if err != nil {
		d.Rest = data[end:]
	}
	return d, nil
}

// Append writes the section's data behind dst.
func (d SavedDHT) Append(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, dhtCookie)
	for _, x := range d.Sections {
		dst = appendSection(dst, x, dhtSectionCookie)
	}
	return append(dst, d.Rest...)
}

// Nodes is the nodes of all inner sections that hold some.
func (d SavedDHT) Nodes() []Node {
	var nodes []Node
	for _, x := range d.Sections {
		if x.Type == SectionDHTNodes {
			nodes = append(nodes, ParseNodes(x.Data).Nodes...)
		}
	}
	return nodes
}
