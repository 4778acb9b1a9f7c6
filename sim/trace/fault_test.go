package trace_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/tox-rejoin/rejoin/sim"
	"github.com/tox-rejoin/rejoin/sim/trace"
)

// small is a recording of two nodes that become friends and of one conference.
// Key A begins with aa, key B with bb.
func small(lines ...string) string {
	a, b, d := strings.Repeat("aa", 32), strings.Repeat("bb", 32), strings.Repeat("dd", 32)
	list := append([]string{
		`{"type":"meta","tick_ms":50,"one_way_delay_ms":50}`,
		`{"type":"node","t_ms":0,"node":"A","pk":"` + a + `","dht_pk":"` + d + `","loaded":false,"name_hex":"61"}`,
		`{"type":"clock","t_ms":0,"node":"A","unix_time_s":1700000000}`,
		`{"type":"node","t_ms":0,"node":"B","pk":"` + b + `","dht_pk":"` + d + `","loaded":false,"name_hex":"62"}`,
		`{"type":"clock","t_ms":0,"node":"B","unix_time_s":1700000000}`,
		`{"type":"call","t_ms":0,"node":"A","op":"friend_add","friend":0,"peer":"B"}`,
		`{"type":"connection","t_ms":0,"node":"A","op":"open","peer":"B","connection":0}`,
		`{"type":"call","t_ms":0,"node":"A","op":"conference_new","conference":0,"conference_type":"text","id":"` + d + `"}`,
		`{"type":"random","t_ms":0,"node":"A","hex":"` + d + `"}`,
	}, lines...)
	return strings.Join(list, "\n") + "\n"
}

// The lines behind small's, from line 10 on.
const (
	theEnd  = `{"type":"end","t_ms":1000}`
	linkUp  = `{"type":"link","t_ms":100,"node":"A","peer":"B","online":true,"connection":0,"peer_dht_pk":"dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"}`
	id      = `dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd`
	invite  = `{"type":"call","t_ms":100,"node":"A","op":"conference_invite","conference":0,"friend":0,"peer":"B"}`
	invited = `{"type":"packet","t_ms":100,"seq":1,"from":"A","to":"B","lossless":true,"hex":"6000000000` + id + `"}`
)

func result(op, what string) string {
	return `{"type":"result","t_ms":100,"node":"A","op":"` + op + `",` + what + `}`
}

func call(op, what string) string {
	return `{"type":"call","t_ms":100,"node":"A","op":"` + op + `",` + what + `}`
}

func refused(to string) string {
	return `{"type":"refused","t_ms":100,"from":"A","to":` + to + `,"lossless":true,"hex":"6000000000` + id + `"}`
}

