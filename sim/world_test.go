package sim

import (
	"testing"
	"time"

	"github.com/tox-rejoin/rejoin/packets"
)

func TestFirst(t *testing.T) {
	start := time.Now()
	w := New(Config{Seed: 1, Check: true, Audit: true, Log: func(at packets.Time, l string) { t.Logf("%d.%03d %s", at/1000, at%1000, l) }})
	if err := w.Gather(6); err != nil {
		t.Fatal(err)
	}
	w.Split([]int{0, 1, 2}, []int{3, 4, 5})
	_ = w.Run(w.Now() + 120_000)
	w.Heal()
	v, err := w.Settle(nil)
	t.Logf("%+v %v %x %+v %v", v, err, w.Hash(), w.Stats(), time.Since(start))
}
