package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/tox-rejoin/rejoin/client"
	"github.com/tox-rejoin/rejoin/cmd/rejoin/bot"
	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/dhtnode"
	"github.com/tox-rejoin/rejoin/tox/messenger"
)

// reportDelay is how long a group that changes is watched before the log says how
// it is: then most of its peers have come, or gone.
const reportDelay = 3 * time.Second

// lobby is the title of the group that a bot without groups opens.
const lobby = "Lobby"

// host carries out what a bot.Bot answers.
type host struct {
	*client.Client
	bot   *bot.Bot
	mode  bot.Mode
	log   *slog.Logger
	watch bot.Watch
}

// serveBot runs the bot until ctx is done, or a signal.
func serveBot(ctx context.Context, o *botOptions, stdout io.Writer) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // another signal ends the program as if it knew none
	// The directory is made first: it is where an error may send the user.
	if err := os.MkdirAll(o.dir, 0o700); err != nil {
		return err
	}
	policy, err := readPolicy(o.dir, o.policy)
	if err != nil {
		return err
	}
	nodes, names := known(o.entries)
	name := o.name
	if name == "" {
		name = botName
	}
	c, err := openBot(o, client.Config{
		Name: name, StatusMessage: "a bot; write help", Password: o.password, Program: "rejoin bot", Bootstrap: nodes, LAN: o.lan,
	})
	if err != nil {
		return err
	}
	h := &host{Client: c, bot: bot.New(time.Now(), policy), mode: o.policy, log: newBotLog(stdout, o.json)}
	if err := h.prepare(o, stdout); err != nil {
		return errors.Join(err, c.Close())
	}
	go resolve(ctx, names, net.DefaultResolver.LookupNetIP, c.Bootstrap, h.log)
	return h.run(ctx)
}

// prepare does what comes before the network, and tells that the bot is ready.
func (h *host) prepare(o *botOptions, stdout io.Writer) error {
	if o.name != "" {
		if err := h.SetName(o.name); err != nil {
			return err
		}
	}
	groups := h.Conferences()
	if len(groups) == 0 {
		if _, err := h.CreateConference(packets.Text, lobby); err != nil {
			return err
		}
		groups = h.Conferences()
	}
	port := h.Node().Addr.Port()
	loopback := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port)
	r := ready{
		id: h.Address(), node: dhtnode.Node{Key: h.Node().Key, Addr: loopback},
		name: bot.Clean(h.Self().Name), group: bot.Clean(groups[0].Title),
		profile: h.Profile(), nodes: filepath.Join(o.dir, "nodes.json"), network: o.network(),
	}
	if err := replaceFile(r.nodes, nodesFile(r.node)); err != nil {
		return fmt.Errorf("nodes.json: %w", err)
	}
	if o.json {
		r.log(h.log)
	} else {
		r.print(stdout)
	}
	for _, f := range h.Findings() {
		h.log.Warn("odd in the profile", "what", f.String())
	}
	h.report()
	return nil
}

// run serves until ctx is done.
func (h *host) run(ctx context.Context) error {
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	var due <-chan time.Time
	for {
		select {
		case e, ok := <-h.Events():
			if !ok {
				err := <-ended
				h.log.Info("stopped")
				return err
			}
			if h.handle(e) && due == nil {
				due = time.After(reportDelay)
			}
		case <-due:
			due = nil
			h.report()
		}
	}
}

// report says how groups are whose standing has changed.
func (h *host) report() {
	for _, v := range h.watch.Changed(h.Conferences()) {
		h.log.Info("group", "id", v.ID.String(), "title", bot.Clean(v.Title),
			"state", bot.StandingOf(&v).String(), "here", len(v.Peers), "frozen", len(v.Frozen))
	}
}

// handle does what an event asks for. It returns true if that may have changed
// how a group is.
func (h *host) handle(e client.Event) (changed bool) {
	switch e := e.(type) {
	case client.FriendRequested:
		h.befriend(e.From)
	case client.FriendOnline:
		h.log.Info("friend online", "who", e.Friend.String())
	case client.FriendOffline:
		h.log.Info("friend offline", "who", e.Friend.String())
	case client.FriendMessage:
		if e.Kind == messenger.Normal {
			h.hear(bot.Line{From: e.From, Text: e.Text})
		}
	case client.Message:
		if e.Kind == packets.NormalMessage && !e.Own {
			h.hear(bot.Line{From: e.Key, InGroup: true, Group: e.Conference, Text: e.Text})
		}
	case client.Invited:
		h.join(e)
	case client.Joined, client.PeerJoined, client.PeerLeft, client.PeerFrozen, client.PeerThawed:
		return true
	case client.NetworkChanged:
		h.log.Info("network", "reachable", e.Online)
	case client.SaveFailed:
		h.log.Error("cannot save the profile; trying again", "err", e.Err)
	case client.Missed:
		h.log.Warn("too busy, missed events", "count", e.Count)
		return true
	}
	return false
}

func (h *host) befriend(who packets.PublicKey) {
	switch h.bot.Knock(time.Now(), who) {
	case bot.Ignore:
		return
	case bot.Refuse:
		h.log.Info("friend request refused", "who", who.String(), "policy", h.mode)
		return
	}
	if err := h.AcceptFriend(who); err != nil {
		h.log.Warn("friend request not accepted", "who", who.String(), "err", err)
		return
	}
	h.log.Info("friend request accepted", "who", who.String())
}

func (h *host) join(e client.Invited) {
	log := h.log.With("id", e.ID.String(), "who", e.From.String())
	switch h.bot.Knock(time.Now(), e.From) {
	case bot.Ignore:
		return
	case bot.Refuse:
		log.Info("invitation refused", "policy", h.mode)
		return
	}
	if len(h.Conferences()) >= bot.MaxGroups {
		log.Warn("invitation refused: in too many groups", "max", bot.MaxGroups)
		return
	}
	if err := h.Join(e); err != nil {
		log.Warn("invitation not accepted", "err", err)
		return
	}
	log.Info("invitation accepted")
}

// hear answers a line, if it is one to answer.
func (h *host) hear(line bot.Line) {
	now := time.Now()
	command, ok := h.bot.Hear(now, line)
	if !ok {
		return
	}
	log := h.log.With("command", command.Word(), "who", line.From.String())
	if line.InGroup {
		log = log.With("group", line.Group.String())
	}
	state := h.state()
	answer := h.bot.Answer(now, &command, &state)
	if err := h.do(line.From, &answer); err != nil {
		log.Warn("command failed", "err", err)
		answer.Say = []string{answer.Failed}
	} else {
		log.Info("command")
	}
	for _, text := range answer.Say {
		var err error
		if line.InGroup {
			_, err = h.Say(line.Group, packets.NormalMessage, text)
		} else {
			_, err = h.SendMessage(line.From, messenger.Normal, text)
		}
		if err != nil {
			log.Warn("answer not sent", "err", err)
			return
		}
	}
}

// do does what comes before an answer.
func (h *host) do(from packets.PublicKey, a *bot.Answer) error {
	switch a.Do {
	case bot.Invite:
		return h.Invite(a.Group, from)
	case bot.Leave:
		return h.Leave(a.Group)
	case bot.Retitle:
		return h.SetTitle(a.Group, a.Title)
	}
	return nil
}

// state is the world as the bot sees it.
func (h *host) state() bot.State {
	s := bot.State{Self: h.Key(), Address: h.Address().String(), Reachable: h.Online(), Groups: h.Conferences()}
	for _, f := range h.Friends() {
		s.Friends++
		if f.Ready {
			s.Online++
		}
	}
	return s
}
