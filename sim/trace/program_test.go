package trace_test

import (
	"encoding/hex"
	"errors"

	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
)

// befriend adds a friend on both sides.
func (a *actor) befriend(b *actor) {
	for _, x := range [][2]*actor{{a, b}, {b, a}} {
		x[0].friends = append(x[0].friends, x[1])
		x[0].emit("call", line{"op": "friend_add", "friend": len(x[0].friends) - 1, "peer": x[1].name})
		e := x[0].open(x[1])
		e.friend = true
		x[0].node.SetFriend(x[1].key, true)
		if e.up {
			x[0].node.FriendReady(x[0].clock(), x[1].key)
		}
		x[0].take(nil)
	}
}

// random makes one random call, or changes the network.
func (r *recorder) random() {
	a := r.actors[r.rnd.IntN(len(r.actors))]
	if a.node == nil {
		if r.chance(3) {
			a.boot(r.lastSave(a))
		}
		return
	}
	switch n := r.rnd.IntN(1000); {
	case n < 30:
		a.create()
	case n < 230:
		a.invite()
	case n < 290:
		a.joinLater()
	case n < 400:
		a.message()
	case n < 440:
		a.title()
	case n < 470:
		a.rename()
	case n < 490:
		a.limit()
	case n < 500:
		a.leave()
	case n < 510:
		a.save()
	case n < 514:
		a.stop("kill")
	case n < 517:
		a.stop("crash")
	case n < 527:
		r.split()
	case n < 540:
		a.state()
	case n < 560:
		if b := r.actors[r.rnd.IntN(len(r.actors))]; b != a && b.node != nil && !a.hasFriend(b) && !b.hasFriend(a) {
			a.befriend(b)
		}
	case r.audio:
		a.audio()
	}
}

func (a *actor) hasFriend(b *actor) bool {
	e, _ := a.conn(b)
	return e != nil && e.friend
}

// lastSave is the newest save of a, and its number; a fresh start without.
func (r *recorder) lastSave(a *actor) (*save, int) {
	for n := len(r.saves) - 1; n >= 0; n-- {
		if r.saves[n].owner == a {
			return &r.saves[n], n + 1
		}
	}
	return nil, 0
}

// pick is one of our conferences, now and then one that does not exist.
func (a *actor) pick() (number uint16, id packets.ID, kind packets.Type) {
	views := a.node.Views()
	if len(views) == 0 || a.r.chance(4) {
		return 77, packets.ID{}, packets.Text
	}
	v := views[a.r.rnd.IntN(len(views))]
	return v.Group, v.ID, v.ID.Type
}

// call writes a call, makes it and writes its outcome. The code of an error is
// the first that fits; without a fitting one it is other.
func (a *actor) call(l line, known bool, do func() error, other int, codes ...code) {
	a.emit("call", l)
	n := 0
	if !known {
		n = 1
	} else if err := do(); err != nil {
		n = other
		for _, c := range codes {
			if errors.Is(err, c.err) {
				n = c.value
				break
			}
		}
	}
	if known {
		a.take(nil)
	}
	a.emit("result", line{"op": l["op"], "ok": n == 0, "error": n})
}

// code is the value that a C enum has for an error.
type code struct {
	err   error
	value int
}

func (a *actor) create() {
	kind := packets.Text
	if a.r.audio && a.r.chance(50) {
		kind = packets.AV
	}
	if len(a.node.Views()) > 3 {
		return
	}
	id := a.node.Create(a.clock(), kind)
	group := uint16(0)
	for _, v := range a.node.Views() {
		if v.ID == id {
			group = v.Group
		}
	}
	a.emit("call", line{"op": "conference_new", "conference": group, "conference_type": kind.String(), "id": hex.EncodeToString(id.Key[:])})
	a.relist()
	a.take(nil)
}

func (a *actor) invite() {
	if len(a.friends) == 0 {
		return
	}
	number, id, _ := a.pick()
	n := a.r.rnd.IntN(len(a.friends))
	f := a.friends[n]
	a.call(line{"op": "conference_invite", "conference": number, "friend": n, "peer": f.name}, id != packets.ID{},
		func() error { return a.node.Invite(a.clock(), id, f.key) }, 2, code{conference.ErrNotJoined, 3})
}

