package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/urfave/cli/v2"

	"github.com/tox-rejoin/rejoin/client"
	"github.com/tox-rejoin/rejoin/cmd/rejoin/bot"
	"github.com/tox-rejoin/rejoin/internal/vectors"
	"github.com/tox-rejoin/rejoin/packets"
)

// runBot runs rejoin bot with these arguments, which must not let it serve.
func runBot(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = run(append([]string{"rejoin", "bot"}, args...), strings.NewReader(""), &out, &errs)
	return code, out.String(), errs.String()
}

// optionsOf is what the command line says.
func optionsOf(t *testing.T, args ...string) botOptions {
	t.Helper()
	var o botOptions
	app, command := newApp(nil, io.Discard, io.Discard), botCommand()
	command.Action = func(c *cli.Context) (err error) {
		o, err = parseBot(c)
		return err
	}
	app.Commands = []*cli.Command{command}
	require.NoError(t, app.Run(append([]string{"rejoin", "bot"}, args...)))
	return o
}

func TestBotFlags(t *testing.T) {
	t.Setenv(passwordVariable, "")
	t.Setenv("XDG_DATA_HOME", filepath.FromSlash("/data"))
	o := optionsOf(t)
	assert.Equal(t, botOptions{dir: filepath.FromSlash("/data/rejoin/bot"), policy: bot.Open}, o)
	assert.True(t, o.local())

	k := packets.PublicKey{0xAB, 31: 1}
	o = optionsOf(t, "--dir", "d", "--port", "5", "--name", "Böt", "--policy", "list", "--log", "json",
		"--bootstrap", "node.example:33445:"+k.Hex(), "--bootstrap", "[2001:db8::1]:1:"+strings.ToUpper(k.Hex()))
	assert.Equal(t, botOptions{
		dir: "d", port: 5, name: "Böt", policy: bot.List, json: true,
		entries: []entry{{"node.example", 33445, k}, {"2001:db8::1", 1, k}},
	}, o)
	assert.False(t, o.local())
	assert.Equal(t, "that of the given nodes", o.network())
	o = optionsOf(t, "--lan")
	assert.True(t, o.lan)
	assert.False(t, o.local())

	file := filepath.Join(t.TempDir(), "password")
	require.NoError(t, os.WriteFile(file, []byte("swordfish\n"), 0o600))
	assert.Equal(t, "swordfish", string(optionsOf(t, "--password-file", file).password))
}

func TestBotMisuse(t *testing.T) {
	key := strings.Repeat("AB", 32)
	for line, want := range map[string]string{
		"--port 0":                                 "port 0: want 1 to 65535",
		"--port 65536":                             "port 65536",
		"--port x":                                 "port",
		"--policy nobody":                          `policy "nobody": want open, owners or list`,
		"--log xml":                                `log "xml": want text or json`,
		"--name " + strings.Repeat("n", 129):       "name of 129 bytes: want 1 to 128",
		"--name=":                                  "name of 0 bytes",
		"--name \xff":                              "in UTF-8",
		"--dir=":                                   "--dir is empty",
		"--bootstrap 127.0.0.1":                    "want HOST:PORT:KEY",
		"--bootstrap 127.0.0.1:33445":              "want HOST:PORT:KEY",
		"--bootstrap 127.0.0.1:33445:1234":         `key "1234"`,
		"--bootstrap 127.0.0.1:0:" + key:           "port 0",
		"--bootstrap 127.0.0.1:http:" + key:        `port "http"`,
		"--bootstrap 2001:db8::1:33445:" + key:     "IPv6 addresses in brackets",
		"--bootstrap :33445:" + key:                `host ""`,
		"--bootstrap ok:1:" + key + " --bootstrap": "flag needs an argument",
		"--unknown":                                "flag provided but not defined",
		"extra":                                    "want none, got 1 arguments; see rejoin bot --help",
	} {
		code, stdout, stderr := runBot(strings.Split(line, " ")...)
		assert.Equal(t, exitMisuse, code, line)
		assert.Empty(t, stdout, line)
		assert.True(t, strings.HasPrefix(stderr, "rejoin: "), stderr)
		assert.Contains(t, stderr, want, line)
	}
}

func TestBotHelp(t *testing.T) {
	code, stdout, _ := runBot("--help")
	assert.Equal(t, exitGood, code)
	for _, word := range []string{
		"--dir", "--port", "--name", "--policy", "--log", "--bootstrap", "--nodes", "--lan", "invite [NAME]", "!members", ownersFile, membersFile,
	} {
		assert.Contains(t, stdout, word)
	}
}

