package conference

// improvements are what the product mode does better than c-toxcore 0.2.23,
// one rule each (SPEC.md, "Improvements"). All are compatible on the wire.
// Config.Reference switches all of them off; nothing else differs.
type improvements struct {
	hearFriends    bool // packets of every friend connection count, not only of those once in a table
	onlineFirst    bool // Online goes out before the Peer Query
	parseOn        bool // a Peer Response is read on behind a frozen peer
	freshClosest   bool // closest slots follow changes of DHT keys
	twoSidedLossy  bool // lossy packets go to the nearest neighbour on both sides
	frozenInReused bool // a reused group number keeps frozen peers like any other
	strictTitle    bool // a title's length is not cut to 8 bits
	limitQueries   bool // one Peer Query per neighbour and second for unknown authors
	retryJoin      bool // an unanswered Accept is repeated
	nameAtOnce     bool // our own entry has our name before the echo
	guardSelf      bool // nobody else removes, freezes or renumbers our own entry
	titleFresh     bool // a title of ours is not undone by a Title Response
	soundSave      bool // records that would make a save unloadable are left out
	capPeers       bool // at most MaxPeers active peers
	followForged   bool // our numbers go on from those that others used in our name
	ownWord        bool // a neighbour's goodbye and anybody's new number are their own word
	paceNumbers    bool // an author's numbers run ahead only so fast
	holdKill       bool // a goodbye for good that others passed on waits for a word of its author
	limitAnswers   bool // so many answers to Peer Queries per neighbour and second
	keepEntry      bool // a neighbour that tells its new number keeps its entry
	keepFormer     bool // nobody is let go before those who replace it are online
	askAgain       bool // a friend that does not answer our Online gets a Rejoin
}

func improve(reference bool) improvements {
	on := !reference
	return improvements{
		hearFriends:    on, // SPEC I-1
		onlineFirst:    on, // SPEC I-2
		parseOn:        on, // SPEC I-3
		freshClosest:   on, // SPEC I-4a
		twoSidedLossy:  on, // SPEC I-4b
		frozenInReused: on, // SPEC I-4c
		strictTitle:    on, // SPEC I-4d
		limitQueries:   on, // SPEC I-5
		retryJoin:      on, // SPEC I-6
		nameAtOnce:     on, // SPEC I-7
		guardSelf:      on, // SPEC I-8
		titleFresh:     on, // SPEC I-9
		soundSave:      on, // SPEC I-10
		capPeers:       on, // SPEC I-11
		followForged:   on, // SPEC I-12
		ownWord:        on, // SPEC I-13
		paceNumbers:    on, // SPEC I-14
		limitAnswers:   on, // SPEC I-15
		holdKill:       on, // SPEC I-16
		keepEntry:      on, // SPEC I-17
		keepFormer:     on, // SPEC I-18
		askAgain:       on, // SPEC I-19
	}
}
