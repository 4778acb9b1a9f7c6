// Package oracle runs the conference code of c-toxcore, as Debian 12 ships it
// in libtoxcore-dev 0.2.18, as a sim.Node: no socket, no thread, a clock and
// random numbers that the host gives. It is the reference that the engine in
// Reference mode is compared with.
//
// Only the archive member group.c.o is linked; stubs.c is the 40 functions that
// it expects from the rest of c-toxcore, and New refuses to work unless the
// layout of the code's structures is the expected one. The archive is
// GPL-3.0-or-later and one binary with it a combined work, so everything here
// needs the build tag oracle (and linux on amd64) and is meant for tests:
//
//	apt-get install libtoxcore-dev
//	go test -tags oracle ./sim/oracle
//	go run -tags oracle ./sim/oracle/differ --seeds 1-1000
//
// Beside the comparison there are groups of both kinds of code (Kinds), peers from
// before minpgc (NewForgetful), and a clock for heals (Heal), which also counts what
// delays them:
//
//	go run -tags oracle ./sim/oracle/heals --peers 50 --seeds 1-50 --prompt
//
// A failed assertion of c-toxcore aborts the process. Never link this into a
// program that also loads libtoxcore.so.
package oracle
