package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/tox-rejoin/rejoin/persist"
)

// passwordVariable is the environment variable that holds a password.
const passwordVariable = "REJOIN_PASSWORD"

// maxPassword is the most bytes of a password file that are read.
const maxPassword = 4096

func saveCommand() *cli.Command {
	c := family("save", "look into, check, copy and repair Tox save files",
		saveShowCommand(), saveCheckCommand(), saveCopyCommand(), saveRepairCommand())
	c.Description = "A save file (savedata, profile, .tox) holds a whole Tox identity: secret key, friends and\n" +
		"conferences. These commands read the files of any Tox client, also encrypted ones, and\n" +
		"never show a secret key.\n\n" +
		"The password of an encrypted file comes from the file given with --password-file (without\n" +
		"the newline at its end) or from the environment variable " + passwordVariable + ", never from the\n" +
		"command line, where other users of the machine could see it."
	return c
}

func jsonFlag(what string) cli.Flag {
	return &cli.BoolFlag{Name: "json", Usage: "print one JSON object on one line: " + what}
}

func passwordFlag() cli.Flag {
	return &cli.PathFlag{Name: "password-file", Usage: "read the password from `FILE`"}
}

func forceFlag() cli.Flag {
	return &cli.BoolFlag{Name: "force", Usage: "replace OUT if it exists; the old one becomes OUT.bak"}
}

// password is the one that the user gave, nil if none.
func password(c *cli.Context) ([]byte, error) {
	variable := os.Getenv(passwordVariable)
	path := c.Path("password-file")
	switch {
	case path != "" && variable != "":
		return nil, misusef("both --password-file and %s are given", passwordVariable)
	case path == "" && variable == "":
		return nil, nil
	case path == "":
		return []byte(variable), nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, misusef("password file: %w", err)
	}
	defer f.Close()
	word, err := io.ReadAll(io.LimitReader(f, maxPassword+1))
	if err != nil {
		return nil, misusef("password file: %w", err)
	}
	if len(word) > maxPassword {
		return nil, misusef("password file: more than %d bytes", maxPassword)
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(word), "\n"), "\r")
	if text == "" {
		return nil, misusef("password file: %s is empty", path)
	}
	return []byte(text), nil
}

// readSave reads a save file with the user's password.
func readSave(c *cli.Context, path string) (*persist.File, error) {
	word, err := password(c)
	if err != nil {
		return nil, err
	}
	f, err := persist.ReadFile(path, word)
	if errors.Is(err, persist.ErrNoPassword) {
		return nil, misusef("%w: give --password-file or %s", err, passwordVariable)
	}
	return f, err
}

// writeSave writes a new save file, as the user said.
func writeSave(c *cli.Context, path string, data []byte) error {
	err := persist.WriteFile(path, data, c.Bool("force"), persist.Config{
		Holder: persist.NewHolder("rejoin save", time.Now()),
	})
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%w; --force replaces it", err)
	}
	return err
}

// sameFile refuses a command that would write over what it reads.
func sameFile(in, out string) error {
	a, err := os.Stat(in)
	if err != nil {
		return err
	}
	if b, err := os.Stat(out); err == nil && os.SameFile(a, b) {
		return misusef("%s and %s are the same file", in, out)
	}
	return nil
}

// printJSON prints one object on one line.
func printJSON(c *cli.Context, v any) error {
	encoder := json.NewEncoder(c.App.Writer)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(v)
}

// failure is what --json prints when there is nothing else to print.
type failure struct {
	File     string        `json:"file"`
	OK       bool          `json:"ok"`
	Error    string        `json:"error"`
	Findings []findingJSON `json:"findings,omitempty"`
}

// failed reports a bad result with --json too; misuse has no result.
func failed(c *cli.Context, path string, err error) error {
	var wrong misuse
	if !c.Bool("json") || errors.As(err, &wrong) {
		return err
	}
	report := failure{File: path, Error: err.Error()}
	var damaged *persist.DamagedError
	if errors.As(err, &damaged) {
		report.Findings = findingsJSON(damaged.Findings)
	}
	return errors.Join(printJSON(c, report), err)
}

// findingJSON is a persist.Finding.
type findingJSON struct {
	Severity    string `json:"severity"`
	Section     uint16 `json:"section,omitempty"` // 0: the framing of the file
	SectionName string `json:"section_name,omitempty"`
	Offset      int    `json:"offset"`
	What        string `json:"what"`
}

func findingsJSON(findings []persist.Finding) []findingJSON {
	list := make([]findingJSON, 0, len(findings))
	for _, f := range findings {
		j := findingJSON{Severity: f.Severity.String(), Section: uint16(f.Section), Offset: f.Offset, What: f.What}
		if f.Section != 0 {
			j.SectionName = f.Section.String()
		}
		list = append(list, j)
	}
	return list
}
