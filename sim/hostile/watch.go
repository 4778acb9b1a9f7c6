package hostile

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/sim"
)

const (
	// mostSends is how many packets one packet makes a peer send at once, the
	// answer to a Peer Query aside: two messages to everybody (a New Peer and a
	// Ping when a neighbour comes online), and a few to the sender.
	mostSends = 2*conference.MaxNeighbours + 4
	// pageEntries is how many peers with the longest names fit into a Peer Response.
	pageEntries = (packets.MaxPacket - packets.DirectMin) / (packets.PeerEntryMin + packets.MaxName)
	// answerEvery is the mean time between two lists for one neighbour, of which
	// answerBurst may come at once (SPEC I-15).
	answerEvery = packets.Second
	answerBurst = 4
	// checkAll is up to how many peers the whole state is checked after every
	// input, and not after every checkSome-th only.
	checkAll  = 128
	checkSome = 64
)

// watch is an honest node. It counts what passes and asserts the bounds.
type watch struct {
	sim.Node
	self   packets.PublicKey
	known  func(packets.PublicKey) bool // a node of the world
	strict bool                         // the bounds are asserted, not only counted

	now      packets.Time
	inHand   bool // a packet is in hand
	inputs   int
	answered map[packets.PublicKey]packets.Time // when all lists for a neighbour would have been due, one each answerEvery
	rolls    map[packets.PublicKey]int          // texts of the roll call, by author
	active   int
	err      error // the first bound that was broken

	packets, bytes uint64 // sent
	burst          int    // most packets that one received packet caused at once
	hurried        uint64 // lists beyond answerEvery and answerBurst
	selfLost       int    // how often our own entry was removed or frozen
}

// rollText is what everybody says at a roll call.
const rollText = "here"

func newWatch(inner sim.Node, self packets.PublicKey, known func(packets.PublicKey) bool, strict bool) *watch {
	return &watch{
		Node: inner, self: self, known: known, strict: strict,
		answered: map[packets.PublicKey]packets.Time{}, rolls: map[packets.PublicKey]int{},
	}
}

// Online begins a new session: its queries are counted anew.
func (w *watch) Online(now packets.Time, peer, dht packets.PublicKey) {
	w.now = now
	delete(w.answered, peer)
	w.Node.Online(now, peer, dht)
}

// Receive notes what the next Poll is about.
func (w *watch) Receive(now packets.Time, from packets.PublicKey, p []byte) error {
	w.now, w.inHand = now, true
	return w.Node.Receive(now, from, p)
}

// Tick notes the time.
func (w *watch) Tick(now packets.Time) {
	w.now = now
	w.Node.Tick(now)
}

// Poll looks at what the node wants. Peers that do not exist are looked for in
// vain, and nobody accepts an invitation from an attacker.
func (w *watch) Poll() conference.Output {
	out := w.Node.Poll()
	w.count(&out)
	for i := range out.Events {
		e := &out.Events[i]
		w.active = max(e.Active, w.active)
		switch {
		case (e.Kind == conference.PeerLeft || e.Kind == conference.PeerFrozen) && e.Peer == w.self:
			w.selfLost++
		case e.Kind == conference.Texted && string(e.Text) == rollText:
			w.rolls[e.Peer]++
		}
	}
	out.Conns = slices.DeleteFunc(out.Conns, func(c conference.Conn) bool { return !w.known(c.Peer) })
	out.Events = slices.DeleteFunc(out.Events, func(e conference.Event) bool {
		return e.Kind == conference.Invitation && len(w.Views()) > 0
	})
	w.inputs++
	if w.strict && w.err == nil && (w.active <= checkAll || w.inputs%checkSome == 0) {
		w.err = w.Check()
	}
	w.inHand = false
	return out
}

// count counts what is sent.
func (w *watch) count(out *conference.Output) {
	pages, rest := 0, 0
	var asked packets.PublicKey
	for i := range out.Sends {
		s := &out.Sends[i]
		w.packets++
		w.bytes += uint64(len(s.Data))
		d, err := packets.ParseDirect(s.Data)
		switch {
		case err == nil && d.Kind == packets.PeerResponse:
			if pages++; asked != s.To {
				asked = s.To
				w.answer(s.To)
			}
		case err == nil && d.Kind == packets.TitleResponse:
			pages++
		default:
			rest++
		}
	}
	if !w.inHand {
		return
	}
	w.burst = max(w.burst, pages+rest)
	if rest > mostSends {
		w.broken("sends %d packets for one", rest)
	}
	if most := conference.MaxPeers/pageEntries + 2; pages > most {
		w.broken("answers with %d packets", pages)
	}
}

// answer notes that a neighbour is sent the list.
func (w *watch) answer(to packets.PublicKey) {
	due := w.answered[to]
	if w.now < due-(answerBurst-1)*answerEvery {
		w.hurried++
		w.broken("sends %v lists too often", to)
	}
	w.answered[to] = max(due, w.now) + answerEvery
}

// look asserts the named limits.
func (w *watch) look() []conference.View {
	views := w.Views()
	if len(views) > 1 {
		w.broken("is in %d conferences", len(views))
	}
	for i := range views {
		v := &views[i]
		switch {
		case len(v.Peers) > conference.MaxPeers:
			w.broken("lists %d peers", len(v.Peers))
		case len(v.Frozen) > v.MaxFrozen:
			w.broken("keeps %d frozen peers", len(v.Frozen))
		case len(v.Neighbours) > conference.MaxNeighbours:
			w.broken("has %d neighbours", len(v.Neighbours))
		case len(v.Title) > packets.MaxName:
			w.broken("has a title of %s bytes", strconv.Itoa(len(v.Title)))
		}
		own := false
		for _, list := range [][]conference.Peer{v.Peers, v.Frozen} {
			for _, p := range list {
				own = own || p.Key == w.self && p.Number == v.PeerNumber
				if len(p.Name) > packets.MaxName {
					w.broken("keeps a name of %d bytes", len(p.Name))
				}
			}
		}
		if !own && v.Connected {
			w.broken("is not in its own list")
		}
	}
	return views
}

// broken notes the first bound that was broken.
func (w *watch) broken(format string, args ...any) {
	if w.strict && w.err == nil {
		w.err = fmt.Errorf("hostile: %v "+format, append([]any{w.self}, args...)...)
	}
}
