//go:build toxcore

package interop

import (
	"fmt"
	"os"
	"testing"

	"github.com/tox-rejoin/rejoin/tox/toxcore/lab"
)

// The test binary is also the program in which our side runs: see program.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == programArg {
		if err := runProgram(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(lab.Run(m))
}
