package persist

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// ErrLocked says that another process has the profile; see LockedError.
var ErrLocked = errors.New("persist: the profile is in use")

// Holder says who has a profile. Any program that can read the lock file may
// know it: nothing in it is secret.
type Holder struct {
	PID     int       `json:"pid"`
	Program string    `json:"program"`
	Host    string    `json:"host"`
	Since   time.Time `json:"since"`
}

// NewHolder describes this process, which has called itself program, at now.
func NewHolder(program string, now time.Time) Holder {
	host, err := os.Hostname()
	if err != nil {
		host = "" // the name only helps the reader
	}
	return Holder{PID: os.Getpid(), Program: program, Host: host, Since: now.UTC().Truncate(time.Second)}
}

// String is one line for the user.
func (h Holder) String() string {
	if h.PID == 0 {
		return "a process that did not say who it is"
	}
	return fmt.Sprintf("%q, process %d on host %q, since %s", h.Program, h.PID, h.Host, h.Since.UTC().Format(time.RFC3339))
}

// LockedError is an ErrLocked that names the holder.
type LockedError struct {
	Path   string // the lock file
	Holder Holder // zero if the lock file does not tell
}

func (e *LockedError) Error() string {
	return fmt.Sprintf("%v by %v (%s)", ErrLocked, e.Holder, e.Path)
}

// Is makes errors.Is(err, ErrLocked) true.
func (e *LockedError) Is(target error) bool { return target == ErrLocked }

// Locker gives a profile to one process. The default is OSLock. A finer lock,
// under which two processes share a profile, would take its place here; the
// save file is written by one of them only, whichever holds this.
type Locker interface {
	// Lock takes the lock file at path at once or errs: with a LockedError if
	// another process has it. Closing the result gives it back.
	Lock(path string, h Holder) (io.Closer, error)
}

// OSLock is a lock of the operating system on the lock file. It ends with the
// process, however that ends. The file itself may outlive a crash; that it
// exists means nothing.
type OSLock struct{}

// maxHolder is the most bytes of a lock file that are looked at.
const maxHolder = 4096

// writeHolder replaces the contents of a lock file.
func writeHolder(f *os.File, h Holder) error {
	line, err := json.Marshal(h)
	if err != nil {
		return err
	}
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err = f.WriteAt(append(line, '\n'), 0)
	return err
}

// lockedError names whoever the lock file names.
func lockedError(path string) error {
	e := &LockedError{Path: path}
	f, err := os.Open(path)
	if err != nil {
		return e
	}
	defer f.Close()
	line, err := io.ReadAll(io.LimitReader(f, maxHolder))
	if err != nil || json.Unmarshal(line, &e.Holder) != nil {
		e.Holder = Holder{}
	}
	return e
}
