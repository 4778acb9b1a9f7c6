package conference

import (
	"fmt"
	"slices"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/peers"
)

// Save is what a save file has to hold: the connected conferences in order of
// group number. The counters in it are ahead, so that peers accept what we send
// after a restart; those of the running engine do not change (SPEC C-121 to
// C-123, C-131).
func (e *Engine) Save() []packets.SavedConference {
	var saved []packets.SavedConference
	for _, s := range e.groups {
		if s.group != nil && s.connected { // SPEC C-27
			saved = append(saved, e.save(s.group))
		}
	}
	return saved
}

func (e *Engine) save(g *group) packets.SavedConference {
	c := packets.SavedConference{
		ID:          g.id,
		Number:      g.messages + packets.SaveOffset,
		LossyNumber: g.lossy + packets.SaveOffsetLossy,
		PeerNumber:  g.self,
		Title:       slices.Clone(g.title),
	}
	for i := range g.peers.Active() {
		e.savePeer(&c, g, g.peers.At(i))
	}
	for i := range g.peers.Frozen() {
		e.savePeer(&c, g, g.peers.FrozenAt(i))
	}
	return c
}

func (e *Engine) savePeer(c *packets.SavedConference, g *group, p *peers.Peer) {
	if p.Key == e.self {
		return
	}
	if e.better.soundSave && (p.Number == g.self || g.peers.ByKey(&p.Key) != p) { // SPEC I-10
		return
	}
	c.Peers = append(c.Peers, packets.SavedPeer{
		Key: p.Key, DHT: p.DHT, Number: p.Number, LastActive: p.LastActive, Name: []byte(p.Name()),
	})
}

// load makes a connected conference with all its peers frozen (SPEC C-124 to
// C-127).
func (e *Engine) load(c *packets.SavedConference) error {
	if len(c.Title) > packets.MaxName {
		return fmt.Errorf("%w: title of %d bytes", ErrLength, len(c.Title))
	}
	g := e.newGroup()
	if g == nil {
		return ErrFull
	}
	g.id = c.ID
	g.title = slices.Clone(c.Title)
	g.messages, g.lossy, g.self = c.Number, c.LossyNumber, c.PeerNumber
	for i := range c.Peers {
		if err := e.loadPeer(g, &c.Peers[i]); err != nil {
			return err
		}
	}
	g.maxFrozen = max(g.maxFrozen, len(c.Peers)) // SPEC C-125
	return e.loadSelf(g)
}

func (e *Engine) loadPeer(g *group, saved *packets.SavedPeer) error {
	if len(saved.Name) > packets.MaxName {
		return fmt.Errorf("%w: name of %d bytes of peer %v", ErrLength, len(saved.Name), saved.Key)
	}
	p, err := g.peers.Load(&saved.Key, &saved.DHT, saved.Number)
	if err != nil {
		return err
	}
	p.LastActive = saved.LastActive
	p.LoadName(saved.Name)
	p.Friend = e.isFriend(&saved.Key)
	return nil
}

// loadSelf enters us under our saved number.
func (e *Engine) loadSelf(g *group) error {
	if p := g.peers.ByNumber(g.self); p != nil {
		if p.Key != e.self {
			return fmt.Errorf("%w: %d belongs to %v", packets.ErrOwnNumber, g.self, p.Key)
		}
		g.peers.Remove(p) // a record of ourselves becomes our entry,
		g.sendName = true // and is thawed by that
	} else if p := g.peers.FrozenByKey(&e.self); p != nil {
		g.peers.Remove(p)
	}
	g.connected = true
	e.enterSelf(g)
	return nil
}
