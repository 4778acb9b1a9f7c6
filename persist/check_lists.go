package persist

import (
	"fmt"

	"github.com/tox-rejoin/rejoin/packets"
)

// friends checks the records for what makes c-toxcore pass over a friend.
func (c *checker) friends(data []byte, offset int) {
	friends, err := packets.ParseFriends(data)
	if err != nil {
		return // CheckSave has said so
	}
	seen := map[packets.PublicKey]int{}
	for i := range friends {
		at := offset + i*packets.SavedFriendSize
		if friends[i].Status() == packets.FriendNone {
			c.add(Note, packets.SectionFriends, at, "friend %d: an unused record", i)
			continue
		}
		fault := friendFault(&friends[i], i, c.self, seen)
		if fault == "" {
			fault, _ = friendTextFault(&friends[i])
		}
		if fault != "" {
			c.add(Hazard, packets.SectionFriends, at, "friend %d: %s", i, fault)
		}
	}
}

// friendFault says why c-toxcore passes over friend i, "" if it does not. It
// notes the friend's key in seen.
func friendFault(f *packets.SavedFriend, i int, self packets.PublicKey, seen map[packets.PublicKey]int) string {
	key := f.Key()
	if key == self {
		return "our own key"
	}
	if first, again := seen[key]; again {
		return fmt.Sprintf("%v is already friend %d", key, first)
	}
	seen[key] = i
	return ""
}

// friendTextFault says which text of a friend c-toxcore does not take, "" if it
// takes all, and what sets it right with the least loss.
func friendTextFault(f *packets.SavedFriend) (string, func()) {
	asked := f.Status() < packets.FriendConfirmed
	switch {
	case asked && len(f.Request()) == 0:
		return "a friend request without text, or longer than the record holds",
			func() { f.SetStatus(packets.FriendConfirmed) } // the friend without the request
	case !asked && f.Name() == nil:
		return "a name longer than the record holds", func() { f.SetName(nil) }
	case !asked && f.StatusMessage() == nil:
		return "a status message longer than the record holds", func() { f.SetStatusMessage(nil) }
	}
	return "", nil
}

// conferences checks what c-toxcore does not, but stumbles over later.
func (c *checker) conferences() {
	seen := map[packets.ID]int{}
	n := 0
	for i, x := range c.save.Sections {
		if x.Type != packets.SectionConferences {
			continue
		}
		list, err := packets.ParseConferences(x.Data)
		if err != nil {
			continue // CheckSave has said so
		}
		offset := c.offsets[i]
		end := offset + len(x.Data)
		for j := range list {
			c.conference(&list[j], n, offset, seen)
			offset += conferenceSize(&list[j])
			n++
		}
		if offset < end {
			c.add(Note, x.Type, offset, "%d bytes behind the last conference, which nobody reads", end-offset)
		}
	}
}

func (c *checker) conference(conf *packets.SavedConference, n, offset int, seen map[packets.ID]int) {
	add := func(s Severity, offset int, format string, args ...any) {
		c.add(s, packets.SectionConferences, offset, "conference %d (%v): %s", n, conf.ID, fmt.Sprintf(format, args...))
	}
	if first, again := seen[conf.ID]; again {
		add(Hazard, offset, "the same as conference %d", first)
	} else {
		seen[conf.ID] = n
	}
	if conf.ID.Type != packets.Text && conf.ID.Type != packets.AV {
		add(Note, offset, "unknown %v", conf.ID.Type)
	}
	offset += packets.SavedConferenceMin + len(conf.Title)
	peers := peerChecker{self: c.self, own: conf.PeerNumber}
	for i := range conf.Peers {
		p := &conf.Peers[i]
		if s, fault := peers.fault(p, i); s > 0 {
			add(s, offset, "peer %d (%v): %s", i, p.Key, fault)
		}
		offset += peerSize(p)
	}
}

// peerChecker looks at the peers of one conference, in order.
type peerChecker struct {
	self    packets.PublicKey
	own     uint16 // our peer number
	keys    map[packets.PublicKey]int
	numbers map[uint16]int
}

// fault says why peer i should not be in the file, and what it does there: 0 if
// nothing is wrong.
func (c *peerChecker) fault(p *packets.SavedPeer, i int) (Severity, string) {
	if c.keys == nil {
		c.keys, c.numbers = map[packets.PublicKey]int{}, map[uint16]int{}
	}
	if p.Key == c.self {
		return Hazard, "it is ourselves" // SPEC C-122
	}
	if p.Number == c.own {
		return Refused, fmt.Sprintf("it has our own number, %d", c.own) // SPEC C-126
	}
	if first, again := c.keys[p.Key]; again {
		return Hazard, fmt.Sprintf("the same key as peer %d", first)
	}
	if first, again := c.numbers[p.Number]; again {
		return Hazard, fmt.Sprintf("the same number as peer %d, %d", first, p.Number)
	}
	c.keys[p.Key], c.numbers[p.Number] = i, i
	return 0, ""
}

// conferenceSize is how many bytes of the file a conference takes.
func conferenceSize(c *packets.SavedConference) int {
	size := packets.SavedConferenceMin + len(c.Title)
	for i := range c.Peers {
		size += peerSize(&c.Peers[i])
	}
	return size
}

func peerSize(p *packets.SavedPeer) int { return packets.SavedPeerMin + len(p.Name) }
