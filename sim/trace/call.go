package trace

import (
	"bytes"
	"errors"
	"fmt"
	"math"

	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
)

// Errors of the API that are ours to find, with the values of the C enums
// (SPEC.md, "API").
const (
	success        = 0
	notFound       = 1 // of every call that names a conference
	inviteFailSend = 2
	inviteOffline  = 3
	joinLength     = 1
	joinType       = 2
	joinFriend     = 3
	joinDuplicate  = 4
	joinInit       = 5
	joinFailSend   = 6
	sendTooLong    = 2
	sendOffline    = 3
	sendFail       = 4
	titleLength    = 2
	titleFail      = 3
	audioFail      = 1 // -1 in C, which has no enum for it
	unknown        = -1
)

// outcome is how a call ended.
type outcome struct {
	op         string
	required   bool  // a result line has to follow
	code       int64 // of the C enum; unknown: not compared
	conference int64 // a join's
}

// call makes a recorded call. Whatever the API refuses by itself does not reach
// the node.
func (in *instance) call(t int64, s *segment, b *callLine) *Mismatch {
	now := in.now(t)
	in.result = &outcome{op: b.Op}
	switch b.Op {
	case "friend_add":
		return in.friendAdd(now, s, b)
	case "save":
		return in.save(s, b)
	case "conference_new":
		return in.create(now, s, b)
	case "conference_delete":
		in.about(s, b, func(id packets.ID) int64 { return failure(in.node.Leave(now, id), unknown) })
		in.refresh()
	case "conference_invite":
		return in.invite(now, s, b)
	case "conference_join", "conference_join_av":
		in.join(now, s, b)
	case "conference_send_message":
		return in.message(now, s, b)
	case "conference_set_title":
		in.title(now, s, b)
	case "conference_set_max_offline":
		limit := int(uint32(b.MaxOffline))
		in.about(s, b, func(id packets.ID) int64 { return failure(in.node.SetMaxFrozen(now, id, limit), unknown) })
	case "group_send_audio":
		in.audio(now, s, b)
	case "self_set_name":
		in.result.code = unknown
		if len(b.Name) <= packets.MaxName {
			in.give(s, func() { in.result.code = failure(in.node.SetName(now, b.Name), unknown) })
		}
	case "kill":
		in.result.required, in.ending = true, true
		in.give(s, func() { in.node.Quit(now) })
	case "crash":
		in.result.required, in.ending = true, true
	default:
		in.result.code = unknown
	}
	return nil
}

// about makes a call about a conference that has to exist.
func (in *instance) about(s *segment, b *callLine, call func(id packets.ID) int64) {
	id, known := in.idOf(b.Conference)
	if !known {
		in.result.code = notFound
		return
	}
	in.give(s, func() { in.result.code = call(id) })
}

// failure is success or, if err is one, that code.
func failure(err error, code int64) int64 {
	if err == nil {
		return success
	}
	return code
}

func (in *instance) friendAdd(now packets.Time, s *segment, b *callLine) *Mismatch {
	peer, ok := in.rp.key(b.Peer)
	if _, taken := in.friends[b.Friend]; !ok || taken || in.isFriend(peer) {
		return &Mismatch{s.input.line, "a new friend with a new number", fmt.Sprintf("%s with number %d", b.Peer, b.Friend)}
	}
	in.friends[b.Friend] = peer
	in.befriend(peer)
	opened := in.pending
	in.pending = outputs{}
	in.give(s, func() {
		in.node.SetFriend(peer, true)
		if in.table.isUp(peer) {
			in.node.FriendReady(now, peer)
		}
	})
	opened.behind(in.pending)
	in.pending = opened
	return nil
}

