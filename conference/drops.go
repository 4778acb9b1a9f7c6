package conference

// Drop is a reason why something received had no or only part of its effect.
// c-toxcore drops these silently; the engine counts them.
type Drop uint8

// The reasons.
const (
	DropDuplicate   Drop = iota // number seen, too old, or a Name or Title behind a newer one
	DropUnknown                 // the author is in no list; a Peer Query may have been sent
	DropFreeze                  // Freeze of a peer that is not active
	DropData                    // data of a forbidden length, or about somebody else
	DropKind                    // unknown kind
	DropOnline                  // Online of a neighbour that is online
	DropQuery                   // Peer Query of a neighbour that is not online
	DropTitle                   // Title Response while our title is fresh, or of a forbidden length
	DropEntry                   // entry of a Peer Response refused, the rest unread
	DropInvite                  // Invite to a conference that we are joining
	DropNumber                  // Accept without a free peer number
	DropLossyOwn                // lossy packet with our own peer number
	DropLossyAuthor             // lossy packet of a peer that is not active
	DropLossyNumber             // lossy number seen or too old
	DropSelf                    // would have removed, frozen or renumbered our own entry
	DropLimit                   // beyond MaxPeers
	DropForged                  // a message in our name that is not ours
	DropWord                    // a neighbour's goodbye or a new number that is not its own word
	DropPace                    // a message or lossy number too far ahead
	numDrops
)

// String is the reason in a few words.
func (d Drop) String() string {
	switch d {
	case DropDuplicate:
		return "duplicate or old message"
	case DropUnknown:
		return "message of an unknown author"
	case DropFreeze:
		return "freeze of a peer that is not active"
	case DropData:
		return "message with forbidden data"
	case DropKind:
		return "unknown kind"
	case DropOnline:
		return "repeated online"
	case DropQuery:
		return "peer query before online"
	case DropTitle:
		return "title response not wanted"
	case DropEntry:
		return "peer response broken off"
	case DropInvite:
		return "invite while joining"
	case DropNumber:
		return "accept without a free peer number"
	case DropLossyOwn:
		return "lossy packet of our own"
	case DropLossyAuthor:
		return "lossy packet of an unknown author"
	case DropLossyNumber:
		return "duplicate or old lossy packet"
	case DropSelf:
		return "attack on our own entry"
	case DropLimit:
		return "too many peers"
	case DropForged:
		return "forged message of our own"
	case DropWord:
		return "news of a peer from somebody else"
	case DropPace:
		return "number too far ahead"
	}
	return "unknown reason"
}

// Drops counts what was dropped, by reason.
type Drops [numDrops]uint64

// Drops is what was dropped so far.
func (e *Engine) Drops() Drops { return e.drops }

func (e *Engine) drop(why Drop) { e.drops[why]++ }
