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

// recorded are lines of a monitorfile.
type recorded []string

func (r *recorded) Record(file, id string, up bool, message string) {
	*r = append(*r, file+" "+map[bool]string{true: "up", false: "down"}[up]+" "+message)
}

func TestLinesOfAMonitorfile(t *testing.T) {
	for _, row := range testkit.Table(t, "../../testdata/core/monitorfile.txt", 8) {
		var lines recorded
		core := newCore(Results(monitorfile.Lines(lines.Record)))
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
