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
	testkit.Equal(t, testkit.Read(t, victim), "kept", "the link's target")
	testkit.Equal(t, testkit.Must(os.Lstat(path))(t).Mode(), 0o640)
	testkit.Equal(t, testkit.Read(t, path), "text", "the file")
}

// If a file can't be written, the old one stays, and no temporary file is left.
func TestAFailedWriteLeavesTheOldFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	testkit.OK(t, os.Mkdir(path, 0o700)) // a rename can't replace a folder
	if err := Write(path, []byte("text"), 0o600); err == nil {
		t.Error("a folder was replaced")
	}
	testkit.Equal(t, len(testkit.Must(os.ReadDir(dir))(t)), 1, "files are left")
}

// A program of root that replaces /dev/null breaks the machine.
func TestOnlyFilesAreSaved(t *testing.T) {
	dir := t.TempDir()
	file, pipe, link := filepath.Join(dir, "file"), filepath.Join(dir, "pipe"), filepath.Join(dir, "link")
	testkit.OK(t, syscall.Mkfifo(pipe, 0o600))
	testkit.OK(t, os.Symlink(pipe, link)) // as /dev/stdout is one
	for _, path := range []string{pipe, link, dir} {
		testkit.Fails(t, Save(path, nil, 0o600), "writing "+path+": it is not a regular file")
	}
	for range 2 {
		testkit.OK(t, Save(file, []byte("text"), 0o600))
	}
	for path, want := range map[string]os.FileMode{file: 0, pipe: os.ModeNamedPipe, link: os.ModeSymlink} {
		testkit.Equal(t, testkit.Must(os.Lstat(path))(t).Mode().Type(), want, path)
	}
}

// A lock of another user is not used, and not passed over either: it has to be removed.
func TestALockOfAnotherUser(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	testkit.Write(t, path, "")
	if err := os.Chown(path, 65534, 65534); err != nil || os.Geteuid() != 0 {
		t.Skip("only root can give a file away: ", err)
	}
	testkit.Fails(t, testkit.Error(OpenLock(path)), "opening the lock: "+path+
		" belongs to the user 65534: remove it; name another folder with --rundir")
}

// Who owns a run folder gets no other file of root by its name.
func TestOnlyFreshLocksAreGivenAway(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chown(dir, 65534, 65534); err != nil || os.Geteuid() != 0 {
		t.Skip("only root can give a file away: ", err)
	}
	fresh, secret, link := filepath.Join(dir, "a"), filepath.Join(dir, "b"), filepath.Join(dir, "c")
	testkit.Write(t, secret, "secret")
	testkit.Write(t, link+".other", "")
	testkit.OK(t, os.Link(link+".other", link))
	for path, want := range map[string]uint32{fresh: 65534, secret: 0, link: 0} {
		testkit.Must(OpenLock(path))(t).Close()
		testkit.Equal(t, testkit.Must(Owner(path))(t), want, path)
	}
}
