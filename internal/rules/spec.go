package main

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// rule is one numbered rule of SPEC.md.
type rule struct {
	name string   // "C-12"
	kept []string // where: engine, codec, transport, host; T- rules: packages of tox
	text string
}

// ofTransport tells whether tests show the rule, and not scenarios.
func (r rule) ofTransport() bool { return strings.HasPrefix(r.name, "T-") }

// inCode tells whether the rule is ours to keep: cited in code and played.
func (r rule) inCode() bool {
	return r.ofTransport() || slices.Contains(r.kept, "engine") || slices.Contains(r.kept, "codec")
}

// toxDir is the folder below which the transport is.
const toxDir = "tox"

// folder is where the code of one package of the transport is.
func folder(place string) string {
	if place == "node" {
		return toxDir
	}
	return path.Join(toxDir, place)
}

// places are where rules like the named one may be kept.
func places(name string) []string {
	if strings.HasPrefix(name, "T-") {
		return []string{"crypto", "dhtnode", "dht", "onion", "netcrypto", "friend", "messenger", "node"}
	}
	return []string{"engine", "codec", "transport", "host"}
}

// parseSpec finds the rules in SPEC.md, in order. Every list item that begins
// with a number in bold is one.
func parseSpec(text string) ([]rule, error) {
	ruleStart := regexp.MustCompile(`^- \*\*[CIT]-`)
	ruleLine := regexp.MustCompile("^- \\*\\*([CIT]-\\d+[a-z]?)\\*\\* `([a-z, ]+)` (.+)$")
	var rules []rule
	seen := map[string]bool{}
	for i, line := range strings.Split(text, "\n") {
		if !ruleStart.MatchString(line) {
			continue
		}
		m := ruleLine.FindStringSubmatch(line)
		if m == nil {
			return nil, fmt.Errorf("SPEC.md:%d: not a rule: %s", i+1, line)
		}
		r := rule{name: m[1], kept: strings.Split(m[2], ", "), text: m[3]}
		for _, k := range r.kept {
			if !slices.Contains(places(r.name), k) {
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
