package conference_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"

	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
)

// A host owns engines, a clock and wires. This one has its engines in one
// process; a real one has sockets, a timer and a disk.
type host struct {
	now     packets.Time
	nodes   []*node
	onWire  []packet
	pending []func()
}

type node struct {
	key    packets.PublicKey
	name   string
	engine *conference.Engine
	wake   packets.Time
}

type packet struct {
	from, to packets.PublicKey
	data     []byte
}

// input gives one input to an engine, and then does what the engine asks for.
func (h *host) input(n *node, give func(e *conference.Engine)) {
	give(n.engine)
	out := n.engine.Poll()
	for _, s := range out.Sends {
		h.onWire = append(h.onWire, packet{n.key, s.To, bytes.Clone(s.Data)})
	}
	for range out.Conns {
		// Two friends are connected anyhow; a real host looks for the peer.
	}
	if out.Dirty {
		_ = n.engine.Save() // a real host writes it to disk
	}
	for _, ev := range out.Events {
		h.event(n, ev)
	}
	n.wake = out.Wake
}

// event is what the application makes of an event. It must not call the engine,
// whose Output is still in use: it leaves that for later.
func (h *host) event(n *node, ev conference.Event) {
	switch ev.Kind {
	case conference.Invitation:
		h.pending = append(h.pending, func() {
			h.input(n, func(e *conference.Engine) { _ = e.Join(h.now, ev.Invited) })
		})
	case conference.Connected:
		fmt.Printf("%s is in\n", n.name)
	case conference.Texted:
		fmt.Printf("%s reads: %s\n", n.name, ev.Text)
	}
}

// run plays frames of 50 ms: first all inputs, then a tick for who is due.
func (h *host) run(until packets.Time) {
	for ; h.now < until; h.now += 50 {
		wire, pending := h.onWire, h.pending
		h.onWire, h.pending = nil, nil
		for _, do := range pending {
			do()
		}
		for _, p := range wire {
			for _, n := range h.nodes {
				if n.key == p.to {
					h.input(n, func(e *conference.Engine) { _ = e.Receive(h.now, p.from, p.data) })
				}
			}
		}
		for _, n := range h.nodes {
			if n.wake != 0 && n.wake <= h.now {
				h.input(n, func(e *conference.Engine) { e.Tick(h.now) })
			}
		}
	}
}

// Two friends, a conference, an invitation and a line of text.
func Example() {
	h := &host{now: 1_700_000_000 * packets.Second}
	for i, name := range []string{"alice", "bob"} {
		key := packets.PublicKey{byte(i + 1)}
		e, err := conference.New(conference.Config{
			Self: key, DHTKey: key, Name: []byte(name),
			Rand: rand.NewChaCha8([32]byte{byte(i)}), // a real host: crypto/rand.Reader
		}, nil, h.now)
		if err != nil {
			panic(err)
		}
		h.nodes = append(h.nodes, &node{key: key, name: name, engine: e})
	}
	alice, bob := h.nodes[0], h.nodes[1]
	for _, pair := range [][2]*node{{alice, bob}, {bob, alice}} {
		n, friend := pair[0], pair[1].key
		n.engine.SetFriend(friend, true)
		h.input(n, func(e *conference.Engine) { e.Online(h.now, friend, friend) })
		h.input(n, func(e *conference.Engine) { e.FriendReady(h.now, friend) })
	}

	var id packets.ID
	h.input(alice, func(e *conference.Engine) { id = e.Create(h.now, packets.Text) })
	h.input(alice, func(e *conference.Engine) {
		if err := e.Invite(h.now, id, bob.key); err != nil {
			panic(err)
		}
	})
	h.run(h.now + 5*packets.Second)
	h.input(bob, func(e *conference.Engine) {
		if _, err := e.Send(h.now, id, packets.NormalMessage, []byte("hello")); err != nil {
			panic(err)
		}
	})
	h.run(h.now + packets.Second)

	view, _ := bob.engine.View(id)
	for _, p := range view.Peers {
		fmt.Printf("bob sees %s\n", p.Name)
	}

	// Output:
	// bob is in
	// alice reads: hello
	// bob reads: hello
	// bob sees alice
	// bob sees bob
}
