package tox

import (
	"fmt"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/netcrypto"
)

// Check looks for a contradiction in the state:
//
//   - No part has one.
//   - Nobody has anything left to tell.
//   - Who is held is known to the friend connections, and held once.
//   - Who is online has an established session, and nobody else has one.
//   - The messenger knows which friends are online.
func (n *Node) Check() error {
	for _, part := range []interface{ Check() error }{n.dht, n.relay, n.store, n.client, n.sessions, n.friends, n.messenger} {
		if err := part.Check(); err != nil {
			return err
		}
	}
	if n.told != 0 {
		return fmt.Errorf("%w: parts %b have not finished after %d rounds", ErrInvariant, n.told, maxRounds)
	}
	seen := make(map[packets.PublicKey]bool, len(n.held))
	for _, key := range n.held {
		info, ok := n.friends.Peer(key)
		if !ok || seen[key] {
			return fmt.Errorf("%w: %v is held by nobody, or twice", ErrInvariant, key)
		}
		seen[key] = true
		session, _ := n.sessions.Session(key)
		if established := session.State == netcrypto.Up; established != info.Online {
			return fmt.Errorf("%w: %v is online: %v, has an established session: %v", ErrInvariant, key, info.Online, established)
		}
		if f, ok := n.messenger.Friend(n.now, key); ok && f.Linked != info.Online {
			return fmt.Errorf("%w: friend %v is online: %v, to the messenger: %v", ErrInvariant, key, info.Online, f.Linked)
		}
	}
	return nil
}
