package trace

import (
	"fmt"
	"strings"

	"github.com/tox-rejoin/rejoin/packets"
)

// What is compared is compared as text, so that a difference reads the same on
// both sides. The functions below write that text, from a recorded line and
// from what the engine put out.

func describePacket(from, to string, lossless bool, data []byte) string {
	return "packet " + way(from, to, lossless, data)
}

func describeRefused(from, to string, lossless bool, data []byte) string {
	return "refused " + way(from, to, lossless, data)
}

func way(from, to string, lossless bool, data []byte) string {
	kind := "lossy"
	if lossless {
		kind = "lossless"
	}
	return fmt.Sprintf("%s->%s %s %x", from, to, kind, data)
}

func describeConnection(node, op, peer string, number int) string {
	return fmt.Sprintf("connection %s %s %s number %d", node, op, peer, number)
}

func describeRandom(node string, data []byte) string {
	return fmt.Sprintf("random %s %x", node, data)
}

// unknownPeer stands for a peer that is none of the recorded nodes. How a
// recording calls such a one is not fixed.
const unknownPeer = "?"

// noConnection stands for the receiver of a packet to a connection that does
// not exist.
const noConnection = "(no connection)"

// byPeer is the conference, the index of a peer in it, the peer's name and its
// key in an event.
func byPeer(node, event string, conference, index int64, peer string, key []byte) string {
	if index < 0 {
		return fmt.Sprintf("event %s %s in %d by nobody", node, event, conference)
	}
	return fmt.Sprintf("event %s %s in %d by peer %d %s %x", node, event, conference, index, peer, key)
}

func describeInvite(node string, friend int64, kind string, cookie []byte) string {
	return fmt.Sprintf("event %s conference_invite of friend %d, %s, cookie %x", node, friend, kind, cookie)
}

func describePeers(node string, conference int64, peers []string, offline int) string {
	return fmt.Sprintf("event %s conference_peer_list_changed in %d: %s; %d offline",
		node, conference, strings.Join(peers, " "), offline)
}

// describe is a recorded line as text.
func describe(r *record) string {
	switch b := r.body.(type) {
	case *nodeLine:
		return fmt.Sprintf("start of node %s", r.node)
	case *clockLine:
		return fmt.Sprintf("clock %s %d", r.node, b.Unix)
	case *callLine:
		return fmt.Sprintf("call %s %s", r.node, b.Op)
	case *resultLine:
		return fmt.Sprintf("result %s %s", r.node, b.Op)
	case *randomLine:
		return describeRandom(r.node, b.Data)
	case *packetLine:
		return describePacket(b.From, b.To, b.Lossless, b.Data)
	case *refusedLine:
		to := noConnection
		if b.To != nil {
			to = *b.To
		}
		return describeRefused(b.From, to, b.Lossless, b.Data)
	case *deliverLine:
		return fmt.Sprintf("deliver %s->%s seq %d", b.From, b.To, b.Seq)
	case *connectionLine:
		return describeConnection(r.node, b.Op, b.Peer, b.Number)
	case *linkLine:
		state := "down"
		if b.Online {
			state = "up"
		}
		return fmt.Sprintf("link %s to %s %s", r.node, b.Peer, state)
	case *eventLine:
		return fmt.Sprintf("event %s %s", r.node, b.Event)
	case *netLine:
		return fmt.Sprintf("net %s", b.Op)
	case *stateLine:
		return fmt.Sprintf("state %s", r.node)
	case *endLine:
		return "the end line"
	}
	return fmt.Sprintf("%T", r.body)
}

// describeEvent is a recorded event as text.
func describeEvent(node string, b *eventLine, names map[string]packets.PublicKey) string {
	known := func(name *string) string {
		if name != nil {
			if _, ok := names[*name]; ok {
				return *name
			}
		}
		return unknownPeer
	}
	index := int64(-1)
	if b.Index != nil {
		index = *b.Index
	}
	by := byPeer(node, b.Event, b.Conference, index, known(b.Peer), b.Key)
	switch b.Event {
	case "conference_invite":
		return describeInvite(node, b.Friend, b.Type, b.Cookie)
	case "conference_connected":
		return fmt.Sprintf("event %s conference_connected in %d", node, b.Conference)
	case "conference_message":
		return fmt.Sprintf("%s: %s %q", by, b.Kind, b.Message)
	case "conference_title":
		return fmt.Sprintf("%s: %q", by, b.Title)
	case "conference_peer_name":
		return fmt.Sprintf("%s: %q", by, b.Name)
	case "conference_peer_list_changed":
		peers := make([]string, len(b.Peers))
		for i, p := range b.Peers {
			peers[i] = known(p)
		}
		return describePeers(node, b.Conference, peers, b.Offline)
	}
	return fmt.Sprintf("event %s %s", node, b.Event)
}

// isConferenceEvent tells whether an event of that name is compared: audio is
// the audio module's own.
func isConferenceEvent(name string) bool {
	return strings.HasPrefix(name, "conference_") && name != "conference_audio"
}
