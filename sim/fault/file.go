package fault

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/sim"
)

// version is the value of "fault" in the header.
const version = 1

// mostLine is how long a line may be, in bytes.
const mostLine = 1 << 20

// The lines of a file, their fields in the order in which they are written.
type (
	headerLine struct {
		Fault     int          `json:"fault"`
		Note      string       `json:"note,omitempty"`
		Seed      uint64       `json:"seed"`
		Peers     int          `json:"peers"`
		Others    int          `json:"others,omitempty"`
		Friends   friendsField `json:"friends"`
		Audio     bool         `json:"audio,omitempty"`
		Reference bool         `json:"reference,omitempty"`
		MaxFrozen int          `json:"max_frozen,omitempty"`
		networkFields
		Expect string `json:"expect,omitempty"`
	}
	opLine struct {
		T      *packets.Time `json:"t"`
		Op     Kind          `json:"op"`
		Node   *int          `json:"node,omitempty"`
		Peer   *int          `json:"peer,omitempty"`
		Groups [][]int       `json:"groups,omitempty"`
		OneWay *bool         `json:"one_way,omitempty"`
		MS     *packets.Time `json:"ms,omitempty"`
		Text   *string       `json:"text,omitempty"`
		Save   *Save         `json:"save,omitempty"`
		Back   *int          `json:"back,omitempty"`
		Left   *uint16       `json:"left,omitempty"`
		Of     *int          `json:"of,omitempty"`
		Late   *bool         `json:"late,omitempty"`
		Most   *int          `json:"most,omitempty"`
		Core   []int         `json:"core,omitempty"`
		networkFields
	}
	networkFields struct {
		Delay     *delayField `json:"delay,omitempty"`
		Loss      *float64    `json:"loss,omitempty"`
		Duplicate *float64    `json:"duplicate,omitempty"`
		Reorder   *float64    `json:"reorder,omitempty"`
	}
	delayField struct {
		Law      string         `json:"law"`
		Least    packets.Time   `json:"ms,omitempty"`
		Scale    packets.Time   `json:"scale,omitempty"`
		Shape    float64        `json:"shape,omitempty"`
		Recorded []packets.Time `json:"recorded,omitempty"`
	}
	// friendsField is a shape or a list of pairs.
	friendsField Friends
)

// MarshalJSON writes the shape, or else the list.
func (f friendsField) MarshalJSON() ([]byte, error) {
	if f.Shape != "" {
		return json.Marshal(f.Shape)
	}
	if f.Edges == nil {
		return []byte("[]"), nil
	}
	return json.Marshal(f.Edges)
}

// UnmarshalJSON reads a shape or a list of pairs.
func (f *friendsField) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		if err := json.Unmarshal(b, &f.Shape); err != nil {
			return err
		}
		if f.Shape == "" {
			return errors.New("friends: an empty shape")
		}
		return nil
	}
	var list [][]int
	if err := json.Unmarshal(b, &list); err != nil {
		return fmt.Errorf("friends: want a shape or a list of pairs: %w", err)
	}
	for _, e := range list {
		if len(e) != 2 {
			return fmt.Errorf("friends: %v is no pair", e)
		}
		f.Edges = append(f.Edges, [2]int(e))
	}
	return nil
}

func lawNames() []string {
	return []string{"fixed", "constant", "uniform", "exponential", "lognormal", "pareto", "recorded"}
}

func lawName(l sim.DelayLaw) string {
	if names := lawNames(); int(l) < len(names) {
		return names[l]
	}
	return "unknown"
}

func fromNetwork(n *sim.Network) networkFields {
	var f networkFields
	if n.Delay.Law != sim.FixedDelay {
		f.Delay = &delayField{lawName(n.Delay.Law), n.Delay.Least, n.Delay.Scale, n.Delay.Shape, n.Delay.Recorded}
	}
	set := func(p float64) *float64 {
		if p == 0 {
			return nil
		}
		return &p
	}
	f.Loss, f.Duplicate, f.Reorder = set(n.Loss), set(n.Duplicate), set(n.Reorder)
	return f
}

