package main

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"

	"github.com/urfave/cli/v2"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/persist"
)

func saveCheckCommand() *cli.Command {
	return &cli.Command{
		Name:      "check",
		Usage:     "say whether a save file is sound, and if not, what is wrong and where",
		ArgsUsage: "FILE",
		Description: "Looks for everything in a save file that this program or c-toxcore would refuse or stumble\n" +
			"over. Each finding names its section and its offset in the (decrypted) file:\n\n" +
			"   refused  the file does not load\n" +
			"   hazard   it loads, but something in it is lost or goes wrong later\n" +
			"   note     odd and harmless\n\n" +
			"Exits with 0 if there are notes at most, else with 1.",
		Flags:        []cli.Flag{passwordFlag(), jsonFlag("file, ok, encrypted, findings, backup")},
		OnUsageError: usageError,
		Action:       withArguments(saveCheck, "FILE"),
	}
}

// checked is the result of a check, as JSON has it.
type checked struct {
	File      string        `json:"file"`
	OK        bool          `json:"ok"`
	Encrypted bool          `json:"encrypted"`
	Size      int           `json:"size"`
	Findings  []findingJSON `json:"findings"`
	Backup    string        `json:"backup,omitempty"`
}

func saveCheck(c *cli.Context, args []string) error {
	path := args[0]
	f, err := readSave(c, path)
	if err != nil {
		if backup := persist.Backup(path); backup != "" && !errors.Is(err, fs.ErrNotExist) {
			fmt.Fprintf(c.App.ErrWriter, "the file before the last store is %s\n", backup)
		}
		return failed(c, path, err)
	}
	_, findings := persist.Check(f.Plain)
	result := checked{
		File: path, OK: persist.Worst(findings) <= persist.Note, Encrypted: f.Key != nil,
		Size: len(f.Raw), Findings: findingsJSON(findings),
	}
	if !result.OK {
		result.Backup = persist.Backup(path)
	}
	if c.Bool("json") {
		err = printJSON(c, result)
	} else {
		printChecked(c, result, findings)
	}
	if err == nil && !result.OK {
		err = errBad
	}
	return err
}

func printChecked(c *cli.Context, result checked, findings []persist.Finding) {
	for _, f := range findings {
		fmt.Fprintln(c.App.Writer, f)
	}
	if result.OK {
		fmt.Fprintf(c.App.Writer, "ok %s: %d bytes%s\n", result.File, result.Size, when(result.Encrypted, ", encrypted"))
		return
	}
	fmt.Fprintf(c.App.Writer, "FAIL %s\n", result.File)
	if result.Backup != "" {
		fmt.Fprintf(c.App.Writer, "the file before the last store is %s\n", result.Backup)
	}
}

func saveRepairCommand() *cli.Command {
	return &cli.Command{
		Name:      "repair",
		Usage:     "save what is sound of a damaged save file into a new one",
		ArgsUsage: "IN OUT",
		Description: "Writes OUT with everything of IN that is sound, so that rejoin and other Tox clients load it,\n" +
			"and lists what it left out or set right. IN stays as it is. A sound file is copied.\n" +
			"Nothing can be done for a file that has lost its secret key, nor for a damaged encrypted\n" +
			"one: its contents cannot be told from noise. Then look for a backup (FILE.bak).\n\n" +
			"What was encrypted stays encrypted, with the same password.",
		Flags:        []cli.Flag{forceFlag(), passwordFlag(), jsonFlag("in, out, size, encrypted, dropped")},
		OnUsageError: usageError,
		Action:       withArguments(saveRepair, "IN", "OUT"),
	}
}

// repaired is the result of a repair, as JSON has it.
type repaired struct {
	In        string        `json:"in"`
	Out       string        `json:"out"`
	OK        bool          `json:"ok"`
	Size      int           `json:"size"`
	Encrypted bool          `json:"encrypted"`
	Dropped   []droppedJSON `json:"dropped"`
}

// droppedJSON is a packets.Dropped.
type droppedJSON struct {
	Section     uint16 `json:"section,omitempty"`
	SectionName string `json:"section_name,omitempty"`
	Offset      int    `json:"offset"`
	Length      int    `json:"length"`
	What        string `json:"what"`
}

func saveRepair(c *cli.Context, args []string) error {
	in, out := args[0], args[1]
	if err := sameFile(in, out); err != nil {
		return failed(c, in, err)
	}
	f, err := readSave(c, in)
	if err != nil {
		return failed(c, in, err)
	}
	plain, dropped, err := persist.Repair(f.Plain)
	if err != nil {
		return failed(c, in, err)
	}
	data := plain
	switch {
	case bytes.Equal(plain, f.Plain):
		data = f.Raw
	case f.Key != nil:
		if data, err = f.Key.Encrypt(rand.Reader, plain); err != nil {
			return err
		}
	}
	if err := writeSave(c, out, data); err != nil {
		return failed(c, in, err)
	}
	return printRepaired(c, repaired{In: in, Out: out, OK: true, Size: len(data), Encrypted: f.Key != nil}, dropped)
}

func printRepaired(c *cli.Context, result repaired, dropped []packets.Dropped) error {
	if c.Bool("json") {
		result.Dropped = make([]droppedJSON, 0, len(dropped))
		for _, d := range dropped {
			j := droppedJSON{Section: uint16(d.Section), Offset: d.Offset, Length: d.Length, What: d.What}
			if d.Section != 0 {
				j.SectionName = d.Section.String()
			}
			result.Dropped = append(result.Dropped, j)
		}
		return printJSON(c, result)
	}
	for _, d := range dropped {
		fmt.Fprintf(c.App.Writer, "dropped: %v\n", d)
	}
	fmt.Fprintf(c.App.Writer, "%s: %d bytes%s, %d faults mended\n", result.Out, result.Size,
		when(result.Encrypted, ", encrypted"), len(dropped))
	return nil
}
