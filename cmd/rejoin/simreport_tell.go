package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/sim/measure"
)

// fullReport is what --json writes. Times are in milliseconds of virtual time.
type fullReport struct {
	CutMS    packets.Time `json:"cut_ms"`
	HopMS    packets.Time `json:"hop_ms"` // the delay of a link
	Friends  string       `json:"friends"`
	Oracle   bool         `json:"oracle"` // c-toxcore is built in
	Heals    []healReport `json:"heals"`
	Peers    int          `json:"message_peers"` // in the groups in which messages are counted
	Messages []lossReport `json:"messages"`
	Rings    []ringReport `json:"rings"`
	WallMS   int64        `json:"wall_ms"`
}

// healReport is the heals of groups of one size (measure.Healed).
type healReport struct {
	Code       string         `json:"code"`
	Peers      int            `json:"peers"`
	From       uint64         `json:"from"` // seeds
	To         uint64         `json:"to"`
	Whole      int            `json:"whole"`   // seeds
	Trouble    map[string]int `json:"trouble"` // seeds that stayed apart, or went wrong when whole, by reason
	Heal       timeSpread     `json:"heal"`    // from the heal until everybody lists everybody
	Least      timeSpread     `json:"least"`   // the theoretical minimum
	Over       timeSpread     `json:"over"`    // heal less the minimum, seed by seed
	Packets    countSpread    `json:"packets"` // sent meanwhile, without pings
	Pings      countSpread    `json:"pings"`
	Crossing   timeSpread     `json:"crossing"`  // of a ping, from one peer to the last other
	Hops       int            `json:"hops"`      // the most that it needed
	RingHops   int            `json:"ring_hops"` // without shortcuts
	Deliveries uint64         `json:"deliveries"`
	VirtualMS  packets.Time   `json:"virtual_ms"`
	TraceHash  string         `json:"trace_hash"` // of all seeds, in any order
}

// timeSpread is how times are spread; null: never.
type timeSpread struct {
	P50   *packets.Time `json:"p50_ms"`
	P99   *packets.Time `json:"p99_ms"`
	Worst *packets.Time `json:"worst_ms"`
}

// countSpread is how counts are spread; null: never.
type countSpread struct {
	P50   *uint64 `json:"p50"`
	P99   *uint64 `json:"p99"`
	Worst *uint64 `json:"worst"`
}

// lossReport is what is not shown under one fault (measure.Lost).
type lossReport struct {
	Code   string        `json:"code"`
	Fault  string        `json:"fault"`
	Seeds  int           `json:"seeds"`
	During measure.Count `json:"during"`
	After  measure.Count `json:"after"`
	Merged measure.Count `json:"merged"`
	Apart  int           `json:"apart"`
}

// ringReport is the largest group in which a ping comes in time.
type ringReport struct {
	HopMS packets.Time `json:"hop_ms"`
	Peers int          `json:"peers"`
	Hops  int          `json:"hops"`
}

func encodeReport(w io.Writer, r *fullReport) error { return json.NewEncoder(w).Encode(r) }

// tellReport writes the report.
func tellReport(w io.Writer, r *fullReport) error {
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, format, args...) }
	tellHeals(say, r)
	tellLosses(say, r)
	tellRings(say, r)
	if !r.Oracle {
		say("\nc-toxcore beside it: apt-get install libtoxcore-dev, go run -tags oracle ./cmd/rejoin sim report\n")
	}
	deliveries, virtual := uint64(0), packets.Time(0)
	for i := range r.Heals {
		deliveries += r.Heals[i].Deliveries
		virtual += r.Heals[i].VirtualMS
	}
	say("\n%s deliveries, %.1f hours of virtual time\n", commas(deliveries), float64(virtual)/3_600_000)
	_, err := io.WriteString(w, b.String())
	return err
}

