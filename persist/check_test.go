package persist

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
)

func TestCheckVectors(t *testing.T) {
	for _, v := range saveVectors(t) {
		t.Run(v.name, func(t *testing.T) {
			save, findings := Check(v.plain)
			assert.Empty(t, findings)
			assert.Equal(t, v.plain, packets.AppendSave(nil, save))
			file, dropped, err := Repair(v.plain)
			require.NoError(t, err)
			assert.Empty(t, dropped)
			assert.Equal(t, v.plain, file)
		})
	}
}

// damage is one thing done to the small profile.
type damage struct {
	name     string
	harm     func(t *testing.T, s packets.Save) packets.Save
	severity Severity
	section  packets.SectionType
	what     string // part of the finding
	dropped  string // part of what Repair says; "" if it leaves it alone
}

// onConferences makes a damage of what changes the list of conferences.
func onConferences(f func(list []packets.SavedConference) []packets.SavedConference) func(*testing.T, packets.Save) packets.Save {
	return func(t *testing.T, s packets.Save) packets.Save {
		return s.SetConferences(f(conferences(t, s)))
	}
}

// onPeers makes a damage of what changes the peers of the first conference.
func onPeers(f func(list []packets.SavedPeer) []packets.SavedPeer) func(*testing.T, packets.Save) packets.Save {
	return onConferences(func(list []packets.SavedConference) []packets.SavedConference {
		list[0].Peers = f(list[0].Peers)
		return list
	})
}

// onFriends makes a damage of what changes the friends.
func onFriends(f func(list []packets.SavedFriend) []packets.SavedFriend) func(*testing.T, packets.Save) packets.Save {
	return func(t *testing.T, s packets.Save) packets.Save {
		data, _ := s.Section(packets.SectionFriends)
		list, err := packets.ParseFriends(data)
		require.NoError(t, err)
		return s.SetSection(packets.SectionFriends, packets.AppendFriends(nil, f(list)))
	}
}

// onSection makes a damage of what changes the data of a section.
func onSection(s packets.SectionType, f func(data []byte) []byte) func(*testing.T, packets.Save) packets.Save {
	return func(_ *testing.T, save packets.Save) packets.Save {
		data, _ := save.Section(s)
		return save.SetSection(s, f(bytes.Clone(data)))
	}
}

// extra makes a damage of what adds a section.
func extra(x packets.Section, first bool) func(*testing.T, packets.Save) packets.Save {
	return func(_ *testing.T, s packets.Save) packets.Save {
		if first {
			s.Sections = append([]packets.Section{x}, s.Sections...)
		} else {
			s.Sections = append(s.Sections[:len(s.Sections):len(s.Sections)], x)
		}
		return s
	}
}

func set(b []byte) func([]byte) []byte { return func([]byte) []byte { return b } }

func keyDamages() []damage {
	return []damage{
		{
			"no keys", func(_ *testing.T, s packets.Save) packets.Save { s.Sections = s.Sections[1:]; return s },
			Refused, 0, "nobody's", "keys are lost",
		},
		{
			"keys cut", onSection(packets.SectionKeys, func(b []byte) []byte { return b[:67] }),
			Refused, packets.SectionKeys, "67 bytes", "keys are lost",
		},
		{
			"no secret key", onSection(packets.SectionKeys, func(b []byte) []byte { clear(b[36:]); return b }),
			Refused, packets.SectionKeys, "not the one of the secret key", "keys are lost",
		},
		{
			"public key", onSection(packets.SectionKeys, func(b []byte) []byte { b[4] ^= 1; return b }),
			Refused, packets.SectionKeys, "not the one of the secret key", "the secret key is that of",
		},
		{
			"somebody else's keys", extra(packets.Section{Type: packets.SectionKeys, Data: make([]byte, 68)}, false),
			Refused, packets.SectionKeys, "somebody else", "no secret key|a second section",
		},
		{
			"empty keys", extra(packets.Section{Type: packets.SectionKeys}, true),
			Refused, packets.SectionKeys, "0 bytes", "keys of 0 bytes",
		},
	}
}

