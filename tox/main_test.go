//go:build toxcore

package tox_test

import (
	"os"
	"testing"

	"github.com/tox-rejoin/rejoin/tox/toxcore/lab"
)

func TestMain(m *testing.M) { os.Exit(lab.Run(m)) }
