package core

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/wire"
	"ldirectord/internal/health"
	"ldirectord/internal/history"
	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
	"ldirectord/internal/notify"
	"ldirectord/internal/notify/monitorfile"
	"ldirectord/internal/plan"
	"ldirectord/internal/testkit"
	"ldirectord/internal/view"
	"ldirectord/parser"
)

// ran are the commands that were run.
type ran []string

func (r *ran) Run(h notify.Hook) { *r = append(*r, h.Argv[len(h.Argv)-1]) }

// A change of mark rules is reported for the virtual services that have such rules, and no others.
func TestOnChangeOfMarkedIsForMarkedOnes(t *testing.T) {
	var hooks ran
	c := newCore(Commands(hooks.Run))
	for _, marks := range []int{0, 1} {
		v := virtualOf(&parser.Virtual{ID: []string{"tcp:10.1.0.1:80", "fwm:3"}[marks],
			Marking: make([]parser.Marking, marks)},
			serverOf(lvs.Dest{Addr: someAddr, Weight: 1})).seated(health.Up)
		v.Wrote(lvs.Dests{{Addr: someAddr, Weight: 1}})
		v.Config.OnChange = "tell"
		c.virtuals = append(c.virtuals, v)
	}
	c.ours = c.virtuals
	c.Marked(time.Now(), nil, nil, nil)
	testkit.Same(t, hooks, ran{"tell fwm:3 available 1 1"})
}

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

// A stop and a demotion wait for each command.
func TestLeavingWaitsForEachCommand(t *testing.T) {
	var awaited, requested, ended int
	c := New(World{Tell: []Receiver{Commands(func(h notify.Hook) { requested++; h.Ended() })}},
		Performers{Checks: unchecked{}, Watches: unwatched{},
			Await: func() func() { awaited++; return func() { ended++ } }})
	if c.tell.leaving(c.ours, "test") {
		t.Error("there is a wait without commands")
	}
	for range 2 {
		v := virtualOf(&parser.Virtual{Settings: parser.Settings{OnChange: "tell", CleanStop: true}})
		c.ours = append(c.ours, v)
	}
	if !c.tell.leaving(c.ours, "test") || awaited != 2 || requested != 2 || ended != 2 {
		t.Errorf("%d commands are awaited, %d requested, %d ended; want 2", awaited, requested, ended)
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

// onchange gets the leaving servers that are in the table.
func TestOnChangeGetsLeavingServers(t *testing.T) {
	in, out := netip.MustParseAddrPort("10.2.0.1:80"), netip.MustParseAddrPort("10.2.0.2:80")
	v := virtualOf(&parser.Virtual{ID: "tcp:10.1.0.1:80"})
	v.Departing = []judge.Departure{{Addr: in, Name: "10.2.0.1:8080"}, {Addr: out, Name: "10.2.0.2:80"}}
	v.Have, v.Known = lvs.Dests{{Addr: in}}, true
	now, up := v.message(time.Now())
	if !slices.Equal(now.Leaving, []string{"10.2.0.1:8080"}) || up != 0 || len(now.Servers) != 0 {
		t.Errorf("onchange gets %+v, %d up", now, up)
	}
}
