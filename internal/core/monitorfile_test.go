package core

import (
	"strings"
	"testing"

	"ldirectord/checker"
	"ldirectord/checker/wire"
	"ldirectord/internal/history"
	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
	"ldirectord/internal/plan"
	"ldirectord/internal/testkit"
	"ldirectord/parser"
)

// A monitorfile has a line for each check, with the name that the Perl ldirectord gives it.
func TestAMonitorfileHasALineForEachCheck(t *testing.T) {
	p := planned(t, testkit.ManyChecks+"\tmonitorfile = mon\n")
	var ids []string
	c := newCore(Results(func(_, id string, _ bool, _ string) { ids = append(ids, id) }))
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

func TestLinesOfAMonitorfile(t *testing.T) {
	for _, row := range testkit.Table(t, "../../testdata/core/monitorfile.txt", 8) {
		var lines []string
		core := newCore(Results(func(file, _ string, up bool, message string) {
			is := map[bool]string{true: " up ", false: " down "}[up]
			lines = append(lines, file+is+message)
		}))
		key := lvs.Key{Protocol: map[string]lvs.Protocol{"tcp": lvs.TCP, "udp": lvs.UDP}[row[4]]}
		v := &virtual{Service: &plan.Service{Config: &parser.Virtual{Key: key}}}
		v.Config.MonitorFile, v.Config.CheckType, v.Config.Service = row[1], row[2], row[3]
		result := checker.Result{OK: row[6] == "passes", Stage: wire.AtMatch, Detail: "200 OK"}
		s := serverOf(lvs.Dest{})
		s.Server = &judge.Server{Member: &s.entry.Member, File: row[5] != ""}
		core.tell.found(history.Nothing, &result, user{v, s, &s.first})
		testkit.Equal(t, strings.TrimSpace(strings.Join(lines, "; ")), row[7], row[0])
	}
}
