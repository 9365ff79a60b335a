package runfile

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"ldirectord/internal/testkit"
)

// A file in the place of the temporary one is replaced. If it is a link, its target is unchanged.
func TestNoLinkIsWrittenThrough(t *testing.T) {
	dir := t.TempDir()
	path, victim := filepath.Join(dir, "file"), filepath.Join(dir, "victim")
	testkit.Write(t, victim, "kept")
	for _, link := range []string{path, fmt.Sprintf("%s.%d.new", path, os.Getpid())} {
		testkit.OK(t, os.Symlink(victim, link))
	}
	testkit.OK(t, Write(path, []byte("text"), 0o640))
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

// If a file can't be written, the old one stays, and no temporary file is left.
func TestAFailedWriteLeavesTheOldFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	if err := os.Mkdir(path, 0o700); err != nil { // a rename can't replace a folder
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

// A program of root that replaces /dev/null breaks the machine.
func TestOnlyFilesAreSaved(t *testing.T) {
	dir := t.TempDir()
	file, pipe, link := filepath.Join(dir, "file"), filepath.Join(dir, "pipe"), filepath.Join(dir, "link")
	testkit.OK(t, syscall.Mkfifo(pipe, 0o600))
	testkit.OK(t, os.Symlink(pipe, link)) // as /dev/stdout is one
	for _, path := range []string{pipe, link, dir} {
		want := "writing " + path + ": it is not a regular file"
		if err := Save(path, nil, 0o600); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	for range 2 {
		testkit.OK(t, Save(file, []byte("text"), 0o600))
	}
	for path, want := range map[string]os.FileMode{file: 0, pipe: os.ModeNamedPipe, link: os.ModeSymlink} {
		if info, err := os.Lstat(path); err != nil || info.Mode().Type() != want {
			t.Errorf("%s is now %v, %v", path, info, err)
		}
	}
}

// A lock of another user is not used, and not passed over either: it has to be removed.
func TestALockOfAnotherUser(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	testkit.Write(t, path, "")
	if err := os.Chown(path, 65534, 65534); err != nil || os.Geteuid() != 0 {
		t.Skip("only root can give a file away: ", err)
	}
	_, err := OpenLock(path)
	want := "opening the lock: " + path + " belongs to the user 65534: remove it; --rundir names another folder"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
