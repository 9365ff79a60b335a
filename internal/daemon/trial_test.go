package daemon

import (
	"strings"
	"testing"
	"time"

	"ldirectord/checker"
	"ldirectord/internal/testkit"
	"ldirectord/internal/view"
)

// When the former configuration comes back: by the first results of the servers that were up, or when the time is over.
// A server is a word: its name, and its results in order, one at a look.
func TestWhenTheFormerConfigurationComesBack(t *testing.T) {
	const ok, unproved = "+", "?" // "-": a failure
	begin := time.Unix(1e9, 0)
	for _, row := range []struct {
		what          string
		before, after string // those that were up; the servers now, with their results: "a+- b-"
		checks        bool   // there are two checks; the second has the results, the first one passes
		elapsed       time.Duration
		want          string
	}{
		{"no result yet", "a b", "a b", false, 0, ""},
		{"all pass", "a b", "a+ b+", false, 0, ""},
		{"half fail", "a b", "a+ b-", false, 0, ""},
		{"half fail, no result of the others yet", "a b", "a b-", false, 0, ""},
		{"more than half fail", "a b c", "a+ b- c-", false, 0, "2 of 3 servers of one that were up fail"},
		{"the only one fails", "a", "a-", false, 0, "1 of 1 servers of one that were up fail"},
		{"those that were down fail", "a", "a+ b- c-", false, 0, ""},
		{"all were down", "", "a- b-", false, 0, ""},
		{"servers that the file no longer names", "a b c", "a-", false, 0,
			"1 of 1 servers of one that were up fail"},
		{"a section that is gone", "a b", "", false, 0, ""},
		{"a later result", "a b", "a+- b+-", false, 0, ""},
		{"a first failure, and then a success", "a b", "a-+ b-+", false, 0,
			"2 of 2 servers of one that were up fail"},
		{"a result that proves nothing", "a b", "a? b?", false, 0, ""},
		{"a failure after one that proves nothing", "a", "a?-", false, 0,
			"1 of 1 servers of one that were up fail"},
		{"one of two checks", "a", "a-", true, 0, "1 of 1 servers of one that were up fail"},
		{"two checks that pass", "a", "a+", true, 0, ""},
		{"just in time", "a", "a+", false, 59 * time.Second, ""},
		{"too late", "a", "a+", false, time.Minute, "it was not confirmed within 1m0s"},
	} {
		before := &view.Snapshot{Virtuals: []view.Virtual{{ID: "one"}, {ID: "other"}}}
		for _, name := range strings.Fields(row.before) {
			before.Virtuals[0].Servers = append(before.Virtuals[0].Servers,
				view.Server{Real: name, Up: true})
		}
		before.Virtuals[0].Servers = append(before.Virtuals[0].Servers, view.Server{Real: "down"})
		trial := newTrial(time.Minute, before)
		trial.since, trial.until = begin, begin.Add(time.Minute)
		var now *view.Snapshot
		for look := range 3 {
			now = &view.Snapshot{Virtuals: []view.Virtual{
				{ID: "other", Servers: []view.Server{{Real: "x"}}}, {ID: "one"}}}
			at := begin.Add(time.Duration(look) * time.Second) // the first are results from before
			for _, word := range strings.Fields(row.after) {
				s := view.Server{Real: word[:1]}
				s.Checked, s.Last.OK = begin, false
				if n := min(look, len(word)-1); n > 0 {
					s.Checked, s.Last.OK = at, word[n:n+1] == ok
					if word[n:n+1] == unproved {
						s.Last.Cause = checker.Shortage
					}
				}
				if row.checks {
					s.Checks = []view.Check{
						{Name: "first", Checked: at, Last: checker.Result{OK: true}},
						{Name: "second", Checked: s.Checked, Last: s.Last}}
				}
				now.Virtuals[1].Servers = append(now.Virtuals[1].Servers, s)
			}
			trial.note(now)
		}
		testkit.Equal(t, trial.failure(now, begin.Add(row.elapsed)), row.want, row.what)
	}
}

// A text that was taken back is known by its bytes alone, until something else was taken back.
func TestWhatWasTakenBack(t *testing.T) {
	t.Setenv("STATE_DIRECTORY", t.TempDir())
	f := &configFile{d: &daemon{Options: Options{Config: Source{Path: "/etc/ld.cf"}}}}
	const text = "virtual = 10.1.0.1:80\n"
	known := func(path, text string) string { return TakenBack(path, []byte(text)) }
	testkit.Equal(t, known("/etc/ld.cf", text), "", "nothing was taken back")
	testkit.OK(t, f.refuseAgain([]byte(text), "it was not confirmed"))
	testkit.Equal(t, known("/etc/ld.cf", text), "it was not confirmed")
	if known("/etc/other.cf", text) != "" || known("/etc/ld.cf", text+"#") != "" {
		t.Error("another file, or another text, was taken back")
	}
	if err := f.refuseAgain([]byte("another one"), "why"); err != nil || known("/etc/ld.cf", text) != "" {
		t.Errorf("%v; it is still known", err)
	}
}
