package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/internal/vectors"
	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/persist"
)

// savePassword is the password of all encrypted save vectors.
const savePassword = "swordfish"

// runSave runs rejoin save with these arguments and no password around.
func runSave(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	t.Setenv(passwordVariable, "")
	return runSaveAs(t, args...)
}

// runSaveAs is runSave with whatever password is in the environment.
func runSaveAs(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(append([]string{"rejoin", "save"}, args...), strings.NewReader(""), &out, &errs)
	return code, out.String(), errs.String()
}

// object is the one object on one line that --json prints.
func object(t *testing.T, stdout string) map[string]any {
	t.Helper()
	assert.Equal(t, 1, strings.Count(stdout, "\n"), stdout)
	var o map[string]any
	require.NoError(t, json.Unmarshal([]byte(stdout), &o), stdout)
	return o
}

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	require.NoError(t, err)
	return data
}

func saveVector(t *testing.T, name string) string {
	t.Helper()
	file := vectors.Path("vectors", "saves", name+".tox")
	require.FileExists(t, file)
	return file
}

// passwordFile is a file with a password.
func passwordFile(t *testing.T, contents string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "password")
	require.NoError(t, os.WriteFile(name, []byte(contents), 0o600))
	return name
}

// subset reports every place where got has not what want has. Objects in got
// may have further keys.
func subset(t *testing.T, where string, want, got any) {
	t.Helper()
	switch want := want.(type) {
	case map[string]any:
		object, ok := got.(map[string]any)
		require.True(t, ok, "%s: no object: %v", where, got)
		for key, value := range want {
			require.Contains(t, object, key, where)
			subset(t, where+"."+key, value, object[key])
		}
	case []any:
		list, ok := got.([]any)
		require.True(t, ok, "%s: no list: %v", where, got)
		require.Len(t, list, len(want), where)
		for i := range want {
			subset(t, where, want[i], list[i])
		}
	default:
		require.Equal(t, want, got, where)
	}
}

func TestSaveVectors(t *testing.T) {
	files, err := vectors.Saves()
	require.NoError(t, err)
	t.Setenv(passwordVariable, savePassword)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			var about map[string]any
			require.NoError(t, json.Unmarshal(readFile(t, strings.TrimSuffix(file, ".tox")+".json"), &about))
			encrypted, _ := about["encrypted"].(bool)

			code, stdout, stderr := runSaveAs(t, "show", file, "--json")
			require.Equal(t, exitGood, code, stderr)
			shown := object(t, stdout)
			subset(t, "saved_conferences", about["saved_conferences"], shown["saved_conferences"])
			assert.Equal(t, encrypted, shown["encrypted"])
			self, _ := about["self"].(map[string]any)
			for _, key := range []string{"pk", "tox_id", "name", "name_hex", "status_message", "status_message_hex"} {
				if want, there := self[key]; there {
					assert.Equal(t, want, shown[key], key)
				}
			}
			subset(t, "friends", about["friends"], shown["friends"])

			code, human, stderr := runSaveAs(t, "show", file)
			require.Equal(t, exitGood, code, stderr)
			assert.Contains(t, human, self["tox_id"])
			f, err := persist.ReadFile(file, []byte(savePassword))
			require.NoError(t, err)
			noSecrets(t, f, stdout+human)

			code, stdout, stderr = runSaveAs(t, "check", file)
			assert.Equal(t, exitGood, code, stdout+stderr)
			assert.Regexp(t, "^ok ", stdout)

			// What we write is what was there, also where nothing is encrypted.
			dir := t.TempDir()
			for _, args := range [][]string{{"copy"}, {"repair"}} {
				out := filepath.Join(dir, args[0])
				code, stdout, stderr = runSaveAs(t, append(args, file, out)...)
				require.Equal(t, exitGood, code, stdout+stderr)
				assert.Equal(t, readFile(t, file), readFile(t, out))
			}
			if plain, _ := about["plain_hex"].(string); encrypted {
				out := filepath.Join(dir, "plain")
				code, _, stderr = runSaveAs(t, "copy", "--decrypt", file, out)
				require.Equal(t, exitGood, code, stderr)
				assert.Equal(t, plain, hex.EncodeToString(readFile(t, out)))
			}
		})
	}
}

