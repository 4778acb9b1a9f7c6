package fault

import "testing"

// BenchmarkSwarm draws and plays scenarios of up to 20 peers. Every operation is
// one seed.
func BenchmarkSwarm(b *testing.B) {
	b.ReportAllocs()
	for seed := range uint64(b.N) {
		s := Swarm(seed, 0)
		if r := (Player{}).Play(&s); r.Failed() {
			b.Fatalf("seed %d: %s", seed, r.Why())
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "seeds/s")
}
