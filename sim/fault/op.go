// Package fault plays scenarios of faults: what happens to a group of peers and
// their network, as data. A scenario is a file of JSON lines, a header and one
// line for each operation; hand-written, drawn from a seed, and cut down to what
// matters it has the same form.
package fault

import (
	"fmt"
	"strings"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/sim"
)

// Kind says what an operation does.
type Kind string

// The operations. Faults of the network add up until they are taken back.
const (
	Cut     Kind = "cut"     // nothing passes between Groups; OneWay: nothing from one to a later one
	Heal    Kind = "heal"    // takes cuts between Groups back; without Groups all cuts
	Jam     Kind = "jam"     // what passes between Groups is held up, lossy packets as well
	Unjam   Kind = "unjam"   // takes jams back; what was held up arrives in one burst
	Net     Kind = "network" // all links behave so from now on
	Reset   Kind = "reset"   // the session between Node and Peer breaks
	Slow    Kind = "slow"    // Node looks at its socket and its clock every MS only; 0: at once
	Pause   Kind = "pause"   // Node does nothing at all, as when its computer sleeps
	Resume  Kind = "resume"  // Node goes on
	Clock   Kind = "clock"   // the wall clock of Node jumps by MS; seen at its next start
	Crash   Kind = "crash"   // Node vanishes without a word
	Quit    Kind = "quit"    // Node says goodbye until next time and stops
	Restart Kind = "restart" // Node starts from what Save says
	Delete  Kind = "delete"  // Node vanishes, and all that it has saved
	Leave   Kind = "leave"   // Node leaves the conference for good and goes on running

	Befriend Kind = "befriend" // Node and Peer become friends
	Unfriend Kind = "unfriend" // Node and Peer are friends no more
	Invite   Kind = "invite"   // Node invites its friend Peer, who accepts; Late: leaves it open
	Join     Kind = "join"     // Node accepts the oldest open invitation
	Talk     Kind = "talk"     // Node says Text
	Rename   Kind = "rename"   // Node is called Text
	Retitle  Kind = "retitle"  // Node sets the title to Text
	Lossy    Kind = "lossy"    // Node sends Text in a lossy packet; audio conferences only
	Frozen   Kind = "frozen"   // Node keeps Most frozen peers

	// Settle is the last operation: the faults of the nodes in Core, and between
	// them, end; Core empty: all faults. Who is down in it starts again. What is
	// left stays for good. Whoever can become whole now has to.
	Settle Kind = "settle"
)

// Save says what a node starts from.
type Save string

// The saves.
const (
	Newest Save = "newest"
	Older  Save = "older" // the Back-th before the newest
	Torn   Save = "torn"  // the newest is torn to Left of 65536 parts: it is refused, and the one before counts
	Copy   Save = "copy"  // the newest of node Of
)

// Op is one operation. Which fields count depends on Kind; the others are zero.
type Op struct {
	T          packets.Time // since the group has formed, in milliseconds
	Kind       Kind
	Node, Peer int
	Groups     [][]int
	OneWay     bool
	MS         packets.Time
	Text       string
	Save       Save
	Back       int
	Left       uint16
	Of         int
	Late       bool
	Most       int
	Core       []int
	Network    sim.Network
}

// field is a set of fields of an Op.
type field uint16

const (
	fieldNode field = 1 << iota
	fieldPeer
	fieldGroups
	fieldOneWay
	fieldMS
	fieldText
	fieldSave
	fieldLate
	fieldMost
	fieldCore
	fieldNetwork
)

// fields are those that an operation needs, and those that it may have.
func (k Kind) fields() (needs, may field, ok bool) {
	switch k {
	case Cut, Jam:
		return fieldGroups, fieldOneWay, true
	case Heal, Unjam:
		return 0, fieldGroups | fieldOneWay, true
	case Net:
		return 0, fieldNetwork, true
	case Reset, Befriend, Unfriend:
		return fieldNode | fieldPeer, 0, true
	case Invite:
		return fieldNode | fieldPeer, fieldLate, true
	case Slow, Clock:
		return fieldNode | fieldMS, 0, true
	case Pause, Resume, Crash, Quit, Delete, Leave, Join:
		return fieldNode, 0, true
	case Restart:
		return fieldNode | fieldSave, 0, true
	case Talk, Rename, Retitle, Lossy:
		return fieldNode | fieldText, 0, true
	case Frozen:
		return fieldNode | fieldMost, 0, true
	case Settle:
		return 0, fieldCore, true
	}
	return 0, 0, false
}

// String tells the operation in words.
func (o *Op) String() string {
	needs, may, _ := o.Kind.fields()
	has := needs | may
	s := string(o.Kind)
	if has&fieldNode != 0 {
		s += fmt.Sprintf(" %d", o.Node)
	}
	if has&fieldPeer != 0 {
		s += fmt.Sprintf(" and %d", o.Peer)
	}
	if has&fieldGroups != 0 {
		s += " " + groupsText(o.Groups)
	}
	if o.OneWay {
		s += ", one way"
	}
	if has&fieldMS != 0 {
		s += fmt.Sprintf(", %d ms", o.MS)
	}
	if has&fieldText != 0 {
		s += fmt.Sprintf(" %q", o.Text)
	}
	switch {
	case has&fieldMost != 0:
		s += fmt.Sprintf(" keeps %d", o.Most)
	case has&fieldNetwork != 0:
		s += " " + networkText(&o.Network)
	case has&fieldCore != 0 && len(o.Core) > 0:
		s += " among " + numbers(o.Core)
	case has&fieldCore != 0:
		s += ": all faults end"
	case o.Late:
		s += ", who waits"
	}
	switch o.Save {
	case Newest:
		s += " from its newest save"
	case Older:
		s += fmt.Sprintf(" from its save %d before the newest", o.Back)
	case Torn:
		s += fmt.Sprintf(" after its newest save was torn at %d %%", int(o.Left)*100>>16)
	case Copy:
		s += fmt.Sprintf(" from a copy of the save of %d", o.Of)
	}
	return s
}

func groupsText(groups [][]int) string {
	if len(groups) == 0 {
		return "everything"
	}
	parts := make([]string, len(groups))
	for i, g := range groups {
		parts[i] = numbers(g)
	}
	return strings.Join(parts, " | ")
}

// numbers writes nodes, runs of them shortened.
func numbers(nodes []int) string {
	var s []string
	for i := 0; i < len(nodes); {
		k := i + 1
		for k < len(nodes) && nodes[k] == nodes[k-1]+1 {
			k++
		}
		if k-i > 2 {
			s = append(s, fmt.Sprintf("%d-%d", nodes[i], nodes[k-1]))
		} else {
			k = i + 1
			s = append(s, fmt.Sprint(nodes[i]))
		}
		i = k
	}
	return strings.Join(s, " ")
}

func networkText(n *sim.Network) string {
	s := lawName(n.Delay.Law) + " delay"
	if n.Delay.Least > 0 || n.Delay.Scale > 0 {
		s += fmt.Sprintf(" %d/%d ms", n.Delay.Least, n.Delay.Scale)
	}
	for _, p := range []struct {
		what string
		p    float64
	}{{"lost", n.Loss}, {"doubled", n.Duplicate}, {"overtaken", n.Reorder}} {
		if p.p > 0 {
			s += fmt.Sprintf(", %.1f %% %s", 100*p.p, p.what)
		}
	}
	return s
}
