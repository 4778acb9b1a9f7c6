//go:build toxcore

package lab

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// Ports are taken below those that the kernel hands out by itself, and away from
// the Tox range of 33445 to 33545, where strangers may look for us.
const firstPort, lastPort = 20000, 29999

// Port is a port that is free for UDP and TCP, and that no other caller of Port
// on this machine gets until the test is over.
func Port(t testing.TB) uint16 {
	t.Helper()
	dir := filepath.Join(os.TempDir(), "rejoin-lab-ports")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	// At random, so that late packets for an earlier test hit nobody.
	for range 200 {
		port := firstPort + rand.IntN(lastPort-firstPort+1)
		lock, err := os.OpenFile(filepath.Join(dir, strconv.Itoa(port)), os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil && free(port) {
			t.Cleanup(func() { lock.Close() })
			return uint16(port)
		}
		lock.Close()
	}
	t.Fatal("lab: found no free port")
	return 0
}

// free tells whether nobody listens on the port. No program is started
// meanwhile: until it is one, it has our sockets, and the port would stay taken.
func free(port int) bool {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	address := fmt.Sprintf(":%d", port)
	udp, err := net.ListenPacket("udp4", address)
	if err != nil {
		return false
	}
	tcp, err := net.Listen("tcp4", address)
	if err == nil {
		err = tcp.Close()
	}
	return errors.Join(err, udp.Close()) == nil
}
