package main

import (
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/persist"
)

func saveCopyCommand() *cli.Command {
	return &cli.Command{
		Name:      "copy",
		Usage:     "read a save file and write it again",
		ArgsUsage: "IN OUT",
		Description: "Reads all that is in IN and writes it as rejoin writes save files: OUT is byte for byte the\n" +
			"same, unless it has to be encrypted or decrypted. A damaged file is not copied; see\n" +
			"rejoin save repair. OUT appears in one step, readable by its owner only.\n\n" +
			"An encrypted file stays as it is. It is checked only if its password is given.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "decrypt", Usage: "write OUT plain: whoever reads it has the identity"},
			&cli.BoolFlag{Name: "encrypt", Usage: "encrypt OUT with the password"},
			forceFlag(), passwordFlag(), jsonFlag("in, out, size, encrypted, identical, checked"),
		},
		OnUsageError: usageError,
		Action:       withArguments(saveCopy, "IN", "OUT"),
	}
}

func saveCopy(c *cli.Context, args []string) error {
	in, out := args[0], args[1]
	if err := sameFile(in, out); err != nil {
		return failed(c, in, err)
	}
	result, err := copySave(c, in)
	if err == nil {
		err = writeSave(c, out, result.data)
	}
	if err != nil {
		return failed(c, in, err)
	}
	result.In, result.Out, result.OK, result.Size = in, out, true, len(result.data)
	result.Encrypted = persist.Encrypted(result.data)
	if c.Bool("json") {
		return printJSON(c, result)
	}
	fmt.Fprintf(c.App.Writer, "%s: %d bytes%s%s%s\n", out, result.Size,
		when(result.Identical, ", the same as "+in), when(result.Encrypted, ", encrypted"),
		when(!result.Checked, " (not checked: no password)"))
	return nil
}

func when(yes bool, text string) string {
	if yes {
		return text
	}
	return ""
}

// copied is the result of a copy, as JSON has it.
type copied struct {
	In        string `json:"in"`
	Out       string `json:"out"`
	OK        bool   `json:"ok"`
	Size      int    `json:"size"`
	Encrypted bool   `json:"encrypted"`
	Identical bool   `json:"identical"`
	Checked   bool   `json:"checked"`
	data      []byte
}

// copySave is the copy of the save file in, yet to be written.
func copySave(c *cli.Context, in string) (copied, error) {
	if c.Bool("encrypt") && c.Bool("decrypt") {
		return copied{}, misusef("both --encrypt and --decrypt are given")
	}
	word, err := password(c)
	if err != nil {
		return copied{}, err
	}
	if word == nil && c.Bool("encrypt") {
		return copied{}, misusef("--encrypt needs a password: give --password-file or %s", passwordVariable)
	}
	f, err := persist.ReadFile(in, word)
	if errors.Is(err, persist.ErrNoPassword) {
		if c.Bool("decrypt") {
			return copied{}, misusef("%w: give --password-file or %s", err, passwordVariable)
		}
		raw, err := persist.ReadRaw(in)
		return copied{data: raw, Identical: true}, err
	}
	if err != nil {
		return copied{}, err
	}
	save, _, err := f.Save()
	if err != nil {
		return copied{}, err
	}
	plain := packets.AppendSave(nil, save)
	switch {
	case c.Bool("encrypt"):
		key, err := persist.NewKey(rand.Reader, word)
		if err != nil {
			return copied{}, err
		}
		data, err := key.Encrypt(rand.Reader, plain)
		return copied{data: data, Checked: true}, err
	case c.Bool("decrypt") && f.Key == nil:
		return copied{}, fmt.Errorf("%w: %s", persist.ErrNotEncrypted, in)
	case c.Bool("decrypt"), f.Key == nil:
		return copied{data: plain, Identical: f.Key == nil, Checked: true}, nil
	}
	return copied{data: f.Raw, Identical: true, Checked: true}, nil
}
