//go:build toxcore

package interop

import (
	"encoding/json"
	"maps"
	"net"
	"net/netip"
	"net/rpc"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/client"
	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/dhtnode"
	"github.com/tox-rejoin/rejoin/tox/messenger"
	"github.com/tox-rejoin/rejoin/tox/toxcore"
	"github.com/tox-rejoin/rejoin/tox/toxcore/lab"
)

// ours is a Client in a process of its own.
type ours struct {
	*lab.Process
	t        *testing.T
	name     string
	program  program
	identity Identity
	id       packets.ID // of the conference
	listener *net.UnixListener
	rpc      *rpc.Client

	seen   int     // events of this life that we have
	events []event // of all lives
}

// event is one, and whether a waitFor has returned it.
type event struct {
	client.Event
	taken bool
}

// startOurs starts a Client on a host, in the network of some nodes, and waits
// until it answers.
func startOurs(t *testing.T, name string, host *lab.Host, nodes ...lab.Node) *ours {
	t.Helper()
	dir := t.TempDir()
	o := &ours{t: t, name: name, program: program{
		Socket: filepath.Join(dir, "socket"), Profile: filepath.Join(dir, "ours.tox"),
		Name: name, Local: netip.AddrPortFrom(host.Addr(), 0),
	}}
	for _, x := range nodes {
		o.program.Nodes = append(o.program.Nodes, dhtnode.Node{Key: packets.PublicKey(x.Key), Addr: x.Addr})
	}
	var err error
	o.listener, err = net.ListenUnix("unix", &net.UnixAddr{Name: o.program.Socket})
	require.NoError(t, err)
	t.Cleanup(func() { o.listener.Close() })
	registerEvents()
	arg, err := json.Marshal(o.program)
	require.NoError(t, err)
	self, err := os.Executable()
	require.NoError(t, err)
	o.Process = lab.NewProcess(t, name, host, self, programArg, string(arg))
	o.restart()
	return o
}

// restart starts the program, again from its profile after kill or stop.
func (o *ours) restart() {
	o.t.Helper()
	require.NoError(o.t, o.Start(nil).Close())
	require.NoError(o.t, o.listener.SetDeadline(time.Now().Add(promptly)))
	conn, err := o.listener.Accept()
	require.NoError(o.t, err, "%s does not start", o.name)
	o.rpc, o.seen = rpc.NewClient(conn), 0
	o.identity = ask[Identity](o, "Identity", 0)
}

// kill ends the program as kill -9 does.
func (o *ours) kill() {
	o.t.Helper()
	o.all()
	o.Kill()
	o.rpc.Close()
}

// stop ends the program as its user does.
func (o *ours) stop() {
	o.t.Helper()
	o.all()
	o.Terminate()
	require.Zero(o.t, o.ExitCode())
	o.rpc.Close()
}

// saved is what is in the profile on the disk.
func (o *ours) saved() packets.Save {
	o.t.Helper()
	data, err := os.ReadFile(o.program.Profile)
	require.NoError(o.t, err)
	return parse(o.t, data)
}

// promptly is how long a program may take to start or to answer.
const promptly = 20 * time.Second

// saveDelay is how late a save may be.
const saveDelay = 10 * time.Second

// waitSaved waits until the others of the conference are on the disk.
func (o *ours) waitSaved(others roll) {
	o.t.Helper()
	lab.Eventually(o.t, saveDelay, o.name+" has saved who is there", func() bool {
		conferences, err := o.saved().Conferences()
		require.NoError(o.t, err)
		for _, c := range conferences {
			peers := roll{}
			for _, p := range c.Peers {
				peers[p.Key] = string(p.Name)
			}
			if c.ID == o.id && maps.Equal(peers, others) {
				return true
			}
		}
		return false
	})
}

