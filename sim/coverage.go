package sim

import (
	"fmt"

	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
)

// Packet kinds, receiver states and kinds of senders that coverage tells apart.
const (
	numPackets   = 19
	numReceivers = 4
	numSenders   = 3
	numCells     = numPackets * numReceivers * numSenders
)

// Coverage counts what has happened in worlds: packets by kind, by the state of
// the receiver and by how it knows who they are from, and probes.
type Coverage struct {
	Cells  [numCells]uint64
	Probes [NumProbes]uint64
}

// Add adds up what happened elsewhere.
func (c *Coverage) Add(d *Coverage) {
	for i := range d.Cells {
		c.Cells[i] += d.Cells[i]
	}
	for i := range d.Probes {
		c.Probes[i] += d.Probes[i]
	}
}

// Missed lists the cells and probes that were never hit, those left out that
// cannot be.
func (c *Coverage) Missed() (cells, probes []string) {
	for i := range c.Cells {
		if c.Cells[i] == 0 && possible(i) {
			cells = append(cells, cellName(i))
		}
	}
	for p := range c.Probes {
		if c.Probes[p] == 0 {
			probes = append(probes, Probe(p).String())
		}
	}
	return cells, probes
}

// Hit counts the cells that were hit, and those that can be.
func (c *Coverage) Hit() (hit, all int) {
	for i := range c.Cells {
		if c.Cells[i] > 0 {
			hit++
		}
		if c.Cells[i] > 0 || possible(i) {
			all++
		}
	}
	return hit, all
}

// The states of a receiver.
const (
	absent  = iota // it is not in the conference
	joining        // it waits for a list with its own key
	alone          // it lists nobody else as active
	member         // it lists others
)

// The kinds of senders: the author of a message by its number, else who sent
// the packet.
const (
	stranger = iota // in neither list
	frozen
	active
)

func packetNames() [numPackets]string {
	return [numPackets]string{
		"invite", "accept", "member", "online", "rejoin", "introduced", "query", "peers", "title response",
		"ping", "new peer", "kill", "freeze", "name", "title", "text", "action", "lossy", "other",
	}
}

// other is the last of packetNames.
const otherPacket = numPackets - 1

func cellName(i int) string {
	receivers := [numReceivers]string{"absent", "joining", "alone", "member"}
	senders := [numSenders]string{"stranger", "frozen", "active"}
	return fmt.Sprintf("%s to %s from %s", packetNames()[i/numSenders/numReceivers],
		receivers[i/numSenders%numReceivers], senders[i%numSenders])
}

// possible tells whether honest peers can hit a cell. Who is not in the
// conference lists nobody, who is alone lists nobody as active, and who joins
// has neither frozen anybody nor been given a number. An Invite comes from friends
// who need not be listed; unknown packets come from nobody, and actions are not
// said here.
func possible(cell int) bool {
	packet, receiver, sender := cell/numSenders/numReceivers, cell/numSenders%numReceivers, cell%numSenders
	switch {
	case packet == otherPacket, packetNames()[packet] == "action":
		return false
	case receiver == absent, receiver == joining:
		return sender == stranger || receiver == joining && sender == active && packet > 4
	case receiver == alone:
		return sender != active
	}
	return true
}

// packetKind is the place of a packet in packetNames, and its author's number
// if it has one.
func packetKind(b []byte) (kind int, number uint16, authored bool) {
	switch b[0] {
	case packets.PacketInvite:
		if len(b) > 1 && b[1] < 3 {
			return int(b[1]), 0, false
		}
	case packets.PacketOnline:
		return 3, 0, false
	case packets.PacketRejoin:
		return 4, 0, false
	case packets.PacketDirect:
		if p, err := packets.ParseDirect(b); err == nil {
			switch p.Kind {
			case packets.PeerIntroduced:
				return 5, 0, false
			case packets.PeerQuery:
				return 6, 0, false
			case packets.PeerResponse:
				return 7, 0, false
			case packets.TitleResponse:
				return 8, 0, false
			}
		}
	case packets.PacketMessage:
		if m, err := packets.ParseMessage(b); err == nil {
			return messageKind(m.Kind), m.PeerNumber, true
		}
	case packets.PacketLossy:
		if p, err := packets.ParseLossy(b); err == nil {
			return 17, p.PeerNumber, true
		}
	}
	return otherPacket, 0, false
}

func messageKind(k packets.MessageKind) int {
	switch k {
	case packets.Ping:
		return 9
	case packets.NewPeer:
		return 10
	case packets.KillPeer:
		return 11
	case packets.FreezePeer:
		return 12
	case packets.Name:
		return 13
	case packets.Title:
		return 14
	case packets.NormalMessage:
		return 15
	case packets.Action:
		return 16
	}
	return otherPacket
}

// cover counts a packet for node i. It reads the auditor's lists.
func (w *World) cover(i int, from uint32, b []byte) {
	kind, number, authored := packetKind(b)
	n := &w.audit.nodes[i]
	receiver, sender := absent, stranger
	switch {
	case w.nodes[i].member && len(n.active) > 1:
		receiver = member
	case w.nodes[i].member:
		receiver = alone
	case w.nodes[i].joining:
		receiver = joining
	}
	if receiver != absent {
		if authored {
			if e, live := n.find(number); e != nil {
				sender = frozen
				if live {
					sender = active
				}
			}
		} else if n.has(from) {
			sender = active
			if n.hasFrozen(from) {
				sender = frozen
			}
		}
	}
	w.cells[(kind*numReceivers+receiver)*numSenders+sender]++
}