func sectionDamages() []damage {
	return []damage{
		{
			"no END", func(_ *testing.T, s packets.Save) packets.Save { s.End = false; return s },
			Refused, 0, "no END", "",
		},
		{
			"trailing bytes", func(_ *testing.T, s packets.Save) packets.Save { s.Trailing = []byte{0, 0, 7}; return s },
			Note, 0, "1 bytes behind the end", "",
		},
		{
			"unknown section", extra(packets.Section{Type: 77, Data: []byte("new")}, false),
			Note, 77, "unknown section of 3 bytes", "",
		},
		{
			"name", onSection(packets.SectionName, set(make([]byte, 129))),
			Hazard, packets.SectionName, "129 bytes, the limit is 128", "129 bytes",
		},
		{
			"second name", extra(packets.Section{Type: packets.SectionName, Data: []byte("you")}, true),
			Hazard, packets.SectionName, "a second section", "a second section",
		},
		{
			"status message", onSection(packets.SectionStatusMessage, set(make([]byte, 1008))),
			Hazard, packets.SectionStatusMessage, "1008 bytes", "1008 bytes",
		},
		{
			"status", onSection(packets.SectionStatus, set([]byte{3})),
			Hazard, packets.SectionStatus, "not a status: 03", "not a status",
		},
		{
			"order", func(_ *testing.T, s packets.Save) packets.Save {
				n := len(s.Sections)
				s.Sections[0], s.Sections[n-1] = s.Sections[n-1], s.Sections[0]
				return s
			},
			Hazard, packets.SectionKeys, "comes too late", "",
		},
	}
}

func friendDamages() []damage {
	twice := func(list []packets.SavedFriend) []packets.SavedFriend { return append(list, list[0]) }
	return []damage{
		{
			"friends cut", onSection(packets.SectionFriends, func(b []byte) []byte { return append(b, 1, 2, 3) }),
			Refused, packets.SectionFriends, "3 over", "no whole friend",
		},
		{"friend twice", onFriends(twice), Hazard, packets.SectionFriends, "already friend 0", "already friend 0"},
		{
			"friends twice", extra(packets.Section{Type: packets.SectionFriends}, false),
			Hazard, packets.SectionFriends, "a second section", "",
		},
		{
			"friend name", onFriends(func(list []packets.SavedFriend) []packets.SavedFriend {
				binary.BigEndian.PutUint16(list[0][1188:], 129)
				binary.BigEndian.PutUint16(list[0][2198:], 1008)
				return list
			}),
			Hazard, packets.SectionFriends, "friend 0: a name longer", "a status message longer",
		},
		{
			"friend request", onFriends(func(list []packets.SavedFriend) []packets.SavedFriend {
				list[0].SetStatus(packets.FriendRequested)
				return list
			}),
			Hazard, packets.SectionFriends, "friend request without text", "friend request without text",
		},
		{
			"unused friend", onFriends(func([]packets.SavedFriend) []packets.SavedFriend { return make([]packets.SavedFriend, 1) }),
			Note, packets.SectionFriends, "unused record", "",
		},
	}
}

func conferenceDamages() []damage {
	peer := func(i int, f func(p *packets.SavedPeer)) func(*testing.T, packets.Save) packets.Save {
		return onPeers(func(list []packets.SavedPeer) []packets.SavedPeer { f(&list[i]); return list })
	}
	return []damage{
		{
			"own number", peer(1, func(p *packets.SavedPeer) { p.Number = 7 }), // SPEC C-126
			Refused, packets.SectionConferences, "peer 1 (0b000000): it has our own number, 7", "our own number",
		},
		{
			"same number", peer(1, func(p *packets.SavedPeer) { p.Number = 1 }),
			Hazard, packets.SectionConferences, "the same number as peer 0, 1", "the same number",
		},
		{
			"same key", peer(1, func(p *packets.SavedPeer) { p.Key = packets.PublicKey{9} }),
			Hazard, packets.SectionConferences, "the same key as peer 0", "the same key",
		},
		{
			"same conference", onConferences(func(list []packets.SavedConference) []packets.SavedConference {
				return append(list, list[0])
			}),
			Hazard, packets.SectionConferences, "conference 2 (01000000): the same as conference 0", "a second time",
		},
		{
			"conferences twice", extra(packets.Section{Type: packets.SectionConferences}, false),
			Hazard, packets.SectionConferences, "a second section", "",
		},
		{
			"type", onConferences(func(list []packets.SavedConference) []packets.SavedConference {
				list[1].ID.Type = 9
				return list
			}),
			Note, packets.SectionConferences, "unknown type 9", "",
		},
		{
			"peers missing", onSection(packets.SectionConferences, func(b []byte) []byte { b[41] = 3; return b }), // SPEC C-127
			Refused, packets.SectionConferences, "bytes left", "bytes left",
		},
		{
			"title", onSection(packets.SectionConferences, func(b []byte) []byte { b[45] = 129; return b }),
			Refused, packets.SectionConferences, "title of 129 bytes", "title of 129 bytes",
		},
		{
			"nick", onSection(packets.SectionConferences, func(b []byte) []byte { b[46+3+74] = 129; return b }),
			Refused, packets.SectionConferences, "name of peer 0 of 2 of 129 bytes", "129 bytes",
		},
		{
			"rest", onSection(packets.SectionConferences, func(b []byte) []byte { return append(b, make([]byte, 45)...) }), // SPEC C-128
			Note, packets.SectionConferences, "45 bytes behind the last conference", "",
		},
	}
}