func (in *instance) create(now packets.Time, s *segment, b *callLine) *Mismatch {
	kind := packets.Text
	switch b.Type {
	case packets.Text.String():
	case packets.AV.String():
		kind = packets.AV
	default:
		return &Mismatch{s.input.line, "conference_type text or av", b.Type}
	}
	var id packets.ID
	in.give(s, func() { id = in.node.Create(now, kind) })
	in.refresh()
	if number := in.number(id); number != b.Conference || !bytes.Equal(id.Key[:], b.ID) {
		want := fmt.Sprintf("conference %d with id %x", b.Conference, []byte(b.ID))
		return &Mismatch{s.input.line, want, fmt.Sprintf("conference %d with id %x", number, id.Key)}
	}
	in.result.conference = b.Conference
	return nil
}

func (in *instance) invite(now packets.Time, s *segment, b *callLine) *Mismatch {
	in.result.required = true
	friend, isFriend := in.friends[b.Friend]
	if peer, named := in.rp.key(b.Peer); isFriend && named && peer != friend {
		return &Mismatch{s.input.line, fmt.Sprintf("friend %d, who is %s", b.Friend, in.rp.name(friend)), b.Peer}
	}
	in.about(s, b, func(id packets.ID) int64 {
		if !isFriend {
			return in.inviteNobody(s, b.Conference)
		}
		defer in.mute(s, friend)()
		err := in.node.Invite(now, id, friend)
		if errors.Is(err, conference.ErrNotJoined) {
			return inviteOffline
		}
		return failure(err, inviteFailSend)
	})
	return nil
}

// mute prepares for an invitation or its answer that the friend's messenger,
// which is not there yet, refuses without a line. Only where no line shows it
// at all: then it was not sent. The returned function ends that.
func (in *instance) mute(s *segment, friend packets.PublicKey) (end func()) {
	for _, r := range s.outs {
		switch b := r.body.(type) {
		case *packetLine:
			if isInvite(b.Data) {
				return func() {}
			}
		case *refusedLine:
			if isInvite(b.Data) {
				return func() {}
			}
		}
	}
	in.muted = true
	if !in.table.isUp(friend) {
		return func() {}
	}
	in.node.SetWritable(friend, false, false)
	return func() { in.node.SetWritable(friend, true, true) }
}

func isInvite(p []byte) bool { return len(p) > 0 && p[0] == packets.PacketInvite }

// inviteNobody is the outcome of an invitation to a friend that does not exist.
// The conference module tries to send it and is refused; whether that shows is
// not known, so both is right.
func (in *instance) inviteNobody(s *segment, number int64) int64 {
	v := in.view(number)
	if !v.Connected {
		return inviteOffline
	}
	for _, r := range s.outs {
		if b, ok := r.body.(*refusedLine); ok && b.To == nil {
			p := packets.Invite{Kind: packets.KindInvite, Group: v.Group, ID: v.ID}
			in.pending.refused = append(in.pending.refused, describeRefused(in.name, noConnection, true, p.Append(nil)))
		}
	}
	return inviteFailSend
}

func (in *instance) join(now packets.Time, s *segment, b *callLine) {
	in.result.required = true
	want := packets.Text
	if b.Op == "conference_join_av" {
		want = packets.AV
	}
	cookie, err := packets.ParseCookie(b.Cookie)
	friend, isFriend := in.friends[b.Friend]
	switch {
	case err != nil:
		in.result.code = joinLength
		return
	case cookie.ID.Type != want:
		in.result.code = joinType
		return
	case !isFriend:
		in.result.code = joinFriend
		return
	}
	in.give(s, func() {
		defer in.mute(s, friend)()
		err = in.node.Join(now, conference.Invited{From: friend, ID: cookie.ID, Group: cookie.Group})
	})
	in.refresh()
	switch {
	case errors.Is(err, conference.ErrDuplicate):
		in.result.code = joinDuplicate
	case errors.Is(err, conference.ErrFull):
		in.result.code = joinInit
	default:
		in.result.code = failure(err, joinFailSend)
	}
	in.result.conference = in.number(cookie.ID)
}

