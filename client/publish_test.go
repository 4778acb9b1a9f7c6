package client

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Who does not read its events misses the newest, and is told how many.
func TestMissed(t *testing.T) {
	c := &Client{events: make(chan Event, 2)}
	read := func() Event {
		select {
		case e := <-c.events:
			return e
		default:
			return nil
		}
	}
	online := NetworkChanged{Online: true}
	for range 5 {
		c.publish(online)
	}
	require.Equal(t, online, read())
	c.publish(online) // there is room for Missed, but then not for this one
	require.Equal(t, online, read())
	require.Equal(t, Missed{Count: 3}, read())
	c.publish(online)
	require.Equal(t, Missed{Count: 1}, read())
	require.Equal(t, online, read())
	require.Nil(t, read())
}
