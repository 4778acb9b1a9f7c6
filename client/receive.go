package client

import (
	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox"
	"github.com/tox-rejoin/rejoin/tox/messenger"
)

// handle gives what the node tells to the conferences and to the user.
func (c *Client) handle(now packets.Time, n *tox.Node, e tox.Event) {
	switch e.Kind {
	case tox.Online:
		c.host.Online(now, e.Peer, e.DHT)
		c.conferences(now, n)
	case tox.Offline:
		c.host.Offline(now, e.Peer)
		c.conferences(now, n)
	case tox.SelfOnline:
		c.tell(NetworkChanged{Online: n.Announced()})
	case tox.Messenger:
		c.handleMessenger(now, n, &e.Messenger)
	}
}

func (c *Client) handleMessenger(now packets.Time, n *tox.Node, e *messenger.Event) {
	switch e.Kind {
	case messenger.Conference:
		_ = c.host.Receive(now, e.Peer, e.Data) // anybody may send nonsense
		c.conferences(now, n)
		return
	case messenger.Ready:
		c.host.FriendReady(now, e.Peer)
		c.conferences(now, n)
	}
	if told := friendEvent(e); told != nil {
		c.tell(told)
	}
}

// conferences takes what the last input of the conferences left to us.
func (c *Client) conferences(now packets.Time, n *tox.Node) {
	out := c.host.Poll()
	if out.Dirty {
		c.profile.changed(now)
	}
	for i := range out.Events {
		e := &out.Events[i]
		switch e.Kind {
		case conference.Connected:
			c.profile.urgent(now)
		case conference.PeerJoined:
			// Friends in the save are the way back into the conference.
			if _, friend := n.Friend(e.Peer); friend {
				c.profile.soon(now)
			}
		}
		if told := conferenceEvent(e, c.real.Public); told != nil {
			c.tell(told)
		}
	}
}
