// Package lab starts real Tox programs for tests: tox-bootstrapd, stock peers of
// libtoxcore, toxic in a terminal, and whole networks of hosts that can be cut
// and healed. Everything listens and sends on loopback only, or in network
// namespaces that have no route out, and ends with the test that started it.
//
// All of it is behind the build tag toxcore. A test package hands its TestMain
// to Run:
//
//	func TestMain(m *testing.M) { os.Exit(lab.Run(m)) }
//
//	func TestFriends(t *testing.T) {
//		daemon := lab.StartDaemon(t, lab.DaemonConfig{})
//		alice := lab.StartStock(t, lab.StockConfig{Name: "alice", Nodes: []lab.Node{daemon.Node}})
//		bob := lab.StartStock(t, lab.StockConfig{Name: "bob", Nodes: []lab.Node{daemon.Node}})
//		alice.Befriend(bob, 40*time.Second)
//	}
//
// Whatever goes wrong in here fails the test at once, with the last lines of
// every program that it had started. So all of it must be called by the test's
// own goroutine. Networks need root, iproute2 and nftables.
package lab
