//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package persist

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// holdEnv makes the test binary a process that holds a profile.
const holdEnv = "REJOIN_TEST_HOLD"

func TestMain(m *testing.M) {
	if path := os.Getenv(holdEnv); path != "" {
		hold(path)
	}
	os.Exit(m.Run())
}

// hold holds the profile until the process is killed or its input ends; then it
// exits without giving the profile back.
func hold(path string) {
	if _, err := Open(path, Config{Holder: NewHolder("holder", time.Now())}); err != nil {
		fmt.Fprintln(os.Stdout, err)
		os.Exit(1)
	}
	fmt.Fprintln(os.Stdout, "held")
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	os.Exit(0)
}

// holder starts another process that holds the profile.
func holder(t *testing.T, path string) (p *exec.Cmd, leave func()) {
	t.Helper()
	p = exec.Command(os.Args[0])
	p.Env = append(os.Environ(), holdEnv+"="+path)
	in, err := p.StdinPipe()
	require.NoError(t, err)
	out, err := p.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "held\n", line)
	return p, func() {
		require.NoError(t, in.Close())
		_ = p.Wait() // killed or not, it is gone
	}
}

func TestLockOfAnotherProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p")
	for _, end := range []string{"exits", "is killed"} {
		p, leave := holder(t, path)
		_, err := Open(path, Config{})
		require.ErrorIs(t, err, ErrLocked)
		var locked *LockedError
		require.ErrorAs(t, err, &locked)
		assert.Equal(t, p.Process.Pid, locked.Holder.PID)
		assert.Equal(t, "holder", locked.Holder.Program)
		assert.ErrorContains(t, err, fmt.Sprintf("process %d on host", p.Process.Pid))

		if end == "is killed" {
			require.NoError(t, p.Process.Kill())
		}
		leave()
		assert.FileExists(t, path+".lock", "it gave nothing back")
		d, err := Open(path, Config{})
		require.NoError(t, err, "the lock ends with the process that %s", end)
		require.NoError(t, d.Close())
		assert.NoFileExists(t, path+".lock")
	}
}

func TestLockIsNeverHeldTwice(t *testing.T) {
	// Holders come and go, each removing the lock file; at no time are there two.
	path := filepath.Join(t.TempDir(), "p")
	var inside, held atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 2000 {
				lock, err := OSLock{}.Lock(path, Holder{PID: 1})
				if err != nil {
					if !assert.ErrorIs(t, err, ErrLocked) {
						return
					}
					continue
				}
				assert.EqualValues(t, 1, inside.Add(1))
				held.Add(1)
				runtime.Gosched() // let others find the lock file and see it go
				inside.Add(-1)
				assert.NoError(t, lock.Close())
			}
		})
	}
	all.Wait()
	assert.Positive(t, held.Load())
}

func TestLockFollowsNoLink(t *testing.T) {
	// Whoever can write into the directory could else have us empty any file.
	dir := t.TempDir()
	victim := filepath.Join(dir, "victim")
	write(t, victim, []byte("kept"))
	require.NoError(t, os.Symlink(victim, filepath.Join(dir, "p.lock")))
	_, err := Open(filepath.Join(dir, "p"), Config{})
	require.Error(t, err)
	assert.NotErrorIs(t, err, ErrLocked)
	assert.Equal(t, "kept", string(read(t, victim)))
	assert.NotContains(t, err.Error(), "kept")
}
