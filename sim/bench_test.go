package sim

import (
	"testing"

	"github.com/tox-rejoin/rejoin/packets"
)

// BenchmarkDeliveries is a formed conference of 100 peers that ping. Every
// operation is one packet delivered to an engine, with all that follows.
func BenchmarkDeliveries(b *testing.B) {
	w := New(Config{Seed: 1})
	if err := w.Gather(100); err != nil {
		b.Fatal(err)
	}
	if err := w.Run(w.Now() + 60*packets.Second); err != nil {
		b.Fatal(err)
	}
	from := w.Stats().Deliveries
	b.ReportAllocs()
	b.ResetTimer()
	for w.Stats().Deliveries-from < uint64(b.N) {
		if err := w.Run(w.Now() + 100); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(w.Stats().Deliveries-from)/b.Elapsed().Seconds(), "deliveries/s")
}
