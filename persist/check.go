package persist

import (
	"bytes"
	"cmp"
	"crypto/ecdh"
	"errors"
	"fmt"
	"slices"

	"github.com/tox-rejoin/rejoin/packets"
)

// Severity says what a finding does to whoever loads the file.
type Severity uint8

// The severities.
const (
	Note    Severity = iota + 1 // odd and harmless
	Hazard                      // it loads, and then something is lost or goes wrong
	Refused                     // it does not load, here or in c-toxcore
)

// String is one word.
func (s Severity) String() string {
	switch s {
	case Note:
		return "note"
	case Hazard:
		return "hazard"
	case Refused:
		return "refused"
	}
	return fmt.Sprintf("severity %d", uint8(s))
}

// Finding is one thing that is wrong or odd in a save file.
type Finding struct {
	Severity Severity
	Section  packets.SectionType // 0: the framing of the file
	Offset   int                 // bytes from the beginning of the plain file
	What     string
}

// String names severity, section, offset and fault.
func (f Finding) String() string {
	where := "the file"
	if f.Section != 0 {
		where = fmt.Sprintf("section %d (%v)", uint16(f.Section), f.Section)
	}
	return fmt.Sprintf("%v: %s, offset %d: %s", f.Severity, where, f.Offset, f.What)
}

// Worst is the highest severity in a list, 0 of an empty one.
func Worst(findings []Finding) Severity {
	var worst Severity
	for _, f := range findings {
		worst = max(worst, f.Severity)
	}
	return worst
}

// Check looks for everything in a plain save file that we or c-toxcore would
// refuse or stumble over, in the file's order. A sound file has no finding
// above Note. The Save is all of the file, or zero if its framing is broken.
func Check(plain []byte) (packets.Save, []Finding) {
	save, err := packets.ParseSave(plain)
	if err != nil {
		return packets.Save{}, []Finding{findingOf(err)}
	}
	c := checker{save: save, offsets: offsets(save)}
	for _, fault := range packets.CheckSave(save) {
		if !errors.Is(fault, packets.ErrOwnNumber) { // conferences finds those, each at its place
			c.list = append(c.list, findingOf(fault))
		}
	}
	c.keys()
	c.order()
	for i, x := range save.Sections {
		c.section(x, c.offsets[i])
	}
	c.conferences()
	c.end(len(plain))
	slices.SortStableFunc(c.list, func(a, b Finding) int { return cmp.Compare(a.Offset, b.Offset) })
	return save, c.list
}

// findingOf is the finding of an error of package packets.
func findingOf(err error) Finding {
	f := Finding{Severity: Refused, What: err.Error()}
	var e *packets.SaveError
	if errors.As(err, &e) {
		f.Section, f.Offset, f.What = e.Section, e.Offset, e.What
	}
	return f
}

// Bytes of framing: the head of the file and of a section.
const (
	fileHead    = 8
	sectionHead = 8
)

// offsets is Save.Offset of every section.
func offsets(s packets.Save) []int {
	list := make([]int, len(s.Sections))
	at := fileHead
	for i, x := range s.Sections {
		list[i] = at + sectionHead
		at = list[i] + len(x.Data)
	}
	return list
}

type checker struct {
	save    packets.Save
	offsets []int             // of the sections' data
	self    packets.PublicKey // zero if there are no keys
	list    []Finding
}

func (c *checker) add(s Severity, t packets.SectionType, offset int, format string, args ...any) {
	c.list = append(c.list, Finding{Severity: s, Section: t, Offset: offset, What: fmt.Sprintf(format, args...)})
}

// offset is where the first section of the type has its data.
func (c *checker) offset(t packets.SectionType) int {
	for i, x := range c.save.Sections {
		if x.Type == t {
			return c.offsets[i]
		}
	}
	return 0
}

