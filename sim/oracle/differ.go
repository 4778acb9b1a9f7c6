//go:build oracle && linux && amd64

package oracle

import (
	"errors"
	"fmt"
	"math/bits"
	"strings"
)

// Driver is a way to make inputs for pairs of our engine and c-toxcore.
type Driver string

// The drivers.
const (
	// Mesh is a small network: several conferences, cuts, crashes, old saves,
	// pauses, calls of users, and packets that are forged on their way.
	Mesh Driver = "mesh"
	// Solo is one node among neighbours that are only made up, all of them hostile.
	Solo Driver = "solo"
)

// ErrDriver is returned for the name of no driver.
var ErrDriver = errors.New("oracle: no such driver")

// ParseDrivers reads names with commas between them. It returns ErrDriver.
func ParseDrivers(s string) ([]Driver, error) {
	var list []Driver
	for _, name := range strings.Split(s, ",") {
		d := Driver(name)
		if d != Mesh && d != Solo {
			return nil, fmt.Errorf("%w: %q is none of %s and %s", ErrDriver, name, Mesh, Solo)
		}
		list = append(list, d)
	}
	return list, nil
}

// DefaultDrivers are what one differential seed stands for: a whole small network,
// and one node under attack.
func DefaultDrivers() []Driver { return []Driver{Mesh, Solo} }

// Outcome is what came of one seed.
type Outcome struct {
	Seed   uint64
	Inputs int    // that were made on both, each with a comparison behind it
	Hash   uint64 // of all inputs and of all that c-toxcore answered
	// Difference says where the two first disagreed, which inputs suffice for it,
	// and how to see it again; "": nowhere.
	Difference string
}

// Differ plays a seed with each driver. Equal seeds have equal outcomes on every
// machine.
func Differ(seed uint64, drivers []Driver) Outcome {
	out := Outcome{Seed: seed}
	d := newDigest()
	for _, driver := range drivers {
		var pairs []*Pair
		var err error
		if driver == Mesh {
			pairs, err = meshRun(seed, d)
		} else {
			pairs, err = soloRun(seed, true, d)
		}
		for _, p := range pairs {
			out.Inputs += len(p.inputs)
			if p.diff != nil && out.Difference == "" {
				out.Difference = describeDifference(again(seed, driver), p)
			}
		}
		if err != nil && out.Difference == "" {
			out.Difference = fmt.Sprintf("%s: %v", again(seed, driver), err)
		}
	}
	out.Hash = d.value()
	return out
}

// Combined is the share of one outcome in the combined hash of a range, which is
// the sum of all. So the hash of a range is the sum of those of its parts.
func (o *Outcome) Combined() uint64 {
	hi, lo := bits.Mul64(o.Hash^0x9e3779b97f4a7c15, (o.Seed*2+1)*0xd6e8feb86659fd93)
	return hi ^ lo ^ o.Hash
}

// meshRun plays one network to its end.
func meshRun(seed uint64, d *digest) ([]*Pair, error) {
	m := newMesh(seed, d)
	for f := 0; f < meshFrames && m.inputs() < meshInputs; f++ {
		m.step()
	}
	for _, n := range m.nodes {
		if n.pair != nil {
			d.save(n.pair.Save())
		}
	}
	return m.pairs, m.err
}

// soloRun plays one node. A save that neither of the two loads is no difference.
func soloRun(seed uint64, reference bool, d *digest) ([]*Pair, error) {
	s, err := newSolo(seed, reference, d)
	if s.pair == nil {
		if different := (*Difference)(nil); errors.As(err, &different) {
			return nil, err
		}
		return nil, nil
	}
	err = s.run()
	d.save(s.pair.Save())
	return []*Pair{s.pair}, err
}

// again is the line that plays a seed again.
func again(seed uint64, driver Driver) string {
	return fmt.Sprintf("seed %d: go run -tags oracle ./sim/oracle/differ --drivers %s --seeds %d-%d", seed, driver, seed, seed)
}

// describeDifference says how to see a difference again, what it is, and the
// shortest inputs that still show it.
func describeDifference(how string, p *Pair) string {
	inputs, d := shrink(p, p.diff)
	var b strings.Builder
	fmt.Fprintf(&b, "%s\nself %v, %d friends, %d saved; after\n",
		how, p.begin.cfg.Self, len(p.begin.cfg.Friends), len(p.begin.saved))
	for i, in := range inputs {
		fmt.Fprintf(&b, "  %3d %v\n", i, in)
	}
	b.WriteString(d.Error())
	return b.String()
}
