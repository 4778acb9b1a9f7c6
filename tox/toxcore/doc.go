// Package toxcore binds the public interface of libtoxcore, so that tests can
// meet real peers: friends, messages, custom packets and conferences of the
// library's own. It is no part of any program that ships.
//
// All of it is behind the build tag toxcore, needs cgo and, of Debian 12,
//
//	apt-get install gcc libc6-dev pkg-config libtoxcore-dev toxcore-utils iproute2 nftables toxic tmux
//	go test -tags toxcore ./tox/toxcore/...
//
// No Go function is ever called from C: callbacks append records to a buffer,
// and Tox.Iterate returns them as Events.
//
// Package stock, below it, is a peer as a program, to be killed or to run in a
// network namespace. Package lab starts such programs, tox-bootstrapd and whole
// networks for a test.
package toxcore