func TestBotDir(t *testing.T) {
	home := func() (string, error) { return filepath.FromSlash("/home/me"), nil }
	abroad := filepath.FromSlash("/abroad")
	for _, c := range []struct{ system, variable, value, want string }{
		{"linux", "", "", "/home/me/.local/share/rejoin/bot"},
		{"linux", "XDG_DATA_HOME", abroad, "/abroad/rejoin/bot"},
		{"freebsd", "XDG_DATA_HOME", "relative", "/home/me/.local/share/rejoin/bot"},
		{"darwin", "XDG_DATA_HOME", abroad, "/home/me/Library/Application Support/rejoin/bot"},
		{"windows", "LocalAppData", abroad, "/abroad/rejoin/bot"},
		{"windows", "", "", "/home/me/AppData/Local/rejoin/bot"},
	} {
		env := func(name string) string {
			if name == c.variable {
				return c.value
			}
			return ""
		}
		dir, err := botDir(c.system, env, home)
		require.NoError(t, err)
		assert.Equal(t, filepath.FromSlash(c.want), dir, "%+v", c)
	}
	homeless := errors.New("no home")
	_, err := botDir("linux", func(string) string { return "" }, func() (string, error) { return "", homeless })
	require.ErrorIs(t, err, homeless)
	assert.Contains(t, err.Error(), "--dir")
}

// A policy without people says which file to write what to; a file with a typing
// error is not half read.
func TestBotPolicyFiles(t *testing.T) {
	dir := t.TempDir()
	owners, members := filepath.Join(dir, ownersFile), filepath.Join(dir, membersFile)
	fails := func(policy, want string) {
		t.Helper()
		code, stdout, stderr := runBot("--dir", dir, "--policy", policy)
		assert.Equal(t, exitBad, code)
		assert.Empty(t, stdout)
		assert.Contains(t, stderr, want)
		assert.Equal(t, 1, strings.Count(stderr, "\n"), stderr)
	}
	fails("owners", "write the Tox IDs of those whom it shall let in, one a line, to "+owners)
	fails("list", "to "+owners+" or "+members)
	require.NoError(t, os.WriteFile(owners, []byte("# nobody yet\n"), 0o600))
	require.NoError(t, os.WriteFile(members, []byte(strings.Repeat("ab", 32)), 0o600))
	fails("owners", owners)
	p, err := readPolicy(dir, bot.List)
	require.NoError(t, err)
	assert.Empty(t, p.Owners)
	assert.Len(t, p.Members, 1)
	require.NoError(t, os.WriteFile(owners, []byte("\nalice\n"), 0o600))
	fails("open", owners+": line 2: want a Tox ID")
	assert.NoFileExists(t, filepath.Join(dir, "profile.tox"))
}

func TestBotPortTaken(t *testing.T) {
	socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	defer socket.Close()
	_, port, err := net.SplitHostPort(socket.LocalAddr().String())
	require.NoError(t, err)
	dir := filepath.Join(t.TempDir(), "new", "bot")
	code, stdout, stderr := runBot("--dir", dir, "--port", port)
	assert.Equal(t, exitBad, code)
	assert.Empty(t, stdout)
	assert.Equal(t, "rejoin: UDP port "+port+" is taken; give another --port, or none for the first free one\n", stderr)
	assert.NoFileExists(t, filepath.Join(dir, "profile.tox"), "nothing is left behind")
}

// Without --port the next free port is taken.
func TestBotNextPort(t *testing.T) {
	var opened []uint16
	for range 3 {
		o := botOptions{dir: t.TempDir()}
		c, err := openBot(&o, client.Config{})
		require.NoError(t, err)
		defer c.Close()
		addr := c.Node().Addr
		assert.True(t, addr.Addr().IsLoopback())
		assert.NotContains(t, opened, addr.Port())
		opened = append(opened, addr.Port())
		assert.GreaterOrEqual(t, addr.Port(), uint16(firstPort))
		assert.LessOrEqual(t, addr.Port(), uint16(lastPort))
	}
}

// Only in a network of its own the bot stays on loopback.
func TestBotListens(t *testing.T) {
	assert.Equal(t, "127.0.0.1", listenAddress(true).String())
	assert.True(t, listenAddress(false).IsUnspecified())
}

