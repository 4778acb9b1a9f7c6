package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// mutantSeeds are enough to catch every mutant several times.
const mutantSeeds = "0-199"

// mutant is a planted bug: one place in one file of the engine, changed.
type mutant struct {
	name, file, old, new string
	reason               string // what the sweep says about it, among other things
}

func mutants() []mutant {
	return []mutant{
		{
			"no Rejoin on freeze", "conference/freeze.go",
			"\te.sendRejoin(g, &p.Key)\n", "\n",
			"sends no Rejoin",
		},
		{
			"duplicate window of 7", "peers/window.go",
			"const WindowSize = 8\n", "const WindowSize = 7\n",
			"0 times, want 1",
		},
		{
			"no friends first when trimming", "peers/peers.go",
			"return before(s.slots[a], s.slots[b])", "return int(int64(s.slots[b].LastActive - s.slots[a].LastActive))",
			"forgets frozen peer",
		},
		{
			"name not resent after a thaw", "conference/freeze.go",
			"\t\tg.sendName = true\n", "\n",
			"does not say its name",
		},
		{
			"no echo to the author", "conference/relay.go",
			"\t\texcept = -1 //", "\t\t_ = except //",
			"was shown the text of",
		},
		{
			"freeze after 90 s", "conference/limits.go",
			"freezeTimeout  = 60 ", "freezeTimeout  = 90 ",
			"keeps it active",
		},
		{
			"Rejoin not answered", "conference/introduce.go",
			"if e.addConn(g, l, ReasonIntroducing) >= 0 {", "if e.addConn(g, l, ReasonIntroducing) < 0 {",
			"does not answer the Rejoin",
		},
		{
			"no Peer Query about unknown authors", "conference/relay.go",
			"\tc.queried = e.now\n\te.sendDirect(c.link, c.group, packets.PeerQuery)\n", "\tc.queried = e.now\n",
			"does not list",
		},
	}
}

// Sweep and swarm find nothing in the engine as it is, and on the same seeds find
// every planted bug. The command is built with the changed file in place of the
// real one; the product has no hooks for it.
func TestSweepCatchesMutants(t *testing.T) {
	code, out, _ := runSim("sweep", "--seeds", mutantSeeds, "--twice=false")
	require.Equal(t, exitGood, code, out)
	code, out, _ = runSim("swarm", "--seeds", mutantSeeds, "--write", t.TempDir())
	require.Equal(t, exitGood, code, out)
	for _, m := range mutants() {
		t.Run(m.name, func(t *testing.T) {
			binary := m.build(t)
			out, err := exec.Command(binary, "sim", "sweep", "--seeds", mutantSeeds, "--twice=false", "--json").Output()
			var exit *exec.ExitError
			require.ErrorAs(t, err, &exit, "the sweep finds nothing wrong: %s", out)
			require.Equal(t, exitBad, exit.ExitCode(), "%s", exit.Stderr)
			var report sweepReport
			require.NoError(t, json.Unmarshal(out, &report))
			require.NotEmpty(t, report.Failed)
			m.swarms(t, binary)
			found := 0
			for _, f := range report.Failed {
				if strings.Contains(f.Reason, m.reason) {
					found++
				}
				assert.NotContains(t, f.Reason, "panic")
			}
			assert.Positive(t, found, "%v", report.Failed)
			t.Logf("%d of %d seeds", len(report.Failed), report.Seeds)
		})
	}
}

// swarms shows that drawn scenarios find the bug as well.
func (m mutant) swarms(t *testing.T, binary string) {
	t.Helper()
	out, err := exec.Command(binary, "sim", "swarm", "--seeds", "0-399", "--write", t.TempDir(), "--json").Output()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit, "the swarm finds nothing wrong: %s", out)
	var report swarmReport
	require.NoError(t, json.Unmarshal(out, &report))
	require.NotEmpty(t, report.Failed)
	t.Logf("swarm: %d of %d seeds, %v", len(report.Failed), report.Seeds, report.Ends)
}

// build makes a command with the bug in it.
func (m mutant) build(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	require.NoError(t, err)
	file := filepath.Join(root, filepath.FromSlash(m.file))
	source := string(readFile(t, file))
	require.Equal(t, 1, strings.Count(source, m.old), "%s has changed: %q is not there exactly once", m.file, m.old)

	dir := t.TempDir()
	changed, overlay, binary := filepath.Join(dir, "changed.go"), filepath.Join(dir, "overlay.json"), filepath.Join(dir, "rejoin.exe")
	require.NoError(t, os.WriteFile(changed, []byte(strings.Replace(source, m.old, m.new, 1)), 0o600))
	list, err := json.Marshal(map[string]map[string]string{"Replace": {file: changed}})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(overlay, list, 0o600))
	out, err := exec.Command("go", "build", "-overlay", overlay, "-o", binary, ".").CombinedOutput()
	require.NoError(t, err, "%s", out)
	return binary
}