func TestDamages(t *testing.T) {
	all := append(keyDamages(), sectionDamages()...)
	all = append(all, friendDamages()...)
	all = append(all, conferenceDamages()...)
	all = append(all, damage{
		"ourselves", func(t *testing.T, s packets.Save) packets.Save {
			_, self := keysOf(t, s)
			return onPeers(func(list []packets.SavedPeer) []packets.SavedPeer { list[1].Key = self; return list })(t, s)
		},
		Hazard, packets.SectionConferences, "it is ourselves", "it is ourselves",
	}, damage{
		"own friend", func(t *testing.T, s packets.Save) packets.Save {
			_, self := keysOf(t, s)
			return onFriends(func(list []packets.SavedFriend) []packets.SavedFriend { list[0].SetKey(self); return list })(t, s)
		},
		Hazard, packets.SectionFriends, "our own key", "our own key",
	})
	for _, d := range all {
		t.Run(d.name, func(t *testing.T) {
			file := packets.AppendSave(nil, d.harm(t, small(t)))
			_, findings := Check(file)
			require.NotEmpty(t, findings)
			assert.Equal(t, d.severity, Worst(findings), "%v", findings)
			assert.Condition(t, func() bool {
				for _, f := range findings {
					if f.Section == d.section && bytes.Contains([]byte(f.What), []byte(d.what)) {
						return true
					}
				}
				return false
			}, "%v", findings)
			for _, f := range findings {
				assert.LessOrEqual(t, f.Offset, len(file))
			}
			checkRepair(t, file, d)
		})
	}
}

func keysOf(t *testing.T, s packets.Save) (packets.SavedKeys, packets.PublicKey) {
	t.Helper()
	data, _ := s.Section(packets.SectionKeys)
	keys, err := packets.ParseSavedKeys(data)
	require.NoError(t, err)
	return keys, keys.Public
}

func checkRepair(t *testing.T, file []byte, d damage) {
	t.Helper()
	mended, dropped, err := Repair(file)
	if d.dropped == "keys are lost" {
		require.ErrorIs(t, err, ErrNoKeys)
		return
	}
	require.NoError(t, err)
	if d.severity == Note {
		assert.Equal(t, file, mended, "harmless: not touched")
		assert.Empty(t, dropped)
		return
	}
	_, findings := Check(mended)
	assert.LessOrEqual(t, Worst(findings), Note, "%v", findings)
	if d.dropped == "" {
		assert.Empty(t, dropped)
		return
	}
	assert.Regexp(t, d.dropped, fmt.Sprint(dropped))
	for _, x := range dropped {
		assert.LessOrEqual(t, x.Offset+x.Length, len(file), "%v", x)
	}
}

func TestFindingOffsets(t *testing.T) {
	save := small(t)
	list := conferences(t, save)
	list[0].Peers = append(list[0].Peers, packets.SavedPeer{Key: packets.PublicKey{0xee}, Number: 7, Name: []byte("x")})
	list = append(list, list[1])
	file := packets.AppendSave(nil, save.SetConferences(list))
	_, findings := Check(file)
	require.Len(t, findings, 2)
	assert.Equal(t, bytes.Index(file, []byte{0xee, 0, 0, 0}), findings[0].Offset)
	assert.Equal(t, bytes.LastIndex(file, []byte{byte(packets.AV), 2, 0, 0, 0}), findings[1].Offset)
	assert.Equal(t, fmt.Sprintf("refused: section 20 (conferences), offset %d: "+
		"conference 0 (01000000): peer 2 (ee000000): it has our own number, 7", findings[0].Offset), findings[0].String())

	_, dropped, err := Repair(file)
	require.NoError(t, err)
	require.Len(t, dropped, 2)
	assert.Equal(t, findings[0].Offset, dropped[0].Offset)
	assert.Equal(t, 76, dropped[0].Length)
	assert.Equal(t, findings[1].Offset, dropped[1].Offset)
}

func TestOffsets(t *testing.T) {
	for _, v := range saveVectors(t) {
		save, _ := Check(v.plain)
		for i, offset := range offsets(save) {
			assert.Equal(t, save.Offset(i), offset)
		}
	}
}
