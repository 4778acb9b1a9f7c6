package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"unicode/utf8"

	"github.com/urfave/cli/v2"

	"github.com/tox-rejoin/rejoin/cmd/rejoin/bot"
	"github.com/tox-rejoin/rejoin/packets"
)

// botName is the name of a new profile.
const botName = "rejoin"

// The files of people that a policy lets in.
const (
	ownersFile  = "owners.txt"
	membersFile = "members.txt"
)

func botCommand() *cli.Command {
	return &cli.Command{
		Name:      "bot",
		Usage:     "a bot that keeps a group alive, for every Tox client",
		ArgsUsage: " ",
		Description: "Makes a profile if there is none, opens the group Lobby, and serves until Ctrl-C. Without\n" +
			"--bootstrap, --nodes or --lan it is a network of its own and sends nothing off this machine;\n" +
			"it prints how other Tox clients on this machine enter it.\n\n" +
			"Add its Tox ID as a friend and write to it:\n\n" +
			"   help               what it knows\n" +
			"   info, id, groups   how it is, its Tox ID, the groups that it is in\n" +
			"   invite [NAME]      invites you into a group; without a name into the first\n" +
			"   leave NAME         leaves a group for good\n\n" +
			"NAME is a title, or the first digits of a group's id. In a group:\n\n" +
			"   !help, !info       what it knows, and how the group is\n" +
			"   !members           who is here, and who is frozen since when\n" +
			"   !title TEXT        gives the group another title\n\n" +
			"Friends may invite it into their groups. After a restart it is back in all of them, and its\n" +
			"log says which are alone (nobody else is here), partly connected (some are frozen) or whole.\n\n" +
			"Who may befriend it, command it and invite it says --policy:\n\n" +
			"   open     everybody\n" +
			"   owners   only those in " + ownersFile + "\n" +
			"   list     those in " + ownersFile + " and " + membersFile + "\n\n" +
			"Both files are in its directory and are read at the start: one Tox ID or public key a line,\n" +
			"# begins a comment. If " + ownersFile + " names anybody, only owners can have it leave a group.\n" +
			"In a group anybody can forge another's name and key: the policy guards private chats.\n\n" +
			"A password from --password-file or " + passwordVariable + " opens an encrypted profile, and\n" +
			"encrypts a plain one.\n\n" +
			"With --log json each line of standard output is a JSON object. The first has msg \"ready\",\n" +
			"tox_id, dht_key and udp_port.",
		Flags: []cli.Flag{
			&cli.PathFlag{Name: "dir", Usage: "keep the profile in `D`", DefaultText: "rejoin/bot in your data directory"},
			&cli.IntFlag{Name: "port", Usage: "listen at UDP port `P`", DefaultText: "the first free one from 33445 on"},
			&cli.StringFlag{Name: "name", Usage: "be called `N`", DefaultText: botName + ", or as the profile says"},
			&cli.StringFlag{Name: "policy", Usage: "let in `WHOM`: open, owners or list", Value: string(bot.Open)},
			&cli.StringSliceFlag{Name: "bootstrap", Usage: "enter the network by the node `HOST:PORT:KEY`; may be repeated"},
			&cli.PathFlag{Name: "nodes", Usage: "enter the network by the nodes in `FILE`, as of nodes.tox.chat/json"},
			&cli.BoolFlag{Name: "lan", Usage: "look for others in the local networks, and be found there"},
			&cli.StringFlag{Name: "log", Usage: "log as `FORMAT`: text or json", Value: "text"},
			passwordFlag(),
		},
		OnUsageError: usageError,
		Action:       withArguments(botAction),
	}
}

// botOptions is the command line of rejoin bot.
type botOptions struct {
	dir      string
	port     uint16 // 0: the first free one
	name     string // "": as the profile says
	policy   bot.Mode
	entries  []entry
	lan      bool
	json     bool
	password []byte
}

// local tells whether the bot is a network of its own.
func (o *botOptions) local() bool { return len(o.entries) == 0 && !o.lan }

