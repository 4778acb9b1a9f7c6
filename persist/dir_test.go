package persist

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
)

// open opens a profile for one test.
func open(t *testing.T, path string, cfg Config) *Dir {
	t.Helper()
	d, err := Open(path, cfg)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, d.Close()) })
	return d
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, data, 0o600))
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return data
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	list := make([]string, 0, len(entries))
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

func renamed(s packets.Save, name string) packets.Save {
	return s.SetSection(packets.SectionName, []byte(name))
}

func TestDirStoreAndLoad(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir, Config{})
	assert.Equal(t, filepath.Join(dir, ProfileName), d.Path())
	_, _, err := d.Load()
	require.ErrorIs(t, err, fs.ErrNotExist)

	for _, name := range []string{"first", "second", "third"} {
		require.NoError(t, d.Store(renamed(small(t), name)))
	}
	save, findings, err := d.Load()
	require.NoError(t, err)
	assert.Empty(t, findings)
	assert.Equal(t, "third", string(save.Name()))
	backup, _ := Check(read(t, d.Path()+".bak"))
	assert.Equal(t, "second", string(backup.Name()))

	// The same again is no store: the backup stays worth having.
	require.NoError(t, d.Store(save))
	backup, _ = Check(read(t, d.Path()+".bak"))
	assert.Equal(t, "second", string(backup.Name()))

	assert.Equal(t, []string{"profile.tox", "profile.tox.bak", "profile.tox.lock"}, names(t, dir))
	if runtime.GOOS != "windows" {
		for _, name := range names(t, dir) {
			info, err := os.Stat(filepath.Join(dir, name))
			require.NoError(t, err)
			assert.Equal(t, fs.FileMode(0o600), info.Mode(), name)
		}
	}
	require.NoError(t, d.Close())
	assert.Equal(t, []string{"profile.tox", "profile.tox.bak"}, names(t, dir))
	assert.ErrorIs(t, d.Store(save), ErrClosed)
	_, _, err = d.Load()
	assert.ErrorIs(t, err, ErrClosed)
}

func TestDirEncrypted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "me.tox")
	write(t, path, packets.AppendSave(nil, small(t)))
	cfg := Config{Password: []byte("secret")}

	d := open(t, path, cfg)
	save, _, err := d.Load()
	require.NoError(t, err, "a plain file needs no password")
	require.NoError(t, d.Store(save))
	first := read(t, path)
	assert.True(t, Encrypted(first), "but it is not left plain")
	require.NoError(t, d.Store(renamed(save, "second")))
	second := read(t, path)
	assert.Equal(t, first[:len(magic)+saltSize], second[:len(magic)+saltSize], "the key is kept")
	assert.NotEqual(t, first[len(magic)+saltSize:headSize], second[len(magic)+saltSize:headSize], "the nonce is not")
	require.NoError(t, d.Close())

	for password, want := range map[string]error{"wrong": ErrPassword, "": ErrPassword, "secret": nil} {
		d := open(t, path, Config{Password: []byte(password)})
		save, _, err := d.Load()
		require.ErrorIs(t, err, want)
		if want == nil {
			assert.Equal(t, "second", string(save.Name()))
			require.NoError(t, d.Store(renamed(save, "third")))
		} else {
			assert.ErrorContains(t, err, "me.tox.bak")
			assert.Empty(t, save)
			assert.ErrorIs(t, d.Store(small(t)), ErrNotLoaded)
		}
		require.NoError(t, d.Close())
	}
	d = open(t, path, Config{})
	_, _, err = d.Load()
	require.ErrorIs(t, err, ErrNoPassword)
	require.NoError(t, d.Close())
}

