package main

import (
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"github.com/urfave/cli/v2"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/persist"
)

func saveShowCommand() *cli.Command {
	return &cli.Command{
		Name:      "show",
		Usage:     "print what is in a save file, but for its secret key",
		ArgsUsage: "FILE",
		Description: "Prints identity, friends, conferences with their peers, and sections. Times are in UTC.\n" +
			"Message numbers are those in the file: the last used one plus 65536, and of audio the\n" +
			"next one plus 8192. A damaged file is not shown in part; see rejoin save check.",
		Flags: []cli.Flag{
			passwordFlag(),
			jsonFlag("pk, tox_id, name, friends, saved_conferences, sections, …; texts also in hexadecimal"),
		},
		OnUsageError: usageError,
		Action:       withArguments(saveShow, "FILE"),
	}
}

func saveShow(c *cli.Context, args []string) error {
	path := args[0]
	f, err := readSave(c, path)
	if err != nil {
		return failed(c, path, err)
	}
	save, findings, err := f.Save()
	if err != nil {
		return failed(c, path, err)
	}
	s, err := shownSave(f, save, findings)
	if err != nil {
		return failed(c, path, err)
	}
	if c.Bool("json") {
		return printJSON(c, s)
	}
	return s.print(c.App.Writer)
}

// text is a text as JSON has it: the bytes, and the text if it is UTF-8.
func text(b []byte) (hexadecimal, plain string) {
	if utf8.Valid(b) {
		plain = string(b)
	}
	return hex.EncodeToString(b), plain
}

// shown is a save file as JSON has it. Names and forms are those of the save
// vectors.
type shown struct {
	File             string            `json:"file"`
	Encrypted        bool              `json:"encrypted"`
	Size             int               `json:"size"`
	PlainSize        int               `json:"plain_size"`
	Key              string            `json:"pk"`
	ToxID            string            `json:"tox_id"`
	NameHex          string            `json:"name_hex"`
	Name             string            `json:"name"`
	StatusMessageHex string            `json:"status_message_hex"`
	StatusMessage    string            `json:"status_message"`
	Status           string            `json:"status"`
	Friends          []shownFriend     `json:"friends"`
	Conferences      []shownConference `json:"saved_conferences"`
	Sections         []shownSection    `json:"sections"`
	Findings         []findingJSON     `json:"findings"`
}

type shownFriend struct {
	Friend   int    `json:"friend"`
	Key      string `json:"pk"`
	NameHex  string `json:"name_hex"`
	Name     string `json:"name"`
	Status   string `json:"status"`
	LastSeen uint64 `json:"last_seen_s"`
}

type shownConference struct {
	Type        string      `json:"type"`
	ID          string      `json:"id"`
	Number      uint32      `json:"message_number"`
	LossyNumber uint16      `json:"lossy_message_number"`
	PeerNumber  uint16      `json:"self_peer_number"`
	TitleHex    string      `json:"title_hex"`
	Title       string      `json:"title"`
	Peers       []shownPeer `json:"peers"`
}

type shownPeer struct {
	Key        string `json:"pk"`
	DHT        string `json:"dht_pk"`
	Number     uint16 `json:"peer_number"`
	LastActive uint64 `json:"last_active_s"`
	NickHex    string `json:"nick_hex"`
	Nick       string `json:"nick"`
}

type shownSection struct {
	Type   uint16 `json:"type"`
	Name   string `json:"name"`
	Offset int    `json:"offset"`
	Size   int    `json:"size"`
}

// shownSave is what of a sound save file may be shown.
func shownSave(f *persist.File, save packets.Save, findings []persist.Finding) (*shown, error) {
	s := &shown{
		File: f.Path, Encrypted: f.Key != nil, Size: len(f.Raw), PlainSize: len(f.Plain),
		Status: userStatus(save.Status()), Friends: []shownFriend{}, Conferences: []shownConference{},
		Findings: findingsJSON(findings),
	}
	s.NameHex, s.Name = text(save.Name())
	s.StatusMessageHex, s.StatusMessage = text(save.StatusMessage())
	data, _ := save.Section(packets.SectionKeys)
	keys, err := packets.ParseSavedKeys(data)
	if err != nil {
		return nil, err
	}
	s.Key, s.ToxID = keys.Public.Hex(), toxID(keys)
	data, _ = save.Section(packets.SectionFriends)
	friends, err := packets.ParseFriends(data)
	if err != nil {
		return nil, err
	}
	for i := range friends {
		s.Friends = append(s.Friends, showFriend(i, &friends[i]))
	}
	conferences, err := save.Conferences()
	if err != nil {
		return nil, err
	}
	for i := range conferences {
		s.Conferences = append(s.Conferences, showConference(&conferences[i]))
	}
	for i, x := range save.Sections {
		s.Sections = append(s.Sections, shownSection{
			Type: uint16(x.Type), Name: x.Type.String(), Offset: save.Offset(i), Size: len(x.Data),
		})
	}
	return s, nil
}

// toxID is the address that friends add: key, nospam and a checksum.
func toxID(keys packets.SavedKeys) string {
	id := slices.Concat(keys.Public[:], keys.NoSpam[:])
	var sum [2]byte
	for i, b := range id {
		sum[i%2] ^= b
	}
	return hex.EncodeToString(append(id, sum[:]...))
}