// ask calls a method of Service, which must not return an error.
func ask[R any](o *ours, method string, arg any) (r R) {
	o.t.Helper()
	call := o.rpc.Go("Service."+method, arg, &r, make(chan *rpc.Call, 1))
	select {
	case <-call.Done:
		require.NoError(o.t, call.Error, "%s: %s", o.name, method)
	case <-time.After(promptly):
		require.Fail(o.t, "no answer", "%s: %s", o.name, method)
	}
	return r
}

// all is what happened so far, in all lives.
func (o *ours) all() []event {
	o.t.Helper()
	if !o.Running() {
		return o.events
	}
	more := ask[[]client.Event](o, "Events", o.seen)
	o.seen += len(more)
	for _, e := range more {
		o.events = append(o.events, event{Event: e})
	}
	return o.events
}

// waitFor waits for an event of type E that matches and that no waitFor has
// returned yet.
func waitFor[E client.Event](o *ours, what string, match func(E) bool) (found E) {
	o.t.Helper()
	lab.Eventually(o.t, patience, o.name+": "+what, func() bool {
		for i, x := range o.all() {
			if e, ok := x.Event.(E); ok && !x.taken && match(e) {
				o.events[i].taken = true
				found = e
				return true
			}
		}
		return false
	})
	return found
}

// node is how others enter the network by us.
func (o *ours) node() lab.Node {
	return lab.Node{Addr: o.identity.Node.Addr, Key: toxcore.Key(o.identity.Node.Key)}
}

func (o *ours) label() string          { return o.name }
func (o *ours) key() packets.PublicKey { return o.identity.Address.Key() }

func (o *ours) accept(friend packets.PublicKey) {
	o.t.Helper()
	ask[int](o, "AcceptFriend", friend)
}

func (o *ours) online(friend packets.PublicKey) bool {
	o.t.Helper()
	return slices.ContainsFunc(ask[[]messenger.Friend](o, "Friends", 0), func(f messenger.Friend) bool {
		return f.Key == friend && f.Ready
	})
}

func (o *ours) found(t packets.Type, title string) {
	o.t.Helper()
	o.id = ask[packets.ID](o, "CreateConference", ConferenceArgs{ID: packets.ID{Type: t}, Text: title})
}

func (o *ours) invite(friend packets.PublicKey) {
	o.t.Helper()
	ask[int](o, "Invite", ConferenceArgs{ID: o.id, Friend: friend})
}

func (o *ours) join(from packets.PublicKey) {
	o.t.Helper()
	inv := waitFor(o, "invitation", func(e client.Invited) bool { return e.From == from })
	ask[int](o, "Join", inv)
	o.id = inv.ID
	waitFor(o, "joined", func(e client.Joined) bool { return e.Conference == o.id })
}

func (o *ours) leave() {
	o.t.Helper()
	ask[int](o, "Leave", o.id)
}

func (o *ours) say(kind packets.MessageKind, text string) {
	o.t.Helper()
	ask[int](o, "Say", ConferenceArgs{ID: o.id, Kind: kind, Text: text})
}

func (o *ours) rename(name string) {
	o.t.Helper()
	ask[int](o, "SetName", name)
	o.name = name
}

func (o *ours) retitle(title string) {
	o.t.Helper()
	ask[int](o, "SetTitle", ConferenceArgs{ID: o.id, Text: title})
}

func (o *ours) look() (l look) {
	o.t.Helper()
	for _, v := range ask[[]conference.View](o, "Conferences", 0) {
		if v.ID == o.id {
			l.title = string(v.Title)
			l.active, l.frozen = names(v.Peers), names(v.Frozen)
		}
	}
	return l
}

func names(peers []conference.Peer) roll {
	list := roll{}
	for _, p := range peers {
		list[p.Key] = string(p.Name)
	}
	return list
}

func (o *ours) heard() (lines []line) {
	o.t.Helper()
	for _, x := range o.all() {
		if m, ok := x.Event.(client.Message); ok {
			lines = append(lines, line{author: m.Key, kind: m.Kind, text: m.Text})
		}
	}
	return lines
}
