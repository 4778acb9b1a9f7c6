package packets

// Numbers added to the counters in a save, so that a restarted peer does not
// reuse a number it sent after saving (SPEC C-121).
const (
	SaveOffset      uint32 = 1 << 16
	SaveOffsetLossy uint16 = 1 << 13
)

// SavedConference is one conference of a save file, in the file's terms.
type SavedConference struct {
	ID          ID
	Number      uint32      // last used message number + SaveOffset, modulo 2^32
	LossyNumber uint16      // next lossy number + SaveOffsetLossy, modulo 2^16
	PeerNumber  uint16      // our own
	Title       []byte      // at most MaxName bytes; empty: no title
	Peers       []SavedPeer // all but ourselves, active before frozen
}

// SavedPeer is one peer of a SavedConference.
type SavedPeer struct {
	Key        PublicKey
	DHT        PublicKey
	Number     uint16
	LastActive uint64 // Unix time in seconds
	Name       []byte // at most MaxName bytes
}
