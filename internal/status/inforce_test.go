package status

import (
	"strings"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// What is on disk and not in force: the file, or lists, since when, and what a reload would do. The metric follows.
func TestWhatIsNotInForce(t *testing.T) {
	now := time.Date(2026, 11, 27, 4, 0, 0, 0, time.Local)
	at := now.Add(-48 * time.Minute)
	for _, row := range []struct {
		what    string
		reloads Reloads
		want    string
	}{
		{"all is in force", Reloads{Last: at}, ""},
		{"no file", Reloads{Last: at, Missing: true, Changed: at, Error: "no such file"},
			"the file is missing; the configuration of 03:12:00 stays in force"},
		{"another file", Reloads{Changed: at}, "the file has changed since 03:12:00 and is not in force"},
		{"a bad file", Reloads{Changed: at, Refusal: "line 7"},
			"the file has changed since 03:12:00 and is not in force; it would be refused: line 7"},
		{"one that was refused", Reloads{Changed: at, Refusal: "line 7", Error: "line 7"},
			"the file has changed since 03:12:00 and is not in force, the last reload was refused: line 7"},
		{"one that was taken back", Reloads{Changed: at, Back: "it was not confirmed"},
			"the file has changed since 03:12:00 and is not in force; " +
				"it was taken back: it was not confirmed"},
		{"at a start, before it is looked at", Reloads{Last: now, LastGood: at},
			"the last good configuration, of 03:12:00, is in force, not the file"},
		{"since a start", Reloads{Last: now, LastGood: at, Changed: now, Refusal: "line 7"},
			"the last good configuration, of 03:12:00, is in force, not the file; it would be refused: " +
				"line 7"},
		{"lists", Reloads{Lists: []List{{"/a", at, "it is empty"}, {"/b", at, "no such file"}}},
			"list /a has not been used since 03:12:00: it is empty, list /b has not been used since " +
				"03:12:00: no such file"},
	} {
		r := &Report{Time: now, Reloads: row.reloads, Checks: &Checks{}}
		testkit.Equal(t, strings.Join(r.Remarks(), ", "), row.want, row.what)
		testkit.Equal(t, row.reloads.InForce(), row.want == "", row.what, "in force")
	}
	stuck := &Report{Time: now, Table: Table{Removing: 2}, Checks: &Checks{}}
	testkit.Equal(t, strings.Join(stuck.Remarks(), ", "),
		"2 virtual services that should be removed are still in the table")
}
