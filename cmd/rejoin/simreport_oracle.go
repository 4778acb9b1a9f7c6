//go:build oracle && linux && amd64

package main

import "github.com/tox-rejoin/rejoin/sim/oracle"

// reportOthers is c-toxcore.
func reportOthers() []reportCode {
	return []reportCode{{"c-toxcore", oracle.New, oracle.NewAudited, true}}
}
