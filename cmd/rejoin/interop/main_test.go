//go:build toxcore

package interop

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/crypto"
	"github.com/tox-rejoin/rejoin/tox/toxcore"
	"github.com/tox-rejoin/rejoin/tox/toxcore/lab"
)

// patience is how long anything may take on a busy machine.
const patience = 2 * time.Minute

func TestMain(m *testing.M) {
	os.Exit(lab.Run(m, "github.com/tox-rejoin/rejoin/cmd/rejoin"))
}

// robot is rejoin bot in a process of its own.
type robot struct {
	*lab.Process
	t       testing.TB
	dir     string
	address crypto.Address
	node    lab.Node // how others on the same host enter its network

	mu    sync.Mutex
	lines []line
}

// line is one of its log.
type line struct {
	Msg     string `json:"msg"`
	Title   string `json:"title"`
	State   string `json:"state"`
	Address string `json:"tox_id"`
	Key     string `json:"dht_key"`
	Port    uint16 `json:"udp_port"`
}

// readyWithin is how soon the bot has to be ready.
const readyWithin = 10 * time.Second

// startRobot starts the bot on a host, with a directory of its own and the given
// flags, and waits until it is ready.
func startRobot(t testing.TB, host *lab.Host, flags ...string) *robot {
	t.Helper()
	r := &robot{t: t, dir: t.TempDir()}
	args := append([]string{"bot", "--log", "json", "--dir", r.dir}, flags...)
	r.Process = lab.NewProcess(t, "bot", host, lab.Program("rejoin"), args...)
	r.begin()
	return r
}

// begin starts the bot, again if it has ended.
func (r *robot) begin() {
	r.t.Helper()
	r.mu.Lock()
	r.lines = nil
	r.mu.Unlock()
	require.NoError(r.t, r.Start(r.read).Close())
	lab.Eventually(r.t, readyWithin, "the bot is ready", func() bool { return len(r.log("ready")) > 0 })
	ready := r.log("ready")[0]
	var err error
	r.address, err = crypto.ParseAddress(ready.Address)
	require.NoError(r.t, err)
	key, err := packets.ParsePublicKey(ready.Key)
	require.NoError(r.t, err)
	loopback := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	r.node = lab.Node{Key: toxcore.Key(key), Addr: netip.AddrPortFrom(loopback, ready.Port)}
}

// read takes a line of the bot's standard output.
func (r *robot) read(b []byte) {
	r.Log("%s", b)
	var l line
	if err := json.Unmarshal(b, &l); err != nil {
		l.Msg = fmt.Sprintf("not JSON: %s", b)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, l)
}

// log is the lines with a message since the last start.
func (r *robot) log(msg string) (list []line) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.lines {
		if l.Msg == msg {
			list = append(list, l)
		}
	}
	return list
}

// key is the bot's long-term key.
func (r *robot) key() toxcore.Key { return toxcore.Key(r.address.Key()) }

// waitState waits until the bot's last word on a group is that it is so.
func (r *robot) waitState(title, state string, limit time.Duration) {
	r.t.Helper()
	lab.Eventually(r.t, limit, fmt.Sprintf("the bot says that %s is %s", title, state), func() bool {
		last := ""
		for _, l := range r.log("group") {
			if l.Title == title {
				last = l.State
			}
		}
		return last == state
	})
}

// enter makes a stock peer a friend of the bot and a member of its first group,
// and returns the conference's number over there.
func (r *robot) enter(s *lab.Stock) uint32 {
	r.t.Helper()
	s.AddFriend(r.address, "let me in")
	s.WaitOnline(r.key(), patience)
	s.Message(r.key(), "invite")
	conference := s.Join(s.WaitInvite(r.key(), patience))
	lab.Eventually(r.t, patience, "a stock peer sees the bot in the group", func() bool {
		online, _ := s.Peers(conference)
		for _, p := range online {
			if p.Key == r.key() {
				return true
			}
		}
		return false
	})
	return conference
}