// noSecrets sees that the secret key is nowhere in a text, and the nospam only
// inside the Tox ID.
func noSecrets(t *testing.T, f *persist.File, text string) {
	t.Helper()
	save, _, err := f.Save()
	require.NoError(t, err)
	data, _ := save.Section(packets.SectionKeys)
	keys, err := packets.ParseSavedKeys(data)
	require.NoError(t, err)
	assert.NotContains(t, text, hex.EncodeToString(keys.Secret[:4]))
	text = strings.ReplaceAll(text, toxID(keys), "")
	assert.NotContains(t, text, hex.EncodeToString(keys.NoSpam[:]))
	assert.NotContains(t, text, savePassword)
}

func TestSaveShowForPeople(t *testing.T) {
	code, stdout, _ := runSave(t, "show", saveVector(t, "09_three_mixed"))
	require.Equal(t, exitGood, code)
	for _, line := range []string{
		"2 friends", "3 conferences", "9 sections", `name    "nick-A"`, `status  available, "status of A"`,
		"we are peer 0, message number 65543, lossy 8212; 1 other peer\n",
		`26216  474ce3c0dfab082698acf175eaba7341e9570596ee36a31d5052d1f59cd9d132  last active 2023-11-14 22:19:12  "Böb 🐙"`,
		`av 9ec521338e7408ca2e2ef9af8793eecc6cdfc650e14e158ec442c8caf3cbff94 "audio room"`,
	} {
		assert.Contains(t, stdout, line)
	}
}

func TestSaveShowQuotesWhatOthersWrote(t *testing.T) {
	save := plainSave(t, "04_one_text_four_peers")
	list, err := save.Conferences()
	require.NoError(t, err)
	list[0].Title = []byte("\x1b[2Jgone\u202e")
	list[0].Peers[0].Name = []byte{0xff, '\n'}
	list[0].Peers[0].LastActive = 1 << 63
	list[0].Peers[1].LastActive = 0
	file := filepath.Join(t.TempDir(), "p")
	require.NoError(t, os.WriteFile(file, packets.AppendSave(nil, save.SetConferences(list)), 0o600))
	code, stdout, _ := runSave(t, "show", file)
	require.Equal(t, exitGood, code)
	for _, text := range []string{`"\x1b[2Jgone\u202e"`, `"\xff\n"`, "second 9223372036854775808", "last active never"} {
		assert.Contains(t, stdout, text)
	}
	code, stdout, _ = runSave(t, "show", "--json", file)
	require.Equal(t, exitGood, code)
	assert.Contains(t, stdout, `"nick_hex":"ff0a","nick":""`)
	object(t, stdout)
}

// plainSave is what is in a save vector that is not encrypted.
func plainSave(t *testing.T, name string) packets.Save {
	t.Helper()
	f, err := persist.ReadFile(saveVector(t, name), nil)
	require.NoError(t, err)
	save, _, err := f.Save()
	require.NoError(t, err)
	return save
}

func TestSavePasswords(t *testing.T) {
	file := saveVector(t, "20_encrypted_one_text")
	right, wrong := passwordFile(t, savePassword+"\n"), passwordFile(t, savePassword+"\n\n")
	for _, c := range []struct {
		name, variable string
		args           []string
		code           int
		says           string
	}{
		{"file", "", []string{"--password-file", right}, exitGood, ""},
		{"file behind", "", []string{"--json", "--password-file=" + right}, exitGood, ""},
		{"file without newline", "", []string{"--password-file", passwordFile(t, savePassword)}, exitGood, ""},
		{"file of Windows", "", []string{"--password-file", passwordFile(t, savePassword+"\r\n")}, exitGood, ""},
		{"variable", savePassword, nil, exitGood, ""},
		{"one newline only", "", []string{"--password-file", wrong}, exitBad, "wrong password"},
		{"wrong variable", "x", nil, exitBad, "wrong password"},
		{"none", "", nil, exitMisuse, "needs a password"},
		{"both", savePassword, []string{"--password-file", right}, exitMisuse, "both"},
		{"empty", "", []string{"--password-file", passwordFile(t, "\n")}, exitMisuse, "is empty"},
		{"long", "", []string{"--password-file", passwordFile(t, strings.Repeat("x", maxPassword+1))}, exitMisuse, "more than 4096"},
		{"no such file", "", []string{"--password-file", filepath.Join(t.TempDir(), "none")}, exitMisuse, "password file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv(passwordVariable, c.variable)
			for _, command := range []string{"show", "check"} {
				code, stdout, stderr := runSaveAs(t, append([]string{command, file}, c.args...)...)
				assert.Equal(t, c.code, code, stdout+stderr)
				if c.code == exitGood {
					assert.Empty(t, stderr)
				} else {
					assert.Contains(t, stderr, c.says)
					assert.Empty(t, stdout)
				}
				assert.NotContains(t, stdout+stderr, savePassword)
			}
		})
	}
}

