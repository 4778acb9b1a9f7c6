package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/sim"
)

// runReport is what --json writes.
type runReport struct {
	Seed        uint64      `json:"seed"`
	Peers       int         `json:"peers"`
	Groups      []int       `json:"groups"`
	Friends     string      `json:"friends"`
	CutMS       int64       `json:"cut_ms"`
	Packets     uint64      `json:"packets"`
	Deliveries  uint64      `json:"deliveries"`
	HealMS      *int64      `json:"heal_ms"` // from the heal until the group was whole; null: never
	Converged   bool        `json:"converged"`
	Recoverable bool        `json:"recoverable"`
	Reason      string      `json:"reason,omitempty"` // why it did not converge
	Ledger      *sim.Ledger `json:"ledger"`
	TraceHash   string      `json:"trace_hash"` // 16 hexadecimal digits
	VirtualMS   int64       `json:"virtual_ms"`
	WallMS      int64       `json:"wall_ms"`
}

// report writes the verdict.
func (r *runner) report(v *sim.Verdict) error {
	r.live.clear()
	w, stats := r.world, r.world.Stats()
	rep := runReport{
		Seed: r.plan.config.Seed, Peers: r.plan.peers, Groups: r.plan.groups,
		Friends: r.plan.friends.String(), CutMS: int64(r.plan.cut),
		Packets: stats.Packets, Deliveries: stats.Deliveries,
		Converged: v.Converged, Recoverable: v.Recoverable, Ledger: &v.Ledger,
		TraceHash: fmt.Sprintf("%016x", w.Hash()),
		VirtualMS: int64(w.Since()), WallMS: time.Since(r.start).Milliseconds(),
	}
	if v.WholeAt != 0 && r.healed != 0 {
		ms := int64(v.WholeAt - r.healed)
		rep.HealMS = &ms
	}
	if !v.Converged {
		rep.Reason = r.reason(v)
	}
	if r.json {
		if err := json.NewEncoder(r.out).Encode(&rep); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(r.out, "\n%s\n%s packets, %s of virtual time in %s, trace %s\n", r.verdict(v, &rep),
			commas(stats.Packets), clock(w.Since()), wall(time.Since(r.start)), rep.TraceHash)
	}
	if !v.Converged {
		return errBad
	}
	return nil
}

// verdict is what came of it, in words.
func (r *runner) verdict(v *sim.Verdict, rep *runReport) string {
	switch {
	case v.Converged:
		s := fmt.Sprintf("whole again %s after the heal", seconds(packets.Time(*rep.HealMS)))
		if *rep.HealMS == 0 {
			s = "still whole after so short a cut"
		}
		s += ": everybody lists everybody, and every text reaches everybody once"
		if l := v.Ledger; l != (sim.Ledger{}) {
			s += "\nknown differences: " + differences(&l)
		}
		return s
	case !v.Recoverable:
		return "cannot merge: " + rep.Reason
	case len(v.Why) == 0:
		return "FAILED: " + rep.Reason
	}
	return "FAILED: " + strings.Join(v.Why, "\n        ")
}

// reason says why it did not converge.
func (r *runner) reason(v *sim.Verdict) string {
	switch {
	case v.Recoverable && len(v.Why) > 0:
		return v.Why[0]
	case v.Recoverable:
		return "it could become whole and did not"
	}
	list := make([]string, 0, len(v.Parts))
	for _, part := range v.Parts {
		list = append(list, strconv.Itoa(len(part)))
	}
	why := "no friendship joins"
	if r.forgotten(v.Parts) {
		why = "friends have forgotten each other (a peer keeps the 128 frozen ones that are worth most) in"
	}
	return fmt.Sprintf("%s the parts of %s. Frozen peers are not searched for;\n"+
		"only a friend of theirs who comes online again sends them a Rejoin.", why, strings.Join(list, " and "))
}

// forgotten tells whether some friends are in different parts.
func (r *runner) forgotten(parts [][]int) bool {
	part := make([]int, r.plan.peers)
	for k, nodes := range parts {
		for _, i := range nodes {
			part[i] = k
		}
	}
	return slices.ContainsFunc(r.plan.edges, func(e [2]int) bool { return part[e[0]] != part[e[1]] })
}
