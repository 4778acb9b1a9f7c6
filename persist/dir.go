// Package persist is the disk: one profile directory with its save file, which
// is replaced in one step, kept from other processes by a lock, and encrypted
// if the user wishes. It also checks and repairs save files.
//
// What is where: SPEC.md, "Save file". Nothing in here logs, and no error or
// print-out holds a secret key or a password.
package persist

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tox-rejoin/rejoin/packets"
)

// ProfileName is the save file of a profile that is given as a directory.
const ProfileName = "profile.tox"

// Errors of a Dir.
var (
	// ErrOnlyBackup says that the save file is gone but its backup is there. A
	// new profile in its place would be another identity.
	ErrOnlyBackup = errors.New("persist: no save file, but its backup")
	// ErrNotLoaded says that Store came before a good Load: it would put a new
	// file in the place of one that nobody has read.
	ErrNotLoaded = errors.New("persist: store before load")
	// ErrUnsound says that Store was given what could not be loaded again.
	ErrUnsound = errors.New("persist: refusing to store a file that would not load")
	// ErrClosed says that the Dir has been closed.
	ErrClosed = errors.New("persist: closed")
)

// Config is what Open needs to know. The zero Config is a plain file.
type Config struct {
	// Holder is who locks the profile, for the error that others get; see NewHolder.
	Holder Holder
	// Password encrypts the file: from the next Store on if it is still plain.
	// nil: no password.
	Password []byte
	// Rand is where salts and nonces come from; nil: crypto/rand.
	Rand io.Reader
	// Locker keeps others away; nil: OSLock.
	Locker Locker
}

// Dir is one profile on the disk, held by this process until Close. It is not
// safe for concurrent use: only the host's main loop stores.
type Dir struct {
	cfg    Config
	path   string // the save file, not a symbolic link
	disk   disk
	lock   io.Closer
	key    *Key   // nil: plain, or not yet made
	loaded bool   // what is on the disk is known
	last   []byte // the plain file as last loaded or stored
}

// Open locks the profile at path: a save file, which need not exist yet, or a
// directory, where it is ProfileName. A symbolic link to the file is followed,
// so that the file behind it is replaced and not the link. It errs with a
// LockedError if another process has the profile, with ErrNotRegular, or with
// an error of the file system.
func Open(path string, cfg Config) (*Dir, error) {
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	if cfg.Locker == nil {
		cfg.Locker = OSLock{}
	}
	path, err := resolve(path)
	if err != nil {
		return nil, err
	}
	lock, err := cfg.Locker.Lock(path+lockSuffix, cfg.Holder)
	if err != nil {
		return nil, err
	}
	return &Dir{cfg: cfg, path: path, disk: osDisk{}, lock: lock}, nil
}

// resolve is the path of the save file itself.
func resolve(path string) (string, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, ProfileName)
	}
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return path, nil
	}
	if err == nil {
		path, err = filepath.EvalSymlinks(path) // errs if the link leads nowhere
	}
	if err != nil {
		return "", fmt.Errorf("persist: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("persist: %w", err)
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%w: %s", ErrNotRegular, path)
	}
	return path, nil
}

// Path is the save file.
func (d *Dir) Path() string { return d.path }

// Load reads the save file. It errs with fs.ErrNotExist if there is none yet,
// with ErrOnlyBackup, with a DamagedError or with an error of ReadFile; it
// never returns part of a file. The findings of a file that loads are returned
// with it.
func (d *Dir) Load() (packets.Save, []Finding, error) {
	if d.lock == nil {
		return packets.Save{}, nil, ErrClosed
	}
	f, err := ReadFile(d.path, d.cfg.Password)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if backup := Backup(d.path); backup != "" {
			return packets.Save{}, nil, fmt.Errorf("%w: %s", ErrOnlyBackup, backup)
		}
		d.loaded = true
		return packets.Save{}, nil, err
	case err != nil:
		return packets.Save{}, nil, d.withBackup(err)
	}
	save, findings, err := f.Save()
	if err != nil {
		return packets.Save{}, nil, err
	}
	d.key, d.loaded, d.last = f.Key, true, bytes.Clone(f.Plain)
	if d.key == nil && d.cfg.Password != nil {
		d.last = nil // the next Store has to encrypt it, even if nothing changes
	}
	return save, findings, nil
}

// withBackup adds the backup to the error of a file that cannot be opened.
func (d *Dir) withBackup(err error) error {
	backup := Backup(d.path)
	if backup == "" || errors.Is(err, ErrNoPassword) {
		return err
	}
	return fmt.Errorf("%w (the file before the last store is %s)", err, backup)
}

// Store puts save in the place of the file, which becomes the backup. Whenever
// it is stopped, there is the old file or the new one, whole. A save that is as
// the last one is not written again. It errs with ErrNotLoaded, ErrUnsound, ErrTooBig
// or an error of the file system; after an error the file is as it was, or, if
// only the last sync failed, new.
func (d *Dir) Store(save packets.Save) error {
	switch {
	case d.lock == nil:
		return ErrClosed
	case !d.loaded:
		return ErrNotLoaded
	}
	plain := packets.AppendSave(nil, save)
	if d.last != nil && bytes.Equal(plain, d.last) {
		return nil
	}
	if _, findings := Check(plain); Worst(findings) == Refused {
		return fmt.Errorf("%w: %v", ErrUnsound, findings)
	}
	file, err := d.seal(plain)
	if err != nil {
		return err
	}
	if len(file) > MaxFile {
		return ErrTooBig
	}
	if err := replace(d.disk, d.path, file); err != nil {
		return err
	}
	d.last = plain
	return nil
}

// seal encrypts a plain file if it has to be.
func (d *Dir) seal(plain []byte) ([]byte, error) {
	if d.cfg.Password == nil {
		return plain, nil
	}
	if d.key == nil {
		key, err := NewKey(d.cfg.Rand, d.cfg.Password)
		if err != nil {
			return nil, err
		}
		d.key = key
	}
	return d.key.Encrypt(d.cfg.Rand, plain)
}

// Close gives the profile back. It stores nothing.
func (d *Dir) Close() error {
	if d.lock == nil {
		return nil
	}
	err := d.lock.Close()
	d.lock, d.key, d.last = nil, nil, nil
	return err
}

// WriteFile makes data the contents of the file at path, in one step and under
// the profile's lock. A file that is there already is an fs.ErrExist, or, with
// overwrite, becomes the backup. Of cfg it uses Holder and Locker.
func WriteFile(path string, data []byte, overwrite bool, cfg Config) (err error) {
	if !overwrite {
		// Before the lock, whose file would otherwise come and go beside it.
		if _, err := os.Lstat(path); err == nil {
			return fmt.Errorf("persist: %s: %w", path, fs.ErrExist)
		}
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return fmt.Errorf("%w: %s", ErrNotRegular, path)
	}
	d, err := Open(path, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if overwrite {
		return replace(d.disk, d.path, data)
	}
	return createNew(d.disk, d.path, data)
}
