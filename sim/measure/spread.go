package measure

import "slices"

// Spread is how a figure is spread over many worlds. A percentile is the least
// figure that at least that share of the worlds does not exceed; worlds without
// the figure, groups that stay apart, count as worse than all others.
type Spread[T ~int64 | ~uint64 | ~int] struct {
	P50, P99, Worst *T // nil: never
}

// SpreadOf is the spread of figures, which it sorts, among so many worlds.
func SpreadOf[T ~int64 | ~uint64 | ~int](figures []T, worlds int) Spread[T] {
	slices.Sort(figures)
	at := func(percent int) *T {
		k := (worlds*percent+99)/100 - 1
		if k < 0 || k >= len(figures) {
			return nil
		}
		v := figures[k]
		return &v
	}
	return Spread[T]{P50: at(50), P99: at(99), Worst: at(100)}
}
