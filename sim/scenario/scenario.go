// Package scenario plays the rules of SPEC.md, one plain text file each.
//
// A file names its rule and says what is given, when something happens, and
// what then must be seen. One node under test ("me") stands among scripted
// peers; the file scripts their packets, the links, the clock, the random
// draws and our own calls. Everything given is reached by such inputs, never
// by setting state, so that any sim.Node can be played, not only our engine.
// Expectations are exact: a packet, connection, event, error or draw that a
// file does not mention makes it fail. The format is described in SPEC.md,
// "Scenarios".
package scenario

import (
	"errors"
	"fmt"
	"strings"
)

// ErrSyntax is wrapped by every error of Parse.
var ErrSyntax = errors.New("scenario: syntax")

// Mode is which behaviour of the engine a scenario or a block is about.
type Mode uint8

// The modes of conference.Config.Reference.
const (
	Both Mode = iota
	Reference
	Product
)

// String is the word used in the files.
func (m Mode) String() string {
	return [...]string{"both", "reference", "product"}[m]
}

// matches tells whether something marked m applies when playing in mode p.
func (m Mode) matches(p Mode) bool { return m == Both || m == p }

// Scenario is one parsed file.
type Scenario struct {
	Rule  string // "C-12"
	Title string // what the rule says, in a few words
	Mode  Mode   // Reference for quirks that the product mode does not have
	Steps []Step // in file order

	sym    *symbols
	unsent bool // some line is about packets that could not be sent, so all of them count
}

// Step is one line of a block.
type Step struct {
	Line  int    // in the file
	Text  string // as written
	Block Block
	Mode  Mode // of the block

	// first marks the first step of its block.
	first bool
	act   action      // Given and When
	want  expectation // Then
}

// Block is the kind of block a step stands in.
type Block uint8

// The blocks. What Given causes is forgotten; what When causes must be what
// the Then behind it says.
const (
	Given Block = iota + 1
	When
	Then
)

// action does something to the host and its node.
type action func(h *host) error

// expectation is one line of a Then.
type expectation interface {
	// check consumes what it describes, or compares a fact.
	check(h *host) error
	// flipped returns variants that must fail where the original holds.
	flipped() []expectation
}

// Parse reads a file. Errors wrap ErrSyntax and name the line.
func Parse(text string) (*Scenario, error) {
	p := parser{s: &Scenario{sym: newSymbols()}}
	for i, line := range strings.Split(text, "\n") {
		p.line = i + 1
		if err := p.parseLine(line); err != nil {
			return nil, fmt.Errorf("%w: line %d: %q: %w", ErrSyntax, i+1, strings.TrimSpace(line), err)
		}
	}
	return p.s, p.finish()
}

// parser is the state of Parse.
type parser struct {
	s       *Scenario
	line    int
	block   Block
	mode    Mode
	opening bool // the next step is the first of its block
	blocks  int
}

func (p *parser) parseLine(line string) error {
	words, err := splitWords(line)
	if err != nil || len(words) == 0 {
		return err
	}
	indented := line[0] == ' ' || line[0] == '\t'
	if !indented {
		return p.parseHeader(words)
	}
	step := Step{Line: p.line, Text: strings.TrimSpace(line), Block: p.block, Mode: p.mode, first: p.opening}
	switch p.block {
	case Given, When:
		step.act, err = p.s.sym.action(words)
	case Then:
		step.want, err = p.s.sym.expectation(words)
		if e, ok := step.want.(sendExp); ok && e.unsent {
			p.s.unsent = true
		}
	default:
		return errors.New("a step outside given, when and then")
	}
	p.opening = false
	p.s.Steps = append(p.s.Steps, step)
	return err
}

// parseHeader reads a line that is not indented: a declaration or the start of
// a block.
func (p *parser) parseHeader(words []string) error {
	rest := words[1:]
	switch words[0] {
	case "rule":
		if len(rest) < 2 {
			return errors.New("want: rule C-1 and its title")
		}
		p.s.Rule, p.s.Title = rest[0], strings.Join(rest[1:], " ")
		return nil
	case "mode":
		m, err := parseMode(rest)
		p.s.Mode = m
		return err
	case "given", "when", "then":
		m, err := parseMode(rest)
		if p.opening {
			return errors.New("the block before is empty")
		}
		if m != Both && words[0] != "then" {
			return errors.New("only then blocks may depend on the mode")
		}
		p.block = map[string]Block{"given": Given, "when": When, "then": Then}[words[0]]
		p.mode, p.opening, p.blocks = m, true, p.blocks+1
		return err
	}
	if p.block != 0 {
		return errors.New("declarations stand before the first block")
	}
	return p.s.sym.declare(words)
}

func parseMode(words []string) (Mode, error) {
	if len(words) == 0 {
		return Both, nil
	}
	for _, m := range []Mode{Reference, Product} {
		if len(words) == 1 && words[0] == m.String() {
			return m, nil
		}
	}
	return Both, fmt.Errorf("unknown mode %q", words)
}

// finish checks the file as a whole.
func (p *parser) finish() error {
	if p.s.Rule == "" {
		return fmt.Errorf("%w: no rule line", ErrSyntax)
	}
	if p.opening {
		return fmt.Errorf("%w: the last block is empty", ErrSyntax)
	}
	last := Block(0)
	for _, st := range p.s.Steps {
		if st.first && last == When && st.Block != Then {
			return fmt.Errorf("%w: line %d: a when needs a then behind it", ErrSyntax, st.Line)
		}
		last = st.Block
	}
	if last != Then {
		return fmt.Errorf("%w: a file ends with then", ErrSyntax)
	}
	return nil
}

// splitWords splits a line at blanks outside of quotes and drops a comment.
func splitWords(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	quoted, escaped := false, false
	flush := func() {
		if word.Len() > 0 {
			words = append(words, word.String())
			word.Reset()
		}
	}
	for i, c := range line {
		switch {
		case quoted:
			word.WriteRune(c)
			if c == '"' && !escaped {
				quoted = false
			}
			escaped = c == '\\' && !escaped
		case c == ' ' || c == '\t':
			flush()
		case c == '#' && (i == 0 || line[i-1] == ' '):
			flush()
			return words, nil
		default:
			quoted = c == '"'
			word.WriteRune(c)
		}
	}
	flush()
	if quoted {
		return nil, errors.New("a quote is not closed")
	}
	return words, nil
}
