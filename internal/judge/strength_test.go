package judge

import (
	"fmt"
	"testing"
)

// strong is the strength of a section: servers up, servers needed, then the facts that are true.
func strong(n Strength) string {
	text := fmt.Sprintf("%d/%d", n.Up, n.Needed)
	for _, fact := range []struct {
		is   bool
		name string
	}{{n.Enough, " enough"}, {n.Known, " known"}, {n.Serves, " serves"}, {n.Holds, " holds"}} {
		if fact.is {
			text += fact.name
		}
	}
	return text
}

// Three servers with minservers 2, or 1/3 where a row says so.
func TestWhetherEnoughAreUp(t *testing.T) {
	lowHigh := "minservers=1/3"
	for _, row := range []struct {
		what  string
		given string
		want  string
	}{
		{"all are up", "", "3/2 enough known serves"},
		{"as many as are needed", "1 down", "2/2 enough known serves"},
		{"one less", "1 2 down", "1/2 known serves"},
		{"none", "1 2 3 down", "0/2 known"},
		{"none, and the fallback server serves", "1 2 3 down, fallbackin",
			"0/2 known serves"},
		{"one is held", "1 2 3 down, keepserving=1, 1 held",
			"0/2 known serves holds"},
		{"one is held, and not in the table", "1 2 3 down, 1 held absent", "0/2 known"},
		{"weight 0", "1 weight=0", "2/2 enough known serves"},
		{"drained", "1 drained", "2/2 enough known serves"},
		{"maintenance", "1 file", "2/2 enough known serves"},
		{"one has no result", "1 pending", "2/2 enough serves"},
		{"two have none", "1 pending, 2 pending",
			"1/2 serves"},
		{"one is not in the table", "1 absent", "2/2 enough known serves"},
		{"one has weight 0 in the table", "1 table=0", "2/2 enough known serves"},
		{"what the table has is not known", "lost", "3/2 enough known serves"},
		{"of 1/3 there are two, and were enough", lowHigh + ", strength.known, strength.enough, 1 down",
			"2/1 enough known serves"},
		{"of 1/3 there are two, and were too few", lowHigh + ", strength.known, 1 down",
			"2/3 known serves"},
		{"of 1/3 there are three, and were too few", lowHigh + ", strength.known",
			"3/1 enough known serves"},
		{"of 1/3 there is one, and were enough", lowHigh + ", strength.known, strength.enough, 1 2 down",
			"1/1 enough known serves"},
		{"of 1/3 there is none, and were enough", lowHigh + ", strength.known, strength.enough, 1 2 3 down",
			"0/3 known"},
		{"of 1/3 there is none, one is awaited, and were enough", lowHigh + ", strength.known, strength.enough, 1 2 down, 3 pending", "0/1 enough known serves"},
		{"two of two are awaited, and were enough", "strength.known, strength.enough, 1 down, 2 pending, 3 pending", "0/2 enough known serves"},
		{"a reload replaced all, and the old ones serve on", "1 2 3 pending unknown, empty, 7 table=1", "0/2 serves"},
		{"… or have weight 0", "1 2 3 pending unknown, empty, 7 table=0", "0/2"},
		{"none is awaited, and something else serves", "1 2 3 down, empty, 7 table=1", "0/2 known"},
		{"not checked", "1 2 3 unchecked unknown, 2 table=0, 3 absent", "1/2 known serves"},
		{"not checked, and none put into the table", "1 2 3 unchecked unknown, empty", "0/2 known"},
		{"a name has no address, and what was found serves", "strength.known, strength.enough, 1 2 down, waiting=1, found=7, 7 table=1", "1/2 enough known serves"},
		{"a name has no address, and nothing was found", "strength.known, strength.enough, 1 2 down, waiting=1", "1/2 known serves"},
	} {
		c := inService(4, 4, 4)
		c.given("minservers=2")
		c.given(row.given)
		if c.Weigh(); strong(c.Strength) != row.want {
			t.Errorf("%s: %s, want %s", row.what, strong(c.Strength), row.want)
		}
	}
}
