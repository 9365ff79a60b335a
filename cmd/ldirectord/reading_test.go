package main

import (
	"encoding/binary"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ldirectord/internal/testkit"
)

// A changed file is read once for a reload, and not at all to show the daemon's status.
func TestHowOftenTheFileIsRead(t *testing.T) {
	d := launched(t, "start", "autoreload = yes\n"+twoServers)
	opened := opens(t, d.dir)
	for range 5 {
		d.tell("status", "-v")
		d.tell("status", "--json")
	}
	if n := opened("ld.cf"); n > 1 { // the daemon's first look for a change may be counted
		t.Errorf("status opened the file %d times", n)
	}
	d.replace("autoreload = yes\n" + twoServers + strings.ReplaceAll(twoServers, "10.1.0.1", "10.1.0.2"))
	within(t, "second virtual service", func() bool { return len(d.report().Virtuals) == 2 })
	testkit.Equal(t, opened("ld.cf"), 1, "the changed file was opened", "times")
}

// opens returns a function that counts how often a file of the folder was opened since the last call, by inotify(7).
func opens(t *testing.T, dir string) func(name string) int {
	t.Helper()
	fd := testkit.Must(unix.InotifyInit1(unix.IN_NONBLOCK))(t)
	t.Cleanup(func() { unix.Close(fd) })
	testkit.OK(t, testkit.Error(unix.InotifyAddWatch(fd, dir, unix.IN_OPEN)))
	return func(name string) (count int) {
		events := make([]byte, 64<<10)
		n, err := unix.Read(fd, events)
		if err != nil && err != unix.EAGAIN {
			t.Fatal(err)
		}
		for events = events[:max(n, 0)]; len(events) > 0; {
			end := unix.SizeofInotifyEvent + binary.NativeEndian.Uint32(events[12:])
			if strings.TrimRight(string(events[unix.SizeofInotifyEvent:end]), "\x00") == name {
				count++
			}
			events = events[end:]
		}
		return count
	}
}
