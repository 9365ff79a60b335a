package status

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// What is on disk and not in force: the file, or lists, since when, and what a reload would do. The metric follows.
func TestWhatIsNotInForce(t *testing.T) {
	inUTC(t)
	now := testkit.Time("2026-11-27T04:00:00Z")
	for _, row := range testkit.Table(t, testdata+"inforce.txt", 3) {
		r := &Report{Time: now, Checks: &Checks{}}
		testkit.OK(t, json.Unmarshal([]byte(row[1]), &r.Reloads), row[0])
		testkit.Equal(t, strings.Join(r.Remarks(), ", "), row[2], row[0])
		testkit.Equal(t, r.Reloads.InForce(), row[2] == "", row[0], "in force")
	}
	stuck := &Report{Time: now, Table: Table{Removing: 2}, Checks: &Checks{}}
	testkit.Equal(t, strings.Join(stuck.Remarks(), ", "),
		"2 virtual services that should be removed are still in the table")
	short := &Report{Time: now, Checks: &Checks{Shortages: 1, Lacked: now.Add(-59 * time.Second)}}
	testkit.Equal(t, strings.Join(short.Remarks(), ", "), "1 check failed because this machine lacked a resource")
	short.Checks.Lacked = now.Add(-time.Minute)
	testkit.Equal(t, len(short.Remarks()), 0, "remarks a minute later")
}
