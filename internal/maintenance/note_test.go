package maintenance

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

func TestAFileSaysWhyAndUntilWhen(t *testing.T) {
	written := time.Date(2026, 11, 21, 12, 0, 0, 0, time.Local)
	path := filepath.Join(t.TempDir(), "web1")
	for text, want := range map[string]note{
		"":               {},
		"why=new disk\n": {text: ": new disk"},
		"until=18:00":    {"; until 2026-11-21 18:00:00", written.Add(6 * time.Hour)},
		"until=11:00\nwhy=new disk": {": new disk; until 2026-11-22 11:00:00",
			written.Add(23 * time.Hour)},
		"new disk\n until = 18:00\n": {text: ": new disk"},
		"new disk\nuntil=2026-11-20 18:00": {": new disk; until 2026-11-20 18:00:00",
			written.Add(-18 * time.Hour)},
		"first\nwhy=second\nthird": {text: ": second"},
		"until=noon": {
			text: `; no end: "noon" is not a time; write 18:00, 2026-11-21 18:00 or 2026-11-21T18:00:00Z`},

		"why=a\xc2\x9b31m\xe2\x80\xae\xff\t.": {text: `: a\u009b31m\u202e\xff .`},
		"until=\u202e": {text: `; no end: "\u202e" is not a time; write 18:00, 2026-11-21 18:00 ` +
			`or 2026-11-21T18:00:00Z`},
	} {
		testkit.Write(t, path, text)
		testkit.OK(t, os.Chtimes(path, written, written))
		if got := readNote(path); got.text != want.text || !got.until.Equal(want.until) {
			t.Errorf("%q: %q until %v, want %q until %v", text, got.text, got.until, want.text, want.until)
		}
	}
}

func TestWhenSomethingEnds(t *testing.T) {
	after := time.Date(2026, 11, 21, 12, 0, 30, 0, time.Local)
	day := func(d, hour, minute int) time.Time { return time.Date(2026, 11, d, hour, minute, 0, 0, time.Local) }
	for text, want := range map[string]time.Time{
		"18:00": day(21, 18, 0), "12:00": day(22, 12, 0), "12:01": day(21, 12, 1), "00:00": day(22, 0, 0),
		"9:05":             day(22, 9, 5),
		"2026-11-25 07:30": day(25, 7, 30), "2026-11-25T07:30": day(25, 7, 30),
		"2026-11-25 07:30:00":       day(25, 7, 30),
		"2026-11-25T07:30:00Z":      time.Date(2026, 11, 25, 7, 30, 0, 0, time.UTC),
		"2026-11-25T07:30:00+02:00": time.Date(2026, 11, 25, 5, 30, 0, 0, time.UTC),
		"":                          {}, "18": {}, "25:00": {}, "18:60": {}, "tomorrow": {},
		"2026-13-01 10:00": {},
	} {
		if got, err := ParseUntil(text, after); !got.Equal(want) || (err != nil) != want.IsZero() {
			t.Errorf("%q: %v, %v; want %v", text, got, err, want)
		}
	}
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
		if r := <-readings; r.Out[web1] != "10.2.0.1: new disk; until "+until.Format(time.DateTime) {
			t.Errorf("out: %v", r)
		}
		r := <-readings
		if late := time.Since(until); len(r.Out) != 0 || late < 0 || late > pollInterval {
			t.Errorf("%v after the end: %v", late, r)
		}
	})
}
