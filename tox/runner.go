package tox

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/tox-rejoin/rejoin/packets"
)

// What we decided about sockets.
const (
	maxDatagram   = 2048    // longer ones are cut, and refused then
	maxQueued     = 1024    // datagrams that wait for the node; more are dropped
	socketBuffer  = 2 << 20 // bytes, each way; the system may allow less
	maxReadErrors = 64      // in a row
)

// ErrStopped is returned by Do when the Runner does not run any more.
var ErrStopped = errors.New("tox: stopped")

// RunnerConfig is what a Runner is made from.
type RunnerConfig struct {
	Node Config
	// Local is the address of the UDP socket. The zero value is a free port of
	// loopback, and then nothing gets off this machine; an unspecified IPv6
	// address is for both families. Node.IPv4Only is set for an IPv4 one.
	Local netip.AddrPort
	// LAN lets the node look for others in the local networks that this machine
	// is in at Listen, and be found there. It needs an unspecified Local: most
	// systems deliver broadcasts to no other. If it is false, the system refuses
	// whatever the node sends to a broadcast address. Node.LAN and Node.Broadcast
	// are set by it.
	LAN bool
	// Handle takes the events, one after the other, in the goroutine of Run; it
	// may call verbs of the Node with now, and must not block. What e holds is
	// valid until it returns. nil: events are dropped.
	Handle func(now packets.Time, n *Node, e Event)
	// Rest is called when the Node has nothing more to tell after an input: the
	// place for what the owner does once for all of it. dirty is Output.Dirty. It
	// may call verbs, and returns when it wants to be called at the latest; 0:
	// after the next input. nil: not called.
	Rest func(now packets.Time, n *Node, dirty bool) (wake packets.Time)
	// Stop is called when Run is about to end, before the Node says goodbye. It
	// may call verbs. nil: not called.
	Stop func(now packets.Time, n *Node)
}

// Runner runs a Node on a UDP socket. One goroutine, that of Run, owns the Node.
type Runner struct {
	cfg    RunnerConfig
	node   *Node
	wake   packets.Time // of the node
	dirty  bool         // the node, since the last Rest
	socket *net.UDPConn
	began  time.Time
	unix   packets.Time

	arrived chan arrival
	free    chan []byte // buffers of datagrams
	calls   chan func(packets.Time, *Node)
	owner   chan struct{} // holds one token, which Run takes for good; whoever has it owns the node
	done    chan struct{} // closed when Run or Close ends it
}

// arrival is a datagram that the node has not seen; or the end of reading.
type arrival struct {
	from netip.AddrPort
	data []byte
	err  error
}

// Listen opens the socket and makes the node. Run must be called afterwards, or
// Close. It returns an error of the socket or of New.
func Listen(cfg RunnerConfig) (*Runner, error) {
	if !cfg.Local.IsValid() {
		cfg.Local = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 0)
	}
	network := "udp"
	if cfg.Local.Addr().Unmap().Is4() {
		network, cfg.Node.IPv4Only = "udp4", true
	}
	cfg.Node.LAN, cfg.Node.Broadcast = cfg.LAN, nil
	if cfg.LAN {
		var err error
		if cfg.Node.Broadcast, err = broadcastAddresses(cfg.Local.Addr()); err != nil {
			return nil, fmt.Errorf("tox: local networks: %w", err)
		}
	}
	socket, err := net.ListenUDP(network, net.UDPAddrFromAddrPort(cfg.Local))
	if err != nil {
		return nil, fmt.Errorf("tox: %w", err)
	}
	// Smaller buffers only lose more packets.
	_ = socket.SetReadBuffer(socketBuffer)
	_ = socket.SetWriteBuffer(socketBuffer)
	if err := allowBroadcast(socket, cfg.LAN); err != nil {
		return nil, errors.Join(fmt.Errorf("tox: %w", err), socket.Close())
	}
	began := time.Now()
	unix := packets.Time(began.Unix()) * packets.Second
	node, err := New(unix, cfg.Node)
	if err != nil {
		return nil, errors.Join(err, socket.Close())
	}
	r := &Runner{
		cfg: cfg, node: node, socket: socket, began: began, unix: unix,
		arrived: make(chan arrival, maxQueued), free: make(chan []byte, maxQueued),
		calls: make(chan func(packets.Time, *Node)), owner: make(chan struct{}, 1), done: make(chan struct{}),
	}
	r.owner <- struct{}{}
	return r, nil
}