func TestDirDamaged(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, ProfileName)
	plain := packets.AppendSave(nil, small(t))
	for n := 0; n < len(plain); n += 13 { // every byte: TestTruncated
		write(t, path, plain[:n])
		write(t, path+".bak", plain)
		d := open(t, dir, Config{})
		save, _, err := d.Load()
		require.ErrorIs(t, err, ErrDamaged, "cut at %d", n)
		require.Empty(t, save)
		var damaged *DamagedError
		require.ErrorAs(t, err, &damaged)
		assert.Equal(t, path+".bak", damaged.Backup)
		require.ErrorContains(t, err, "offset ")
		require.ErrorContains(t, err, path+".bak")
		require.ErrorIs(t, d.Store(small(t)), ErrNotLoaded)
		require.NoError(t, d.Close())
		require.Equal(t, plain[:n], read(t, path), "left as it was")
	}
}

func TestDirOnlyBackup(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, ProfileName+".bak"), packets.AppendSave(nil, small(t)))
	d := open(t, dir, Config{})
	_, _, err := d.Load()
	require.ErrorIs(t, err, ErrOnlyBackup)
	assert.NotErrorIs(t, err, fs.ErrNotExist, "nobody takes it for a first start")
	assert.ErrorIs(t, d.Store(small(t)), ErrNotLoaded)
}

func TestDirRefusesToStoreUnsound(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir, Config{})
	_, _, err := d.Load()
	require.ErrorIs(t, err, fs.ErrNotExist)
	list := conferences(t, small(t))
	list[0].Peers[0].Number = list[0].PeerNumber // SPEC C-126
	require.ErrorIs(t, d.Store(small(t).SetConferences(list)), ErrUnsound)
	assert.Equal(t, []string{"profile.tox.lock"}, names(t, dir))
}

func TestDirStoreFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p")
	d := open(t, path, Config{Password: []byte("p"), Rand: strings.NewReader("")})
	_, _, err := d.Load()
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorIs(t, d.Store(small(t)), io.EOF)

	d.cfg.Password = nil
	broken := newCrashDisk(nil)
	broken.budget = 3
	d.disk = broken
	require.ErrorIs(t, d.Store(small(t)), errCrash)
	d.disk = osDisk{}
	require.NoError(t, d.Store(small(t)), "a store that failed is made again")
	assert.Equal(t, packets.AppendSave(nil, small(t)), read(t, path))
}

func TestSymbolicLink(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "real", "me.tox"), filepath.Join(dir, "link.tox")
	require.NoError(t, os.Mkdir(filepath.Dir(file), 0o700))
	write(t, file, packets.AppendSave(nil, small(t)))
	require.NoError(t, os.Symlink(file, link))
	d := open(t, link, Config{})
	_, err := Open(file, Config{})
	require.ErrorIs(t, err, ErrLocked, "one profile by two names")
	save, _, err := d.Load()
	require.NoError(t, err)
	require.NoError(t, d.Store(renamed(save, "by the link")))
	info, err := os.Lstat(link)
	require.NoError(t, err)
	assert.Equal(t, fs.ModeSymlink, info.Mode().Type())
	stored, _ := Check(read(t, file))
	assert.Equal(t, "by the link", string(stored.Name()))
	assert.Equal(t, file+".bak", Backup(link))
	assert.Equal(t, []string{"link.tox", "real"}, names(t, dir))

	nowhere := filepath.Join(dir, "nowhere.tox")
	require.NoError(t, os.Symlink(filepath.Join(dir, "gone"), nowhere))
	_, err = Open(nowhere, Config{})
	assert.ErrorIs(t, err, fs.ErrNotExist)
}

func TestNotAFile(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, ProfileName), 0o700))
	_, err := Open(dir, Config{})
	require.ErrorIs(t, err, ErrNotRegular)
	_, err = ReadFile(dir, nil)
	require.ErrorIs(t, err, ErrNotRegular)
	_, err = ReadFile(os.DevNull, nil)
	require.ErrorIs(t, err, ErrNotRegular)
	require.ErrorIs(t, WriteFile(dir, nil, true, Config{}), ErrNotRegular)

	_, err = Open(filepath.Join(dir, "no", "such"), Config{})
	require.ErrorIs(t, err, fs.ErrNotExist)
	assert.Equal(t, []string{ProfileName}, names(t, dir))
}

