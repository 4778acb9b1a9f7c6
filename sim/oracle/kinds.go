//go:build oracle && linux && amd64

package oracle

import (
	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/sim"
)

// Kind says whose code a node of a world runs.
type Kind byte

// The kinds.
const (
	Ours   Kind = 'o' // our engine, in the mode of the world
	Theirs Kind = 't' // c-toxcore
	Old    Kind = 'f' // c-toxcore without minpgc: NewForgetful
)

// Kinds makes the nodes of a world: node i is of the kind kinds[i], and ours if
// there is no such place.
func Kinds(kinds []Kind) sim.NewNode {
	return func(cfg conference.Config, saved []packets.SavedConference, now packets.Time) (sim.Node, error) {
		kind := Ours
		if i := sim.NodeOf(&cfg.Self); i < len(kinds) {
			kind = kinds[i]
		}
		switch kind {
		case Theirs:
			return NewAudited(cfg, saved, now)
		case Old:
			n, err := newForgetful(cfg, now)
			if err != nil {
				return nil, err
			}
			return audited{n, n.node}, nil
		default:
			return sim.NewEngine(cfg, saved, now)
		}
	}
}
