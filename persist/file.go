package persist

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/tox-rejoin/rejoin/packets"
)

// MaxFile is the most bytes of a save file that are read: some hundred
// conferences with thousands of peers each. A larger file is something else.
const MaxFile = 64 << 20

// Errors of reading a save file.
var (
	ErrTooBig     = fmt.Errorf("persist: more than %d bytes, too big for a save file", MaxFile)
	ErrNotRegular = errors.New("persist: not a regular file")
	ErrDamaged    = errors.New("persist: the save file is damaged")
)

// DamagedError is an ErrDamaged that says where and what.
type DamagedError struct {
	Path     string
	Findings []Finding // at least one is Refused
	Backup   string    // the backup beside the file; "" if there is none
}

func (e *DamagedError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v: %s", ErrDamaged, e.Path)
	for _, f := range e.Findings {
		if f.Severity == Refused {
			fmt.Fprintf(&b, "\n  %v", f)
		}
	}
	if e.Backup != "" {
		fmt.Fprintf(&b, "\n  the file before the last store is %s", e.Backup)
	}
	return b.String()
}

// Is makes errors.Is(err, ErrDamaged) true.
func (e *DamagedError) Is(target error) bool { return target == ErrDamaged }

// File is a save file as it was on the disk, and what is in it.
type File struct {
	Path  string
	Raw   []byte // as on the disk
	Plain []byte // decrypted; the same as Raw if it is not encrypted
	Key   *Key   // opens Raw; nil if it is not encrypted
}

// ReadFile reads and decrypts a save file; it does not look at what is in it.
// Password nil means that there is none; a file that is not encrypted needs
// none. It errs with ErrTooBig, ErrNotRegular, ErrNoPassword, ErrPassword,
// ErrEnvelopeShort or an error of the file system.
func ReadFile(path string, password []byte) (*File, error) {
	raw, err := ReadRaw(path)
	if err != nil {
		return nil, err
	}
	f := &File{Path: path, Raw: raw, Plain: raw}
	if !Encrypted(raw) {
		return f, nil
	}
	if password == nil {
		return nil, fmt.Errorf("%w: %s", ErrNoPassword, path)
	}
	if f.Key, err = KeyOf(raw, password); err == nil {
		f.Plain, err = f.Key.Decrypt(raw)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, path)
	}
	return f, nil
}

// ReadRaw reads a save file as it is on the disk. It errs with ErrTooBig,
// ErrNotRegular or an error of the file system.
func ReadRaw(path string) ([]byte, error) {
	info, err := os.Stat(path) // before opening: opening a pipe waits
	if err != nil {
		return nil, fmt.Errorf("persist: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: %s", ErrNotRegular, path)
	}
	if info.Size() > MaxFile {
		return nil, fmt.Errorf("%w: %s", ErrTooBig, path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("persist: %w", err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err != nil {
		return nil, fmt.Errorf("persist: %w", err)
	}
	if len(raw) > MaxFile {
		return nil, fmt.Errorf("%w: %s", ErrTooBig, path)
	}
	return raw, nil
}

// Save is what is in the file: all of it, or nothing and a DamagedError. The
// Save aliases Plain. Findings below Refused come back with it.
func (f *File) Save() (packets.Save, []Finding, error) {
	save, findings := Check(f.Plain)
	if Worst(findings) < Refused {
		return save, findings, nil
	}
	return packets.Save{}, nil, &DamagedError{Path: f.Path, Findings: findings, Backup: Backup(f.Path)}
}

// Backup is the path of the backup beside a save file, "" if there is none.
func Backup(path string) string {
	if file, err := filepath.EvalSymlinks(path); err == nil {
		path = file // else it may be gone, and its backup there
	}
	if _, err := os.Lstat(path + backupSuffix); err != nil {
		return ""
	}
	return path + backupSuffix
}