func TestSaveMisuse(t *testing.T) {
	file, out := saveVector(t, "00_fresh_no_conference"), filepath.Join(t.TempDir(), "out")
	for _, c := range []struct {
		says string
		args []string
	}{
		{"unknown command", []string{"wipe"}},
		{"want FILE, got 0", []string{"show"}},
		{"want FILE, got 2", []string{"check", file, file}},
		{"want IN OUT, got 1", []string{"copy", file}},
		{"want IN OUT, got 3", []string{"repair", file, out, out}},
		{"bogus", []string{"show", "--bogus", file}},
		{"bogus", []string{"show", file, "--bogus"}},
		{"password-file", []string{"show", file, "--password-file"}},
		{"same file", []string{"copy", file, file}},
		{"same file", []string{"repair", "--force", file, filepath.Join(filepath.Dir(file), ".", filepath.Base(file))}},
		{"--encrypt needs a password", []string{"copy", file, out, "--encrypt"}},
		{"both --encrypt and --decrypt", []string{"copy", file, out, "--encrypt", "--decrypt"}},
		{"needs a password", []string{"copy", "--decrypt", saveVector(t, "20_encrypted_one_text"), out}},
		{"needs a password", []string{"repair", saveVector(t, "20_encrypted_one_text"), out}},
	} {
		code, stdout, stderr := runSave(t, c.args...)
		assert.Equal(t, exitMisuse, code, "%v: %s", c.args, stderr)
		assert.Contains(t, stderr, c.says)
		assert.Empty(t, stdout)
	}
	assert.NoFileExists(t, out)
}

func TestSaveHelp(t *testing.T) {
	for _, args := range [][]string{
		{}, {"--help"}, {"show", "--help"}, {"check", "--help"}, {"copy", "--help"}, {"repair", "--help"},
		{"show", "somewhere.tox", "--help"},
	} {
		code, stdout, stderr := runSave(t, args...)
		assert.Equal(t, exitGood, code, "%v: %s", args, stderr)
		assert.Contains(t, stdout, "DESCRIPTION", args)
		assert.Empty(t, stderr)
	}
}

func TestSaveArgumentsBehindDashes(t *testing.T) {
	t.Chdir(t.TempDir())
	code, _, stderr := runSave(t, "check", "a", "--", "--json")
	assert.Equal(t, exitMisuse, code)
	assert.Contains(t, stderr, "got 2 arguments", "--json is a file here")
}

func TestSaveBadFiles(t *testing.T) {
	dir := t.TempDir()
	plain := readFile(t, saveVector(t, "30_debian_text_and_av"))
	put := func(name string, data []byte) string {
		file := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(file, data, 0o600))
		return file
	}
	big := put("big", nil)
	require.NoError(t, os.Truncate(big, persist.MaxFile+1))
	for file, says := range map[string]string{
		filepath.Join(dir, "none"):           "no such file",
		dir:                                  "not a regular file",
		big:                                  "more than 67108864 bytes",
		put("empty", nil):                    "not a Tox save file",
		put("cut", plain[:3000]):             "section 20 (conferences), offset ",
		put("short", []byte("toxEsave too")): "cut off",
	} {
		t.Setenv(passwordVariable, savePassword)
		for _, command := range []string{"show", "check", "copy"} {
			out := filepath.Join(dir, "out")
			args := []string{command, file}
			if command == "copy" {
				args = append(args, out)
			}
			code, stdout, stderr := runSaveAs(t, args...)
			assert.Equal(t, exitBad, code, "%v", args)
			if says != "not a Tox save file" { // its words differ from command to command
				assert.Contains(t, stdout+stderr, says, args)
			}
			assert.NoFileExists(t, out)

			code, stdout, _ = runSaveAs(t, append(args, "--json")...)
			assert.Equal(t, exitBad, code)
			assert.Equal(t, false, object(t, stdout)["ok"], args)
		}
	}
}