// What no recording at hand shows, written by hand.
func TestByHand(t *testing.T) {
	cookie := `"cookie":"000000` + strings.Repeat("ee", 32) + `"`
	for name, lines := range map[string][]string{
		"nothing happens":                  {},
		"lines that do not matter":         {`{"type":"note","t_ms":100}`, `{"type":"something new"}`, `{"type":"event","t_ms":100,"node":"A","event":"self_connection_status"}`},
		"another call":                     {call("something_new", `"conference":0`)},
		"invitation over a link down":      {invite, refused(`"B"`), result("conference_invite", `"ok":false,"error":2`)},
		"invitation refused by a link up":  {linkUp, invite, refused(`"B"`), result("conference_invite", `"ok":false,"error":2`)},
		"invitation refused, not shown":    {invite, result("conference_invite", `"ok":false,"error":2`)},
		"refused by the messenger alone":   {linkUp, invite, result("conference_invite", `"ok":false,"error":2`)},
		"invitation of nobody":             {call("conference_invite", `"conference":0,"friend":7`), refused("null"), result("conference_invite", `"ok":false,"error":2`)},
		"invitation of nobody, not shown":  {call("conference_invite", `"conference":0,"friend":7`), result("conference_invite", `"ok":false,"error":2`)},
		"invitation to nothing":            {call("conference_invite", `"conference":3,"friend":0`), result("conference_invite", `"ok":false,"error":1`)},
		"join with a long cookie":          {call("conference_join", `"friend":0,"cookie":"00"`), result("conference_join", `"conference":4294967295,"error":1`)},
		"join of audio as text":            {call("conference_join", `"friend":0,"cookie":"000001`+id+`"`), result("conference_join", `"conference":4294967295,"error":2`)},
		"join of text as audio":            {call("conference_join_av", `"friend":0,`+cookie), result("conference_join", `"conference":-1`)},
		"join with nobody":                 {call("conference_join", `"friend":5,`+cookie), result("conference_join", `"conference":4294967295,"error":3`)},
		"join a second time":               {call("conference_join", `"friend":0,"cookie":"000000`+id+`"`), result("conference_join", `"conference":4294967295,"error":4`)},
		"join over a link down":            {call("conference_join", `"friend":0,`+cookie), `{"type":"refused","t_ms":100,"from":"A","to":"B","lossless":true,"hex":"600100010000` + `00` + strings.Repeat("ee", 32) + `"}`, result("conference_join", `"conference":4294967295,"error":6`)},
		"message to nothing":               {call("conference_send_message", `"conference":9,"kind":"normal","message_hex":"61"`), result("conference_send_message", `"ok":false,"error":1`)},
		"message to nobody":                {call("conference_send_message", `"conference":0,"kind":"action","message_hex":"61"`), result("conference_send_message", `"ok":false,"error":3`)},
		"long message":                     {call("conference_send_message", `"conference":0,"kind":"normal","message_hex":"`+strings.Repeat("61", 1364)+`"`), result("conference_send_message", `"ok":false,"error":2`)},
		"empty title":                      {call("conference_set_title", `"conference":0,"title_hex":""`), result("conference_set_title", `"ok":false,"error":2`)},
		"title of 257 bytes is one of 1":   {call("conference_set_title", `"conference":0,"title_hex":"`+strings.Repeat("61", 257)+`"`), result("conference_set_title", `"ok":true,"error":0`)},
		"title of 129 bytes":               {call("conference_set_title", `"conference":0,"title_hex":"`+strings.Repeat("61", 129)+`"`), result("conference_set_title", `"ok":false,"error":2`)},
		"name of 129 bytes":                {call("self_set_name", `"name_hex":"`+strings.Repeat("61", 129)+`"`)},
		"name with a result":               {call("self_set_name", `"name_hex":"6162"`), result("self_set_name", `"ok":true,"error":0`)},
		"delete twice":                     {call("conference_delete", `"conference":0`), call("conference_delete", `"conference":0`), result("conference_delete", `"ok":false,"error":1`)},
		"audio in a text conference":       {call("group_send_audio", `"conference":0`), result("group_send_audio", `"result":-1`)},
		"crash and a fresh start":          {call("crash", `"conference":0`), result("crash", `"ok":true`), strings.ReplaceAll(strings.Join(strings.Split(small(), "\n")[1:3], "\n"), `"t_ms":0`, `"t_ms":100`)},
		"unfinished delivery at the end":   {linkUp, invite, invited, result("conference_invite", `"ok":true,"error":0`), `{"type":"end","t_ms":100}`},
		"lost, for the receiver is not up": {linkUp, invite, invited, result("conference_invite", `"ok":true,"error":0`)},
	} {
		t.Run(name, func(t *testing.T) {
			if n := len(lines); n == 0 || !strings.Contains(lines[n-1], `"end"`) {
				lines = append(lines, theEnd)
			}
			if _, err := trace.Check(strings.NewReader(small(lines...)), trace.Options{Invariants: true}); err != nil {
				t.Error(err)
			}
		})
	}
}

