//go:build toxcore

package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/tox-rejoin/rejoin/tox/crypto"
	"github.com/tox-rejoin/rejoin/tox/toxcore"
)

// A StockConfig says how to start a stock peer. The zero value is a nameless one
// on loopback that knows nobody.
type StockConfig struct {
	Name   string // for logs, and the name that others see
	Host   *Host  // nil: loopback
	Nodes  []Node // that it enters the network with
	UDPOff bool   // all goes through the relays of Nodes, which else are not used
	Port   uint16 // UDP; 0: a free one
	LAN    bool   // it looks for others in the local network of Host
	Save   []byte // savedata to begin with; nil: a new identity
}

// A Stock is a peer of stock libtoxcore in a process of its own. It can be
// killed, and started again from what it saved last. The methods that return no
// error fail the test.
type Stock struct {
	*Process
	// Address is what others add as a friend.
	Address crypto.Address
	// Key is the peer's long-term public key.
	Key toxcore.Key
	// DHTKey is the peer's key in the DHT, another one after each start.
	DHTKey toxcore.Key
	// UDP is where the peer listens; not valid with UDP off.
	UDP netip.AddrPort

	cfg   StockConfig
	save  string // file
	stdin *json.Encoder
	close io.Closer // of stdin

	mu      sync.Mutex
	lastID  uint64
	replies map[uint64]chan toxcore.Reply
	heard   []heard
}

// heard is an event, and whether a Wait has returned it.
type heard struct {
	toxcore.Event
	taken bool
}

// StartStock starts a stock peer and waits until it answers.
func StartStock(t testing.TB, cfg StockConfig) *Stock {
	t.Helper()
	if _, err := os.Stat(Program("stock")); err != nil {
		t.Fatalf("lab: %v: does TestMain call lab.Run?", err)
	}
	s := &Stock{cfg: cfg, save: filepath.Join(t.TempDir(), "profile.tox")}
	if cfg.Save != nil {
		if err := os.WriteFile(s.save, cfg.Save, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	args := []string{"-save", s.save}
	if cfg.LAN && cfg.Host == nil {
		t.Fatal("lab: nobody may look around in the networks of this machine")
	}
	if cfg.LAN {
		args = append(args, "-lan")
	}
	if !cfg.UDPOff {
		if cfg.Port == 0 {
			cfg.Port = Port(t)
		}
		s.UDP = netip.AddrPortFrom(cfg.Host.Addr(), cfg.Port)
		args = append(args, "-port", fmt.Sprint(s.UDP.Port()))
	}
	name := cfg.Name
	if name == "" {
		name = "stock"
	}
	s.Process = NewProcess(t, name, cfg.Host, Program("stock"), args...)
	s.Restart()
	if cfg.Name != "" {
		s.SetName(cfg.Name)
	}
	return s
}

// Restart starts the peer from what it saved last, after Kill or Quit. Numbers
// of friends stay, those of conferences too.
func (s *Stock) Restart() {
	s.t.Helper()
	replies := map[uint64]chan toxcore.Reply{}
	s.mu.Lock()
	s.replies = replies
	s.mu.Unlock()
	stdin := s.Start(s.receive)
	s.stdin, s.close = json.NewEncoder(stdin), stdin
	self := s.do(toxcore.Command{Do: "self"}).Self
	address, err := crypto.ParseAddress(self.Address)
	if err != nil {
		s.t.Fatal(err)
	}
	s.Address, s.Key, s.DHTKey = address, toxcore.Key(address.Key()), self.DHTKey
	for _, n := range s.cfg.Nodes {
		s.Bootstrap(n)
		if s.cfg.UDPOff && n.Relay.IsValid() {
			s.AddRelay(n)
		}
	}
}

// receive takes a line of the peer's output.
func (s *Stock) receive(line []byte) {
	var r toxcore.Reply
	if err := json.Unmarshal(line, &r); err != nil {
		s.Log("said %q: %v", line, err)
		return
	}
	if r.Event != nil {
		s.Log("<- %v", r.Event)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.heard = append(s.heard, heard{Event: *r.Event})
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if waiting := s.replies[r.ID]; waiting != nil {
		waiting <- r
		delete(s.replies, r.ID)
	}
}

// Do has the peer carry out any command and returns its reply. The error is what
// libtoxcore refused.
func (s *Stock) Do(c toxcore.Command) (toxcore.Reply, error) {
	s.t.Helper()
	reply := make(chan toxcore.Reply, 1)
	s.mu.Lock()
	s.lastID++
	c.ID = s.lastID
	s.replies[c.ID] = reply
	s.mu.Unlock()
	if err := s.stdin.Encode(c); err != nil {
		s.t.Fatalf("%s: %s: %v", s.name, c.Do, err)
	}
	select {
	case r := <-reply:
		if r.Error != "" {
			s.Log("-> %s: %s", c.Do, r.Error)
			return r, errors.New(r.Error)
		}
		switch c.Do {
		case "self", "friends", "conferences", "conference_peers": // asked over and over
		default:
			s.Log("-> %s friend=%d conference=%d value=%d data=%.60q: %d", c.Do, c.Friend, c.Conference, c.Value, c.Data, r.Number)
		}
		return r, nil
	case <-s.Exited():
		s.t.Fatalf("%s ended and never answered %s", s.name, c.Do)
	case <-time.After(patience):
		s.t.Fatalf("%s does not answer %s", s.name, c.Do)
	}
	return toxcore.Reply{}, nil
}

func (s *Stock) do(c toxcore.Command) toxcore.Reply {
	s.t.Helper()
	r, err := s.Do(c)
	if err != nil {
		s.t.Fatalf("%s: %v", s.name, err)
	}
	return r
}

// Quit saves, tells friends that the peer goes, and ends it.
func (s *Stock) Quit() {
	s.t.Helper()
	s.do(toxcore.Command{Do: "quit"})
	s.WaitExit()
}

// Save makes the peer write its savedata, which Restart begins with, and returns
// it.
func (s *Stock) Save() []byte {
	s.t.Helper()
	s.do(toxcore.Command{Do: "save"})
	data, err := os.ReadFile(s.save)
	if err != nil {
		s.t.Fatal(err)
	}
	return data
}

// Bootstrap makes the peer enter the network with the node, and keep asking it
// while it has no network.
func (s *Stock) Bootstrap(n Node) {
	s.t.Helper()
	s.do(toxcore.Command{Do: "bootstrap", Node: n.Addr, Key: n.Key})
}

// AddRelay makes the peer use the TCP relay of the node.
func (s *Stock) AddRelay(n Node) {
	s.t.Helper()
	s.do(toxcore.Command{Do: "relay", Node: n.Relay, Key: n.Key})
}

// Self is what the peer says about itself.
func (s *Stock) Self() toxcore.Self {
	s.t.Helper()
	return *s.do(toxcore.Command{Do: "self"}).Self
}

// SetName sets the name that others see.
func (s *Stock) SetName(name string) {
	s.t.Helper()
	s.do(toxcore.Command{Do: "name", Data: []byte(name)})
}

// SetStatusMessage sets the text beside the name.
func (s *Stock) SetStatusMessage(text string) {
	s.t.Helper()
	s.do(toxcore.Command{Do: "status_message", Data: []byte(text)})
}

// SetStatus sets the status: 0 none, 1 away, 2 busy.
func (s *Stock) SetStatus(status uint32) {
	s.t.Helper()
	s.do(toxcore.Command{Do: "status", Value: status})
}

// Node is this peer as a way into the network.
func (s *Stock) Node() Node { return Node{Addr: s.UDP, Key: s.DHTKey} }
