package scenario

import (
	"fmt"
	"slices"

	"github.com/tox-rejoin/rejoin/conference"
)

// Flip is a scenario with one expectation made wrong.
type Flip struct {
	What     string    // the line and what was done to it
	Scenario *Scenario // must fail
	Mode     Mode      // in this mode
}

// Flips makes every expectation of s wrong, each in several ways: a packet to
// somebody else, with another byte or length; another event, error or
// connection; a fact with another value; a line left out (unless it states a
// fact); two neighbouring lines exchanged; an effect added that did not happen.
// A scenario is worth something only if each of them fails.
func (s *Scenario) Flips() []Flip {
	var flips []Flip
	for i, st := range s.Steps {
		if st.Block != Then {
			continue
		}
		for _, m := range s.Modes() {
			if st.Mode.matches(m) {
				flips = append(flips, s.flipStep(i, m)...)
			}
		}
	}
	return flips
}

func (s *Scenario) flipStep(i int, m Mode) []Flip {
	st := s.Steps[i]
	var flips []Flip
	add := func(what string, steps []Step) {
		c := *s
		c.Steps = steps
		flips = append(flips, Flip{
			What:     fmt.Sprintf("%s line %d: %s: %s", m, st.Line, st.Text, what),
			Scenario: &c,
			Mode:     m,
		})
	}
	for n, want := range st.want.flipped() {
		steps := slices.Clone(s.Steps)
		steps[i].want = want
		add(fmt.Sprintf("variant %d", n+1), steps)
	}
	if isEffect(st.want) {
		add("left out", slices.Delete(slices.Clone(s.Steps), i, i+1))
	}
	if j := s.nextOfKind(i, m); j >= 0 {
		steps := slices.Clone(s.Steps)
		steps[i].want, steps[j].want = steps[j].want, steps[i].want
		add("exchanged with the next", steps)
	}
	for n, want := range invented() {
		steps := slices.Clone(s.Steps)
		extra := st
		extra.want, extra.first = want, false
		add(fmt.Sprintf("invention %d", n+1), slices.Insert(steps, i+1, extra))
	}
	return flips
}

// isEffect tells whether leaving the line out must be noticed.
func isEffect(e expectation) bool {
	switch e.(type) {
	case sendExp, connExp, eventExp, errorExp:
		return true
	}
	return false
}

// nextOfKind is the next line of the same queue that differs from line i, in
// the same run of thens, or -1.
func (s *Scenario) nextOfKind(i int, m Mode) int {
	want := s.Steps[i].want
	for j := i + 1; j < len(s.Steps) && s.Steps[j].Block == Then; j++ {
		if !s.Steps[j].Mode.matches(m) {
			continue
		}
		other := s.Steps[j].want
		if !sameQueue(want, other) {
			continue
		}
		if fmt.Sprintf("%v", want) == fmt.Sprintf("%v", other) {
			return -1
		}
		return j
	}
	return -1
}

func sameQueue(a, b expectation) bool {
	switch a := a.(type) {
	case sendExp:
		b, ok := b.(sendExp)
		return ok && a.unsent == b.unsent
	case connExp:
		_, ok := b.(connExp)
		return ok
	case eventExp:
		_, ok := b.(eventExp)
		return ok
	case errorExp:
		_, ok := b.(errorExp)
		return ok
	}
	return false
}

// invented are effects that no node has.
func invented() []expectation {
	nobody := peer{who: "nobody"}
	return []expectation{
		sendExp{to: []peer{nobody}, data: [][]byte{{0x61}}},
		connExp{op: conference.Want, peer: nobody},
		eventExp{want: conference.Event{Kind: conference.Connected}},
		errorExp{refused: true},
		errorExp{},
	}
}
