package persist

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
)

// What stands beside a save file, under its name and this.
const (
	backupSuffix  = ".bak"     // the file before the last store
	tempSuffix    = ".tmp"     // the file that is being written
	newBackSuffix = ".bak.tmp" // what becomes the backup
	lockSuffix    = ".lock"
)

// replace makes data the contents of the file name, and the file that was there
// the backup. Whenever it is stopped, name is the old file or the new one, whole;
// and once there is a backup, there is always a whole one. The caller holds the
// lock, and name is no symbolic link.
func replace(d disk, name string, data []byte) error {
	if err := writeTemp(d, name, data); err != nil {
		return err
	}
	err := keepBackup(d, name)
	if err == nil {
		err = d.rename(name+tempSuffix, name)
	}
	if err != nil {
		// What is left over goes at the next store; this is only tidier.
		return errors.Join(fmt.Errorf("persist: store: %w", err), removeStale(d, name+tempSuffix))
	}
	if err := d.syncDir(filepath.Dir(name)); err != nil {
		return fmt.Errorf("persist: store: %w", err)
	}
	return nil
}

// createNew is replace for a file that does not exist yet. It errs with
// fs.ErrExist if it does.
func createNew(d disk, name string, data []byte) error {
	if err := writeTemp(d, name, data); err != nil {
		return err
	}
	if err := publish(d, name+tempSuffix, name); err != nil {
		return errors.Join(fmt.Errorf("persist: store: %w", err), removeStale(d, name+tempSuffix))
	}
	if err := errors.Join(removeStale(d, name+tempSuffix), d.syncDir(filepath.Dir(name))); err != nil {
		return fmt.Errorf("persist: store: %w", err)
	}
	return nil
}

// publish gives the file from the name to, which must be free. A link, unlike a
// rename, never takes the place of another file.
func publish(d disk, from, to string) error {
	err := d.link(from, to)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	// File systems without links, FAT for one: look before.
	f, openErr := d.open(to)
	if openErr == nil {
		return errors.Join(fmt.Errorf("%s: %w", to, fs.ErrExist), f.Close())
	}
	if !errors.Is(openErr, fs.ErrNotExist) {
		return err
	}
	return d.rename(from, to)
}

// writeTemp writes the temporary file of name so that it lasts.
func writeTemp(d disk, name string, data []byte) error {
	temp := name + tempSuffix
	if err := removeStale(d, temp); err != nil {
		return err
	}
	if err := writeFile(d, temp, data); err != nil {
		return errors.Join(fmt.Errorf("persist: store: %w", err), removeStale(d, temp))
	}
	return nil
}

func writeFile(d disk, name string, data []byte) error {
	f, err := d.create(name)
	if err != nil {
		return err
	}
	n, err := f.Write(data)
	if err == nil && n < len(data) {
		err = io.ErrShortWrite
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// keepBackup makes the file name the backup too, while it stays in its place.
func keepBackup(d disk, name string) error {
	fresh := name + newBackSuffix
	if err := removeStale(d, fresh); err != nil {
		return err
	}
	switch err := d.link(name, fresh); {
	case errors.Is(err, fs.ErrNotExist):
		return nil // the first store
	case err != nil:
		// File systems without links, FAT for one.
		if err := copyFile(d, name, fresh); err != nil {
			return err
		}
	}
	if err := d.rename(fresh, name+backupSuffix); err != nil {
		return err
	}
	// After a crash between the two renames the backup is already this very
	// file; then rename leaves both names.
	return removeStale(d, fresh)
}

func copyFile(d disk, from, to string) error {
	f, err := d.open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	return writeFile(d, to, data)
}

// removeStale removes what an earlier process may have left there.
func removeStale(d disk, name string) error {
	if err := d.remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("persist: store: %w", err)
	}
	return nil
}