// keys checks that there is an identity, and that its two keys are a pair.
func (c *checker) keys() {
	data, ok := c.save.Section(packets.SectionKeys)
	if !ok {
		c.add(Refused, 0, 0, "no section %d (%v): the file is nobody's", uint16(packets.SectionKeys), packets.SectionKeys)
		return
	}
	keys, err := packets.ParseSavedKeys(data)
	if err != nil {
		return // CheckSave has said so
	}
	c.self = keys.Public
	if public, err := publicKey(keys.Secret); err != nil || public != keys.Public {
		c.add(Refused, packets.SectionKeys, c.offset(packets.SectionKeys)+packets.NoSpamSize,
			"the public key %v is not the one of the secret key", keys.Public)
	}
}

// publicKey is the public key that belongs to a secret one.
func publicKey(secret packets.SecretKey) (packets.PublicKey, error) {
	key, err := ecdh.X25519().NewPrivateKey(secret[:])
	if err != nil {
		return packets.PublicKey{}, err
	}
	return packets.PublicKey(key.PublicKey().Bytes()), nil
}

// rank is how early a section has to come; c-toxcore loads them as it meets
// them, and conferences look at our keys, our name and our friends.
func rank(t packets.SectionType) int {
	switch t {
	case packets.SectionKeys:
		return 0
	case packets.SectionConferences:
		return 2
	}
	return 1
}

// order checks that no section comes twice and each comes in time.
func (c *checker) order() {
	latest := 0
	seen := map[packets.SectionType][]byte{}
	for i, x := range c.save.Sections {
		offset := c.offsets[i]
		first, again := seen[x.Type]
		switch {
		case again && x.Type == packets.SectionKeys && !bytes.Equal(first, x.Data):
			c.add(Refused, x.Type, offset, "a second section of this type, of somebody else")
		case again && known(x.Type):
			c.add(Hazard, x.Type, offset, "a second section of this type")
		default:
			seen[x.Type] = x.Data
		}
		switch x.Type {
		case packets.SectionKeys, packets.SectionName, packets.SectionFriends, packets.SectionConferences:
			if r := rank(x.Type); r < latest {
				c.add(Hazard, x.Type, offset, "comes too late: what is before it needs it when loading")
			} else {
				latest = r
			}
		}
	}
}

// known tells whether the section is one that c-toxcore reads and of which
// there is one only.
func known(t packets.SectionType) bool {
	switch t {
	case packets.SectionKeys, packets.SectionDHT, packets.SectionFriends, packets.SectionName,
		packets.SectionStatusMessage, packets.SectionStatus, packets.SectionGroups,
		packets.SectionTCPRelays, packets.SectionPathNodes, packets.SectionConferences:
		return true
	}
	return false
}

// section checks the smaller sections.
func (c *checker) section(x packets.Section, offset int) {
	switch {
	case x.Type == packets.SectionFriends:
		c.friends(x.Data, offset)
	case !known(x.Type):
		c.add(Note, x.Type, offset, "unknown section of %d bytes, kept as it is (c-toxcore loses it)", len(x.Data))
	default:
		if fault := textFault(x); fault != "" {
			c.add(Hazard, x.Type, offset, "%s", fault)
		}
	}
}

// textFault says why c-toxcore does not take a section about ourselves, "" if
// it does.
func textFault(x packets.Section) string {
	limit := len(x.Data)
	switch x.Type {
	case packets.SectionName:
		limit = packets.MaxName
	case packets.SectionStatusMessage:
		limit = packets.MaxStatusMessage
	case packets.SectionStatus:
		if len(x.Data) != 1 || x.Data[0] > byte(packets.Busy) {
			return fmt.Sprintf("not a status: %x", x.Data[:min(len(x.Data), 8)])
		}
	}
	if len(x.Data) > limit {
		return fmt.Sprintf("%d bytes, the limit is %d", len(x.Data), limit)
	}
	return ""
}

// end checks how the file ends.
func (c *checker) end(size int) {
	if !c.save.End {
		c.add(Refused, 0, size, "no END section: the file was cut off between two sections")
	}
	if tail := bytes.TrimLeft(c.save.Trailing, "\x00"); len(tail) > 0 {
		c.add(Note, 0, size-len(tail), "%d bytes behind the end, which nobody reads", len(tail))
	}
}
