package main

import (
	"fmt"
	"regexp"
	"strings"
)

// rule is one numbered rule of SPEC.md.
type rule struct {
	name string   // "C-12"
	kept []string // where: engine, codec, transport, host
	text string
}

// inCode tells whether the rule is ours to keep: cited in code and played.
func (r rule) inCode() bool {
	for _, k := range r.kept {
		if k == "engine" || k == "codec" {
			return true
		}
	}
	return false
}

// parseSpec finds the rules in SPEC.md, in order. Every list item that begins
// with a number in bold is one.
func parseSpec(text string) ([]rule, error) {
	ruleLine := regexp.MustCompile("^- \\*\\*([CI]-\\d+[a-z]?)\\*\\* `([a-z, ]+)` (.+)$")
	var rules []rule
	seen := map[string]bool{}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if !strings.HasPrefix(line, "- **C-") && !strings.HasPrefix(line, "- **I-") {
			continue
		}
		m := ruleLine.FindStringSubmatch(line)
		if m == nil {
			return nil, fmt.Errorf("SPEC.md:%d: not a rule: %s", i+1, line)
		}
		r := rule{name: m[1], kept: strings.Split(m[2], ", "), text: m[3]}
		for _, k := range r.kept {
			switch k {
			case "engine", "codec", "transport", "host":
			default:
				return nil, fmt.Errorf("SPEC.md:%d: unknown place %q", i+1, k)
			}
		}
		if seen[r.name] {
			return nil, fmt.Errorf("SPEC.md:%d: %s for the second time", i+1, r.name)
		}
		seen[r.name] = true
		rules = append(rules, r)
	}
	return rules, nil
}