func userStatus(s packets.UserStatus) string {
	switch s {
	case packets.Available:
		return "available"
	case packets.Away:
		return "away"
	case packets.Busy:
		return "busy"
	}
	return fmt.Sprintf("status %d", uint8(s))
}

func showFriend(i int, f *packets.SavedFriend) shownFriend {
	s := shownFriend{Friend: i, Key: f.Key().Hex(), LastSeen: f.LastSeen()}
	s.NameHex, s.Name = text(f.Name())
	switch f.Status() {
	case packets.FriendNone:
		s.Status = "unused"
	case packets.FriendAdded:
		s.Status = "request not sent"
	case packets.FriendRequested:
		s.Status = "request sent"
	default:
		s.Status = "confirmed"
	}
	return s
}

func showConference(c *packets.SavedConference) shownConference {
	s := shownConference{
		Type: c.ID.Type.String(), ID: hex.EncodeToString(c.ID.Key[:]), Number: c.Number,
		LossyNumber: c.LossyNumber, PeerNumber: c.PeerNumber, Peers: make([]shownPeer, 0, len(c.Peers)),
	}
	s.TitleHex, s.Title = text(c.Title)
	for i := range c.Peers {
		p := &c.Peers[i]
		shown := shownPeer{Key: p.Key.Hex(), DHT: p.DHT.Hex(), Number: p.Number, LastActive: p.LastActive}
		shown.NickHex, shown.Nick = text(p.Name)
		s.Peers = append(s.Peers, shown)
	}
	return s
}

// print prints the file for people. Texts come from the network: they are
// quoted, so that none of them can steer the terminal.
func (s *shown) print(out io.Writer) error {
	tables := make([]func(io.Writer), 0, len(s.Conferences)+4)
	tables = append(tables, s.printSelf, s.printFriends)
	for i := range s.Conferences {
		tables = append(tables, func(w io.Writer) { s.printConference(w, i) })
	}
	for _, table := range append(tables, s.printSections, s.printFindings) {
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		table(w)
		if err := w.Flush(); err != nil {
			return err
		}
	}
	return nil
}

func (s *shown) printSelf(w io.Writer) {
	fmt.Fprintf(w, "file\t%s, %d bytes", s.File, s.Size)
	if s.Encrypted {
		fmt.Fprintf(w, ", encrypted (plain %d bytes)", s.PlainSize)
	}
	fmt.Fprintf(w, "\nTox ID\t%s\nname\t%s\n", s.ToxID, quoted(s.NameHex))
	fmt.Fprintf(w, "status\t%s, %s\n", s.Status, quoted(s.StatusMessageHex))
}

func (s *shown) printFriends(w io.Writer) {
	fmt.Fprintf(w, "\n%s\n", count(len(s.Friends), "friend", "friends"))
	for _, f := range s.Friends {
		fmt.Fprintf(w, "  %d\t%s\t%s, last seen %s\t%s\n", f.Friend, f.Key, f.Status, utc(f.LastSeen), quoted(f.NameHex))
	}
	fmt.Fprintf(w, "\n%s\n", count(len(s.Conferences), "conference", "conferences"))
}

func (s *shown) printConference(w io.Writer, i int) {
	c := &s.Conferences[i]
	fmt.Fprintf(w, "  %s %s %s\n", c.Type, c.ID, quoted(c.TitleHex))
	fmt.Fprintf(w, "  we are peer %d, message number %d, lossy %d; %s\n", c.PeerNumber, c.Number, c.LossyNumber,
		count(len(c.Peers), "other peer", "other peers"))
	for _, p := range c.Peers {
		fmt.Fprintf(w, "    %d\t%s\tlast active %s\t%s\n", p.Number, p.Key, utc(p.LastActive), quoted(p.NickHex))
	}
}

func (s *shown) printSections(w io.Writer) {
	fmt.Fprintf(w, "\n%s\n", count(len(s.Sections), "section", "sections"))
	for _, x := range s.Sections {
		fmt.Fprintf(w, "  %d\t%s\tat offset %d\t%s\n", x.Type, x.Name, x.Offset, count(x.Size, "byte", "bytes"))
	}
}

func (s *shown) printFindings(w io.Writer) {
	for _, f := range s.Findings {
		fmt.Fprintf(w, "\n%s: section %d, offset %d: %s\n", f.Severity, f.Section, f.Offset, f.What)
	}
}

func count(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}

// quoted is a text in quotation marks, with escapes for all that is not
// printable.
func quoted(hexadecimal string) string {
	b, err := hex.DecodeString(hexadecimal)
	if err != nil {
		return hexadecimal
	}
	return strconv.Quote(string(b))
}

// lastYear is the last second of the year 9999, beyond which times have no
// usual form.
const lastYear = 253402300799

// utc is a Unix time for people.
func utc(seconds uint64) string {
	switch {
	case seconds == 0:
		return "never"
	case seconds > lastYear:
		return fmt.Sprintf("second %d", seconds)
	}
	return time.Unix(int64(seconds), 0).UTC().Format("2006-01-02 15:04:05")
}
