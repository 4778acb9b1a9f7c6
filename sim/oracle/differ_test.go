//go:build oracle && linux && amd64

package oracle

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSoloDifferential is random and hostile input for one node.
func TestSoloDifferential(t *testing.T) {
	for seed := uint64(1); seed <= 1000; seed++ {
		require.Empty(t, Differ(seed, []Driver{Solo}).Difference)
	}
}

// TestMeshDifferential is small networks with several conferences and forgers.
func TestMeshDifferential(t *testing.T) {
	for seed := uint64(1); seed <= 50; seed++ {
		require.Empty(t, Differ(seed, []Driver{Mesh}).Difference)
	}
}

// TestSharp is the comparison with an engine that is known to differ: product
// mode has to be told from c-toxcore in nearly every run.
func TestSharp(t *testing.T) {
	const seeds = 60
	found := 0
	for seed := range uint64(seeds) {
		pairs, _ := soloRun(seed, false, newDigest())
		if len(pairs) > 0 && pairs[0].diff != nil {
			found++
			if found == 1 {
				text := describeDifference(again(seed, Solo), pairs[0])
				require.Contains(t, text, "go run -tags oracle ./sim/oracle/differ --drivers solo --seeds ")
				require.Contains(t, text, pairs[0].diff.What)
			}
		}
	}
	require.Greater(t, found, seeds*2/3)
	t.Logf("%d of %d", found, seeds)
}

// TestEveryFieldIsCompared changes each field of what is compared, alone.
func TestEveryFieldIsCompared(t *testing.T) {
	compared(t, equalViews)
	compared(t, equalEvents)
	compared(t, equalPeers)
	compared(t, equalSends)
}

func compared[T any](t *testing.T, equal func(a, b T) bool) {
	t.Helper()
	var zero T
	require.True(t, equal(zero, zero))
	for i := range reflect.TypeFor[T]().NumField() {
		other := zero
		f := reflect.ValueOf(&other).Elem().Field(i)
		switch f.Kind() {
		case reflect.Bool:
			f.SetBool(true)
		case reflect.Slice:
			f.Set(reflect.MakeSlice(f.Type(), 1, 1))
		case reflect.Int, reflect.Int64:
			f.SetInt(1)
		case reflect.Uint8, reflect.Uint16, reflect.Uint32:
			f.SetUint(1)
		case reflect.Array, reflect.Struct:
			change(f)
		default:
			t.Fatalf("%v", f.Kind())
		}
		require.False(t, equal(zero, other), "%T: %s", zero, reflect.TypeFor[T]().Field(i).Name)
	}
}

// change sets the first number or flag inside v.
func change(v reflect.Value) {
	for {
		switch v.Kind() {
		case reflect.Array:
			v = v.Index(v.Len() - 1)
		case reflect.Struct:
			v = v.Field(0)
		case reflect.Bool:
			v.SetBool(true)
			return
		default:
			v.SetUint(1)
			return
		}
	}
}

// TestOutcomesRepeat plays seeds twice; what was found out about a seed does not
// depend on what ran before.
func TestOutcomesRepeat(t *testing.T) {
	seen := map[uint64]bool{}
	for seed := uint64(3); seed < 7; seed++ {
		one := Differ(seed, DefaultDrivers())
		require.Equal(t, one, Differ(seed, DefaultDrivers()))
		require.NotZero(t, one.Inputs)
		require.False(t, seen[one.Combined()])
		seen[one.Combined()] = true
	}
	require.NotEqual(t, Differ(3, []Driver{Mesh}).Hash, Differ(3, []Driver{Solo}).Hash)
}

func TestParseDrivers(t *testing.T) {
	d, err := ParseDrivers("mesh,solo")
	require.NoError(t, err)
	require.Equal(t, DefaultDrivers(), d)
	for _, wrong := range []string{"", "mesh,", "trial"} {
		_, err = ParseDrivers(wrong)
		require.ErrorIs(t, err, ErrDriver, wrong)
	}
}
