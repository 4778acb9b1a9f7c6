package peers

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

func TestPeerIsOneSizeClass(t *testing.T) {
	require.LessOrEqual(t, unsafe.Sizeof(Peer{}), uintptr(144))
}
