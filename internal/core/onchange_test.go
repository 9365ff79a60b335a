package core

import (
	"encoding/json"
	"fmt"
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
	"ldirectord/internal/view"
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

// Operators' programs parse what onchange and the webhook get: no byte of it may change.
func TestTheBytesOfAMessage(t *testing.T) {
	for want, now := range map[string]view.Virtual{
		`{"virtual":"fwm:3","available":false,"fallback":false,"servers":null} 0`: {ID: "fwm:3"},
		`{"virtual":"tcp:10.1.0.1:80","available":false,"fallback":true,"announced":false,` +
			`"minservers":{"up":1,"needed":2,"enough":false},"servers":[` +
			`{"real":"web1:80","address":"10.2.0.1","state":"up","weight":1},` +
			`{"real":"10.2.0.2:80","state":"down","weight":5,"reason":"refused","held":true}],` +
			`"leaving":["10.2.0.3:80"]} 1`: {
			ID: "tcp:10.1.0.1:80", Title: "shop", Scheduler: "wrr", Fallback: &view.Fallback{Active: true},
			Announced: new(false), Enough: &view.MinServers{Up: 1, Needed: 2}, Written: true,
			Error: "no answer",
			Servers: []view.Server{
				{Real: "web1:80", ServerNames: view.ServerNames{Address: "10.2.0.1"}, State: "up",
					Weight: 1, InTable: true,
					Effective: 1, Note: "why"},
				{Real: "10.2.0.2:80", ServerNames: view.ServerNames{Host: "web2"}, State: "down",
					Weight: 5, Reason: "refused",
					Held: true, Note: "held"},
			},
			Leaving: []view.Departure{{Real: "10.2.0.3:80"}},
		},
	} {
		m, up := newMessage(&now)
		text, err := json.Marshal(m)
		if got := fmt.Sprintf("%s %d", text, up); err != nil || got != want {
			t.Errorf("got  %s (%v)\nwant %s", got, err, want)
		}
	}
}
