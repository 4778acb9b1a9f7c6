package peers

import "fmt"

// Check asserts what must always hold: both lists know their peers' places,
// and the look-ups find the first peer of each key and number.
func (s *Set) Check() error {
	if got, want := len(s.active)+len(s.frozen), len(s.slots)-len(s.free); got != want {
		return fmt.Errorf("peers: lists hold %d peers, slots %d", got, want)
	}
	if s.byNumber.used != s.byKey.used || s.byKey.used != len(s.active)+len(s.frozen) {
		return fmt.Errorf("peers: %d numbers, %d keys, %d peers", s.byNumber.used, s.byKey.used, len(s.active)+len(s.frozen))
	}
	for _, frozen := range []bool{false, true} {
		for i, h := range *s.list(frozen) {
			p := s.slots[h]
			switch {
			case p == nil:
				return fmt.Errorf("peers: no peer behind handle %d", h)
			case int(p.pos) != i || p.frozen != frozen || p.handle != h:
				return fmt.Errorf("peers: %v is misplaced", p.Key)
			case !s.doubles && (s.ByNumber(p.Number) != p || s.ByKey(&p.Key) != p):
				return fmt.Errorf("peers: %v (number %d) is not found by its number and key", p.Key, p.Number)
			}
		}
	}
	return nil
}
