//go:build !windows

package tox

import (
	"os"
	"syscall"
)

// setBroadcast sets the socket option SO_BROADCAST.
func setBroadcast(fd uintptr, value int) error {
	return os.NewSyscallError("setsockopt", syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_BROADCAST, value))
}