func (f *networkFields) network() (n sim.Network, e *Error) {
	if d := f.Delay; d != nil {
		law := -1
		for i, name := range lawNames() {
			if i > 0 && name == d.Law {
				law = i
			}
		}
		if law < 0 {
			return n, wrong("delay", "%q is none of %s", d.Law, strings.Join(lawNames()[1:], ", "))
		}
		n.Delay = sim.Delay{Law: sim.DelayLaw(law), Least: d.Least, Scale: d.Scale, Shape: d.Shape, Recorded: d.Recorded}
	}
	for _, p := range []struct {
		from *float64
		to   *float64
	}{{f.Loss, &n.Loss}, {f.Duplicate, &n.Duplicate}, {f.Reorder, &n.Reorder}} {
		if p.from != nil {
			*p.to = *p.from
		}
	}
	return n, nil
}

// Append writes the scenario behind dst. It writes every scenario in one form;
// Read reads that, and any other order of fields.
func (s *Scenario) Append(dst []byte) []byte {
	dst = appendLine(dst, &headerLine{
		Fault: version, Note: s.Note, Seed: s.Seed, Peers: s.Peers, Others: s.Others, Friends: friendsField(s.Friends),
		Audio: s.Audio, Reference: s.Reference, MaxFrozen: s.MaxFrozen, networkFields: fromNetwork(&s.Network), Expect: s.Expect,
	})
	for i := range s.Ops {
		dst = appendLine(dst, fromOp(&s.Ops[i]))
	}
	return dst
}

func appendLine(dst []byte, line any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(line); err != nil {
		panic(err) // these types can be encoded
	}
	return append(dst, b.Bytes()...)
}

// fromOp is the line of an operation: the fields that it needs, and those that
// it may have where they are not zero.
func fromOp(o *Op) *opLine {
	needs, may, _ := o.Kind.fields()
	has := needs | may
	l := &opLine{T: &o.T, Op: o.Kind}
	if has&fieldNode != 0 {
		l.Node = &o.Node
	}
	if has&fieldPeer != 0 {
		l.Peer = &o.Peer
	}
	if has&fieldGroups != 0 {
		l.Groups = o.Groups
	}
	if o.OneWay {
		l.OneWay = &o.OneWay
	}
	if has&fieldMS != 0 {
		l.MS = &o.MS
	}
	if has&fieldText != 0 {
		l.Text = &o.Text
	}
	if has&fieldSave != 0 {
		l.Save = &o.Save
	}
	switch o.Save {
	case Older:
		l.Back = &o.Back
	case Torn:
		l.Left = &o.Left
	case Copy:
		l.Of = &o.Of
	}
	if o.Late {
		l.Late = &o.Late
	}
	if has&fieldMost != 0 {
		l.Most = &o.Most
	}
	if has&fieldCore != 0 {
		l.Core = o.Core
	}
	if has&fieldNetwork != 0 {
		l.networkFields = fromNetwork(&o.Network)
	}
	return l
}

// Read reads a scenario and checks it. An *Error says which line and field is
// wrong.
func Read(r io.Reader) (Scenario, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 4096), mostLine)
	var s Scenario
	n := 0
	for lines.Scan() {
		n++
		if n > MostOps+1 {
			return Scenario{}, &Error{Line: n, What: fmt.Sprintf("more than %d operations", MostOps)}
		}
		var e *Error
		if n == 1 {
			e = s.readHeader(lines.Bytes())
		} else {
			e = s.readOp(lines.Bytes())
		}
		if e != nil {
			e.Line = n
			return Scenario{}, e
		}
	}
	if err := lines.Err(); err != nil {
		return Scenario{}, fmt.Errorf("%w: line %d: %w", ErrScenario, n+1, err)
	}
	if n == 0 {
		return Scenario{}, &Error{Line: 1, What: "no header"}
	}
	if err := s.Check(); err != nil {
		return Scenario{}, err
	}
	return s, nil
}

