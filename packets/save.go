package packets

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// Errors of the save file. A *SaveError says where.
var (
	ErrNotSave       = errors.New("packets: not a Tox save file")
	ErrEncrypted     = errors.New("packets: encrypted save file")
	ErrCut           = errors.New("packets: data ends too early")
	ErrSectionCookie = errors.New("packets: section header without its cookie")
	ErrOwnNumber     = errors.New("packets: saved peer under our own number with another key")
)

// EncryptedMagic is how an encrypted save file begins.
const EncryptedMagic = "toxEsave"

// Framing of the file: little endian throughout.
const (
	saveHeadSize    = 8          // four zero bytes and the file's cookie
	saveCookie      = 0x15ed1b1f // of the file
	sectionCookie   = 0x01ce     // of each section's header
	sectionHeadSize = 8          // length 4, type 2, cookie 2
)

// SectionType says what a section of a save file holds. Unknown ones are
// carried unchanged.
type SectionType uint16

// The sections that c-toxcore knows, in the order in which it writes them.
const (
	SectionKeys          SectionType = 1   // SavedKeys
	SectionDHT           SectionType = 2   // SavedDHT
	SectionFriends       SectionType = 3   // SavedFriend, one after the other
	SectionName          SectionType = 4   // at most MaxName bytes
	SectionStatusMessage SectionType = 5   // at most MaxStatusMessage bytes
	SectionStatus        SectionType = 6   // one byte, UserStatus
	SectionGroups        SectionType = 7   // the other kind of group chats; opaque
	SectionTCPRelays     SectionType = 10  // NodeList
	SectionPathNodes     SectionType = 11  // NodeList
	SectionConferences   SectionType = 20  // SavedConference, one after the other
	SectionEnd           SectionType = 255 // empty
)

// String is the section's name, or its number if it is unknown.
func (t SectionType) String() string {
	switch t {
	case SectionKeys:
		return "keys"
	case SectionDHT:
		return "DHT nodes"
	case SectionFriends:
		return "friends"
	case SectionName:
		return "name"
	case SectionStatusMessage:
		return "status message"
	case SectionStatus:
		return "status"
	case SectionGroups:
		return "group chats"
	case SectionTCPRelays:
		return "TCP relays"
	case SectionPathNodes:
		return "path nodes"
	case SectionConferences:
		return "conferences"
	case SectionEnd:
		return "end"
	}
	return fmt.Sprintf("type %d", uint16(t))
}

// SaveError says what is wrong in a save file, and where.
type SaveError struct {
	Section SectionType // 0: not in a section, but in the framing of the file
	Offset  int         // bytes from the beginning of what was parsed
	What    string      // the fault with its values
	Err     error       // the sentinel
}

// Error names section, offset and fault.
func (e *SaveError) Error() string {
	where := ""
	if e.Section != 0 {
		where = fmt.Sprintf(" in section %d (%v)", uint16(e.Section), e.Section)
	}
	return fmt.Sprintf("%v%s at offset %d: %s", e.Err, where, e.Offset, e.What)
}

// Unwrap is the sentinel.
func (e *SaveError) Unwrap() error { return e.Err }

// Section is one section of a save file.
type Section struct {
	Type SectionType
	Data []byte
}

// Save is a whole save file: nothing of the file is missing in it, so that
// AppendSave of a parsed file gives the same bytes.
type Save struct {
	Sections []Section // in the file's order, without END
	End      bool      // the file has an END section
	Trailing []byte    // everything behind END; c-toxcore leaves zero bytes there
}

// ParseSave reads a save file that is not encrypted. The data of the sections
// and Trailing alias b. It looks at the framing only, CheckSave at what is in
// the sections. Unknown sections are kept (SPEC C-129), so are the bytes behind
// END (SPEC C-130). A *SaveError wraps ErrEncrypted, ErrNotSave, ErrCut,
// ErrSectionCookie or ErrLength (of END).
func ParseSave(b []byte) (Save, error) {
	if err := checkSaveHead(b); err != nil {
		return Save{}, err
	}
	var s Save
	rest, err := readSections(b, saveHeadSize, sectionCookie, func(x Section) bool {
		if x.Type == SectionEnd {
			s.End = true
			return false
		}
		s.Sections = append(s.Sections, x)
		return true
	})
	if err != nil {
		return Save{}, err
	}
	if s.End {
		s.Trailing = b[rest:]
	}
	return s, nil
}

// AppendSave writes the file behind dst. Trailing is written only behind END.
func AppendSave(dst []byte, s Save) []byte {
	dst = append(dst, 0, 0, 0, 0)
	dst = binary.LittleEndian.AppendUint32(dst, saveCookie)
	for _, x := range s.Sections {
		dst = appendSection(dst, x, sectionCookie)
	}
	if !s.End {
		return dst
	}
	dst = appendSection(dst, Section{Type: SectionEnd}, sectionCookie)
	return append(dst, s.Trailing...)
}

