package main

import "github.com/urfave/cli/v2"

func simCommand() *cli.Command {
	return family("sim", "conferences in a virtual network",
		simRunCommand(), simSweepCommand(), simSwarmCommand(), simPlayCommand(), simDrawCommand(), simReportCommand(),
		simAttackCommand())
}