func TestSaveCheckFindings(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "me.tox")
	save := plainSave(t, "04_one_text_four_peers")
	list, err := save.Conferences()
	require.NoError(t, err)
	list[0].Peers = append(list[0].Peers, list[0].Peers[0])
	require.NoError(t, os.WriteFile(file, packets.AppendSave(nil, save.SetConferences(list)), 0o600))
	require.NoError(t, os.WriteFile(file+".bak", nil, 0o600))

	code, stdout, stderr := runSave(t, "check", file)
	assert.Equal(t, exitBad, code)
	assert.Empty(t, stderr)
	assert.Regexp(t, `^hazard: section 20 \(conferences\), offset \d+: conference 0 \(.{8}\): peer 3 \(.{8}\): the same key as peer 0\nFAIL `, stdout)
	assert.Contains(t, stdout, file+".bak")

	code, stdout, _ = runSave(t, "check", "--json", file)
	assert.Equal(t, exitBad, code)
	o := object(t, stdout)
	assert.Equal(t, false, o["ok"])
	assert.Equal(t, file+".bak", o["backup"])
	subset(t, "findings", []any{map[string]any{"severity": "hazard", "section": 20.0, "section_name": "conferences"}}, o["findings"])

	// A hazard loads, so it is shown, with the finding.
	code, stdout, _ = runSave(t, "show", file)
	assert.Equal(t, exitGood, code)
	assert.Contains(t, stdout, "hazard: section 20")

	out := filepath.Join(dir, "out.tox")
	code, stdout, _ = runSave(t, "repair", file, out, "--json")
	require.Equal(t, exitGood, code)
	subset(t, "dropped", []any{map[string]any{"section_name": "conferences"}}, object(t, stdout)["dropped"])
	code, _, _ = runSave(t, "check", out)
	assert.Equal(t, exitGood, code)
	assert.Equal(t, packets.AppendSave(nil, plainSave(t, "04_one_text_four_peers"))[:len(readFile(t, out))], readFile(t, out))
}

func TestSaveRepairTruncated(t *testing.T) {
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in"), filepath.Join(dir, "out")
	plain := readFile(t, saveVector(t, "30_debian_text_and_av"))
	end := len(plain) - len(plainSave(t, "30_debian_text_and_av").Trailing)
	for n := 0; n < end; n += 97 {
		require.NoError(t, os.WriteFile(in, plain[:n], 0o600))
		code, _, _ := runSave(t, "check", in)
		require.Equal(t, exitBad, code, n)
		code, stdout, stderr := runSave(t, "repair", "--force", in, out)
		if n < 84 { // the keys section is not whole
			require.Equal(t, exitBad, code, n)
			require.Contains(t, stderr, "the keys are lost")
			require.NoFileExists(t, out)
			continue
		}
		require.Equal(t, exitGood, code, "%d: %s", n, stderr)
		require.Contains(t, stdout, "faults mended")
		code, stdout, _ = runSave(t, "check", out)
		require.Equal(t, exitGood, code, "%d: %s", n, stdout)
		require.Equal(t, plain[:n], readFile(t, in), "IN stays")
	}
}

