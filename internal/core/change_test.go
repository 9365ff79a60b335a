package core

import (
	"strings"
	"testing"

	"ldirectord/checker"
	"ldirectord/internal/history"
	"ldirectord/internal/notify/monitorfile"
	"ldirectord/internal/testkit"
)

const manyChecks = `virtual = 10.1.0.1:80
	real = 10.2.0.1:80 gate "own", "strings"
	real = 10.2.0.2:80 gate
	checktype = 2
	service = http
	checktimeout = 3
	negotiatetimeout = 4
	receive = "ok"
	passwd = "pw"
	alsocheck = connect 81
	alsocheck = https 443 "health" "^well"
	alsocheck = ping
	alsocheck = external
	alsocheck = pop 110
	alsocheck = connect 81
	tlsexpirywarn = 0
`

// A monitorfile has a line for each check, with the name that the Perl ldirectord gives it.
func TestAMonitorfileHasALineForEachCheck(t *testing.T) {
	p := planned(t, manyChecks+"\tmonitorfile = mon\n", neverChecked)
	var ids []string
	c := newCore(Results(monitorfile.Lines(func(_, id string, _ bool, _ string) { ids = append(ids, id) })))
	v := virtualsOf(p)[0]
	s := v.servers[0]
	for j := &s.first; j != nil; j = j.next {
		c.tell.found(history.Nothing, &checker.Result{OK: true, Detail: "200 OK"}, user{v, s, j})
	}
	const want = `combined http tcp 10.2.0.1 80 1 gate /own strings
connect tcp 10.2.0.1 80 81 1 gate / 
negotiate https tcp 10.2.0.1 80 443 1 gate /health ^well
ping tcp 10.2.0.1 80 1 gate / 
external /bin/true tcp 10.2.0.1 80 1 gate / 
negotiate pop tcp 10.2.0.1 80 110 1 gate / `
	testkit.Equal(t, strings.Join(ids, "\n"), want)
}