// Section is the data of the first section of that type.
func (s Save) Section(t SectionType) (data []byte, ok bool) {
	for _, x := range s.Sections {
		if x.Type == t {
			return x.Data, true
		}
	}
	return nil, false
}

// SetSection returns a file in which data stands in the first section of that
// type; further ones of that type are left out. Where there is none, it becomes
// the last one. All else stays as it is; s is not changed, the data of the
// sections is shared.
func (s Save) SetSection(t SectionType, data []byte) Save {
	sections := make([]Section, 0, len(s.Sections)+1)
	done := false
	for _, x := range s.Sections {
		if x.Type == t {
			if done {
				continue
			}
			x.Data, done = data, true
		}
		sections = append(sections, x)
	}
	if !done {
		sections = append(sections, Section{Type: t, Data: data})
	}
	s.Sections = sections
	return s
}

// Offset is where the data of section i begins in the file, in bytes.
func (s Save) Offset(i int) int {
	offset := saveHeadSize + sectionHeadSize
	for _, x := range s.Sections[:i] {
		offset += len(x.Data) + sectionHeadSize
	}
	return offset
}

// Conferences reads the file's conferences, of all sections of that type. It
// returns nil if there are none, or the *SaveError of ParseConferences with the
// offset in the file.
func (s Save) Conferences() ([]SavedConference, error) {
	var all []SavedConference
	for i, x := range s.Sections {
		if x.Type != SectionConferences {
			continue
		}
		conferences, err := ParseConferences(x.Data)
		if err != nil {
			return nil, moved(err, s.Offset(i))
		}
		all = append(all, conferences...)
	}
	return all, nil
}

// SetConferences is SetSection with these conferences. A file without any gets
// an empty section, as c-toxcore writes it.
func (s Save) SetConferences(conferences []SavedConference) Save {
	return s.SetSection(SectionConferences, AppendConferences(nil, conferences))
}

// checkSaveHead returns the error of a file that does not begin as one.
func checkSaveHead(b []byte) error {
	if bytes.HasPrefix(b, []byte(EncryptedMagic)) {
		return &SaveError{What: "begins with " + EncryptedMagic, Err: ErrEncrypted}
	}
	if len(b) < saveHeadSize {
		return &SaveError{What: fmt.Sprintf("%d bytes, want %d or more", len(b), saveHeadSize), Err: ErrNotSave}
	}
	if binary.LittleEndian.Uint32(b) != 0 || binary.LittleEndian.Uint32(b[4:]) != saveCookie {
		return &SaveError{What: fmt.Sprintf("begins with %x", b[:saveHeadSize]), Err: ErrNotSave}
	}
	return nil
}

// readSections gives each section from offset on to add, until add returns
// false or all is read. It returns the offset behind the last one given.
func readSections(b []byte, offset int, cookie uint16, add func(Section) bool) (int, error) {
	for len(b)-offset >= sectionHeadSize {
		x, err := readSection(b, offset, cookie)
		if err != nil {
			return offset, err
		}
		offset += sectionHeadSize + len(x.Data)
		if !add(x) {
			return offset, nil
		}
	}
	if n := len(b) - offset; n > 0 {
		what := fmt.Sprintf("%d bytes behind the last section", n)
		return offset, &SaveError{Offset: offset, What: what, Err: ErrCut}
	}
	return offset, nil
}

// readSection reads the section whose header is at offset.
func readSection(b []byte, offset int, cookie uint16) (Section, error) {
	head := b[offset:]
	length := int64(binary.LittleEndian.Uint32(head))
	t := SectionType(binary.LittleEndian.Uint16(head[4:]))
	fault := func(err error, format string, args ...any) error {
		return &SaveError{Section: t, Offset: offset, What: fmt.Sprintf(format, args...), Err: err}
	}
	if c := binary.LittleEndian.Uint16(head[6:]); c != cookie {
		return Section{}, fault(ErrSectionCookie, "%04x instead of %04x", c, cookie)
	}
	data := head[sectionHeadSize:]
	if length > int64(len(data)) {
		return Section{}, fault(ErrCut, "%d bytes of data, %d left", length, len(data))
	}
	if t == SectionEnd && cookie == sectionCookie && length != 0 {
		return Section{}, fault(ErrLength, "%d bytes of data, want none", length)
	}
	return Section{Type: t, Data: data[:length:length]}, nil
}

func appendSection(dst []byte, x Section, cookie uint16) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(x.Data)))
	dst = binary.LittleEndian.AppendUint16(dst, uint16(x.Type))
	dst = binary.LittleEndian.AppendUint16(dst, cookie)
	return append(dst, x.Data...)
}

// moved adds base to the offset of a *SaveError.
func moved(err error, base int) error {
	var e *SaveError
	if !errors.As(err, &e) {
		return err
	}
	m := *e
	m.Offset += base
	return &m
}