func TestSaveRepairEncrypted(t *testing.T) {
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in"), filepath.Join(dir, "out")
	f, err := persist.ReadFile(saveVector(t, "32_debian_encrypted"), []byte(savePassword))
	require.NoError(t, err)
	damaged, err := f.Key.Encrypt(bytes.NewReader(make([]byte, 24)), f.Plain[:3100])
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(in, damaged, 0o600))
	t.Setenv(passwordVariable, savePassword)
	code, stdout, stderr := runSaveAs(t, "repair", in, out)
	require.Equal(t, exitGood, code, stderr)
	assert.Contains(t, stdout, "dropped: section 20 (conferences)")
	assert.True(t, persist.Encrypted(readFile(t, out)))
	code, _, stderr = runSaveAs(t, "check", out)
	assert.Equal(t, exitGood, code, stderr)
}

func TestSaveCopyEncryption(t *testing.T) {
	dir := t.TempDir()
	file, word := saveVector(t, "04_one_text_four_peers"), passwordFile(t, "a new one\n")
	locked, opened := filepath.Join(dir, "locked"), filepath.Join(dir, "opened")

	code, _, stderr := runSave(t, "copy", file, locked, "--encrypt", "--password-file", word)
	require.Equal(t, exitGood, code, stderr)
	assert.True(t, persist.Encrypted(readFile(t, locked)))
	code, _, stderr = runSave(t, "copy", locked, opened, "--decrypt", "--password-file", word)
	require.Equal(t, exitGood, code, stderr)
	assert.Equal(t, readFile(t, file), readFile(t, opened))

	// Without a password an encrypted file is copied unread, and that is said.
	unread := filepath.Join(dir, "unread")
	code, stdout, _ := runSave(t, "copy", locked, unread)
	require.Equal(t, exitGood, code)
	assert.Contains(t, stdout, "not checked")
	assert.Equal(t, readFile(t, locked), readFile(t, unread))

	// Encrypted anew: other salt, other bytes, same contents.
	again := filepath.Join(dir, "again")
	code, _, _ = runSave(t, "copy", locked, again, "--encrypt", "--password-file", word)
	require.Equal(t, exitGood, code)
	assert.NotEqual(t, readFile(t, locked), readFile(t, again))

	code, _, stderr = runSave(t, "copy", file, filepath.Join(dir, "x"), "--decrypt")
	assert.Equal(t, exitBad, code)
	assert.Contains(t, stderr, "not encrypted")
	code, _, _ = runSave(t, "copy", locked, filepath.Join(dir, "x"), "--password-file", passwordFile(t, "wrong"))
	assert.Equal(t, exitBad, code)
	assert.NoFileExists(t, filepath.Join(dir, "x"))
}

func TestSaveCopyOverwrites(t *testing.T) {
	dir := t.TempDir()
	first, second := saveVector(t, "02_one_text_alone_untitled"), saveVector(t, "03_one_text_alone_titled")
	out := filepath.Join(dir, "out.tox")
	code, stdout, _ := runSave(t, "copy", "--json", first, out)
	require.Equal(t, exitGood, code)
	want := map[string]any{
		"in": first, "out": out, "ok": true, "size": 6299.0, "encrypted": false, "identical": true, "checked": true,
	}
	assert.Empty(t, cmp.Diff(want, object(t, stdout)))
	if runtime.GOOS != "windows" {
		info, err := os.Stat(out)
		require.NoError(t, err)
		assert.Equal(t, fs.FileMode(0o600), info.Mode())
	}

	code, _, stderr := runSave(t, "copy", second, out)
	assert.Equal(t, exitBad, code)
	assert.Contains(t, stderr, "--force")
	assert.Equal(t, readFile(t, first), readFile(t, out))

	code, _, _ = runSave(t, "copy", second, out, "--force")
	assert.Equal(t, exitGood, code)
	assert.Equal(t, readFile(t, second), readFile(t, out))
	assert.Equal(t, readFile(t, first), readFile(t, out+".bak"))

	// A profile in use is not taken away from who uses it.
	d, err := persist.Open(out, persist.Config{Holder: persist.NewHolder("the bot", time.Unix(1700000000, 0))})
	require.NoError(t, err)
	code, _, stderr = runSave(t, "copy", first, out, "--force")
	assert.Equal(t, exitBad, code)
	assert.Contains(t, stderr, `in use by "the bot", process `)
	require.NoError(t, d.Close())
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, entries, 2, "out.tox and its backup: %v", entries)
}
