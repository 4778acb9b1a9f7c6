package persist

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// errSharing is ERROR_SHARING_VIOLATION: somebody has the file open and does
// not share it.
const errSharing = syscall.Errno(32)

// Lock implements Locker: the lock file is kept open and shared for reading
// only, so nobody else can open it for writing until this process ends.
func (OSLock) Lock(path string, h Holder) (io.Closer, error) {
	name, err := syscall.UTF16PtrFromString(path)
	if err != nil {
		return nil, fmt.Errorf("persist: lock file: %w", err)
	}
	handle, err := syscall.CreateFile(name, syscall.GENERIC_READ|syscall.GENERIC_WRITE,
		syscall.FILE_SHARE_READ, nil, syscall.OPEN_ALWAYS, syscall.FILE_ATTRIBUTE_NORMAL, 0)
	switch {
	case errors.Is(err, errSharing):
		return nil, lockedError(path)
	case err != nil:
		return nil, fmt.Errorf("persist: lock %s: %w", path, err)
	}
	f := os.NewFile(uintptr(handle), path)
	if err := writeHolder(f, h); err != nil {
		f.Close()
		return nil, fmt.Errorf("persist: lock file: %w", err)
	}
	return f, nil
}
