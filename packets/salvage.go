package packets

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// Dropped is a stretch of a damaged file that could not be kept.
type Dropped struct {
	Section SectionType // 0: not known
	Offset  int         // bytes from the beginning of what was salvaged from
	Length  int         // bytes
	What    string      // the fault, with its values
}

// String names section, place and fault.
func (d Dropped) String() string {
	where := ""
	if d.Section != 0 {
		where = fmt.Sprintf("section %d (%v), ", uint16(d.Section), d.Section)
	}
	return fmt.Sprintf("%s%d bytes at offset %d: %s", where, d.Length, d.Offset, d.What)
}

// CheckSave returns every fault in the sections for which c-toxcore refuses a
// file whose framing is sound, in the file's order: keys and friends of a wrong
// length, conferences that cannot be read or that claim our own number
// (SPEC C-126, C-127). That the public key belongs to the secret one is not
// checked. Offsets are those of AppendSave(nil, s).
func CheckSave(s Save) []*SaveError {
	var faults []*SaveError
	var self PublicKey // conferences before the keys meet a random key
	for i, x := range s.Sections {
		fault := func(err error) {
			faults = append(faults, inSection(err, x.Type, s.Offset(i)))
		}
		switch x.Type {
		case SectionKeys:
			keys, err := ParseSavedKeys(x.Data)
			if err != nil {
				fault(err)
				continue
			}
			self = keys.Public
		case SectionFriends:
			if _, err := ParseFriends(x.Data); err != nil {
				fault(err)
			}
		case SectionConferences:
			conferences, err := ParseConferences(x.Data)
			if err != nil {
				fault(err)
			}
			for j := range conferences {
				if err := conferences[j].CheckOwnNumber(self); err != nil {
					fault(err)
				}
			}
		}
	}
	return faults
}

// inSection makes err a *SaveError of the section whose data is at offset.
func inSection(err error, t SectionType, offset int) *SaveError {
	var e *SaveError
	if errors.As(moved(err, offset), &e) {
		return e
	}
	sentinel := ErrLength
	if errors.Is(err, ErrOwnNumber) {
		sentinel = ErrOwnNumber
	}
	what := strings.TrimPrefix(err.Error(), sentinel.Error()+": ")
	return &SaveError{Section: t, Offset: offset, What: what, Err: sentinel}
}

// SalvageSave reads what is sound of a damaged file that is not encrypted, and
// lists what is not. Sections before the damage are kept, and those behind it
// from where on headers of known sections lead to the end of the file without
// another fault. Of a section whose length is too large, all is kept that is
// plausible: whole friends, for example, and of conferences everything, for
// SalvageConferences. Data aliases b. A sound file comes back as from
// ParseSave, with nothing dropped.
func SalvageSave(b []byte) (Save, []Dropped) {
	v := salvager{data: b}
	offset := saveHeadSize
	if err := checkSaveHead(b); err != nil {
		offset = v.resync(0, err)
	}
	for offset < len(b) && !v.save.End {
		end, err := readSections(b, offset, sectionCookie, v.add)
		if err != nil {
			end = v.resync(end, err)
		}
		offset = end
	}
	if v.save.End {
		v.save.Trailing = b[offset:]
	}
	return v.save, v.dropped
}

type salvager struct {
	data    []byte
	save    Save
	dropped []Dropped
	good    []bool // by offset: from there on all is sound; nil until needed
}

func (v *salvager) add(x Section) bool {
	if x.Type == SectionEnd {
		v.save.End = true
		return false
	}
	v.save.Sections = append(v.save.Sections, x)
	return true
}

// resync returns where reading can go on behind the fault at offset, and drops
// what is between but for what keepCut saves of it.
func (v *salvager) resync(offset int, fault error) int {
	if v.good == nil {
		v.good = soundOffsets(v.data)
	}
	end := min(offset+1, len(v.data))
	for end < len(v.data) && !v.good[end] {
		end++
	}
	var e *SaveError
	errors.As(fault, &e)
	d := Dropped{Section: e.Section, Offset: offset, Length: end - offset, What: e.What}
	if errors.Is(e, ErrSectionCookie) {
		d.Section = 0 // without the cookie the type is a guess
	}
	if errors.Is(e, ErrCut) {
		if kept := v.keepCut(offset, end, e.Section); kept > 0 {
			d.Offset += kept
			d.Length -= kept
			d.What += fmt.Sprintf("; %d bytes kept", kept-sectionHeadSize)
		}
	}
	v.dropped = append(v.dropped, d)
	return end
}

// keepCut keeps what is plausible of the section at offset, whose data reaches
// at most to end although its header claims more. It returns how many bytes of
// the file that is, the header included.
func (v *salvager) keepCut(offset, end int, t SectionType) int {
	if end-offset <= sectionHeadSize {
		return 0
	}
	data := v.data[offset+sectionHeadSize : end : end]
	whole := end < len(v.data) // another section follows, so only the length is wrong
	switch {
	case t == SectionFriends:
		data = data[:len(data)-len(data)%SavedFriendSize]
	case t == SectionConferences:
	case t == SectionKeys && len(data) == SavedKeysSize:
	case whole && t == SectionName && len(data) <= MaxName:
	case whole && t == SectionStatusMessage && len(data) <= MaxStatusMessage:
	default:
		return 0
	}
	if len(data) == 0 {
		return 0
	}
	v.save.Sections = append(v.save.Sections, Section{Type: t, Data: data})
	return sectionHeadSize + len(data)
}

// soundOffsets says for each offset of b whether the bytes from there on are
// nothing but sections of known types up to END or the end of b. It goes
// backwards, so that each header is looked at once.
func soundOffsets(b []byte) []bool {
	good := make([]bool, len(b)+1)
	good[len(b)] = true
	for i := len(b) - sectionHeadSize; i >= 0; i-- {
		if binary.LittleEndian.Uint16(b[i+6:]) != sectionCookie {
			continue
		}
		x, err := readSection(b, i, sectionCookie)
		good[i] = err == nil && x.Type.known() && (x.Type == SectionEnd || good[i+sectionHeadSize+len(x.Data)])
	}
	return good
}

func (t SectionType) known() bool {
	switch t {
	case SectionKeys, SectionDHT, SectionFriends, SectionName, SectionStatusMessage, SectionStatus,
		SectionGroups, SectionTCPRelays, SectionPathNodes, SectionConferences, SectionEnd:
		return true
	}
	return false
}

// SalvageConferences reads what is sound of the data of a conferences section:
// all conferences before the damage, and of the damaged one what was read
// before it, with the peers that are whole. What is behind the damage cannot be
// told apart and is dropped. Offsets count from the beginning of data.
func SalvageConferences(data []byte) ([]SavedConference, []Dropped) {
	r := confReader{data: data}
	for r.left() >= SavedConferenceMin {
		if err := r.conference(); err != nil {
			var e *SaveError
			errors.As(err, &e)
			return r.out, []Dropped{{
				Section: SectionConferences, Offset: r.pos, Length: r.left(), What: e.What,
			}}
		}
	}
	if r.left() == 0 {
		return r.out, nil
	}
	return r.out, []Dropped{{
		Section: SectionConferences, Offset: r.pos, Length: r.left(), What: "no whole conference",
	}}
}
