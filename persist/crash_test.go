package persist

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// errCrash is what every operation returns once the machine has stopped.
var errCrash = errors.New("crash")

// errNoLinks is what a file system without hard links returns.
var errNoLinks = errors.New("no links here")

// crashDisk is a disk in memory that knows what would be left of it if the
// machine stopped now: of a file that was not synced any part, of names that
// were not synced any selection of the changes, in their order.
type crashDisk struct {
	names   map[string]*crashFile
	lasting map[string]*crashFile // names that survive for sure
	changes []change              // of names, since the last syncDir

	budget  int // operations, each written byte being one, until it stops; -1: none
	fail    int // the operation that errs without stopping the machine; -1: none
	done    int
	noLinks bool
}

// crashFile is a file, whatever its names.
type crashFile struct {
	data   []byte
	synced int // so many bytes of it survive for sure
}

// change puts a file under a name, or nil to take the name away.
type change struct {
	name string
	file *crashFile
	from string // renamed from there
}

func newCrashDisk(files map[string]string) *crashDisk {
	d := &crashDisk{names: map[string]*crashFile{}, budget: -1, fail: -1}
	for name, data := range files {
		d.names[name] = &crashFile{data: []byte(data), synced: len(data)}
	}
	d.lasting = maps.Clone(d.names)
	return d
}

// step counts one operation.
func (d *crashDisk) step() error {
	if d.budget >= 0 && d.done >= d.budget {
		return errCrash
	}
	d.done++
	if d.done-1 == d.fail {
		return errors.New("failure")
	}
	return nil
}

func (d *crashDisk) create(name string) (diskFile, error) {
	if err := d.step(); err != nil {
		return nil, err
	}
	if d.names[name] != nil {
		return nil, fs.ErrExist
	}
	f := &crashFile{}
	d.apply(change{name: name, file: f})
	return &openFile{d: d, f: f}, nil
}

func (d *crashDisk) open(name string) (io.ReadCloser, error) {
	if err := d.step(); err != nil {
		return nil, err
	}
	f := d.names[name]
	if f == nil {
		return nil, fs.ErrNotExist
	}
	return io.NopCloser(bytes.NewReader(f.data)), nil
}

func (d *crashDisk) link(from, to string) error {
	if err := d.step(); err != nil {
		return err
	}
	switch {
	case d.names[from] == nil:
		return fs.ErrNotExist
	case d.noLinks:
		return errNoLinks
	case d.names[to] != nil:
		return fs.ErrExist
	}
	d.apply(change{name: to, file: d.names[from]})
	return nil
}

func (d *crashDisk) rename(from, to string) error {
	if err := d.step(); err != nil {
		return err
	}
	switch f := d.names[from]; f {
	case nil:
		return fs.ErrNotExist
	case d.names[to]:
		return nil // two names of one file: POSIX keeps both
	default:
		d.apply(change{name: to, file: f, from: from})
	}
	return nil
}

func (d *crashDisk) remove(name string) error {
	if err := d.step(); err != nil {
		return err
	}
	if d.names[name] == nil {
		return fs.ErrNotExist
	}
	d.apply(change{name: name})
	return nil
}

func (d *crashDisk) syncDir(string) error {
	if err := d.step(); err != nil {
		return err
	}
	d.lasting, d.changes = maps.Clone(d.names), nil
	return nil
}

func (d *crashDisk) apply(c change) {
	d.changes = append(d.changes, c)
	applyTo(d.names, c)
}

// applyTo carries out a change where it can be.
func applyTo(names map[string]*crashFile, c change) {
	if c.from != "" {
		if names[c.from] != c.file {
			return
		}
		delete(names, c.from)
	}
	if c.file == nil {
		delete(names, c.name)
	} else {
		names[c.name] = c.file
	}
}

// openFile is a file being written.
type openFile struct {
	d *crashDisk
	f *crashFile
}

func (o *openFile) Write(p []byte) (int, error) {
	for i, b := range p {
		if err := o.d.step(); err != nil {
			return i, err
		}
		o.f.data = append(o.f.data, b)
	}
	return len(p), nil
}

func (o *openFile) Sync() error {
	if err := o.d.step(); err != nil {
		return err
	}
	o.f.synced = len(o.f.data)
	return nil
}

func (o *openFile) Close() error { return o.d.step() }

// afterCrash calls f with every disk that may be found when the machine comes
// up again: name to contents.
func (d *crashDisk) afterCrash(f func(found map[string]string)) {
	for choice := range 1 << len(d.changes) {
		names := maps.Clone(d.lasting)
		for i, c := range d.changes {
			if choice>>i&1 == 1 {
				applyTo(names, c)
			}
		}
		for _, torn := range []bool{false, true} {
			found := map[string]string{}
			for name, file := range names {
				found[name] = string(file.found(torn))
			}
			f(found)
		}
	}
}

// found is what may be left of a file: all of it, or no more than was synced
// and zero bytes in place of the rest.
func (f *crashFile) found(torn bool) []byte {
	data := bytes.Clone(f.data)
	if torn {
		clear(data[f.synced:])
	}
	return data
}

// eachCrash stops a machine after each operation of act, which starts with
// these files, and calls check with what may be found then. It returns how
// many operations act takes.
func eachCrash(t *testing.T, files map[string]string, noLinks bool, act func(disk) error, check func(found map[string]string, done bool)) int {
	t.Helper()
	for budget := 0; ; budget++ {
		d := newCrashDisk(files)
		d.budget, d.noLinks = budget, noLinks
		err := act(d)
		if err == nil {
			d.afterCrash(func(found map[string]string) { check(found, true) })
			return budget
		}
		require.ErrorIs(t, err, errCrash)
		d.afterCrash(func(found map[string]string) { check(found, false) })
	}
}

