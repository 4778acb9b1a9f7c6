// Package hostile has a peer that attacks the conference that it is in, and
// measures what that does to the others.
//
// An attacker is an engine that joins like anybody and then, beside what a peer
// does, sends packets that no peer would. It can send whatever a member with a
// friend connection can: no more is needed, because the protocol has no
// signatures. Its links are real: it cannot forge who sent a packet, only who
// wrote the message in it.
//
// Whatever an attacker does, an honest peer of the product mode keeps its own
// entry and number, its limits and its invariants, answers only so many queries,
// sends only so much for one packet, and passes nothing on for ever. Trial
// asserts that after every input.
//
// When the attacker has gone, a conference whose honest peers stayed connected is
// whole again after any attack but two: Steal combines a forged goodbye with
// somebody else under the same number, and who is no neighbour of the victim
// believes it and keeps the number taken, since the victim's own messages keep
// the thief alive; Garbage may hit upon anything. Two halves that were apart
// merge as well, unless the attacker spoke for those who could not hear it: they
// cannot contradict, and nothing is signed. Then their messages are old to
// those who heard the forged ones, or they were put out for good; no peer can
// tell that from the truth. That much is measured (Survey), not promised.
package hostile

import (
	"errors"
	"fmt"
)

// ErrAttack is returned for the name of no attack.
var ErrAttack = errors.New("hostile: no such attack")

// Attack is one thing that an attacker does.
type Attack uint8

// The attacks.
const (
	Texts    Attack = iota // says things in others' names, with their next numbers
	Mute                   // speaks in others' names with numbers far ahead, so that theirs are old
	Kill                   // says goodbye for good in others' names
	Freeze                 // says goodbye until next time in others' names
	Renumber               // announces others under new numbers
	Steal                  // removes others and announces somebody else under their numbers
	Announce               // announces peers that do not exist
	Eclipse                // announces such peers right beside others on the ring of keys
	Names                  // renames others, the longest names
	Titles                 // sets one title after the other
	Queries                // asks for the list of peers all the time
	Unknown                // relays messages of authors whom nobody knows, so that others ask
	Respond                // sends Peer Responses that nobody asked for, as large as they can be
	Replay                 // sends old messages again
	Rejoins                // comes and goes as a neighbour
	Invites                // sends Invite, Accept and Member that nobody asked for
	Lossy                  // lossy packets in others' names, in an audio conference
	Garbage                // old packets with a few changes, and random bytes
	numAttacks

	Mixture = numAttacks // two to six of them, drawn from the seed
)

// Attacks are all attacks, without Mixture.
func Attacks() []Attack {
	all := make([]Attack, numAttacks)
	for i := range all {
		all[i] = Attack(i)
	}
	return all
}

// String is the name of an attack.
func (a Attack) String() string {
	names := [...]string{
		"texts", "mute", "kill", "freeze", "renumber", "steal", "announce", "eclipse", "names", "titles",
		"queries", "unknown", "respond", "replay", "rejoins", "invites", "lossy", "garbage", "mixture",
	}
	if int(a) < len(names) {
		return names[a]
	}
	return fmt.Sprintf("attack %d", uint8(a))
}

// ParseAttack is the attack of that name. It returns ErrAttack.
func ParseAttack(name string) (Attack, error) {
	for a := range Mixture + 1 {
		if a.String() == name {
			return a, nil
		}
	}
	return 0, fmt.Errorf("%w: %q", ErrAttack, name)
}
