package conference

import "github.com/tox-rejoin/rejoin/packets"

// Engine is every conference of one identity. It is not safe for concurrent use.
type Engine struct{}

func New(cfg Config, saved []packets.SavedConference, now packets.Time) (*Engine, error) {
	return nil, nil
}

// SetFriend tells whether peer is in the friend list. Call it before Online.
func (e *Engine) SetFriend(peer packets.PublicKey, friend bool) {}

// Online: a friend connection, to a friend or to a neighbour, came up.
func (e *Engine) Online(now packets.Time, peer, dht packets.PublicKey) {}

// Offline: the friend connection went down.
func (e *Engine) Offline(now packets.Time, peer packets.PublicKey) {}

// FriendReady: the friend's messenger is online, so it may be invited and may invite.
func (e *Engine) FriendReady(now packets.Time, friend packets.PublicKey) {}

// SetWritable tells whether peer's link can take lossless and lossy packets at the
// moment (true, true after Online). Sends to it are refused until told otherwise.
func (e *Engine) SetWritable(peer packets.PublicKey, lossless, lossy bool) {}

// Receive handles one packet 0x60..0x64 or 0xc7. An error means nothing changed.
func (e *Engine) Receive(now packets.Time, from packets.PublicKey, p []byte) error { return nil }

// Tick does what is due once a frame.
func (e *Engine) Tick(now packets.Time) {}

func (e *Engine) Create(now packets.Time, t packets.Type) packets.ID { return packets.ID{} }
func (e *Engine) Invite(now packets.Time, id packets.ID, friend packets.PublicKey) error {
	return nil
}
func (e *Engine) Join(now packets.Time, inv Invited) error { return nil }
func (e *Engine) Send(now packets.Time, id packets.ID, k packets.MessageKind, text []byte) (uint32, error) {
	return 0, nil
}
func (e *Engine) SetTitle(now packets.Time, id packets.ID, title []byte) error { return nil }
func (e *Engine) SetName(now packets.Time, name []byte) error                  { return nil }
func (e *Engine) SetMaxFrozen(now packets.Time, id packets.ID, n int) error    { return nil }
func (e *Engine) SendLossy(now packets.Time, id packets.ID, kind byte, data []byte) error {
	return nil
}

// Leave leaves for good (Kill) and forgets the conference.
func (e *Engine) Leave(now packets.Time, id packets.ID) error { return nil }

// Quit says Freeze everywhere and lets all connections go; Save is unchanged by it.
func (e *Engine) Quit(now packets.Time) {}

// Poll returns what the host has to do now and forgets it.
func (e *Engine) Poll() Output { return Output{} }

// View is a snapshot of one conference; Views of all, in order of group number.
func (e *Engine) View(id packets.ID) (View, bool) { return View{}, false }
func (e *Engine) Views() []View                   { return nil }

// Save is what a save file has to hold: all connected conferences, in order of group number.
func (e *Engine) Save() []packets.SavedConference { return nil }

// Check asserts the engine's invariants.
func (e *Engine) Check() error { return nil }
