package bot

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/crypto"
)

// Mode says whom the bot lets in.
type Mode string

// The modes.
const (
	Open   Mode = "open"   // everybody
	Owners Mode = "owners" // its owners
	List   Mode = "list"   // its owners and members
)

// ErrMode is an unknown Mode.
var ErrMode = errors.New("want open, owners or list")

// ParseMode returns ErrMode for an unknown word.
func ParseMode(s string) (Mode, error) {
	if m := Mode(s); slices.Contains([]Mode{Open, Owners, List}, m) {
		return m, nil
	}
	return "", fmt.Errorf("policy %q: %w", s, ErrMode)
}

// Policy is who may be the bot's friend, command it, and invite it into groups.
type Policy struct {
	Mode            Mode
	Owners, Members []packets.PublicKey
}

// Allows tells whether someone may.
func (p *Policy) Allows(who packets.PublicKey) bool {
	switch p.Mode {
	case Open:
		return true
	case Owners:
		return slices.Contains(p.Owners, who)
	case List:
		return slices.Contains(p.Owners, who) || slices.Contains(p.Members, who)
	}
	return false
}

// MayLeave tells whether someone may have the bot leave a group: owners may if
// there are any, else whoever is allowed.
func (p *Policy) MayLeave(who packets.PublicKey) bool {
	return p.Allows(who) && (len(p.Owners) == 0 || slices.Contains(p.Owners, who))
}

// ParsePeople reads a file of people: one Tox ID or public key a line, in hex;
// what is behind a # is a comment.
func ParsePeople(r io.Reader) (people []packets.PublicKey, err error) {
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		text, _, _ := strings.Cut(lines.Text(), "#")
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		key, err := parsePerson(text)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		people = append(people, key)
	}
	return people, lines.Err()
}

var errPerson = fmt.Errorf("want a Tox ID of %d hex digits or a public key of %d",
	2*crypto.AddressSize, 2*packets.KeySize)

func parsePerson(text string) (packets.PublicKey, error) {
	switch len(text) {
	case 2 * packets.KeySize:
		if key, err := packets.ParsePublicKey(text); err == nil {
			return key, nil
		}
	case 2 * crypto.AddressSize:
		address, err := crypto.ParseAddress(text)
		if err != nil {
			return packets.PublicKey{}, fmt.Errorf("the Tox ID has a typing error: %w", err)
		}
		return address.Key(), nil
	}
	return packets.PublicKey{}, fmt.Errorf("%w, got %q", errPerson, text)
}