func tellHeals(say func(string, ...any), r *fullReport) {
	say("HEAL: two halves, apart for %s, friends %s; seconds from the heal until everybody lists everybody\n\n", span(r.CutMS), r.Friends)
	say("                             heal                    minimum              beyond it         packets\n")
	say("peers  code       seeds   p50    p99  worst      p50    p99  worst      p50    worst         p50  trouble\n")
	for i := range r.Heals {
		h := &r.Heals[i]
		say("%5d  %-10s %5d %s %s %s   %s %s %s   %s   %s  %10s  %s\n", h.Peers, h.Code, h.To-h.From+1,
			figure(h.Heal.P50), figure(h.Heal.P99), figure(h.Heal.Worst),
			figure(h.Least.P50), figure(h.Least.P99), figure(h.Least.Worst),
			figure(h.Over.P50), figure(h.Over.Worst), tally(h.Packets.P50), trouble(h))
	}
	say("\n" +
		"minimum  The news that the other half is back cannot be everywhere sooner: a friendship across has its\n" +
		"         session again 0.35 s after the heal, or after 33 to 34 s if both sides had backed off (each\n" +
		"         world draws that); its Rejoin takes one delay of a link, and so does each hop of the New Peer\n" +
		"         from there to the last peer, along the connections of that half when the heal came. To be\n" +
		"         listed a peer must be heard as well: news goes out, names come back, two or three times the hops.\n" +
		"beyond   heal less minimum, seed by seed.\n" +
		"packets  sent between heal and whole by all together, pings left out: they are sent at all times.\n" +
		"never    more seeds stayed apart than that share leaves room for. Trouble counts seeds that did not end\n" +
		"         well, by reason (SPEC.md). Of fewer than 100 seeds p99 is the worst.\n")
}

func tellLosses(say func(string, ...any), r *fullReport) {
	say("\nMESSAGES never shown, of all that each of %d peers says, at each of the others\n\n", r.Peers)
	say("%-41s %-10s %8s  %13s  %10s\n", "fault", "code", "while it", "in the minute", "when whole")
	say("%-41s %-10s %8s  %13s  %10s\n", "", "", "lasts", "after it", "again")
	for i := range r.Messages {
		m := &r.Messages[i]
		name := m.Fault
		if i > 0 && r.Messages[i-1].Fault == name {
			name = ""
		}
		say("%-41s %-10s %8s  %13s  %10s\n", name, m.Code, share(m.During), share(m.After), share(m.Merged))
	}
}

func tellRings(say func(string, ...any), r *fullReport) {
	say("\nPING: how long until the last peer has it, before the cut\n\n")
	say("peers  code       worst    hops  hops without shortcuts\n")
	for i := range r.Heals {
		h := &r.Heals[i]
		say("%5d  %-10s %s  %4d  %4d\n", h.Peers, h.Code, figure(h.Crossing.Worst), h.Hops, h.RingHops)
	}
	say("\nShortcuts join who invited whom. Without them everybody has the two next on either side of the ring of\n" +
		"keys, and who learns of a peer freezes it after 60 s in which no ping of it came. So a ping has to\n" +
		"cross the ring within 60 s:\n\n")
	for _, ring := range r.Rings {
		say("   up to %s at %d ms a hop, %s hops%s\n", plural(ring.Peers, "peer"), ring.HopMS, commas(uint64(ring.Hops)), beyond(ring.Peers))
	}
}

// beyond tells whether our engine lists so many.
func beyond(peers int) string {
	if peers <= conference.MaxPeers {
		return ""
	}
	return fmt.Sprintf("; our engine lists %s at most", commas(conference.MaxPeers))
}

// figure writes a time in seconds, in seven columns; nil: never.
func figure(t *packets.Time) string {
	if t == nil {
		return "  never"
	}
	return fmt.Sprintf("%4d.%02d", *t/packets.Second, *t%packets.Second/10)
}

func tally(n *uint64) string {
	if n == nil {
		return "never"
	}
	return commas(*n)
}

// trouble says how many seeds did not end well, and why.
func trouble(h *healReport) string {
	if len(h.Trouble) == 0 {
		return "none"
	}
	list := make([]string, 0, len(h.Trouble))
	for _, why := range slices.Sorted(maps.Keys(h.Trouble)) {
		list = append(list, fmt.Sprintf("%d %s", h.Trouble[why], why))
	}
	return strings.Join(list, ", ")
}

// share writes how much of what was due is lost.
func share(c measure.Count) string {
	switch {
	case c.Due == 0:
		return "-"
	case c.Lost == 0:
		return "none"
	}
	return fmt.Sprintf("%.1f %%", 100*float64(c.Lost)/float64(c.Due))
}
