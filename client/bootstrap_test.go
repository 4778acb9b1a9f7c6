package client_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Two who each run a network of their own meet when one enters the other's.
func TestBootstrapLater(t *testing.T) {
	t.Parallel()
	alice := start(t, t.TempDir(), "alice")
	bob := start(t, t.TempDir(), "bob")
	require.NoError(t, bob.Bootstrap(alice.Node()))
	befriend(alice, bob)
	bob.stop()
	require.Error(t, bob.Bootstrap(alice.Node()))
}
