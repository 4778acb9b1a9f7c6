package bot_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/tox-rejoin/rejoin/cmd/rejoin/bot"
	"github.com/tox-rejoin/rejoin/conference"
)

func TestStanding(t *testing.T) {
	s := state()
	var got []string
	for i := range s.Groups {
		got = append(got, bot.StandingOf(&s.Groups[i]).String())
	}
	assert.Equal(t, []string{"joining", "partly connected", "whole", "alone", "alone"}, got)
	lost := s.Groups[1]
	lost.Peers = lost.Peers[1:]
	assert.Equal(t, bot.Alone, bot.StandingOf(&lost), "all others are frozen")
}

// Each change is told once, a group that comes back as a new one.
func TestWatch(t *testing.T) {
	var w bot.Watch
	s := state()
	assert.Equal(t, s.Groups, w.Changed(s.Groups))
	assert.Empty(t, w.Changed(s.Groups))

	s.Groups[1].Frozen = nil
	s.Groups[2].Peers = append(s.Groups[2].Peers, peer(8, "new", time.Minute))
	assert.Equal(t, s.Groups[1:2], w.Changed(s.Groups), "whole now; one more peer is no change")
	assert.Empty(t, w.Changed(s.Groups[:1]), "the others are left")
	assert.Len(t, w.Changed(s.Groups), 4)
	assert.Empty(t, w.Changed([]conference.View{}))
}
