package main

import (
	"encoding/json"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/sim/hostile"
)

// Limits and defaults of rejoin sim attack.
const (
	attackSeeds     = 2
	attackMostSeeds = 10_000
	attackPeers     = 6
	attackMostPeers = 50
)

func simAttackCommand() *cli.Command {
	return &cli.Command{
		Name:  "attack",
		Usage: "let one member attack a group in every way, and measure the harm",
		Description: "A group is watched for a minute, attacked for a minute by one of its members, who then goes,\n" +
			"and has five minutes to become whole. For each attack, in the mean of all seeds:\n\n" +
			"   apart     share of pairs and seconds of the attack in which one did not list the other\n" +
			"   wrong     entries in a list of peers that do not exist\n" +
			"   own       times that somebody's entry for itself was removed or frozen\n" +
			"   sends     packets that all others sent more, for each packet of the attacker; bytes alike\n" +
			"   storms    worlds in which packets went round for ever\n" +
			"   whole     worlds that became whole again; median and worst time after the attack\n" +
			"   lost      pairs of which one does not list the other in the end\n" +
			"   deaf      pairs of which one is not shown what the other says in the end\n" +
			"   ghosts    wrong entries for each peer in the end\n\n" +
			"Built with -tags oracle (on linux/amd64, with libtoxcore-dev) it shows c-toxcore's own group code\n" +
			"below ours. The exit code is 1 if an attack broke a bound that our engine promises.",
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "seeds", Value: attackSeeds, Usage: "`N` worlds for each attack"},
			&cli.IntFlag{Name: "peers", Value: attackPeers, Usage: "`N` peers, and the attacker"},
			&cli.BoolFlag{Name: "json", Usage: "standard output is one JSON object"},
		},
		OnUsageError: usageError,
		Action:       withArguments(simAttack),
	}
}

func simAttack(c *cli.Context, _ []string) error {
	seeds, honest := c.Int("seeds"), c.Int("peers")
	switch {
	case seeds < 1 || seeds > attackMostSeeds:
		return misusef("--seeds %d: want 1 to %d", seeds, attackMostSeeds)
	case honest < 2 || honest > attackMostPeers:
		return misusef("--peers %d: want 2 to %d", honest, attackMostPeers)
	}
	codes := reportCodes()
	attacks := append(hostile.Attacks(), hostile.Mixture)
	line := newLiveLine(c.App.ErrWriter)
	rows := make([][]hostile.Row, len(codes))
	for i, code := range codes {
		for k, a := range attacks {
			line.show(fmt.Sprintf("%s  %s: %v", bar(i*len(attacks)+k, len(codes)*len(attacks), 20), code.name, a))
			t := hostile.Trial{Attack: a, Honest: honest, NewNode: code.heal, Reference: code.reference}
			rows[i] = append(rows[i], hostile.Measure(t, uint64(seeds)))
		}
	}
	line.clear()
	if c.Bool("json") {
		if err := json.NewEncoder(c.App.Writer).Encode(attackReport(codes, rows)); err != nil {
			return err
		}
	} else if err := tellAttacks(c, codes, rows); err != nil {
		return err
	}
	for _, r := range rows[0] {
		if r.Err != nil {
			return fmt.Errorf("%v: %w", r.Attack, r.Err)
		}
	}
	return nil
}

func tellAttacks(c *cli.Context, codes []reportCode, rows [][]hostile.Row) error {
	theirs := []hostile.Row(nil)
	if len(codes) > 1 {
		theirs = rows[1]
	}
	if err := hostile.Print(c.App.Writer, rows[0], theirs); err != nil {
		return err
	}
	if theirs == nil {
		_, err := fmt.Fprintln(c.App.Writer, "\nc-toxcore is not built in: go run -tags oracle ./cmd/rejoin sim attack")
		return err
	}
	return nil
}

// attackJSON is one attack on one code; times are in milliseconds.
type attackJSON struct {
	Code   string       `json:"code"`
	Attack string       `json:"attack"`
	Worlds int          `json:"worlds"`
	Apart  float64      `json:"apart"`
	Wrong  float64      `json:"wrong"`
	Own    int          `json:"own"`
	Sends  float64      `json:"sends"`
	Bytes  float64      `json:"bytes"`
	Storms int          `json:"storms"`
	Whole  int          `json:"whole"`
	Median packets.Time `json:"median_ms"`
	Worst  packets.Time `json:"worst_ms"`
	Lost   float64      `json:"lost"`
	Deaf   float64      `json:"deaf"`
	Ghosts float64      `json:"ghosts"`
	Broken string       `json:"broken,omitempty"` // the bound that was
}

func attackReport(codes []reportCode, rows [][]hostile.Row) any {
	var list []attackJSON
	for i, code := range codes {
		for _, r := range rows[i] {
			x := attackJSON{
				Code: code.name, Attack: r.Attack.String(), Worlds: r.Trials, Apart: r.Apart, Wrong: r.Wrong, Own: r.Own,
				Sends: r.Sends, Bytes: r.Bytes, Storms: r.Storms, Whole: r.Whole, Median: r.Median, Worst: r.Worst,
				Lost: r.Lost, Deaf: r.Deaf, Ghosts: r.Ghost,
			}
			if r.Err != nil && !code.reference {
				x.Broken = r.Err.Error()
			}
			list = append(list, x)
		}
	}
	return struct {
		Attacks []attackJSON `json:"attacks"`
	}{list}
}