// Addr is the address of the socket.
func (r *Runner) Addr() netip.AddrPort {
	a := r.socket.LocalAddr().(*net.UDPAddr).AddrPort() //nolint:forcetypeassert // what ListenUDP gives
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// Now is the instance clock: Unix time at Listen in whole seconds, and what has
// passed since.
func (r *Runner) Now() packets.Time {
	return r.unix + packets.Time(time.Since(r.began).Milliseconds())
}

// Close frees the socket of a Runner that will not run. One that does is ended
// by its context; Close waits for that.
func (r *Runner) Close() error {
	select {
	case <-r.owner:
		close(r.done)
		return r.socket.Close()
	case <-r.done:
		return nil
	}
}

// Run runs the node until ctx is done, says goodbye to its peers and closes the
// socket. It returns nil then, or why the socket cannot be read; ErrStopped if
// it has run already.
func (r *Runner) Run(ctx context.Context) (err error) {
	select {
	case <-r.owner:
	case <-r.done:
		return ErrStopped
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		r.read()
	}()
	defer func() {
		close(r.done)
		if closed := r.socket.Close(); err == nil {
			err = closed
		}
		<-read
	}()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		r.rest(timer)
		select {
		case <-ctx.Done():
			r.stop()
			return nil
		case a := <-r.arrived:
			if a.err != nil {
				r.stop() // the owner wants to save, even if nobody hears the goodbye
				return fmt.Errorf("tox: %w", a.err)
			}
			_ = r.node.Receive(r.Now(), a.from, a.data) // what is refused is of no interest
			select {
			case r.free <- a.data[:maxDatagram]:
			default:
			}
		case call := <-r.calls:
			call(r.Now(), r.node)
		case <-timer.C:
			r.node.Tick(r.Now())
		}
	}
}

// stop says goodbye.
func (r *Runner) stop() {
	if r.cfg.Stop != nil {
		r.cfg.Stop(r.Now(), r.node)
	}
	r.node.Stop(r.Now())
	r.flush()
}

// Do has f called by the goroutine of Run and waits for it; before Run begins it
// calls f itself. f may call verbs of the node with now. It must not be called
// by Handle, Rest, Stop or an f. It returns ErrStopped, or the error of ctx if f
// will not be called because of it.
func (r *Runner) Do(ctx context.Context, f func(now packets.Time, n *Node)) error {
	finished := make(chan struct{})
	call := func(now packets.Time, n *Node) {
		defer close(finished)
		f(now, n)
	}
	select {
	case <-r.owner:
		defer func() { r.owner <- struct{}{} }()
		f(r.Now(), r.node)
		r.flush()
		return nil
	case r.calls <- call:
		<-finished
		return nil
	case <-r.done:
		return ErrStopped
	case <-ctx.Done():
		return ctx.Err()
	}
}

// rest does what the node said, and sets the timer for what it will do next.
func (r *Runner) rest(timer *time.Timer) {
	wake := r.flush()
	if wake == 0 {
		timer.Reset(time.Hour) // there is no Tick that this could be too late for
		return
	}
	timer.Reset(time.Duration(wake-r.Now()) * time.Millisecond)
}

// flush sends and tells what the node has, until nothing is left of it. It
// returns when somebody wants to be woken, 0 if nobody does.
func (r *Runner) flush() packets.Time {
	for {
		for r.tell() {
		}
		var wake packets.Time
		if r.cfg.Rest != nil {
			dirty := r.dirty
			r.dirty = false
			wake = r.cfg.Rest(r.Now(), r.node, dirty)
		}
		if !r.tell() {
			if wake == 0 || r.wake != 0 && r.wake < wake {
				wake = r.wake
			}
			return wake
		}
	}
}

// tell sends and tells what the node has, and says whether that may have given
// it something new.
func (r *Runner) tell() bool {
	out := r.node.Poll()
	r.wake = out.Wake
	r.dirty = r.dirty || out.Dirty
	for _, d := range out.Sends {
		// A datagram that cannot be sent is one that got lost.
		_, _ = r.socket.WriteToUDPAddrPort(d.Data, d.To)
	}
	if r.cfg.Handle != nil {
		for _, e := range out.Events {
			r.cfg.Handle(r.Now(), r.node, e)
		}
	}
	return len(out.Events) > 0
}

// read takes datagrams from the socket until it is closed. Those that the node
// is too busy for are dropped, as a full socket would.
func (r *Runner) read() {
	failed := 0
	var buf []byte
	for {
		if buf == nil {
			select {
			case buf = <-r.free:
			default:
				buf = make([]byte, maxDatagram)
			}
		}
		size, from, err := r.socket.ReadFromUDPAddrPort(buf)
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // some systems report what others answered to our packets
			if failed++; failed < maxReadErrors {
				continue
			}
			select {
			case r.arrived <- arrival{err: err}:
			case <-r.done:
			}
			return
		}
		failed = 0
		select {
		case r.arrived <- arrival{from: from, data: buf[:size]}:
			buf = nil
		default:
		}
	}
}