// join makes the call, its result line included.
func (a *actor) join(l line) {
	a.emit("call", l)
	cookie, _ := hex.DecodeString(l["cookie"].(string))
	c, err := packets.ParseCookie(cookie)
	want := packets.Text
	if l["op"] == "conference_join_av" {
		want = packets.AV
	}
	friend := l["friend"].(int)
	n, group := 0, int64(1<<32-1)
	switch {
	case err != nil:
		n = 1
	case c.ID.Type != want:
		n = 2
	case friend < 0 || friend >= len(a.friends):
		n = 3
	default:
		err := a.node.Join(a.clock(), conference.Invited{From: a.friends[friend].key, ID: c.ID, Group: c.Group})
		if errors.Is(err, conference.ErrDuplicate) {
			n = 4
		} else if err != nil {
			n = 6
		}
		a.relist()
		a.take(nil)
	}
	for _, v := range a.node.Views() {
		if v.ID == c.ID && n == 0 {
			group = int64(v.Group)
		}
	}
	result := line{"op": "conference_join", "conference": group, "error": n}
	if want == packets.AV {
		delete(result, "error")
	}
	a.emit("result", result)
}

// joinLater answers an invitation after its callback, or answers it wrongly.
func (a *actor) joinLater() {
	if len(a.invited) == 0 {
		return
	}
	l := a.invited[len(a.invited)-1]
	a.invited = a.invited[:len(a.invited)-1]
	if a.r.chance(30) {
		a.invited = append(a.invited, l) // and once more, as a duplicate
	}
	j := line{"op": l["op"], "friend": l["friend"], "cookie": l["cookie"]}
	switch a.r.rnd.IntN(8) {
	case 0:
		j["friend"] = 55
	case 1:
		j["cookie"] = l["cookie"].(string) + "00"
	case 2:
		j["op"] = "conference_join"
	}
	a.join(j)
}

func (a *actor) message() {
	number, id, _ := a.pick()
	text := a.r.clip([]int{0, 1, 5, 30, 1363, 1364, 65541}[a.r.rnd.IntN(7)])
	kind, name := packets.NormalMessage, "normal"
	if a.r.chance(30) {
		kind, name = packets.Action, "action"
	}
	a.call(line{"op": "conference_send_message", "conference": number, "kind": name, "message_hex": hex.EncodeToString(text)}, id != packets.ID{},
		func() error {
			_, err := a.node.Send(a.clock(), id, kind, text[:len(text)%65536])
			return err
		}, 4, code{conference.ErrLength, 2}, code{conference.ErrTooLong, 2}, code{conference.ErrNotConnected, 3}, code{conference.ErrNotJoined, 3})
}

func (a *actor) title() {
	number, id, _ := a.pick()
	title := a.r.clip([]int{0, 1, 20, 128, 129, 255, 256, 260}[a.r.rnd.IntN(8)])
	a.call(line{"op": "conference_set_title", "conference": number, "title_hex": hex.EncodeToString(title)}, id != packets.ID{},
		func() error { return a.node.SetTitle(a.clock(), id, title[:len(title)%256]) }, 3, code{conference.ErrLength, 2})
}

func (a *actor) rename() {
	name := a.r.clip([]int{0, 3, 12, 128, 129}[a.r.rnd.IntN(5)])
	a.emit("call", line{"op": "self_set_name", "name_hex": hex.EncodeToString(name)})
	if len(name) <= packets.MaxName {
		a.nick = name
		_ = a.node.SetName(a.clock(), name)
		a.take(nil)
	}
}

func (a *actor) limit() {
	number, id, _ := a.pick()
	n := []int{0, 1, 2, 128, 1 << 30}[a.r.rnd.IntN(5)]
	a.emit("call", line{"op": "conference_set_max_offline", "conference": number, "max_offline": n})
	if _, known := a.lists[id]; known {
		_ = a.node.SetMaxFrozen(a.clock(), id, n)
		a.take(nil)
	}
}

func (a *actor) leave() {
	number, id, _ := a.pick()
	a.emit("call", line{"op": "conference_delete", "conference": number})
	if _, known := a.lists[id]; known {
		_ = a.node.Leave(a.clock(), id)
		a.take(nil)
		a.relist()
	}
}

func (a *actor) audio() {
	number, id, kind := a.pick()
	l := line{"op": "group_send_audio", "conference": number, "samples": 960, "channels": 1, "rate": 48000}
	result := -1
	if kind == packets.AV {
		payload := append([]byte{packets.LossyAudio}, a.r.clip(a.r.rnd.IntN(60))...)
		l["payload_hex"] = hex.EncodeToString(payload)
		a.emit("call", l)
		f := a.fanOut(number, nil)
		if a.node.SendLossy(a.clock(), id, payload[0], payload[1:]) == nil {
			result = 0
		}
		a.take(f)
	} else {
		a.emit("call", l)
	}
	a.emit("result", line{"op": "group_send_audio", "result": result})
}

