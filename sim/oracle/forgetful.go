//go:build oracle && linux && amd64

package oracle

/*
#include "oracle.h"
#cgo noescape oracle_forgetful
#cgo nocallback oracle_forgetful
*/
import "C"

import (
	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/sim"
)

// forgetful is a peer of before minpgc.
type forgetful struct{ *node }

var _ sim.NewNode = NewForgetful

// NewForgetful makes a peer that does not speak minpgc: c-toxcore 0.2.18 with
// everything taken away that came with 0.2.8. It models a peer of 0.2.7 or earlier
// so:
//
//   - Who is silent for 60 s is forgotten: the frozen list has room for nobody.
//   - Rejoin is neither sent (its connection refuses it, so that group.c makes no
//     entry for it) nor understood.
//   - When its last connection goes down nothing happens at once: the others stay
//     in its list until they have been silent for 60 s. Only then it looks for new
//     neighbours among those that are left.
//   - The Freeze of others is unknown to it; when it quits it leaves for good.
//   - It saves no conference and loads none.
//
// The rest is 0.2.18: message windows, connection entries with reasons, and every
// message counts as activity, not only pings. So it keeps others a little longer
// than a real one.
func NewForgetful(cfg conference.Config, _ []packets.SavedConference, now packets.Time) (sim.Node, error) {
	n, err := newForgetful(cfg, now)
	if err != nil {
		return nil, err
	}
	return n, nil
}

func newForgetful(cfg conference.Config, now packets.Time) (forgetful, error) {
	cfg.MaxFrozen = -1
	n, err := newNode(cfg, nil, now)
	if err != nil {
		return forgetful{}, err
	}
	C.oracle_forgetful(n.c)
	return forgetful{n}, nil
}

// SetMaxFrozen changes nothing: there are no frozen peers.
func (forgetful) SetMaxFrozen(packets.Time, packets.ID, int) error { return nil }

// Save is empty.
func (forgetful) Save() []packets.SavedConference { return nil }

// Quit leaves every conference and ends the instance.
func (f forgetful) Quit(now packets.Time) {
	for _, v := range f.Views() {
		_ = f.Leave(now, v.ID)
	}
	f.node.Quit(now)
}