// Each fault is reported at its line, with what was wanted and what there is.
func TestFaults(t *testing.T) {
	for name, c := range map[string]struct {
		recording string
		want      string // the beginning of the error
	}{
		"empty":                {"", "line 1: want the end line got the end of the file"},
		"no meta":              {theEnd + "\n", "line 1: want the meta line as the first one and only there got end"},
		"no JSON":              {small("{"), "line 10: want a JSON object got \"{\""},
		"not hexadecimal":      {small(`{"type":"packet","t_ms":0,"from":"A","hex":"6x"}`), "line 10: want a line of type packet got encoding/hex: invalid byte"},
		"no end":               {small(), "line 10: want the end line got the end of the file"},
		"behind the end":       {small(theEnd, theEnd), "line 11: want nothing behind the end line got a line"},
		"no time":              {small(`{"type":"link","node":"A"}`, theEnd), "line 10: want t_ms got a line without"},
		"a far future":         {small(`{"type":"end","t_ms":1000000000000000}`), "line 10: want t_ms from 0 to 2678400000 got 1000000000000000"},
		"no node":              {small(`{"type":"link","t_ms":100}`, theEnd), "line 10: want the name of a node got a line without"},
		"time goes back":       {small(linkUp, `{"type":"end","t_ms":50}`), "line 11: want t_ms: a multiple of 50, not before 100 got 50"},
		"time between ticks":   {small(`{"type":"end","t_ms":51}`), "line 10: want t_ms: a multiple of 50, not before 0 got 51"},
		"unknown node":         {small(call("crash", `"x":0`), strings.Replace(linkUp, `"A"`, `"Z"`, 1), theEnd), "line 11: want"},
		"another draw":         {strings.Replace(small(theEnd), `"hex":"dd`, `"hex":"de`, 1), "line 8: want conference 0 with id dddd"},
		"a short draw":         {strings.Replace(small(theEnd), `"hex":"dddd`, `"hex":"dd`, 1), "line 8: want conference 0 with id dddd"},
		"a draw for nothing":   {small(`{"type":"random","t_ms":0,"node":"A","hex":"0102"}`, theEnd), "line 10: want random A 0102 got no random draw"},
		"connection number":    {strings.Replace(small(theEnd), `"connection":0`, `"connection":1`, 1), "line 7: want connection A open B number 1 got connection A open B number 0"},
		"no connection":        {strings.Replace(small(theEnd), `"op":"open"`, `"op":"close"`, 1), "line 7: want connection A close B number 0 got connection A open B number 0"},
		"link of another":      {small(strings.Replace(linkUp, `"connection":0`, `"connection":4`, 1), theEnd), "line 10: want link A to B up over connection 4 got connection 0"},
		"friend a second time": {small(call("friend_add", `"friend":1,"peer":"B"`), theEnd), "line 10: want a new friend with a new number got B with number 1"},
		"no result":            {small(linkUp, invite, invited, theEnd), "line 12: want a result line of conference_invite got none"},
		"a result alone":       {small(result("conference_invite", `"ok":true`), theEnd), "line 10: want the result of the call before got result A conference_invite"},
		"another result":       {small(linkUp, invite, invited, result("conference_invite", `"ok":false,"error":2`), theEnd), "line 13: want result conference_invite ok false got error 0"},
		"a result too early":   {small(linkUp, invite, result("conference_invite", `"ok":true`), invited, theEnd), "line 12: want result A conference_invite got first packet A->B lossless 6000"},
		"a packet too many":    {small(linkUp, invite, invited, strings.Replace(invited, `"seq":1`, `"seq":2`, 1), result("conference_invite", `"ok":true`), theEnd), "line 13: want packet A->B lossless 6000000000dd"},
		"a packet too few":     {small(linkUp, invite, result("conference_invite", `"ok":true`), theEnd), "line 12: want result conference_invite ok true got error 2"},
		"over a link down":     {small(invite, invited, result("conference_invite", `"ok":true`), theEnd), "line 11: want a packet over a link that is up got packet A->B"},
		"sent but not refused": {small(linkUp, invite, invited, refused(`"B"`), result("conference_invite", `"ok":true`), theEnd), "line 13: want refused A->B lossless 6000000000dd"},
		"delivery of nothing":  {small(`{"type":"deliver","t_ms":50,"seq":3,"from":"A","to":"B"}`, theEnd), "line 10: want the delivery of a packet that was sent so got deliver A->B seq 3"},
		"state":                {small(`{"type":"state","t_ms":50,"node":"B","unix_time_s":1700000000,"conferences":[]}`, `{"type":"state","t_ms":50,"node":"A","unix_time_s":1700000000,"conferences":[]}`, theEnd), "line 11: want state: nothing got conference 0, id dddd"},
		"clock of a state":     {small(`{"type":"state","t_ms":950,"node":"B","unix_time_s":1700000001,"conferences":[]}`, theEnd), "line 10: want state: clock of B: 1700000001 got clock of B: 1700000000"},
		"load without a save":  {small(call("crash", `"x":0`), result("crash", `"ok":true`), call("load", `"save":1`), theEnd), "line 12: want the number of a save further up got 1"},
		"load while it runs":   {small(call("load", `"save":1`), theEnd), "line 10: want a load by a node that is not running got call A load"},
		"save of another size": {small(call("save", `"save":1,"size":3,"savedata_hex":"0102"`), theEnd), "line 10: want size 2, as long as savedata_hex got 3"},
		"save that is none":    {small(call("save", `"save":1,"size":2,"savedata_hex":"0102"`), theEnd), "line 10: want a save file got packets: not a Tox save file"},
		"another kind":         {small(call("conference_send_message", `"conference":0,"kind":"shout","message_hex":"61"`), result("conference_send_message", `"error":3`), theEnd), "line 10: want kind normal or action got shout"},
		"a second start":       {small(append(strings.Split(small(), "\n")[1:3], theEnd)...), "line 10: want one running instance of A got another start"},
		"no clock":             {strings.Replace(small(theEnd), `{"type":"clock","t_ms":0,"node":"A","unix_time_s":1700000000}`+"\n", "", 1), "line 3: want the clock line of A got start of node B"},
		"no start":             {small(strings.Split(small(), "\n")[2], theEnd), "line 10: want a node line before the clock line got clock A 1700000000"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := trace.Check(strings.NewReader(c.recording), trace.Options{})
			var diff *trace.Mismatch
			if !errors.As(err, &diff) || !strings.HasPrefix(diff.Error(), c.want) {
				t.Errorf("got %v\nwant %s", err, c.want)
			}
		})
	}
}

// Errors of the reader and of the node are handed on, and a broken gzip stream
// is no recording.
func TestReaderErrors(t *testing.T) {
	_, err := trace.Check(bytes.NewReader([]byte{0x1f, 0x8b, 0, 0}), trace.Options{})
	var diff *trace.Mismatch
	if err == nil || errors.As(err, &diff) {
		t.Errorf("got %v, want an error that is no mismatch", err)
	}
}

// Nothing that a file can hold makes the check panic.
func FuzzCheck(f *testing.F) {
	f.Add([]byte(small(linkUp, invite, invited, result("conference_invite", `"ok":true,"error":0`), theEnd)))
	r := newRecorder(sim.NewEngine, 1, "A", "B", "C")
	f.Add(r.run(60))
	f.Fuzz(func(t *testing.T, b []byte) {
		res, err := trace.Check(bytes.NewReader(b), trace.Options{Invariants: true})
		again, err2 := trace.Check(bytes.NewReader(b), trace.Options{})
		if res != again || (err == nil) != (err2 == nil) || err != nil && err.Error() != err2.Error() {
			t.Errorf("%v %v, and once more %v %v", res, err, again, err2)
		}
	})
}