// network says in words which network the bot is in.
func (o *botOptions) network() string {
	switch {
	case o.local():
		return "its own, on this machine only; see --bootstrap, --nodes and --lan"
	case len(o.entries) == 0:
		return "whoever is found in the local networks"
	case o.lan:
		return "that of the given nodes, and of the local networks"
	}
	return "that of the given nodes"
}

func botAction(c *cli.Context, _ []string) error {
	o, err := parseBot(c)
	if err != nil {
		return err
	}
	return serveBot(c.Context, &o, c.App.Writer)
}

// parseBot checks the command line and reads the file of nodes.
func parseBot(c *cli.Context) (o botOptions, err error) {
	if o.policy, err = bot.ParseMode(c.String("policy")); err != nil {
		return o, misuse{err}
	}
	switch format := c.String("log"); format {
	case "text":
	case "json":
		o.json = true
	default:
		return o, misusef("log %q: want text or json", format)
	}
	if c.IsSet("port") {
		port := c.Int("port")
		if port < 1 || port > math.MaxUint16 {
			return o, misusef("port %d: want 1 to %d", port, math.MaxUint16)
		}
		o.port = uint16(port)
	}
	if c.IsSet("name") {
		o.name = c.String("name")
		if n := len(o.name); n == 0 || n > packets.MaxName || !utf8.ValidString(o.name) {
			return o, misusef("name of %d bytes: want 1 to %d, in UTF-8", n, packets.MaxName)
		}
	}
	o.lan = c.Bool("lan")
	if o.entries, err = parseEntries(c.StringSlice("bootstrap")); err != nil {
		return o, misuse{err}
	}
	if c.IsSet("nodes") {
		nodes, err := readNodes(c.Path("nodes"))
		if err != nil {
			return o, err
		}
		o.entries = append(o.entries, nodes...)
	}
	if o.password, err = password(c); err != nil {
		return o, err
	}
	o.dir = c.Path("dir")
	switch {
	case o.dir != "":
	case c.IsSet("dir"):
		return o, misusef("--dir is empty")
	default:
		o.dir, err = botDir(runtime.GOOS, os.Getenv, os.UserHomeDir)
	}
	return o, err
}

// botDir is where the bot's profile is unless the user says otherwise: in the
// user's data directory, as the system has it.
func botDir(system string, env func(string) string, home func() (string, error)) (string, error) {
	variable, below := "XDG_DATA_HOME", []string{".local", "share"}
	switch system {
	case "windows":
		variable, below = "LocalAppData", []string{"AppData", "Local"}
	case "darwin", "ios":
		variable, below = "", []string{"Library", "Application Support"}
	}
	// The XDG specification has relative paths ignored.
	if data := env(variable); variable != "" && filepath.IsAbs(data) {
		return filepath.Join(data, "rejoin", "bot"), nil
	}
	dir, err := home()
	if err != nil {
		return "", fmt.Errorf("nowhere to keep the profile, give --dir: %w", err)
	}
	return filepath.Join(append(append([]string{dir}, below...), "rejoin", "bot")...), nil
}

// readPolicy reads the people whom the policy lets in. Owners count with every
// policy.
func readPolicy(dir string, mode bot.Mode) (p bot.Policy, err error) {
	p.Mode = mode
	owners, members := filepath.Join(dir, ownersFile), filepath.Join(dir, membersFile)
	if p.Owners, err = readPeople(owners); err != nil {
		return p, err
	}
	if p.Members, err = readPeople(members); err != nil {
		return p, err
	}
	const what = "write the Tox IDs of those whom it shall let in, one a line, to "
	switch {
	case mode == bot.Owners && len(p.Owners) == 0:
		return p, fmt.Errorf("--policy owners lets nobody in: %s%s", what, owners)
	case mode == bot.List && len(p.Owners)+len(p.Members) == 0:
		return p, fmt.Errorf("--policy list lets nobody in: %s%s or %s", what, owners, members)
	}
	return p, nil
}

func readPeople(path string) ([]packets.PublicKey, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	people, err := bot.ParsePeople(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return people, nil
}
