package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"github.com/tox-rejoin/rejoin/client"
	"github.com/tox-rejoin/rejoin/persist"
)

// The ports at which Tox clients listen.
const (
	firstPort = 33445
	lastPort  = 33545
)

// openBot opens the profile in o.dir at the port that the user gave, or at the first that
// is free. Errors say what to do.
func openBot(o *botOptions, cfg client.Config) (*client.Client, error) {
	address := listenAddress(o.local())
	first, last := o.port, o.port
	if o.port == 0 {
		first, last = firstPort, lastPort
	}
	for port := first; port <= last; port++ {
		cfg.Local = netip.AddrPortFrom(address, port)
		c, err := client.Open(o.dir, cfg)
		if !taken(err) {
			return c, explain(err)
		}
	}
	if o.port == 0 {
		return nil, fmt.Errorf("no UDP port from %d to %d is free; give another with --port", firstPort, lastPort)
	}
	return nil, fmt.Errorf("UDP port %d is taken; give another --port, or none for the first free one", o.port)
}

// listenAddress is loopback for a network of our own, and else every address of
// the families that this machine has.
func listenAddress(local bool) netip.Addr {
	if local {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	socket, err := net.ListenUDP("udp6", nil)
	if err != nil {
		return netip.IPv4Unspecified()
	}
	_ = socket.Close() // it was for a try only
	return netip.IPv6Unspecified()
}

// taken tells whether an error is that of a port which someone else has.
func taken(err error) bool {
	const windows = syscall.Errno(10048) // WSAEADDRINUSE, which errors.Is does not know
	var errno syscall.Errno
	return errors.As(err, &errno) && (errno == syscall.EADDRINUSE || errno == windows)
}

// explain says what the user can do about a profile that does not open.
func explain(err error) error {
	var locked *persist.LockedError
	var damaged *persist.DamagedError
	switch {
	case errors.As(err, &locked):
		return fmt.Errorf("the profile is in use by %v; stop that, or give another --dir", locked.Holder)
	case errors.As(err, &damaged):
		backup := ""
		if damaged.Backup != "" {
			backup = ", or put its backup " + damaged.Backup + " in its place"
		}
		return fmt.Errorf("the profile %s is damaged; see rejoin save check and rejoin save repair%s", damaged.Path, backup)
	case errors.Is(err, persist.ErrOnlyBackup):
		return fmt.Errorf("%w; put the backup in its place, or give another --dir", err)
	case errors.Is(err, persist.ErrNoPassword):
		return fmt.Errorf("%w; give --password-file or %s", err, passwordVariable)
	}
	return err
}
