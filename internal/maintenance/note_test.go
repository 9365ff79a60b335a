package maintenance

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

func TestAFileSaysWhyAndUntilWhen(t *testing.T) {
	written := time.Date(2026, 11, 21, 12, 0, 0, 0, time.Local)
	path := filepath.Join(t.TempDir(), "web1")
	for _, row := range testkit.Table(t, "testdata/notes.txt", 3) {
		testkit.Write(t, path, testkit.Must(strconv.Unquote(row[0]))(t, row))
		testkit.OK(t, os.Chtimes(path, written, written))
		got := testkit.Must(readNote(path))(t, row)
		testkit.Equal(t, strings.TrimPrefix(got.text, " "), row[1], row[0])
		testkit.Equal(t, shown(got.until), row[2], row[0])
	}
}

// A reason of any length does not hide the end. What a link leads to is not shown.
func TestAFileIsReadToItsEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "web1")
	testkit.Write(t, path, "why="+strings.Repeat("x", 2000)+"\nuntil=18:00\n")
	testkit.Contains(t, testkit.Must(readNote(path))(t).text, ": "+strings.Repeat("x", maxNote)+"; until ")
	testkit.OK(t, os.Symlink(path, path+".link"))
	testkit.Equal(t, testkit.Must(readNote(path+".link"))(t), note{text: "; no end: a link is not read"})
}

func TestWhenSomethingEnds(t *testing.T) {
	after := time.Date(2026, 11, 21, 12, 0, 30, 0, time.Local)
	for _, row := range testkit.Table(t, "testdata/ends.txt", 2) {
		got, err := ParseUntil(row[0], after)
		if strings.HasSuffix(row[1], "UTC") {
			testkit.Equal(t, got.UTC().Format(time.DateTime+" MST"), row[1], row[0])
			continue
		}
		testkit.Equal(t, shown(got), row[1], row[0])
		testkit.Equal(t, err == nil, row[1] != "", row[0], "it is a time")
	}
	// touch -d @9223371974719179000 on a tmpfs: the next day is before that
	if _, err := ParseUntil("00:00", time.Unix(9223371974719179000, 0)); err == nil {
		t.Error("there is a time after the last day")
	}
}

// shown is a time in local time; a zero one is empty.
func shown(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.Local().Format(time.DateTime)
}

// A file whose time is over takes no server out. A server comes back at that time even if the file stays.
func TestMaintenanceByAFileEnds(t *testing.T) {
	watch(t, func(t *testing.T, w *watching) {
		web1 := netip.MustParseAddrPort("10.2.0.1:80")
		readings := w.over("10.2.0.1:80")
		if r := <-readings; len(r.Out) != 0 {
			t.Fatalf("at first: %v", r)
		}
		until := time.Now().Add(time.Minute).Truncate(time.Second)
		text := "until=" + until.Format(time.RFC3339) + "\nwhy=new disk\n"
		testkit.Write(t, filepath.Join(w.dir, "10.2.0.1"), text)
		testkit.Equal(t, (<-readings).Out[web1], "10.2.0.1: new disk; until "+until.Format(time.DateTime))
		r := <-readings
		if late := time.Since(until); len(r.Out) != 0 || late < 0 || late > pollInterval {
			t.Errorf("%v after the end: %v", late, r)
		}
	})
}

// While no file can be opened, each server with a file is unread, so a file whose time is over begins no maintenance.
func TestAShortageBeginsAndEndsNoMaintenance(t *testing.T) {
	f := &folder{Watcher: New(nil), dir: t.TempDir(), turn: make(chan struct{}, 1)}
	files := map[string]bool{"10.2.0.1": true, "10.2.0.2": true}
	f.list = func(string) (map[string]bool, error) { return files, nil }
	for name, text := range map[string]string{"10.2.0.1": "until=2020-01-01 10:00\n", "10.2.0.2": ""} {
		testkit.Write(t, filepath.Join(f.dir, name), text)
		f.servers = append(f.servers, Server{Addr: netip.MustParseAddrPort(name + ":80")})
	}
	before := f.read(t.Context(), Reading{}, nil)
	var short Reading
	testkit.WithoutDescriptors(t, func() { short = f.read(t.Context(), before, nil) })
	testkit.Equal(t, fmt.Sprint(short.Unread), "map[10.2.0.1:80:true 10.2.0.2:80:true]")
	testkit.Equal(t, short.equal(Reading{Out: short.Out, Err: short.Err}), false, "the same without Unread")
	testkit.FailsWith(t, short.Err, "too many open files")
}
