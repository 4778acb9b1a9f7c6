//go:build toxcore

package toxcore

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"time"
)

// bootstrapEvery is how often a Server without a network asks its nodes again,
// as clients do.
const bootstrapEvery = 5 * time.Second

// A Server lets the other end of a pipe use a Tox: lines of JSON, Commands in,
// Replies out. The zero value is not usable.
type Server struct {
	tox   *Tox
	save  string // the file of the commands save and quit
	out   *json.Encoder
	nodes []node
	asked time.Time // when nodes were asked last
}

// A node is a bootstrap node.
type node struct {
	addr netip.AddrPort
	key  Key
}

// NewServer serves t. The commands save and quit write its savedata to the named
// file, unless the name is empty.
func NewServer(t *Tox, save string) *Server { return &Server{tox: t, save: save} }

// Serve carries out the commands of in and lets the Tox work, until the command
// quit, the end of in or an error. Then the Tox may be killed.
func (s *Server) Serve(in io.Reader, out io.Writer) error {
	s.out = json.NewEncoder(out)
	commands, failure := make(chan Command), make(chan error, 1)
	stop := make(chan struct{})
	defer close(stop)
	go func() { failure <- read(in, commands, stop) }()

	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			if err := s.iterate(); err != nil {
				return err
			}
			timer.Reset(s.tox.Interval())
		case err := <-failure:
			return err
		case c := <-commands:
			reply, err := s.do(c)
			reply.ID = c.ID
			if err != nil {
				reply.Error = err.Error()
			}
			if err := s.out.Encode(reply); err != nil || c.Do == "quit" {
				return err
			}
		}
	}
}

// read decodes commands until the end of in, which is no error, or of stop.
func read(in io.Reader, commands chan<- Command, stop <-chan struct{}) error {
	for lines := json.NewDecoder(in); ; {
		var c Command
		if err := lines.Decode(&c); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("toxcore: command: %w", err)
		}
		select {
		case commands <- c:
		case <-stop:
			return nil
		}
	}
}

func (s *Server) iterate() error {
	if s.tox.Connection() == ConnectionNone && time.Since(s.asked) >= bootstrapEvery {
		if err := s.bootstrap(); err != nil {
			return err
		}
	}
	for _, e := range s.tox.Iterate() {
		if err := s.out.Encode(Reply{Event: &e}); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) bootstrap() error {
	s.asked = time.Now()
	for _, n := range s.nodes {
		if err := s.tox.Bootstrap(n.addr, n.key); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) do(c Command) (Reply, error) {
	switch c.Do {
	case "bootstrap":
		s.nodes = append(s.nodes, node{c.Node, c.Key})
		return Reply{}, s.bootstrap()
	case "save", "quit":
		return Reply{}, s.write()
	}
	do := verbs()[c.Do]
	if do == nil {
		return Reply{}, fmt.Errorf("toxcore: no verb %q", c.Do)
	}
	return do(s.tox, c)
}

// write replaces the file, or leaves the old one: kill may come at any moment.
func (s *Server) write() error {
	if s.save == "" {
		return nil
	}
	if err := os.WriteFile(s.save+".new", s.tox.Savedata(), 0o600); err != nil {
		return err
	}
	return os.Rename(s.save+".new", s.save)
}
