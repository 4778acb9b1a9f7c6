//go:build toxcore

package lab

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/tox-rejoin/rejoin/tox/crypto"
)

// A ToxicConfig says how to start toxic. The zero value is one on loopback that
// knows nobody.
type ToxicConfig struct {
	Name  string // that others see, and for logs; empty: toxic's own choice
	Host  *Host  // nil: loopback; toxic takes the first free port from 33445 on
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

// StartToxic starts toxic, on Debian of the packages toxic and tmux, and waits
// until it answers.
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
	files := map[string][]byte{settings: []byte(toxicSettings), nodes: toxicNodes(cfg.Nodes)}
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

// toxicNodes is a file of nodes as toxic reads it: one line of JSON without
// spaces, with all these fields, ipv4 first. Toxic would replace one that was
// made over a week ago by the list on the Internet; this one is of the year 2100.
func toxicNodes(nodes []Node) []byte {
	const far = 4102444800
	b := fmt.Appendf(nil, `{"last_scan":%d,"nodes":[`, far)
	for i, n := range nodes {
		if i > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, `{"ipv4":"%v","ipv6":"-","port":%d,"public_key":"%s","last_ping":%d}`,
			n.Addr.Addr(), n.Addr.Port(), n.Key.Hex(), far)
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
	x.terminal.Log("pressed: %s", name)
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
	x.eventually(limit, what, func() bool {
		match = re.FindStringSubmatch(x.Screen())
		return match != nil
	})
	return match
}

// WaitText waits until a line of the screen has the text in it.
func (x *Toxic) WaitText(text string, limit time.Duration) {
	x.terminal.t.Helper()
	x.WaitScreen(limit, fmt.Sprintf("shows %.40q", text), regexp.QuoteMeta(text))
}

func (x *Toxic) eventually(limit time.Duration, what string, condition func() bool) {
	x.terminal.t.Helper()
	Eventually(x.terminal.t, limit, x.terminal.name+": "+what, condition)
}

// Save is the profile as toxic has saved it last. After Quit it is complete.
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
	x.eventually(patience, "quits", func() bool {
		if x.terminal.ended() {
			return true
		}
		x.Key("C-c") // toxic wants it twice within a second
		return false
	})
}
