package run

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// What was there under the name of the fresh file is gone, and what a link there leads to is as it was.
func TestNoLinkIsWrittenThrough(t *testing.T) {
	dir := t.TempDir()
	path, victim := filepath.Join(dir, "file"), filepath.Join(dir, "victim")
	if err := os.WriteFile(victim, []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, link := range []string{path, fmt.Sprintf("%s.%d.new", path, os.Getpid())} {
		if err := os.Symlink(victim, link); err != nil {
			t.Fatal(err)
		}
	}
	if err := Write(path, []byte("text"), 0o640); err != nil {
		t.Fatal(err)
	}
	if text, _ := os.ReadFile(victim); string(text) != "kept" {
		t.Errorf("the link's target is now %q", text)
	}
	info, err := os.Lstat(path)
	if err != nil || info.Mode() != 0o640 {
		t.Errorf("the file is %v, %v", info, err)
	}
	if text, _ := os.ReadFile(path); string(text) != "text" {
		t.Errorf("the file holds %q", text)
	}
}

// A file that can't be written leaves the old one, and nothing beside it.
func TestAFailedWriteLeavesTheOldFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	if err := os.Mkdir(path, 0o700); err != nil { // no rename replaces a folder
		t.Fatal(err)
	}
	if err := Write(path, []byte("text"), 0o600); err == nil {
		t.Error("a folder was replaced")
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("left: %v, %v", left, err)
	}
}
