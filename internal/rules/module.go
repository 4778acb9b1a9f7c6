package main

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/tox-rejoin/rejoin/sim"
	"github.com/tox-rejoin/rejoin/sim/scenario"
)

// module is what has to belong together.
type module struct {
	rules     []rule
	cites     []citation // in code
	tests     []citation // in tests of the transport
	scenarios []file
}

// file is one scenario.
type file struct {
	name   string // without folder and .txt
	parsed *scenario.Scenario
}

const scenarioGlob = "sim/scenario/testdata/*.txt"

// load reads the module at root.
func load(root string) (*module, error) {
	text, err := os.ReadFile(filepath.Join(root, "SPEC.md"))
	if err != nil {
		return nil, err
	}
	m := &module{}
	if m.rules, err = parseSpec(string(text)); err != nil {
		return nil, err
	}
	for _, dir := range codeDirs() {
		found, err := citations(root, dir)
		if err != nil {
			return nil, err
		}
		m.cites = append(m.cites, found...)
	}
	if m.tests, err = testCitations(root, toxDir); err != nil {
		return nil, err
	}
	names, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(scenarioGlob)))
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		s, err := scenario.Parse(string(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		m.scenarios = append(m.scenarios, file{strings.TrimSuffix(filepath.Base(name), ".txt"), s})
	}
	return m, nil
}

// problems are the rules, citations and scenarios that have no counterpart.
func (m *module) problems() []string {
	var list []string
	known := func(name string) bool {
		return slices.ContainsFunc(m.rules, func(r rule) bool { return r.name == name })
	}
	for _, r := range m.rules {
		switch {
		case r.ofTransport():
			list = append(list, m.transportProblems(r)...)
		case r.inCode():
			list = append(list, m.engineProblems(r)...)
		}
	}
	for _, c := range slices.Concat(m.cites, m.tests) {
		if !known(c.rule) {
			list = append(list, fmt.Sprintf("%s:%d cites %s, which SPEC.md does not have", c.file, c.line, c.rule))
		}
	}
	for _, f := range m.scenarios {
		if !known(f.parsed.Rule) {
			list = append(list, fmt.Sprintf("%s is for %s, which SPEC.md does not have", f.name, f.parsed.Rule))
		}
		if want := f.nameOfRule(); want != f.parsed.Rule {
			list = append(list, fmt.Sprintf("%s is named after %s, but for %s", f.name, want, f.parsed.Rule))
		}
	}
	return list
}

// engineProblems are what a rule of the engine or the codec lacks.
func (m *module) engineProblems(r rule) (list []string) {
	if !slices.ContainsFunc(m.cites, func(c citation) bool { return c.rule == r.name && !strings.HasPrefix(c.file, toxDir+"/") }) {
		list = append(list, r.name+" is cited nowhere")
	}
	if !slices.ContainsFunc(m.scenarios, func(f file) bool { return f.parsed.Rule == r.name }) {
		list = append(list, r.name+" has no scenario")
	}
	return list
}

// transportProblems are what a rule of the transport lacks: a citation in each
// package that keeps it, and a test.
func (m *module) transportProblems(r rule) (list []string) {
	for _, k := range r.kept {
		if !slices.ContainsFunc(m.cites, func(c citation) bool { return c.rule == r.name && path.Dir(c.file) == folder(k) }) {
			list = append(list, fmt.Sprintf("%s is cited nowhere in %s", r.name, folder(k)))
		}
	}
	if !slices.ContainsFunc(m.tests, func(c citation) bool { return c.rule == r.name && c.test != "" }) {
		list = append(list, r.name+" has no test")
	}
	return list
}

// nameOfRule is the rule that the file is named after. A letter belongs to the
// rule if the rule has it (I-4a), else it tells files of one rule apart.
func (f file) nameOfRule() string {
	m := regexp.MustCompile(`^([CI])-0*(\d+)([a-z]?)-`).FindStringSubmatch(f.name)
	if m == nil {
		return ""
	}
	if rule := m[1] + "-" + m[2]; rule == f.parsed.Rule {
		return rule
	}
	return m[1] + "-" + m[2] + m[3]
}

// play plays every scenario and every flip of it. It returns how many flips
// were noticed, and what went wrong.
func (m *module) play() (noticed int, problems []string) {
	type result struct {
		noticed  int
		problems []string
	}
	results := make([]result, len(m.scenarios))
	var wg sync.WaitGroup
	for i, f := range m.scenarios {
		wg.Go(func() { results[i].noticed, results[i].problems = f.play() })
	}
	wg.Wait()
	for _, r := range results {
		noticed += r.noticed
		problems = append(problems, r.problems...)
	}
	return noticed, problems
}

func (f file) play() (noticed int, problems []string) {
	for _, mode := range f.parsed.Modes() {
		for _, every := range []bool{true, false} {
			opt := scenario.Options{Mode: mode, EveryFrame: every}
			if err := scenario.Play(f.parsed, sim.NewEngine, opt); err != nil {
				problems = append(problems, fmt.Sprintf("%s: %v", f.name, err))
			}
		}
	}
	for _, flip := range f.parsed.Flips() {
		if scenario.Play(flip.Scenario, sim.NewEngine, scenario.Options{Mode: flip.Mode}) == nil {
			problems = append(problems, fmt.Sprintf("%s still passes with a wrong expectation: %s", f.name, flip.What))
			continue
		}
		noticed++
	}
	return noticed, problems
}
