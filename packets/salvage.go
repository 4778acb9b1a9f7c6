package packets

import (
	"encoding/binary"
	"errors"
	"fmt"
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
	for _, sentinel := range []error{ErrLength, ErrOwnNumber} {
		if errors.Is(err, sentinel) {
			return &SaveError{Section: t, Offset: offset, What: err.Error(), Err: sentinel}
		}
	}
	return &SaveError{Section: t, Offset: offset, What: err.Error(), Err: err}
}

// SalvageSave reads what is sound of a damaged file that is not encrypted, and
// lists what is not. Sections before the damage are kept, and those behind it
// if their headers lead to the end of the file without another fault. Of a
// section that the end of the file cuts short, whole friends are kept and all
// of the conferences section, for SalvageConferences. Data aliases b. A sound
// file comes back as from ParseSave, with nothing dropped.
func SalvageSave(b []byte) (Save, []Dropped) {
	v := salvager{data: b}
	offset := saveHeadSize
	if err := checkSaveHead(b); err != nil {
		offset = v.resync(0, err)
	}
	for offset < len(b) && !v.save.End {
		end, err := readSections(b, offset, sectionCookie, v.add)
		if err == nil {
			offset = end
			break
		}
		offset = v.resync(end, err)
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
}

func (v *salvager) add(x Section) bool {
	if x.Type == SectionEnd {
		v.save.End = true
		return false
	}
	v.save.Sections = append(v.save.Sections, x)
	return true
}

// resync finds where reading can go on behind the fault at offset, and drops
// what is between. Where it cannot, the rest of a cut section may still hold
// whole records.
func (v *salvager) resync(offset int, fault error) int {
	end := offset + 1
	for ; end < len(v.data); end++ {
		if v.sound(end) {
			break
		}
	}
	var e *SaveError
	errors.As(fault, &e)
	d := Dropped{Section: e.Section, Offset: offset, Length: min(end, len(v.data)) - offset, What: e.What}
	if e.Err == ErrSectionCookie {
		d.Section = 0 // without the cookie the type is a guess
	}
	if e.Err == ErrCut && end >= len(v.data) {
		kept := v.keepCut(offset, e.Section)
		d.Offset += kept
		d.Length -= kept
	}
	v.dropped = append(v.dropped, d)
	return min(end, len(v.data))
}

// sound says whether the bytes from offset on are nothing but sections of known
// types up to END or the end of the file.
func (v *salvager) sound(offset int) bool {
	known, n := true, 0
	if len(v.data)-offset < sectionHeadSize || binary.LittleEndian.Uint16(v.data[offset+6:]) != sectionCookie {
		return false
	}
	_, err := readSections(v.data, offset, sectionCookie, func(x Section) bool {
		n++
		known = x.Type.known()
		return known && x.Type != SectionEnd
	})
	return err == nil && known && n > 0
}

// keepCut keeps the whole records of the section at offset, which runs past the
// end of the file. It returns how many bytes of the file it used.
func (v *salvager) keepCut(offset int, t SectionType) int {
	data := v.data[offset:]
	if len(data) < sectionHeadSize {
		return 0
	}
	data = data[sectionHeadSize:]
	switch t {
	case SectionFriends:
		data = data[:len(data)-len(data)%SavedFriendSize]
	case SectionConferences:
	default:
		return 0
	}
	if len(data) == 0 {
		return 0
	}
	v.save.Sections = append(v.save.Sections, Section{Type: t, Data: data})
	return sectionHeadSize + len(data)
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
