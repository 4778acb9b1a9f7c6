package trace

import "github.com/tox-rejoin/rejoin/packets"

// holder is who keeps a friend connection; a set of them has several bits.
type holder uint8

const (
	byFriendList holder = 1 << iota
	byEngine
)

// connTable is the friend connections of one instance: one per peer, shared by
// friend list and conferences, gone when its last holder lets go.
type connTable struct {
	conns []friendConn // by number; holders 0: the number is free
}

// friendConn is one friend connection.
type friendConn struct {
	peer    packets.PublicKey
	holders holder
	up      bool
}

// find is the connection to peer and its number; nil if there is none. The
// pointer is valid until the table changes.
func (t *connTable) find(peer packets.PublicKey) (*friendConn, int) {
	for i := range t.conns {
		if c := &t.conns[i]; c.holders != 0 && c.peer == peer {
			return c, i
		}
	}
	return nil, -1
}

// at is the connection with that number; nil if there is none.
func (t *connTable) at(number int) *friendConn {
	if number < 0 || number >= len(t.conns) || t.conns[number].holders == 0 {
		return nil
	}
	return &t.conns[number]
}

// isUp tells whether there is a connection to peer and its link is up.
func (t *connTable) isUp(peer packets.PublicKey) bool {
	c, _ := t.find(peer)
	return c != nil && c.up
}

// hold adds a holder to the connection to peer. A new connection gets the
// lowest free number.
func (t *connTable) hold(peer packets.PublicKey, by holder) (number int, opened bool) {
	if c, n := t.find(peer); c != nil {
		c.holders |= by
		return n, false
	}
	number = len(t.conns)
	for i := range t.conns {
		if t.conns[i].holders == 0 {
			number = i
			break
		}
	}
	if number == len(t.conns) {
		t.conns = append(t.conns, friendConn{})
	}
	t.conns[number] = friendConn{peer: peer, holders: by}
	return number, true
}

// drop removes a holder; without any the connection is gone.
func (t *connTable) drop(peer packets.PublicKey, by holder) (number int, closed bool) {
	c, number := t.find(peer)
	if c == nil {
		return number, false
	}
	c.holders &^= by
	return number, c.holders == 0
}