// starts are the disks on which a store may begin.
func starts() map[string]map[string]string {
	return map[string]map[string]string{
		"nothing":        {},
		"one store":      {"p": "old"},
		"more stores":    {"p": "old", "p.bak": "older"},
		"stale leftover": {"p": "old", "p.bak": "older", "p.tmp": "half of a", "p.bak.tmp": "old"},
	}
}

func TestReplaceCrash(t *testing.T) {
	const fresh = "the new file"
	for name, files := range starts() {
		for _, noLinks := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, no links %v", name, noLinks), func(t *testing.T) {
				act := func(d disk) error { return replace(d, "p", []byte(fresh)) }
				n := eachCrash(t, files, noLinks, act, func(found map[string]string, done bool) {
					main, there := found["p"]
					wasThere := files["p"] != ""
					switch {
					case done:
						require.Equal(t, fresh, main)
					case wasThere:
						require.Contains(t, []string{files["p"], fresh}, main)
					default:
						require.True(t, !there || main == fresh, "%q", main)
					}
					backup, there := found["p.bak"]
					switch {
					case done && wasThere:
						require.Equal(t, files["p"], backup)
					case files["p.bak"] != "":
						require.Contains(t, []string{files["p.bak"], files["p"]}, backup)
					default:
						require.True(t, !there || backup == files["p"], "%q", backup)
					}
					if done {
						require.NotContains(t, found, "p.tmp")
						require.NotContains(t, found, "p.bak.tmp")
					}
					storeAgain(t, found)
				})
				assert.Greater(t, n, len(fresh)+5, "operations")
			})
		}
	}
}

// storeAgain sees the next process store on what the crash left.
func storeAgain(t *testing.T, found map[string]string) {
	t.Helper()
	d := newCrashDisk(found)
	require.NoError(t, replace(d, "p", []byte("newer")))
	d.afterCrash(func(after map[string]string) {
		want := map[string]string{"p": "newer"}
		if before, there := found["p"]; there {
			want["p.bak"] = before
		} else if backup, there := found["p.bak"]; there {
			want["p.bak"] = backup
		}
		if _, there := found["p"]; !there {
			delete(after, "p.bak.tmp") // nothing to back up, nothing looked at
		}
		require.Equal(t, want, after)
	})
}

func TestReplaceAfterLinkCrash(t *testing.T) {
	// Between the two renames the backup is the file itself.
	d := newCrashDisk(map[string]string{"p": "old", "p.tmp": "new"})
	d.names["p.bak"] = d.names["p"]
	require.NoError(t, replace(d, "p", []byte("newer")))
	assert.Equal(t, "newer", string(d.names["p"].data))
	assert.Equal(t, "old", string(d.names["p.bak"].data))
	assert.Len(t, d.names, 2)
}

func TestCreateNewCrash(t *testing.T) {
	const fresh = "the new file"
	for _, noLinks := range []bool{false, true} {
		act := func(d disk) error { return createNew(d, "p", []byte(fresh)) }
		files := map[string]string{"p.tmp": "half"}
		eachCrash(t, files, noLinks, act, func(found map[string]string, done bool) {
			main, there := found["p"]
			require.True(t, there || !done)
			require.True(t, !there || main == fresh, "%q", main)
			if done {
				require.NotContains(t, found, "p.tmp")
			}
		})
		d := newCrashDisk(map[string]string{"p": "old"})
		d.noLinks = noLinks
		require.ErrorIs(t, createNew(d, "p", []byte(fresh)), fs.ErrExist)
		assert.Equal(t, "old", string(d.names["p"].data))
		assert.Equal(t, []string{"p"}, slices.Collect(maps.Keys(d.names)))
	}
}

func TestReplaceFailure(t *testing.T) {
	// An operation that errs (disk full, I/O error) leaves the old file, or the
	// new one if only the last sync failed, and no litter.
	const fresh = "the new file"
	files := map[string]string{"p": "old", "p.bak": "older"}
	whole := newCrashDisk(files)
	require.NoError(t, replace(whole, "p", []byte(fresh)))
	for n := range whole.done {
		d := newCrashDisk(files)
		d.fail = n
		err := replace(d, "p", []byte(fresh))
		main := string(d.names["p"].data)
		if err == nil {
			// A link that fails is made up for by a copy.
			assert.Equal(t, fresh, main, "operation %d", n)
			continue
		}
		last := n == whole.done-1
		assert.Equal(t, last, main == fresh, "operation %d: %s", n, main)
		assert.NotContains(t, d.names, "p.tmp", "operation %d", n)
	}
}

func TestCrashDiskLosesWhatIsNotSynced(t *testing.T) {
	// The test's own disk: a careless store is caught.
	careless := map[string]func(d disk) error{
		"no sync": func(d disk) error {
			f, err := d.create("p.tmp")
			if err == nil {
				_, err = f.Write([]byte("new"))
			}
			if err == nil {
				err = d.rename("p.tmp", "p")
			}
			return err
		},
		"in place": func(d disk) error {
			if err := d.remove("p"); err != nil {
				return err
			}
			return writeFile(d, "p", []byte("new"))
		},
	}
	for name, act := range careless {
		bad := 0
		eachCrash(t, map[string]string{"p": "old"}, false, act, func(found map[string]string, _ bool) {
			if found["p"] != "old" && found["p"] != "new" {
				bad++
			}
		})
		assert.Positive(t, bad, name)
	}
}
