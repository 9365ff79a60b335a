package daemon

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"ldirectord/checker"
	"ldirectord/internal/socket"
	"ldirectord/internal/testkit"
	"ldirectord/internal/view"
)

// When the former configuration comes back: by the first results of the servers that were up, or when the time is over.
func TestWhenTheFormerConfigurationComesBack(t *testing.T) {
	begin := time.Unix(1e9, 0)
	for _, row := range testkit.Table(t, "testdata/trial.txt", 5) {
		before := &view.Snapshot{Virtuals: []view.Virtual{{ID: "one"}, {ID: "other"}}}
		for _, name := range strings.Fields(row[1]) {
			before.Virtuals[0].Servers = append(before.Virtuals[0].Servers,
				view.Server{Real: name, Up: true})
		}
		before.Virtuals[0].Servers = append(before.Virtuals[0].Servers, view.Server{Real: "down"})
		trial := &trial{within: time.Minute, since: begin, until: begin.Add(time.Minute)}
		trial.noteBefore(before)
		var now *view.Snapshot
		for look := range 3 {
			now = &view.Snapshot{Virtuals: []view.Virtual{
				{ID: "other", Servers: []view.Server{{Real: "x"}}}, {ID: "one"}}}
			at := begin.Add(time.Duration(look) * time.Second) // the first are results from before
			for _, word := range strings.Fields(row[2]) {
				s := view.Server{Real: word[:1]}
				s.Checked = begin.Add(-time.Hour) // the clock was set back
				s.Began, s.Last.OK = begin, false
				if n := min(look, len(word)-1); n > 0 {
					s.Began, s.Last.OK = at, word[n] == '+'
					if word[n] == '?' {
						s.Last.Cause = checker.Shortage
					}
				}
				if row[3] == "two checks" {
					s.Checks = []view.Check{
						{Name: "first", Began: at, Last: checker.Result{OK: true}},
						{Name: "second", Began: s.Began, Last: s.Last}}
				}
				now.Virtuals[1].Servers = append(now.Virtuals[1].Servers, s)
			}
			trial.note(now)
		}
		elapsed, _ := time.ParseDuration(row[3])
		testkit.Equal(t, trial.failure(now, begin.Add(elapsed)), row[4], row[0])
	}
}

// A text that was taken back is known by its bytes alone, until something else was taken back. During a trial each text
// but the former one counts as taken back.
func TestWhatWasTakenBack(t *testing.T) {
	t.Setenv("STATE_DIRECTORY", t.TempDir())
	f := &configFile{d: &daemon{Options: Options{Config: Source{Path: "/etc/ld.cf"}}}}
	const text = "virtual = 10.1.0.1:80\n"
	known := func(path, text string) string { return TakenBack(path, []byte(text)) }
	testkit.Equal(t, known("/etc/ld.cf", text), "", "nothing was taken back")
	testkit.OK(t, f.refuseAgain([]byte(text), "the reload was not confirmed"))
	testkit.Equal(t, known("/etc/ld.cf", text), "the reload was not confirmed")
	testkit.Equal(t, known("/etc/other.cf", text)+known("/etc/ld.cf", text+"#"), "", "another file or text")
	testkit.OK(t, f.refuseAgain([]byte("another one"), "why"))
	testkit.Equal(t, known("/etc/ld.cf", text), "", "after another one")
	const former = "virtual = 10.1.0.2:7000\n"
	testkit.OK(t, keep(statePath("trial", "/etc/ld.cf"), sumOf([]byte(former))))
	testkit.Equal(t, known("/etc/ld.cf", text), "", "none can come back")
	testkit.OK(t, keep(statePath("config", "/etc/ld.cf"), []byte(former)))
	testkit.Equal(t, known("/etc/ld.cf", text)+known("/etc/ld.cf", former), "the reload was not confirmed",
		"on trial")
	testkit.OK(t, keep(statePath("config", "/etc/ld.cf"), []byte(text)))
	testkit.Equal(t, known("/etc/ld.cf", former), "", "another one was saved since")
}

// A request with an argument that means no, or that is misspelt, is refused, not carried out.
func TestRequestsHaveKnownWords(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // a request that is taken waits for the file
	f := &configFile{}
	for _, query := range []string{"within=1s&empty=no", "within=1s&emty"} {
		words := testkit.Must(url.ParseQuery(query))(t)
		_, tried := f.answerTry(ctx, words)
		words.Del("within")
		_, read := f.answerReload(ctx, words)
		words.Set("refused", "line 1")
		_, told := f.answerReload(ctx, words)
		words.Del("refused")
		_, confirmed := f.answerConfirm(ctx, words)
		words.Set("to", "serve")
		_, served := new(standingOrders).answerRole(ctx, ctx, words)
		_, left := new(standingOrders).answerLeave(ctx, words)
		testkit.FailsWith(t, confirmed, "is not an argument: none is allowed")
		testkit.FailsWith(t, served, "is not an argument: to, given, via are allowed")
		for _, err := range []error{tried, read, told, confirmed, served, left} {
			if _, refused := err.(socket.Refused); !refused {
				t.Errorf("%s: %v", query, err)
			}
		}
	}
}