// strict reads one JSON object whose fields are all known.
func strict(line []byte, to any) *Error {
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	if err := dec.Decode(to); err != nil {
		var kind *json.UnmarshalTypeError
		if errors.As(err, &kind) {
			return wrong(kind.Field, "%s, want %s", kind.Value, kind.Type)
		}
		return wrong("", "%s", strings.TrimPrefix(err.Error(), "json: "))
	}
	if dec.InputOffset() < int64(len(bytes.TrimRight(line, " \t\r"))) {
		return wrong("", "something behind the object")
	}
	return nil
}

func (s *Scenario) readHeader(line []byte) *Error {
	var h headerLine
	if e := strict(line, &h); e != nil {
		return e
	}
	if h.Fault != version {
		return wrong("fault", "%d: not a scenario of version %d", h.Fault, version)
	}
	*s = Scenario{
		Note: h.Note, Seed: h.Seed, Peers: h.Peers, Others: h.Others, Friends: Friends(h.Friends),
		Audio: h.Audio, Reference: h.Reference, MaxFrozen: h.MaxFrozen, Expect: h.Expect,
	}
	var e *Error
	s.Network, e = h.network()
	return e
}

func (s *Scenario) readOp(line []byte) *Error {
	var l opLine
	if e := strict(line, &l); e != nil {
		return e
	}
	needs, may, ok := l.Op.fields()
	if !ok {
		return wrong("op", "%q is no operation", l.Op)
	}
	if l.T == nil {
		return wrong("t", "missing")
	}
	if e := l.fits(needs, may); e != nil {
		return e
	}
	o := Op{T: *l.T, Kind: l.Op, Groups: l.Groups, Core: l.Core}
	if o.Core != nil && len(o.Core) == 0 {
		o.Core = nil
	}
	fill(&o.Node, l.Node)
	fill(&o.Peer, l.Peer)
	fill(&o.OneWay, l.OneWay)
	fill(&o.MS, l.MS)
	fill(&o.Text, l.Text)
	fill(&o.Save, l.Save)
	fill(&o.Back, l.Back)
	fill(&o.Left, l.Left)
	fill(&o.Of, l.Of)
	fill(&o.Late, l.Late)
	fill(&o.Most, l.Most)
	var e *Error
	if o.Network, e = l.network(); e != nil {
		return e
	}
	s.Ops = append(s.Ops, o)
	return nil
}

func fill[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

// fits checks that an operation has the fields that it needs and no others.
func (l *opLine) fits(needs, may field) *Error {
	save := Save("")
	fill(&save, l.Save)
	for _, f := range []struct {
		name        string
		there       bool
		needed, may bool
	}{
		{"node", l.Node != nil, needs&fieldNode != 0, may&fieldNode != 0},
		{"peer", l.Peer != nil, needs&fieldPeer != 0, may&fieldPeer != 0},
		{"groups", l.Groups != nil, needs&fieldGroups != 0, may&fieldGroups != 0},
		{"one_way", l.OneWay != nil, false, may&fieldOneWay != 0},
		{"ms", l.MS != nil, needs&fieldMS != 0, false},
		{"text", l.Text != nil, needs&fieldText != 0, false},
		{"save", l.Save != nil, needs&fieldSave != 0, false},
		{"back", l.Back != nil, save == Older, false},
		{"left", l.Left != nil, save == Torn, false},
		{"of", l.Of != nil, save == Copy, false},
		{"late", l.Late != nil, false, may&fieldLate != 0},
		{"most", l.Most != nil, needs&fieldMost != 0, false},
		{"core", l.Core != nil, false, may&fieldCore != 0},
		{"delay", l.Delay != nil, false, may&fieldNetwork != 0},
		{"loss", l.Loss != nil, false, may&fieldNetwork != 0},
		{"duplicate", l.Duplicate != nil, false, may&fieldNetwork != 0},
		{"reorder", l.Reorder != nil, false, may&fieldNetwork != 0},
	} {
		switch {
		case f.needed && !f.there:
			return wrong(f.name, "missing")
		case f.there && !f.needed && !f.may:
			return wrong(f.name, "%s does not have it", l.Op)
		}
	}
	return nil
}
