package main

import "ldirectord/internal/runfile"

// maxFile bounds what is read of a file, in bytes.
const maxFile = 1 << 20

// readFile reads a whole small file.
func readFile(path string) (string, error) {
	text, err := runfile.ReadFile(path, maxFile)
	return string(text), err
}

// replaceFile exchanges a whole file at once, as an editor does.
func replaceFile(path, text string) error { return runfile.Replace(path, []byte(text), 0o600) }
