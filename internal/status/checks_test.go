package status

import (
	"strings"
	"testing"
	"time"

	"ldirectord/checker"
	"ldirectord/internal/testkit"
	"ldirectord/internal/view"
)

func TestEachCheckOfAServerShows(t *testing.T) {
	began := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	refused := checker.Result{Cause: checker.Refused, Detail: "connect: refused"}
	now := &view.Snapshot{Time: began, Virtuals: []view.Virtual{
		{ID: "fwm:3", Scheduler: "wrr", Servers: []view.Server{{
			Real: "192.0.2.21:80", State: "down", Since: began, Reason: "https 443: connect: refused",
			ServerResult: view.ServerResult{Checked: began, Last: refused},
			Checks: []view.Check{
				{Name: "http 80", State: "up", Checked: began,
					Last: checker.Result{OK: true, Way: checker.WayThrough,
						Took: time.Millisecond}},
				{Name: "https 443", State: "down", Streak: 1, Checked: began, Last: refused},
				{Name: "ping", State: "unknown", Unjudged: "why"},
				{Name: "agent 81", Agent: true, State: "up", Checked: began,
					Last: checker.Result{OK: true, Detail: `reports "50%"`,
						Took: time.Millisecond}},
			},
		}}}}}
	now.Virtuals[0].Servers[0].Learn()
	report := NewReport(now, process(), nil)
	form := shown(t, report)
	const text = `  192.0.2.21:80         down             0s      -       -  refused, 0s ago
    https 443: connect: refused
    http 80: up (1ms, 0s ago)
    https 443: down (refused, 0s ago)
    ping: unknown (-)
    agent 81: reports "50%" (1ms, 0s ago)
`
	if !strings.HasSuffix(form, text) {
		t.Errorf("the text is\n%s", form)
	}
	const last = `"last_check":{"time":"2000-01-01T00:00:00Z","ok":`
	testkit.Equal(t, object(t, report.Virtuals[0].Servers[0].Checks),
		`[{"check":"http 80","state":"up","streak":0,`+last+`true,"seconds":0.001,"way":"through"}},`+
			`{"check":"https 443","state":"down","streak":1,`+last+
			`false,"seconds":0,"cause":"refused","detail":"connect: refused"}},`+
			`{"check":"ping","state":"unknown","streak":0,"unjudged":"why","last_check":null},`+
			`{"check":"agent 81","agent":true,"state":"up","streak":0,`+last+
			`true,"seconds":0.001,"detail":"reports \"50%\""}}]`)
}
