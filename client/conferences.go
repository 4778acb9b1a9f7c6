package client

import (
	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox"
)

// input gives one input to the conferences and returns its error.
func (c *Client) input(f func(now packets.Time, e *conference.Engine) error) error {
	return c.do(func(now packets.Time, n *tox.Node) (err error) {
		c.host.Do(now, func(e *conference.Engine) { err = f(now, e) })
		c.conferences(now, n)
		return err
	})
}

// CreateConference founds a conference, packets.Text or packets.AV, with a
// title unless it is empty. It is saved when CreateConference returns. It returns
// conference.ErrFull or conference.ErrLength.
func (c *Client) CreateConference(t packets.Type, title string) (id packets.ID, err error) {
	err = c.input(func(now packets.Time, e *conference.Engine) error {
		if len(title) > packets.MaxName {
			return conference.ErrLength
		}
		if id = e.Create(now, t); id == (packets.ID{}) {
			return conference.ErrFull
		}
		c.profile.urgent(now)
		if title != "" {
			_ = e.SetTitle(now, id, []byte(title)) // there is nobody yet to tell it
		}
		return nil
	})
	return id, err
}

// Conferences describes all conferences, also those that we are joining, in the
// order of their numbers; none when Run has ended.
func (c *Client) Conferences() (views []conference.View) {
	_ = c.do(func(packets.Time, *tox.Node) error {
		views = c.host.Engine().Views()
		return nil
	})
	return views
}

// Conference describes one conference; false if it is none of ours.
func (c *Client) Conference(id packets.ID) (v conference.View, ok bool) {
	_ = c.do(func(packets.Time, *tox.Node) error {
		v, ok = c.host.Engine().View(id)
		return nil
	})
	return v, ok
}

// Invite invites a friend who is online. It returns an error of
// conference.Engine.Invite.
func (c *Client) Invite(id packets.ID, friend packets.PublicKey) error {
	return c.input(func(now packets.Time, e *conference.Engine) error { return e.Invite(now, id, friend) })
}

// Join accepts an invitation; Joined tells when that is done. It returns an error
// of conference.Engine.Join.
func (c *Client) Join(inv Invited) error {
	return c.input(func(now packets.Time, e *conference.Engine) error { return e.Join(now, inv.Invited) })
}

// Leave leaves a conference for good. It is forgotten when Leave returns. It
// returns conference.ErrNoConference.
func (c *Client) Leave(id packets.ID) error {
	return c.input(func(now packets.Time, e *conference.Engine) error {
		err := e.Leave(now, id)
		if err == nil {
			c.profile.urgent(now)
		}
		return err
	})
}

// Say says something in a conference, packets.NormalMessage or packets.Action of
// at most packets.MaxText bytes, and returns its number. Message comes when a
// neighbour has it. It returns an error of conference.Engine.Send, among them
// conference.ErrNotConnected as long as nobody is there.
func (c *Client) Say(id packets.ID, kind packets.MessageKind, text string) (number uint32, err error) {
	err = c.input(func(now packets.Time, e *conference.Engine) error {
		number, err = e.Send(now, id, kind, []byte(text))
		return err
	})
	return number, err
}

// SetTitle sets the title of a conference, 1 to packets.MaxName bytes. It returns
// an error of conference.Engine.SetTitle; with conference.ErrNotConnected it is
// set, but nobody knows yet.
func (c *Client) SetTitle(id packets.ID, title string) error {
	return c.input(func(now packets.Time, e *conference.Engine) error { return e.SetTitle(now, id, []byte(title)) })
}

// SendAudio sends one Opus frame in an audio conference. It returns an error of
// conference.Engine.SendLossy.
func (c *Client) SendAudio(id packets.ID, frame []byte) error {
	return c.input(func(now packets.Time, e *conference.Engine) error {
		return e.SendLossy(now, id, packets.LossyAudio, frame)
	})
}

// SetMaxFrozen sets how many frozen peers a conference keeps, for this run.
func (c *Client) SetMaxFrozen(id packets.ID, peers int) error {
	return c.input(func(now packets.Time, e *conference.Engine) error { return e.SetMaxFrozen(now, id, peers) })
}
