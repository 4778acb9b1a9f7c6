package netcrypto_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/crypto"
	"github.com/tox-rejoin/rejoin/tox/netcrypto"
)

// Two machines whose datagrams arrive at once.
func Example() {
	type node struct {
		*netcrypto.Machine
		name      string
		real, dht crypto.KeyPair
		addr      netip.AddrPort
	}
	start := func(name string, seed byte, addr string) *node {
		r := rand.NewChaCha8([32]byte{seed}) // crypto/rand.Reader in a real node
		n := &node{name: name, real: crypto.NewKeyPair(r), dht: crypto.NewKeyPair(r), addr: netip.MustParseAddrPort(addr)}
		n.Machine = netcrypto.New(netcrypto.Config{Real: n.real, DHT: n.dht, Rand: r})
		return n
	}
	alice, bob := start("alice", 1, "192.0.2.1:33445"), start("bob", 2, "192.0.2.2:33445")
	now := packets.Time(1_700_000_000_000)

	// carry does what the machines' outputs say until there is nothing to do.
	carry := func() {
		for moved := true; moved; {
			moved = false
			for _, n := range []*node{alice, bob} {
				out := n.Poll()
				for _, e := range out.Events {
					switch e.Kind {
					case netcrypto.Established:
						fmt.Println(n.name, "is connected with", e.RealKey)
					case netcrypto.Payload:
						fmt.Printf("%s got packet id %d: %s\n", n.name, e.Data[0], e.Data[1:])
					case netcrypto.Lost:
						fmt.Println(n.name, "has lost", e.RealKey)
					}
				}
				for _, d := range out.Sends {
					moved = true
					to := alice
					if d.To == bob.addr {
						to = bob
					}
					_ = to.Receive(now, n.addr, d.Data) // what is refused is lost
				}
			}
		}
	}

	_ = bob.Expect(alice.real.Public, true)
	_ = alice.Expect(bob.real.Public, true)
	_ = alice.Dial(now, bob.real.Public, bob.dht.Public, bob.addr)
	carry()
	_, _ = alice.Send(now, bob.real.Public, append([]byte{64}, "hello"...))
	carry()
	alice.Close(now, bob.real.Public)
	carry()
	// Output:
	// alice is connected with 642d4a3d
	// bob is connected with 2a92b734
	// bob got packet id 64: hello
	// bob has lost 2a92b734
}
