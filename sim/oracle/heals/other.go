//go:build !oracle || !linux || !amd64

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "heals runs c-toxcore's own code: go run -tags oracle ./sim/oracle/heals, on linux/amd64, with libtoxcore-dev")
	os.Exit(2)
}
