//go:build toxcore

package lab

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tox-rejoin/rejoin/tox/crypto"
)

// A ToxicConfig says how to start toxic. The zero value is one on loopback that
// knows nobody.
type ToxicConfig struct {
	Name  string // that others see, and for logs; empty: toxic's own choice
	Host  *Host  // nil: loopback, at the first free port from 33445 on
	Nodes []Node // that it enters the network with, chosen at random
	Save  []byte // savedata to begin with; nil: a new identity
}

// A Toxic is the client toxic in a terminal of its own, driven as a person does
// it: by keys, and by what the screen shows. It runs without local discovery. The
// methods fail the test if toxic does not do what they say.
type Toxic struct {
	terminal *terminal
	profile  string // file
	address  crypto.Address
}

// toxicSettings keep toxic from asking the Internet for nodes, from noise, and
// from being away while nobody watches the terminal.
const toxicSettings = `ui = {
  alerts = false;
  show_welcome_msg = false;
  nodeslist_update_freq = 0;
  mplex_away = false;
};
`

// StartToxic starts toxic and waits until it answers.
func StartToxic(t testing.TB, cfg ToxicConfig) *Toxic {
	t.Helper()
	program, err := exec.LookPath("toxic")
	if err != nil {
		t.Fatal(err)
	}
	name := cfg.Name
	if name == "" {
		name = "toxic"
	}
	// Not in t.TempDir, which makes names that can be too long for a socket.
	dir, err := os.MkdirTemp(workDir(), "toxic-")
	if err != nil {
		t.Fatalf("lab: %v: does TestMain call lab.Run?", err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	settings, nodes := filepath.Join(dir, "toxic.conf"), filepath.Join(dir, "nodes.json")
	x := &Toxic{profile: filepath.Join(dir, "profile.tox")}
	files := map[string][]byte{settings: []byte(toxicSettings), nodes: ToxicNodes(cfg.Nodes)}
	if cfg.Save != nil {
		files[x.profile] = cfg.Save
	}
	for file, content := range files {
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// OpenAL would look for a sound server.
	x.terminal = startTerminal(t, name, filepath.Join(dir, "tmux"), cfg.Host.Command("env", "-i",
		"HOME="+dir, "XDG_CONFIG_HOME="+dir, "TERM="+terminalType, "LC_ALL=C.UTF-8", "ALSOFT_DRIVERS=null",
		program, "--no-lan", "--config", settings, "--nodes", nodes, "--file", x.profile).Args)
	if cfg.Save == nil {
		x.WaitScreen(patience, "asks whether to encrypt", `Would you like to encrypt it\?`)
		x.Type("n")
	}
	x.WaitScreen(patience, "shows its windows", `\[Home\] \[Contacts\]`)
	if cfg.Name != "" {
		x.Type("/nick " + cfg.Name)
		x.WaitScreen(patience, "has its name", `^ \[\w+\] `+regexp.QuoteMeta(cfg.Name))
	}
	x.Type("/myid")
	x.address, err = crypto.ParseAddress(x.WaitScreen(patience, "shows its Tox ID", `(?m)^([0-9A-F]{76})$`)[1])
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// ToxicNodes is the file of nodes that toxic reads: one line of JSON without
// spaces, the fields of a node in this order. Each node needs the time of an
// answer. Toxic replaces a file whose last_scan is a week old by the public
// list; this one never is, until 2100.
func ToxicNodes(nodes []Node) []byte {
	const never = 4102444800
	b := fmt.Appendf(nil, `{"last_scan":%d,"nodes":[`, never)
	for i, n := range nodes {
		if i > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, `{"ipv4":%q,"ipv6":"-","port":%d,"public_key":%q,"last_ping":%d}`,
			n.Addr.Addr(), n.Addr.Port(), strings.ToUpper(n.Key.Hex()), never)
	}
	return append(b, "]}\n"...)
}

// ID is what others add as a friend.
func (x *Toxic) ID() crypto.Address { return x.address }

// Type types a line, and Return.
func (x *Toxic) Type(line string) {
	x.terminal.t.Helper()
	x.terminal.typeLine(line)
}

// Key presses a key by tmux's name for it: Enter, Up, C-p for Control and P.
func (x *Toxic) Key(name string) {
	x.terminal.t.Helper()
	x.terminal.tmux("send-keys", name)
}

// Screen is what the terminal shows, line by line, without colours.
func (x *Toxic) Screen() string {
	x.terminal.t.Helper()
	return x.terminal.tmux("capture-pane", "-p")
}

// WaitScreen waits until the regular expression matches the screen, and returns
// the match and those of its groups. What says what was awaited.
func (x *Toxic) WaitScreen(limit time.Duration, what, expr string) (match []string) {
	x.terminal.t.Helper()
	re := regexp.MustCompile(expr)
	Eventually(x.terminal.t, limit, x.terminal.name+": "+what, func() bool {
		match = re.FindStringSubmatch(x.Screen())
		return match != nil
	})
	return match
}

// WaitText waits until the screen shows the text on one line.
func (x *Toxic) WaitText(text string, limit time.Duration) {
	x.terminal.t.Helper()
	x.WaitScreen(limit, fmt.Sprintf("shows %.40q", text), regexp.QuoteMeta(text))
}

// Window goes to a window by the name in the bar below: Home, Contacts, a
// friend's name or a conference's title, the first 19 characters of it.
func (x *Toxic) Window(name string) {
	x.terminal.t.Helper()
	// The bar has the names of all windows only in bold, when they are shown.
	const colours = `(?:\x1b\[[0-9;]*m)*`
	shown := regexp.MustCompile(`\x1b\[1m` + colours + ` \[` + colours + regexp.QuoteMeta(name))
	Eventually(x.terminal.t, patience, fmt.Sprintf("%s: window %q", x.terminal.name, name), func() bool {
		if shown.MatchString(x.terminal.tmux("capture-pane", "-p", "-e")) {
			return true
		}
		x.Key("C-p")
		return false
	})
}

// WaitOnline waits until toxic is in the network.
func (x *Toxic) WaitOnline(limit time.Duration) {
	x.terminal.t.Helper()
	x.Window("Home")
	x.WaitScreen(limit, "is online", `^ \[Online\]`)
}

// AddFriend adds a friend and sends a request with the text: one word, since
// toxic 0.11.1 cuts off the rest, or empty for toxic's own greeting.
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

// AcceptFriend waits for a request with the text and accepts it.
func (x *Toxic) AcceptFriend(text string, limit time.Duration) {
	x.terminal.t.Helper()
	x.Window("Home")
	request := x.WaitScreen(limit, "has a friend request",
		`(?s)message '`+regexp.QuoteMeta(text)+`'.*?Type "(/accept \d+)"`)
	x.Type(request[1])
}

// Save is the profile as toxic has saved it last; after Quit it is all.
func (x *Toxic) Save() []byte {
	x.terminal.t.Helper()
	data, err := os.ReadFile(x.profile)
	if err != nil {
		x.terminal.t.Fatal(err)
	}
	return data
}

// Quit makes toxic save, tell its friends that it goes, and end.
func (x *Toxic) Quit() {
	x.terminal.t.Helper()
	Eventually(x.terminal.t, patience, x.terminal.name+": quits", func() bool {
		if x.terminal.dead() {
			return true
		}
		x.Key("C-c") // which toxic wants twice within a second
		return false
	})
}
func (x *Toxic) Colours() string { return strings.TrimSpace(x.terminal.tmux("capture-pane", "-p", "-e")) }
