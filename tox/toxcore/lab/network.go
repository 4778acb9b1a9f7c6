//go:build toxcore

package lab

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// A Network is hosts around one router, each a network namespace. The router
// has no other link, so nothing gets out. Links are cut without a word to
// anyone, as far away on the Internet: packets just stop to arrive.
//
// Addresses are of 198.18.0.0/15, set apart for tests of networks. To Tox they
// are of the Internet, not of a local network.
type Network struct {
	t      testing.TB
	id     string
	router string // namespace
	hosts  []*Host
	cuts   []cut
	loss   int // of a thousand packets
}

// A cut is two groups of addresses that do not reach each other.
type cut struct{ a, b string }

// A Host is a place for programs. The nil Host is this machine's loopback.
type Host struct {
	name      string
	namespace string
	addr      netip.Addr
}

// NewNetwork makes a network without hosts. It goes when the test is over.
func NewNetwork(t testing.TB) *Network {
	t.Helper()
	n := newNetwork(t, "router")
	n.ip("netns", "exec", n.router, "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")
	n.apply()
	return n
}

// newNetwork makes a network of nothing but one namespace, whatever hosts are to
// be linked to.
func newNetwork(t testing.TB, router string) *Network {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("lab: networks need root")
	}
	n := &Network{t: t, id: fmt.Sprintf("%s%d-%06x", namespacePrefix, os.Getpid(), rand.IntN(1<<24))}
	n.router = n.namespace(router)
	return n
}

// namespace makes a namespace.
func (n *Network) namespace(name string) string {
	n.t.Helper()
	full := n.id + "-" + name
	n.ip("netns", "add", full)
	n.t.Cleanup(func() {
		if out, err := exec.Command("ip", "netns", "delete", full).CombinedOutput(); err != nil {
			n.t.Errorf("ip netns delete: %v: %s", err, out)
		}
	})
	n.ip("-n", full, "link", "set", "lo", "up")
	return full
}

func (n *Network) ip(args ...string) {
	n.t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		n.t.Fatalf("ip %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// Host adds a host. The name is for logs and may be of letters and digits.
func (n *Network) Host(name string) *Host {
	n.t.Helper()
	number := byte(len(n.hosts) + 1)
	if number == 0 {
		n.t.Fatal("lab: too many hosts")
	}
	h := &Host{name: name, namespace: n.namespace(name), addr: netip.AddrFrom4([4]byte{198, 18, number, 2})}
	router := netip.AddrFrom4([4]byte{198, 18, number, 1}).String()
	link := fmt.Sprintf("host%d", number)
	n.ip("-n", n.router, "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", h.namespace)
	n.ip("-n", n.router, "address", "add", router+"/24", "dev", link)
	n.ip("-n", n.router, "link", "set", link, "up")
	n.ip("-n", h.namespace, "address", "add", h.addr.String()+"/24", "dev", "eth0")
	n.ip("-n", h.namespace, "link", "set", "eth0", "up")
	n.ip("-n", h.namespace, "route", "add", "198.18.0.0/15", "via", router)
	n.hosts = append(n.hosts, h)
	return h
}

// Cut parts the hosts of a from the hosts of b, in both directions. Earlier cuts
// stay.
func (n *Network) Cut(a, b []*Host) {
	n.t.Helper()
	n.cuts = append(n.cuts, cut{set(a), set(b)})
	n.apply()
}

// Isolate parts the hosts from all others.
func (n *Network) Isolate(hosts ...*Host) {
	n.t.Helper()
	var others []*Host
	for _, h := range n.hosts {
		if !slices.Contains(hosts, h) {
			others = append(others, h)
		}
	}
	n.Cut(hosts, others)
}

// Heal takes back all cuts.
func (n *Network) Heal() {
	n.t.Helper()
	n.cuts = nil
	n.apply()
}

// Loss makes the router lose so many of a thousand packets, at random, in
// each direction.
func (n *Network) Loss(perMille int) {
	n.t.Helper()
	n.loss = perMille
	n.apply()
}

// apply gives the router its rules, all at once.
func (n *Network) apply() {
	n.t.Helper()
	var b strings.Builder
	b.WriteString("table ip lab\ndelete table ip lab\ntable ip lab {\nchain forward {\n")
	b.WriteString("type filter hook forward priority 0; policy accept;\n")
	for _, c := range n.cuts {
		fmt.Fprintf(&b, "ip saddr %s ip daddr %s drop\nip saddr %s ip daddr %s drop\n", c.a, c.b, c.b, c.a)
	}
	if n.loss > 0 {
		fmt.Fprintf(&b, "numgen random mod 1000 <= %d drop\n", n.loss-1)
	}
	b.WriteString("}\n}\n")
	nft := exec.Command("ip", "netns", "exec", n.router, "nft", "-f", "-")
	nft.Stdin = strings.NewReader(b.String())
	if out, err := nft.CombinedOutput(); err != nil {
		n.t.Fatalf("nft: %v: %s\n%s", err, out, b.String())
	}
}

// set is the addresses of the hosts as nft writes a set.
func set(hosts []*Host) string {
	var list []string
	for _, h := range hosts {
		list = append(list, h.addr.String())
	}
	return "{ " + strings.Join(list, ", ") + " }"
}

// Addr is the host's address.
func (h *Host) Addr() netip.Addr {
	if h == nil {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	return h.addr
}

// Command is a program that will run on the host. Its process is the program
// itself, none around it.
func (h *Host) Command(program string, args ...string) *exec.Cmd {
	if h == nil {
		return exec.Command(program, args...)
	}
	return exec.Command("ip", append([]string{"netns", "exec", h.namespace, program}, args...)...)
}

// Do calls f in a thread that is on the host: sockets that f opens stay there,
// whoever uses them later. Goroutines that f starts are elsewhere.
func (h *Host) Do(f func() error) error {
	if h == nil {
		return f()
	}
	result := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := inNamespace(namespaceFile(h.namespace), f)
		runtime.UnlockOSThread()
		result <- err
	}()
	return <-result
}

// inNamespace calls f with this thread in the namespace and takes the thread
// back to where it was. It panics if it cannot, since any goroutine may get the
// thread next. It must not just end the thread: programs that were started
// from it would end with it.
func inNamespace(file string, f func() error) error {
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return err
	}
	defer home.Close()
	there, err := os.Open(file)
	if err != nil {
		return err
	}
	defer there.Close()
	if err := setns(there); err != nil {
		return err
	}
	defer func() {
		if err := setns(home); err != nil {
			panic(err)
		}
	}()
	return f()
}

// setns is the system call of that name, which package syscall does not number
// on all systems.
func setns(namespace *os.File) error {
	var number uintptr
	switch runtime.GOARCH {
	case "amd64":
		number = 308
	case "arm64":
		number = 268
	case "386":
		number = 346
	default:
		return fmt.Errorf("lab: setns on %s: %w", runtime.GOARCH, syscall.ENOSYS)
	}
	if _, _, errno := syscall.RawSyscall(number, namespace.Fd(), syscall.CLONE_NEWNET, 0); errno != 0 {
		return fmt.Errorf("lab: setns %s: %w", namespace.Name(), errno)
	}
	return nil
}