func TestTooBig(t *testing.T) {
	path := filepath.Join(t.TempDir(), "big")
	f, err := os.Create(path)
	require.NoError(t, err)
	require.NoError(t, f.Truncate(MaxFile+1)) // takes no room on the disk
	require.NoError(t, f.Close())
	_, err = ReadFile(path, nil)
	require.ErrorIs(t, err, ErrTooBig)
	require.NoError(t, os.Truncate(path, MaxFile))
	_, err = ReadRaw(path)
	require.NoError(t, err)
}

func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "out.tox")
	require.NoError(t, WriteFile(path, []byte("one"), false, Config{}))
	assert.Equal(t, []string{"out.tox"}, names(t, dir))
	require.ErrorIs(t, WriteFile(path, []byte("two"), false, Config{}), fs.ErrExist)
	assert.Equal(t, "one", string(read(t, path)))
	require.NoError(t, WriteFile(path, []byte("two"), true, Config{}))
	assert.Equal(t, "two", string(read(t, path)))
	assert.Equal(t, "one", string(read(t, path+".bak")))
	assert.Equal(t, []string{"out.tox", "out.tox.bak"}, names(t, dir))
	if runtime.GOOS != "windows" {
		info, err := os.Stat(path)
		require.NoError(t, err)
		assert.Equal(t, fs.FileMode(0o600), info.Mode())
	}
	open(t, path, Config{})
	require.ErrorIs(t, WriteFile(path, []byte("three"), true, Config{}), ErrLocked)
	assert.Equal(t, "two", string(read(t, path)))
}

// sharing is a Locker that lets two in: the place where a finer lock would be.
type sharing struct{ locked []string }

func (s *sharing) Lock(path string, h Holder) (io.Closer, error) {
	s.locked = append(s.locked, filepath.Base(path)+" by "+h.Program)
	return io.NopCloser(nil), nil
}

func TestLockerSeam(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p")
	var s sharing
	for _, who := range []string{"one", "two"} {
		open(t, path, Config{Locker: &s, Holder: Holder{Program: who}})
	}
	assert.Equal(t, []string{"p.lock by one", "p.lock by two"}, s.locked)
}

func TestHolder(t *testing.T) {
	dir := t.TempDir()
	since := time.Date(2026, 1, 2, 3, 4, 5, 6, time.FixedZone("", 3600))
	first := open(t, dir, Config{Holder: NewHolder("rejoin bot", since)})
	_, err := Open(dir, Config{Holder: NewHolder("rejoin node", since)})
	require.ErrorIs(t, err, ErrLocked)
	var locked *LockedError
	require.ErrorAs(t, err, &locked)
	host, err := os.Hostname()
	require.NoError(t, err)
	want := Holder{PID: os.Getpid(), Program: "rejoin bot", Host: host, Since: time.Date(2026, 1, 2, 2, 4, 5, 0, time.UTC)}
	assert.Equal(t, want, locked.Holder)
	assert.Contains(t, locked.Error(), `"rejoin bot", process `)
	assert.Contains(t, locked.Error(), "since 2026-01-02T02:04:05Z")
	require.NoError(t, first.Close())

	// A leftover of a crash is no lock, and is not believed.
	path := filepath.Join(dir, ProfileName)
	write(t, path+".lock", bytes.Repeat([]byte("x"), 2*maxHolder))
	second := open(t, dir, Config{Holder: Holder{}})
	_, err = Open(dir, Config{})
	require.ErrorIs(t, err, ErrLocked)
	assert.ErrorContains(t, err, "did not say who it is")
	require.NoError(t, second.Close())
	assert.Empty(t, names(t, dir))
}

func TestErrorsNameTheirPackage(t *testing.T) {
	for _, err := range []error{
		ErrPassword, ErrNoPassword, ErrEnvelopeShort, ErrNotEncrypted, ErrTooBig, ErrNotRegular, ErrDamaged,
		ErrOnlyBackup, ErrNotLoaded, ErrUnsound, ErrClosed, ErrLocked, ErrNoKeys,
	} {
		assert.Regexp(t, "^persist: ", err.Error())
		assert.NoError(t, errors.Unwrap(err))
	}
}
