// Package vectors finds the test data of the repository. Only tests import it.
package vectors

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Path is the path of a file below the testdata directory at the repository's
// root. It works in any package's tests, since they run in the package's
// directory.
func Path(parts ...string) string {
	root := "."
	for {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			return filepath.Join(append([]string{root, "testdata"}, parts...)...)
		}
		if abs, err := filepath.Abs(root); err != nil || abs == filepath.Dir(abs) {
			return filepath.Join(append([]string{"testdata"}, parts...)...)
		}
		root = filepath.Join(root, "..")
	}
}

// Recordings is the paths of all recordings, sorted.
func Recordings() ([]string, error) { return match("vectors", "wire", "*.jsonl.gz") }

// Saves is the paths of all save files, sorted. Beside each is a .json that
// says what is in it.
func Saves() ([]string, error) { return match("vectors", "saves", "*.tox") }

func match(parts ...string) ([]string, error) {
	pattern := Path(parts...)
	files, err := filepath.Glob(pattern)
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("vectors: no file matches %s", pattern)
	}
	return files, err
}

// EachLine decodes a gzipped file of one JSON value a line, and calls f with
// each and its line number, from 1 on. It stops at the first error.
func EachLine[T any](path string, f func(line int, v T) error) (err error) {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	lines := json.NewDecoder(bufio.NewReader(unzipped))
	for n := 1; ; n++ {
		var v T
		if err := lines.Decode(&v); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("%s:%d: %w", path, n, err)
		}
		if err := f(n, v); err != nil {
			return fmt.Errorf("%s:%d: %w", path, n, err)
		}
	}
}
