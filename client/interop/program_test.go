//go:build toxcore

package interop

import (
	"context"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/rpc"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/tox-rejoin/rejoin/client"
	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/persist"
	"github.com/tox-rejoin/rejoin/tox/crypto"
	"github.com/tox-rejoin/rejoin/tox/dhtnode"
	"github.com/tox-rejoin/rejoin/tox/messenger"
)

// programArg, and a program as JSON, make the test binary run that.
const programArg = "run-client"

// program is one Client in a process of its own, so that it can be in a network
// namespace and be killed. A test drives it by net/rpc over a Unix socket.
type program struct {
	Socket  string // where the test listens
	Profile string // the save file
	Name    string // of a new profile
	Local   netip.AddrPort
	Nodes   []dhtnode.Node // none: a network of its own
}

// runProgram runs until SIGTERM.
func runProgram(arg string) error {
	var p program
	if err := json.Unmarshal([]byte(arg), &p); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	c, err := client.Open(p.Profile, client.Config{
		Name: p.Name, StatusMessage: statusMessage, Local: p.Local, Bootstrap: p.Nodes, Program: "stock test",
	})
	if err != nil {
		return err
	}
	if found := c.Findings(); persist.Worst(found) > persist.Note {
		return errors.Join(fmt.Errorf("findings in the profile: %v", found), c.Close())
	}
	test, err := net.Dial("unix", p.Socket)
	if err != nil {
		return errors.Join(err, c.Close())
	}
	defer test.Close()
	registerEvents()
	s := &Service{client: c}
	server := rpc.NewServer()
	if err := server.Register(s); err != nil {
		return errors.Join(err, c.Close())
	}
	go server.ServeConn(test)
	go s.listen()
	return c.Run(ctx)
}

// statusMessage is that of all new profiles.
const statusMessage = "made in Go"

func registerEvents() {
	for _, e := range []client.Event{
		client.NetworkChanged{}, client.FriendRequested{}, client.FriendOnline{}, client.FriendOffline{},
		client.FriendRenamed{}, client.FriendStatusMessage{}, client.FriendStatus{}, client.FriendTyping{},
		client.FriendMessage{}, client.Delivered{}, client.Undelivered{}, client.CustomPacket{},
		client.Invited{}, client.Joined{}, client.PeerJoined{}, client.PeerLeft{}, client.PeerFrozen{},
		client.PeerThawed{}, client.PeerRenamed{}, client.TitleChanged{}, client.Message{}, client.Audio{},
	} {
		gob.Register(e)
	}
}

// Service is the methods of a Client as net/rpc wants methods.
type Service struct {
	client *client.Client
	mu     sync.Mutex
	heard  []client.Event
}

// listen keeps events for Events. What must never happen ends the program.
func (s *Service) listen() {
	for e := range s.client.Events() {
		switch e := e.(type) {
		case client.SaveFailed:
			fmt.Fprintln(os.Stderr, "not saved:", e.Err)
			os.Exit(1)
		case client.Missed:
			fmt.Fprintln(os.Stderr, "missed events:", e.Count)
			os.Exit(1)
		}
		fmt.Fprintf(os.Stdout, "%.300s\n", fmt.Sprintf("%T %v", e, e))
		s.mu.Lock()
		s.heard = append(s.heard, e)
		s.mu.Unlock()
	}
}

// Events is all that happened but for the first seen events.
func (s *Service) Events(seen int, events *[]client.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	*events = s.heard[seen:]
	return nil
}

// Identity is how others find a Client.
type Identity struct {
	Address crypto.Address
	Node    dhtnode.Node
}

func (s *Service) Identity(_ int, i *Identity) error {
	*i = Identity{Address: s.client.Address(), Node: s.client.Node()}
	return nil
}

func (s *Service) Self(_ int, p *messenger.Profile) error {
	*p = s.client.Self()
	return nil
}

func (s *Service) SetName(name string, _ *int) error { return s.client.SetName(name) }

func (s *Service) AcceptFriend(key packets.PublicKey, _ *int) error {
	return s.client.AcceptFriend(key)
}

// FriendText is a text for a friend or for who may become one.
type FriendText struct {
	To   crypto.Address
	Text string
}

func (s *Service) AddFriend(a FriendText, _ *int) error { return s.client.AddFriend(a.To, a.Text) }

func (s *Service) SendMessage(a FriendText, number *uint32) (err error) {
	*number, err = s.client.SendMessage(a.To.Key(), messenger.Normal, a.Text)
	return err
}

func (s *Service) Friends(_ int, friends *[]messenger.Friend) error {
	*friends = s.client.Friends()
	return nil
}

// ConferenceArgs is what methods about a conference need, each its own part.
type ConferenceArgs struct {
	ID     packets.ID
	Friend packets.PublicKey
	Kind   packets.MessageKind
	Text   string
	Frame  []byte
}

func (s *Service) CreateConference(a ConferenceArgs, id *packets.ID) (err error) {
	*id, err = s.client.CreateConference(a.ID.Type, a.Text)
	return err
}

func (s *Service) Conferences(_ int, views *[]conference.View) error {
	*views = s.client.Conferences()
	return nil
}

func (s *Service) Invite(a ConferenceArgs, _ *int) error { return s.client.Invite(a.ID, a.Friend) }

func (s *Service) Join(inv client.Invited, _ *int) error { return s.client.Join(inv) }

func (s *Service) Leave(id packets.ID, _ *int) error { return s.client.Leave(id) }

func (s *Service) Say(a ConferenceArgs, _ *int) error {
	_, err := s.client.Say(a.ID, a.Kind, a.Text)
	return err
}

func (s *Service) SetTitle(a ConferenceArgs, _ *int) error { return s.client.SetTitle(a.ID, a.Text) }

func (s *Service) SendAudio(a ConferenceArgs, _ *int) error { return s.client.SendAudio(a.ID, a.Frame) }
