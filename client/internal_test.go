package client

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
)

// A friend who comes and goes all the time makes us save at once only so often.
func TestSavesThatOthersCause(t *testing.T) {
	const start = 1000 * packets.Second
	var p profile
	saves := 0
	for now := start; now < start+100*packets.Second; now += 100 {
		p.soon(now)
		if p.due(now) {
			p.saveAt = 0
			saves++
			require.LessOrEqual(t, saves, saveBurst+int((now-start)/saveEvery))
		}
	}
	require.Greater(t, saves, 100, "but at once if it can be")
	p = profile{}
	p.changed(start)
	require.False(t, p.due(start))
	p.soon(start)
	require.True(t, p.due(start))
}

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
