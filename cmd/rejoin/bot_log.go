package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/lmittmann/tint"

	"github.com/tox-rejoin/rejoin/tox/crypto"
	"github.com/tox-rejoin/rejoin/tox/dhtnode"
)

// newBotLog is a log for people or for programs.
func newBotLog(w io.Writer, json bool) *slog.Logger {
	if json {
		return slog.New(slog.NewJSONHandler(w, nil))
	}
	colour := isTerminal(w) && os.Getenv("NO_COLOR") == "" && runtime.GOOS != "windows"
	return slog.New(tint.NewTextHandler(w, &tint.Options{TimeFormat: time.TimeOnly, NoColor: !colour}))
}

// ready is what the bot says first: who it is and how to reach it.
type ready struct {
	id      crypto.Address
	node    dhtnode.Node // as this machine reaches it
	name    string
	group   string // the first group
	profile string // path, as is nodes
	nodes   string
	network string
}

// log says it to programs.
func (r *ready) log(log *slog.Logger) {
	log.Info("ready", "tox_id", r.id.String(), "dht_key", r.dhtKey(), "udp_port", r.node.Addr.Port())
}

func (r *ready) dhtKey() string { return fmt.Sprintf("%X", r.node.Key[:]) }

// print says it to people, and what they can do next.
func (r *ready) print(w io.Writer) {
	fmt.Fprintf(w, `Tox ID          %v
profile         %s
network         %s
bootstrap node  %v %d %s

`, r.id, r.profile, r.network, r.node.Addr.Addr(), r.node.Addr.Port(), r.dhtKey())
	fmt.Fprintf(w, `Meet %[1]s from this machine with toxic:

    toxic --nodes %[2]s --file me.tox
    /add %[3]v

Another client enters the network by the bootstrap node above, and adds the Tox ID.
When %[1]s is online, write to it: invite
and accept its invitation to %[4]s (toxic: /join). In the group, write: !help

Ctrl-C stops it.

`, r.name, shellWord(r.nodes), r.id, r.group)
}

// shellWord quotes a path for the shell if it has to be.
func shellWord(path string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+:\\", r)
	}
	if path != "" && strings.IndexFunc(path, func(r rune) bool { return !plain(r) }) < 0 {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
