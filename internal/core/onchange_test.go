package core

import (
	"strings"
	"testing"

	"ldirectord/checker"
	"ldirectord/checker/wire"
	"ldirectord/internal/history"
	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
	"ldirectord/internal/notify/monitorfile"
	"ldirectord/internal/plan"
	"ldirectord/internal/testkit"
	"ldirectord/parser"
)

func TestLinesOfAMonitorfile(t *testing.T) {
	for _, row := range testkit.Table(t, "../../testdata/core/monitorfile.txt", 8) {
		var lines []string
		core := newCore(Results(monitorfile.Lines(func(file, _ string, up bool, message string) {
			is := map[bool]string{true: " up ", false: " down "}[up]
			lines = append(lines, file+is+message)
		})))
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