func (a *actor) save() {
	saved := a.node.Save()
	var friends []packets.SavedFriend
	for _, f := range a.friends {
		var x packets.SavedFriend
		x.SetStatus(packets.FriendConfirmed)
		x.SetKey(f.key)
		friends = append(friends, x)
	}
	file := packets.Save{End: true, Trailing: make([]byte, 9)}
	file = file.SetSection(packets.SectionFriends, packets.AppendFriends(nil, friends)).SetConferences(saved)
	data := packets.AppendSave(nil, file)
	again, err := packets.ParseSave(data)
	if err != nil {
		panic(err)
	}
	if saved, err = again.Conferences(); err != nil {
		panic(err)
	}
	a.r.saves = append(a.r.saves, save{a, data, append([]*actor{}, a.friends...), saved})
	a.emit("call", line{"op": "save", "save": len(a.r.saves), "size": len(data), "savedata_hex": hex.EncodeToString(data)})
}

// stop ends the instance, by "kill" or "crash".
func (a *actor) stop(how string) {
	if a.r.chance(90) {
		a.save()
	}
	a.emit("call", line{"op": how})
	if how == "kill" {
		a.node.Quit(a.clock())
		a.send(a.node.Poll().Sends)
	}
	a.emit("result", line{"op": how})
	for _, e := range a.conns {
		switch {
		case e == nil:
		case how == "kill":
			a.hangUp(e.peer, a.r.now+tick)
		default:
			a.hangUp(e.peer, a.r.now+26_000+int64(a.r.rnd.IntN(120))*tick)
		}
	}
	a.node, a.conns = nil, nil
}

// split cuts the network in two, or heals it.
func (r *recorder) split() {
	if r.apart != nil {
		r.apart = nil
		r.emit(line{"type": "net", "op": "heal"})
		return
	}
	r.apart, r.cutAt = make([][]string, 2), r.now
	for _, a := range r.actors {
		side := r.rnd.IntN(2)
		r.apart[side] = append(r.apart[side], a.name)
	}
	r.emit(line{"type": "net", "op": "split", "groups": r.apart})
}

// state writes a snapshot.
func (a *actor) state() {
	if a.node == nil {
		return
	}
	list := []line{}
	for _, v := range a.node.Views() {
		list = append(list, viewLine(v))
	}
	a.emit("state", line{"unix_time_s": a.clock().Seconds(), "conferences": list})
}

func viewLine(v conference.View) line {
	peers := func(list []conference.Peer) []line {
		out := []line{}
		for _, p := range list {
			out = append(out, line{
				"peer_number": p.Number, "pk": p.Key.Hex(), "dht_pk": p.DHT.Hex(), "nick_hex": hex.EncodeToString(p.Name),
				"last_active_s": p.LastActive, "is_friend": p.Friend,
			})
		}
		return out
	}
	closest, conns := []any{}, []line{}
	for _, c := range v.Closest {
		if c.Used {
			closest = append(closest, c.Key.Hex())
		} else {
			closest = append(closest, nil)
		}
	}
	for _, n := range v.Neighbours {
		reasons := []string{}
		for bit, name := range []string{"closest", "introducing", "introducer"} {
			if n.Reasons&(1<<bit) != 0 {
				reasons = append(reasons, name)
			}
		}
		conns = append(conns, line{
			"slot": n.Slot, "pk": n.Key.Hex(), "status": map[bool]string{false: "connecting", true: "online"}[n.Online],
			"reasons": reasons, "remote_group_number": n.Group,
		})
	}
	return line{
		"conference_number": v.Group, "id": hex.EncodeToString(v.ID.Key[:]), "type": v.ID.Type.String(),
		"status": map[bool]string{false: "valid", true: "connected"}[v.Connected], "title_hex": hex.EncodeToString(v.Title),
		"title_fresh": v.TitleFresh, "self_peer_number": v.PeerNumber, "message_number": v.Number,
		"lossy_message_number": v.LossyNumber, "max_frozen": v.MaxFrozen, "peers": peers(v.Peers), "frozen": peers(v.Frozen),
		"closest": closest, "connections": conns,
	}
}

// run drives the network at random for so many ticks and returns the recording.
func (r *recorder) run(ticks int) []byte {
	for i, a := range r.actors[1:] {
		a.befriend(r.actors[i])
	}
	r.actors[0].create()
	for range ticks {
		r.step(func() {
			if r.chance(10) {
				r.random()
			}
		})
	}
	return r.end()
}