// A profile that does not open is told in one line that says what to do.
func TestBotProfileErrors(t *testing.T) {
	t.Setenv(passwordVariable, "")
	fails := func(dir, want string) {
		t.Helper()
		code, stdout, stderr := runBot("--dir", dir)
		assert.Equal(t, exitBad, code)
		assert.Empty(t, stdout)
		assert.Equal(t, 1, strings.Count(stderr, "\n"), stderr)
		assert.Contains(t, stderr, want)
	}
	dir := t.TempDir()
	o := botOptions{dir: dir}
	c, err := openBot(&o, client.Config{Program: "another"})
	require.NoError(t, err)
	fails(dir, `the profile is in use by "another", process `+strconv.Itoa(os.Getpid()))
	require.NoError(t, c.Close())

	profile := filepath.Join(dir, "profile.tox")
	require.NoError(t, os.WriteFile(profile, []byte("garbage"), 0o600))
	fails(dir, profile+" is damaged; see rejoin save check and rejoin save repair")
	require.NoError(t, os.Rename(profile, profile+".bak"))
	fails(dir, "put the backup in its place")

	dir = t.TempDir()
	secret := readFile(t, vectors.Path("vectors", "saves", "20_encrypted_one_text.tox"))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "profile.tox"), secret, 0o600))
	fails(dir, "--password-file or "+passwordVariable)
	t.Setenv(passwordVariable, "wrong")
	fails(dir, "wrong password")

	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	fails(file, "not a directory")
}

// What is printed is what a user needs, and the same as programs get.
func TestBotReady(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "my bot")
	o := botOptions{dir: dir, name: "Otto"}
	prepared := func(json bool) (*client.Client, string) {
		o.json = json
		c, err := openBot(&o, client.Config{})
		require.NoError(t, err)
		var out bytes.Buffer
		h := host{Client: c, bot: bot.New(time.Now(), bot.Policy{}), log: newBotLog(&out, json)}
		require.NoError(t, h.prepare(&o, &out))
		return c, out.String()
	}
	c, text := prepared(false)
	id, node := c.Address().String(), c.Node()
	port := strconv.Itoa(int(node.Addr.Port()))
	dht := strings.ToUpper(node.Key.Hex())
	assert.Contains(t, text, "Tox ID          "+id+"\n")
	assert.Contains(t, text, "bootstrap node  127.0.0.1 "+port+" "+dht+"\n")
	assert.Contains(t, text, "    toxic --nodes '"+filepath.Join(dir, "nodes.json")+"' --file me.tox\n    /add "+id+"\n")
	assert.Contains(t, text, "When Otto is online, write to it: invite\nand accept its invitation to Lobby")
	assert.Regexp(t, `(?m)^\d\d:\d\d:\d\d INF group id=[0-9a-f]{8} title=Lobby state=alone here=1 frozen=0\n\z`, text)
	assert.NotContains(t, text, "\x1b", "colours are for terminals")

	entries, err := readNodes(filepath.Join(dir, "nodes.json"))
	require.NoError(t, err)
	assert.Equal(t, []entry{{"127.0.0.1", node.Addr.Port(), node.Key}}, entries)
	groups := c.Conferences()
	require.NoError(t, c.Close())

	o.name = ""
	c, text = prepared(true)
	defer c.Close()
	var lines []map[string]any
	for line := range strings.Lines(text) {
		var o map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &o))
		lines = append(lines, o)
	}
	require.Len(t, lines, 2)
	assert.Equal(t, "ready", lines[0]["msg"])
	assert.Equal(t, id, lines[0]["tox_id"], "the same identity")
	assert.Equal(t, strings.ToUpper(c.Node().Key.Hex()), lines[0]["dht_key"])
	assert.EqualValues(t, c.Node().Addr.Port(), lines[0]["udp_port"])
	assert.Equal(t, "alone", lines[1]["state"])
	assert.Equal(t, "Otto", string(c.Self().Name), "an old profile keeps its name")
	require.Len(t, groups, 1)
	require.Len(t, c.Conferences(), 1)
	assert.Equal(t, groups[0].ID, c.Conferences()[0].ID, "and its group")
	left, err := filepath.Glob(filepath.Join(dir, "nodes.json.*"))
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestShellWord(t *testing.T) {
	for in, want := range map[string]string{
		"/home/me/x-1.json": "/home/me/x-1.json",
		"a b":               "'a b'",
		"it's":              `'it'\''s'`,
		"$HOME":             "'$HOME'",
		"":                  "''",
		"übung":             "'übung'",
	} {
		assert.Equal(t, want, shellWord(in))
	}
}
