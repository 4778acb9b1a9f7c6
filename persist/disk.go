package persist

import (
	"io"
	"os"
)

// disk is the few operations that replacing a file takes. A test puts a disk
// that crashes in its place.
type disk interface {
	// create makes a new file that only its owner can read, and opens it for
	// writing. It errs with fs.ErrExist if the name is taken.
	create(name string) (diskFile, error)
	// open opens a file for reading.
	open(name string) (io.ReadCloser, error)
	link(from, to string) error
	// rename puts from in the place of to, in one step.
	rename(from, to string) error
	remove(name string) error
	// syncDir makes the names in a directory last.
	syncDir(dir string) error
}

// diskFile is a file that is being written.
type diskFile interface {
	io.WriteCloser
	// Sync makes the contents last.
	Sync() error
}

// osDisk is the disk of the operating system.
type osDisk struct{}

func (osDisk) create(name string) (diskFile, error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (osDisk) open(name string) (io.ReadCloser, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (osDisk) link(from, to string) error   { return os.Link(from, to) }
func (osDisk) rename(from, to string) error { return os.Rename(from, to) }
func (osDisk) remove(name string) error     { return os.Remove(name) }
func (osDisk) syncDir(dir string) error     { return syncDir(dir) }
