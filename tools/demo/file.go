package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// maxFile bounds what is read of a file, in bytes.
const maxFile = 1 << 20

// readFile reads a whole small file.
func readFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return "", err
	}
	if len(b) > maxFile {
		return "", fmt.Errorf("%s is larger than %d bytes", path, maxFile)
	}
	return string(b), nil
}

// replaceFile exchanges a whole file at once, as an editor does.
func replaceFile(path, text string) error {
	aside := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".new")
	if err := os.WriteFile(aside, []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(aside, path)
}
