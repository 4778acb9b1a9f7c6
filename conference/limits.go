package conference

import "github.com/tox-rejoin/rejoin/packets"

// Constants that the network decided (SPEC.md, "Constants").
const (
	MaxNeighbours  = 16  // entries of a conference's connection table
	freeNeighbours = 2   // entries that each tick keeps free (SPEC C-52)
	fewNeighbours  = 4   // up to so many online neighbours introducers are kept (SPEC C-50)
	pingInterval   = 20  // seconds (SPEC C-48)
	freezeTimeout  = 60  // seconds without activity (SPEC C-80)
	DefaultFrozen  = 128 // frozen peers kept (SPEC C-97)
	numberTries    = 33  // candidates for a newcomer's peer number (SPEC C-32)
	maxGroups      = 1<<16 - 1
)

// Constants that we decided.
const (
	// MaxPeers is how many active peers a conference takes (SPEC I-11).
	MaxPeers = 4096
	// queryInterval is the least time between Peer Queries to one neighbour
	// that messages of unknown authors cause (SPEC I-5).
	queryInterval = packets.Second
	// answerInterval is the mean time between two answers to Peer Queries of one
	// neighbour, of which answerBurst may come at once (SPEC I-15).
	answerInterval = packets.Second
	answerBurst    = 4
	// leaveTimeout is how long a Kill that others passed on waits for a word of its
	// author, in seconds: somewhat more than there are between pings (SPEC I-16).
	leaveTimeout = pingInterval + 5
	// formerTimeout is how long a former closest peer is kept while there are more
	// than fewNeighbours online, leastIntroduction how long an introduction takes at
	// least (SPEC I-18).
	formerTimeout     = freezeTimeout * packets.Second
	leastIntroduction = 10 * packets.Second
	// onlineRetry is the time after which an unanswered Online to a friend is
	// followed by a Rejoin, and the time between these (SPEC I-19).
	onlineRetry = 3 * packets.Second
	// joinRetry is the time after which an unanswered Accept is repeated (SPEC I-6).
	joinRetry = 20 * packets.Second
	// maxFormer is how many conferences that we left are remembered, for a list that
	// is older than our going (SPEC I-6).
	maxFormer = 16
	// defaultFrame is c-toxcore's iteration interval.
	defaultFrame packets.Time = 50
	// saveEvery and saveEveryLossy are how many own messages may pass before
	// a save is asked for: a quarter of what the saved numbers are ahead.
	saveEvery      = packets.SaveOffset / 4
	saveEveryLossy = packets.SaveOffsetLossy / 4
)