func (in *instance) message(now packets.Time, s *segment, b *callLine) *Mismatch {
	in.result.required = true
	kind := packets.NormalMessage
	switch b.Kind {
	case "normal":
	case "action":
		kind = packets.Action
	default:
		return &Mismatch{s.input.line, "kind normal or action", b.Kind}
	}
	text := b.Message[:len(b.Message)&math.MaxUint16] // C takes 16 bits of the length
	in.about(s, b, func(id packets.ID) int64 {
		_, err := in.node.Send(now, id, kind, text)
		switch {
		case errors.Is(err, conference.ErrLength), errors.Is(err, conference.ErrTooLong):
			return sendTooLong
		case errors.Is(err, conference.ErrNotConnected), errors.Is(err, conference.ErrNotJoined):
			return sendOffline
		}
		return failure(err, sendFail)
	})
	return nil
}

func (in *instance) title(now packets.Time, s *segment, b *callLine) {
	in.result.required = true
	title := b.Title[:len(b.Title)&math.MaxUint8] // C takes 8 bits of the length
	in.about(s, b, func(id packets.ID) int64 {
		err := in.node.SetTitle(now, id, title)
		if errors.Is(err, conference.ErrLength) {
			return titleLength
		}
		return failure(err, titleFail)
	})
}

func (in *instance) audio(now packets.Time, s *segment, b *callLine) {
	in.result.required = true
	id, known := in.idOf(b.Conference)
	if !known || len(b.Payload) == 0 {
		in.result.code = audioFail // nothing reaches the conference module
		return
	}
	in.giveLossy(s, b.Conference, in.key, func() {
		err := in.node.SendLossy(now, id, b.Payload[0], b.Payload[1:])
		in.result.code = failure(err, audioFail)
	})
}

func (in *instance) save(s *segment, b *callLine) *Mismatch {
	save, err := packets.ParseSave(b.Savedata)
	if err != nil {
		return &Mismatch{s.input.line, "a save file", err.Error()}
	}
	in.rp.saves[b.Save] = save
	want, _ := save.Section(packets.SectionConferences)
	if got := packets.AppendConferences(nil, in.node.Save()); !bytes.Equal(want, got) {
		return &Mismatch{s.input.line, fmt.Sprintf("saved conferences %x", want), fmt.Sprintf("saved conferences %x", got)}
	}
	in.rp.counts.Saves++
	return nil
}

// compareResult compares a result line with the outcome of the call before it.
// What the call causes stands before its result.
func (in *instance) compareResult(r *record, b *resultLine, rest outputs) *Mismatch {
	o := in.result
	in.result = nil
	op := b.Op
	if o == nil || op != o.op && !(op == "conference_join" && o.op == "conference_join_av") {
		return &Mismatch{r.line, "the result of the call before", describe(r)}
	}
	p := in.pending
	if in.fault != "" || len(p.sends) > len(rest.sends) || len(p.refused) > len(rest.refused) ||
		len(p.conns) > len(rest.conns) || len(p.events) > len(rest.events) {
		return &Mismatch{r.line, describe(r), "first " + in.leftover()}
	}
	if o.code == unknown {
		return nil
	}
	got := fmt.Sprintf("error %d", o.code)
	fail := func(format string, arg any) *Mismatch {
		return &Mismatch{r.line, fmt.Sprintf("result %s "+format, op, arg), got}
	}
	switch {
	case b.OK != nil && *b.OK != (o.code == success):
		return fail("ok %v", *b.OK)
	case b.Error != nil && *b.Error != o.code:
		return fail("error %d", *b.Error)
	case b.Result != nil && (*b.Result == 0) != (o.code == success):
		return fail("%d", *b.Result)
	case b.Conference != nil && isNumber(*b.Conference) != (o.code == success):
		return fail("conference %d", *b.Conference)
	case b.Conference != nil && o.code == success && *b.Conference != o.conference:
		got = fmt.Sprintf("conference %d", o.conference)
		return fail("conference %d", *b.Conference)
	}
	return nil
}

// isNumber tells whether n can be a conference number: C returns -1 or the
// greatest 32-bit number for none.
func isNumber(n int64) bool { return n >= 0 && n <= 0xffff }
