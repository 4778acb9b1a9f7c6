package conference

import "strings"

// Reason is a set of reasons to keep a neighbour.
type Reason uint8

// The reasons (SPEC.md, "Neighbours").
const (
	ReasonClosest     Reason = 1 << iota // one of our four closest peers
	ReasonIntroducing                    // we introduce the neighbour to the conference
	ReasonIntroducer                     // the neighbour introduces us
	ReasonFormer                         // it was a closest peer, and those that are now are not all online (SPEC I-18)
)

func reasonNames() [4]string { return [...]string{"closest", "introducing", "introducer", "former"} }

// String joins the names of the reasons, "closest+introducer" for example.
func (r Reason) String() string {
	var list []string
	for i, name := range reasonNames() {
		if r&(1<<i) != 0 {
			list = append(list, name)
		}
	}
	return strings.Join(list, "+")
}

// ParseReason finds the reason of a name; it tells whether there is one.
func ParseReason(name string) (Reason, bool) {
	for i, n := range reasonNames() {
		if n == name {
			return 1 << i, true
		}
	}
	return 0, false
}