// Coverage is what has happened so far; cells need an auditor.
func (w *World) Coverage() Coverage { return Coverage{w.cells, w.probes} }

// Probe is something that has to happen at some time in a sweep worth its name.
type Probe uint8

// The probes.
const (
	ProbeFroze       Probe = iota // a peer was frozen after 60 s of silence
	ProbeFrozeAlone               // a peer lost its last neighbour and froze everybody
	ProbeFrozeSaid                // a peer said goodbye and was frozen
	ProbeThawRejoin               // a Rejoin thawed its sender
	ProbeThawMessage              // a message thawed its author
	ProbeTrimmed                  // a frozen peer was forgotten
	ProbeRejoin                   // a Rejoin was answered
	ProbeKilled                   // a peer left for good and was removed
	ProbeRenumbered               // a peer came back under a new number
	ProbeTableFull                // a connection table was full up to the places kept free
	ProbeIntroduced               // an introducer was told that it is needed no more
	ProbeLongList                 // a list of peers took several packets
	ProbeHeldQuery                // a Peer Query came before its sender was online
	ProbeOutdated                 // a message was dropped as a duplicate or too old
	ProbeUnknown                  // a message came from an unknown number
	ProbeBroken                   // a list of peers was not read to its end
	ProbeSelf                     // somebody would have changed our own entry
	ProbeBurst                    // packets that were held up arrived together
	ProbeDeadLink                 // a link was given up after silence
	ProbeOneSided                 // one side gave a link up and told the other
	ProbeDuplicated               // a lossy packet was doubled
	ProbeReordered                // a lossy packet was overtaken
	ProbeHeard                    // a lossy packet was heard
	ProbeTorn                     // a torn save was refused
	ProbeOlderSave                // a node started from an older save
	ProbeCopiedSave               // a node started from another's save
	ProbeBehind                   // a node counts from where a former run has been
	ProbeClock                    // a node started with a wall clock that is off
	ProbePaused                   // a node slept longer than its links live
	ProbeJoinLate                 // an invitation was accepted late
	ProbeTitleTaken               // a title came with a list of peers
	ProbeSteady                   // a message reached all of a steady group
	NumProbes
)

// String is the probe in a few words.
func (p Probe) String() string {
	names := [NumProbes]string{
		"frozen after silence", "frozen with the last neighbour", "frozen after a goodbye",
		"thawed by its Rejoin", "thawed by its message", "forgotten, too many frozen", "Rejoin answered",
		"removed after leaving", "back under a new number", "connection table full", "introducer told",
		"list in several packets", "query before online", "duplicate or outdated message",
		"message of an unknown number", "list not read to its end", "own entry defended", "held up, then a burst",
		"dead link noticed", "dead link noticed by one side, which told the other", "lossy packet doubled",
		"lossy packet overtaken", "lossy packet heard", "torn save refused", "older save started",
		"another's save started", "numbers used before", "wall clock off at a start", "slept longer than links live",
		"invitation accepted late", "title taken with a list", "message to a steady group",
	}
	if p >= NumProbes {
		return "no probe"
	}
	return names[p]
}

func (w *World) hit(p Probe) { w.probes[p]++ }

// probeEvent counts what an event of the watched conference shows.
func (w *World) probeEvent(e *conference.Event) {
	in := &w.in
	switch e.Kind {
	case conference.PeerFrozen:
		switch in.kind {
		case inTick:
			w.hit(ProbeFroze)
		case inOffline:
			w.hit(ProbeFrozeAlone)
		case inReceive:
			w.hit(ProbeFrozeSaid)
		}
	case conference.PeerThawed:
		switch {
		case in.kind != inReceive:
		case in.packet[0] == packets.PacketRejoin:
			w.hit(ProbeThawRejoin)
		case in.packet[0] == packets.PacketMessage:
			w.hit(ProbeThawMessage)
		}
	case conference.PeerLeft:
		if in.kind == inReceive && len(in.packet) > 9 && in.packet[0] == packets.PacketMessage &&
			packets.MessageKind(in.packet[9]) == packets.KillPeer {
			w.hit(ProbeKilled)
		} else {
			w.hit(ProbeRenumbered)
		}
	case conference.Titled:
		if e.Index < 0 {
			w.hit(ProbeTitleTaken)
		}
	case conference.AudioHeard:
		w.hit(ProbeHeard)
	}
}

// dropper is a Node that counts what it drops.
type dropper interface{ Drops() conference.Drops }

// probeDrops counts what the engine of node i dropped in its run.
func (w *World) probeDrops(i int) {
	d, ok := w.nodes[i].engine.(dropper)
	if !ok {
		return
	}
	drops := d.Drops()
	for _, p := range []struct {
		probe Probe
		why   conference.Drop
	}{
		{ProbeOutdated, conference.DropDuplicate},
		{ProbeUnknown, conference.DropUnknown},
		{ProbeHeldQuery, conference.DropQuery},
		{ProbeBroken, conference.DropEntry},
		{ProbeSelf, conference.DropSelf},
	} {
		w.probes[p.probe] += drops[p.why]
	}
}
