//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package persist

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// Lock implements Locker with flock.
func (OSLock) Lock(path string, h Holder) (io.Closer, error) {
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
		if err != nil {
			return nil, fmt.Errorf("persist: lock file: %w", err)
		}
		if err := flock(f); err != nil {
			f.Close()
			if errors.Is(err, syscall.EWOULDBLOCK) {
				return nil, lockedError(path)
			}
			return nil, fmt.Errorf("persist: lock %s: %w", path, err)
		}
		// The former holder may have removed the file between our open and our
		// lock. Then what we locked is no longer what others will open.
		if !isAt(f, path) {
			f.Close()
			continue
		}
		if err := writeHolder(f, h); err != nil {
			f.Close()
			return nil, fmt.Errorf("persist: lock file: %w", err)
		}
		return &heldLock{f: f, path: path}, nil
	}
}

func flock(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// isAt tells whether path still names the open file.
func isAt(f *os.File, path string) bool {
	opened, err := f.Stat()
	if err != nil {
		return false
	}
	named, err := os.Lstat(path)
	return err == nil && os.SameFile(opened, named)
}

type heldLock struct {
	f    *os.File
	path string
}

// Close removes the lock file while it is still locked, so nobody else's goes.
func (l *heldLock) Close() error {
	if l.f == nil {
		return nil
	}
	var err error
	if isAt(l.f, l.path) {
		err = os.Remove(l.path)
	}
	err = errors.Join(err, l.f.Close())
	l.f = nil
	return err
}
