//go:build toxcore

package lab

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/tox-rejoin/rejoin/tox/crypto"
	"github.com/tox-rejoin/rejoin/tox/toxcore"
)

// A tab stands for a window in the bar below all windows.
type tab struct {
	place int // in the bar, from 0
	name  string
}

// shown is the tab of the window on the screen, the only one with bold brackets.
func (x *Toxic) shown() (tab, bool) {
	x.terminal.t.Helper()
	const colours = `(?:\x1b\[[0-9;]*m)*`
	re := regexp.MustCompile(`\x1b\[1m` + colours + ` \[` + colours + `([^\x1b]*)`)
	lines := strings.Split(x.terminal.tmux("capture-pane", "-p", "-e"), "\n")
	for _, line := range slices.Backward(lines) {
		if at := re.FindStringSubmatchIndex(line); at != nil {
			return tab{place: strings.Count(line[:at[0]], "]"), name: line[at[2]:at[3]]}, true
		}
	}
	return tab{}, false // the screen is being drawn
}

// Window goes to the window with the name in the bar: Home, Contacts, the name
// of a friend who has a window, or the title of a conference. The bar cuts what
// is longer than 22 bytes and ends it with "...".
func (x *Toxic) Window(name string) {
	x.terminal.t.Helper()
	var last tab
	x.eventually(patience, fmt.Sprintf("goes to window %q", name), func() bool {
		now, ok := x.shown()
		switch {
		case !ok || now == last: // the key has not done its work
			return false
		case now.is(name):
			return true
		}
		last = now
		x.Key("C-p")
		return false
	})
}

// is tells whether the tab is of a friend or a conference with the name.
// Conferences have their number before it.
func (b tab) is(name string) bool {
	return regexp.MustCompile(`^(\d+ )?` + regexp.QuoteMeta(name) + `$`).MatchString(b.name)
}

// WaitWindow waits until the window with the name is on the screen.
func (x *Toxic) WaitWindow(name string, limit time.Duration) {
	x.terminal.t.Helper()
	x.eventually(limit, fmt.Sprintf("shows window %q", name), func() bool {
		now, ok := x.shown()
		return ok && now.is(name)
	})
}

// WaitOnline goes to Home and waits until toxic is in the network.
func (x *Toxic) WaitOnline(limit time.Duration) {
	x.terminal.t.Helper()
	x.Window("Home")
	x.WaitScreen(limit, "is online", `^ \[Online\]`)
}

// AddFriend adds a friend at Home and sends a request with the text: one word,
// since toxic 0.11.1 drops the others, or empty for toxic's own greeting.
func (x *Toxic) AddFriend(address crypto.Address, text string) {
	x.terminal.t.Helper()
	line := "/add " + address.String()
	if strings.ContainsAny(text, ` "`) {
		x.terminal.t.Fatalf("lab: toxic cannot send the request %q", text)
	}
	if text != "" {
		line += ` "` + text + `"`
	}
	x.Window("Home")
	x.Type(line)
	x.WaitScreen(patience, "sends a request", `(?s)`+address.String()+`.*Friend request sent\.`)
}

// AcceptFriend waits at Home for a request with the text and accepts it.
func (x *Toxic) AcceptFriend(text string, limit time.Duration) {
	x.terminal.t.Helper()
	x.Window("Home")
	request := x.WaitScreen(limit, "has a friend request",
		`(?s)message '`+regexp.QuoteMeta(text)+`'.*?Type "(/accept \d+)"`)
	x.Type(request[1])
	x.WaitScreen(patience, "accepts it", `(?s)\$ `+request[1]+`.*Friend request accepted\.`)
}

// Chat goes to the window of a friend, by way of Contacts.
func (x *Toxic) Chat(friend toxcore.Key) {
	x.terminal.t.Helper()
	hex := strings.ToUpper(friend.Hex())
	x.Window("Contacts")
	selected := regexp.MustCompile(`Public key: (\w{64})`)
	last := ""
	x.eventually(patience, "selects "+friend.String(), func() bool {
		now := selected.FindStringSubmatch(x.Screen())
		switch {
		case now == nil || now[1] == last: // the key has not done its work
			return false
		case now[1] == hex:
			return true
		}
		last = now[1]
		x.Key("Down")
		return false
	})
	x.Key("Enter")
	x.WaitScreen(patience, "shows the chat", `^ \[.*\{`+hex[:6]+`\}`)
}

// Join waits for a friend's first invitation, joins, and waits until the
// conference with the title is on the screen.
func (x *Toxic) Join(friend toxcore.Key, title string, limit time.Duration) {
	x.terminal.t.Helper()
	x.Chat(friend)
	x.WaitText("has invited you to a conference.", limit)
	x.Type("/join")
	x.WaitWindow(title, limit)
}
