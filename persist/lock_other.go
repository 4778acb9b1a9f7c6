//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd || windows)

package persist

import (
	"errors"
	"fmt"
	"io"
	"runtime"
)

// Lock implements Locker: it refuses. A lock that does not end with the process
// would be worse than none; give a Locker of your own.
func (OSLock) Lock(string, Holder) (io.Closer, error) {
	return nil, fmt.Errorf("persist: no file lock on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}
