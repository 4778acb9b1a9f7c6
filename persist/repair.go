package persist

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/tox-rejoin/rejoin/packets"
)

// ErrNoKeys says that nothing can be salvaged: without its secret key a file is
// nobody's profile.
var ErrNoKeys = errors.New("persist: the keys are lost, and with them the identity")

// Repair makes a sound plain save file of a damaged one: Check has nothing to
// say about it beyond notes. It returns what it left out or set right, in the
// order in which it came upon it; offsets are those in plain. It invents
// nothing but a public key, which follows from the secret one. A sound file
// comes back byte for byte. It errs with ErrNoKeys.
func Repair(plain []byte) ([]byte, []packets.Dropped, error) {
	if _, findings := Check(plain); Worst(findings) <= Note {
		return bytes.Clone(plain), nil, nil
	}
	save, dropped := packets.SalvageSave(plain)
	r := repairer{
		plain: plain, pos: fileHead, dropped: dropped,
		ids: map[packets.ID]bool{}, friendAt: map[packets.PublicKey]int{},
	}
	if err := r.keys(save); err != nil {
		return nil, r.dropped, err
	}
	for _, x := range save.Sections {
		r.section(x, r.locate(x.Data))
	}
	if tail := bytes.TrimLeft(save.Trailing, "\x00"); len(tail) > 0 {
		r.drop(0, len(plain)-len(tail), len(tail), "behind the end")
	}
	slices.SortStableFunc(r.sections, func(a, b packets.Section) int { return rank(a.Type) - rank(b.Type) })
	file := packets.AppendSave(nil, packets.Save{Sections: r.sections, End: true})
	if _, findings := Check(file); Worst(findings) > Note {
		return nil, r.dropped, fmt.Errorf("persist: repair left a fault: %v", findings)
	}
	return file, r.dropped, nil
}

// repairer builds the sections of the new file.
type repairer struct {
	plain    []byte
	pos      int // where locate looks on
	self     packets.SavedKeys
	sections []packets.Section
	dropped  []packets.Dropped
	ids      map[packets.ID]bool       // conferences so far
	friends  int                       // their number so far
	friendAt map[packets.PublicKey]int // and which is which
}

func (r *repairer) drop(t packets.SectionType, offset, length int, format string, args ...any) {
	r.dropped = append(r.dropped, packets.Dropped{
		Section: t, Offset: offset, Length: length, What: fmt.Sprintf(format, args...),
	})
}

// locate is where data, a later part of the plain file than the last, begins
// in it. Empty data is taken to be behind the next header.
func (r *repairer) locate(data []byte) int {
	if len(data) == 0 {
		r.pos += sectionHead
		return r.pos
	}
	for r.pos < len(r.plain) && &r.plain[r.pos] != &data[0] {
		r.pos++
	}
	at := r.pos
	r.pos += len(data)
	return at
}

// keys finds out who we are. A secret key of zero bytes is what a torn file
// has, nobody's.
func (r *repairer) keys(save packets.Save) error {
	for _, x := range save.Sections {
		if x.Type != packets.SectionKeys {
			continue
		}
		keys, err := packets.ParseSavedKeys(x.Data)
		if err != nil || keys.Secret == (packets.SecretKey{}) {
			continue
		}
		r.self = keys
		r.self.Public, err = publicKey(keys.Secret)
		return err
	}
	return ErrNoKeys
}

// section takes over one section, or what is sound of it.
func (r *repairer) section(x packets.Section, at int) {
	old := slices.IndexFunc(r.sections, func(y packets.Section) bool { return x.Type == y.Type })
	fault := ""
	switch {
	case x.Type == packets.SectionFriends:
		x.Data = r.keepFriends(x.Data, at)
	case x.Type == packets.SectionConferences:
		x.Data = r.keepConferences(x.Data, at)
	case x.Type == packets.SectionKeys && old < 0:
		x.Data, fault = r.keepKeys(x.Data)
	case old >= 0 && known(x.Type):
		fault = "a second section of this type"
	default:
		fault = textFault(x)
	}
	if fault != "" {
		r.drop(x.Type, at, len(x.Data), "%s", fault)
		return
	}
	if old >= 0 && known(x.Type) { // friends and conferences: one list of both
		r.sections[old].Data = slices.Concat(r.sections[old].Data, x.Data)
		return
	}
	r.sections = append(r.sections, x)
}

// keepKeys is the section of our keys, with a public key that fits the secret
// one; or says why this section is not it.
func (r *repairer) keepKeys(data []byte) ([]byte, string) {
	keys, err := packets.ParseSavedKeys(data)
	if err != nil {
		return data, err.Error()
	}
	if keys.Secret != r.self.Secret {
		return data, "no secret key"
	}
	if keys.Public != r.self.Public {
		r.drop(packets.SectionKeys, r.pos-len(data)+packets.NoSpamSize, packets.KeySize,
			"public key %v; the secret key is that of %v", keys.Public, r.self.Public)
	}
	return r.self.Append(nil), ""
}

// keepFriends is the sound records of a friends section.
func (r *repairer) keepFriends(data []byte, at int) []byte {
	whole := len(data) - len(data)%packets.SavedFriendSize
	friends, err := packets.ParseFriends(data[:whole])
	if err != nil || whole < len(data) {
		r.drop(packets.SectionFriends, at+whole, len(data)-whole, "no whole friend")
	}
	kept := friends[:0]
	for i := range friends {
		f, offset := &friends[i], at+i*packets.SavedFriendSize
		if f.Status() != packets.FriendNone {
			if fault := friendFault(f, r.friends, r.self.Public, r.friendAt); fault != "" {
				r.drop(packets.SectionFriends, offset, packets.SavedFriendSize, "%s", fault)
				continue
			}
			for fault, mend := friendTextFault(f); mend != nil; fault, mend = friendTextFault(f) {
				r.drop(packets.SectionFriends, offset, 0, "friend %v: %s", f.Key(), fault)
				mend()
			}
		}
		r.friends++
		kept = append(kept, *f)
	}
	return packets.AppendFriends(nil, kept)
}

// keepConferences is the sound conferences of a conferences section, with
// their sound peers.
func (r *repairer) keepConferences(data []byte, at int) []byte {
	list, dropped := packets.SalvageConferences(data)
	kept := list[:0]
	offset := at
	for _, c := range list {
		size := conferenceSize(&c)
		if r.ids[c.ID] {
			r.drop(packets.SectionConferences, offset, size, "conference %v: a second time", c.ID)
		} else {
			r.ids[c.ID] = true
			c.Peers = r.keepPeers(&c, offset+packets.SavedConferenceMin+len(c.Title))
			kept = append(kept, c)
		}
		offset += size
	}
	for _, d := range dropped {
		d.Offset += at
		r.dropped = append(r.dropped, d)
	}
	return packets.AppendConferences(nil, kept)
}

func (r *repairer) keepPeers(c *packets.SavedConference, offset int) []packets.SavedPeer {
	kept := make([]packets.SavedPeer, 0, len(c.Peers))
	check := peerChecker{self: r.self.Public, own: c.PeerNumber}
	for i := range c.Peers {
		p := &c.Peers[i]
		if s, fault := check.fault(p, i); s > 0 {
			r.drop(packets.SectionConferences, offset, peerSize(p), "conference %v, peer %v: %s", c.ID, p.Key, fault)
		} else {
			kept = append(kept, *p)
		}
		offset += peerSize(p)
	}
	return kept
}
