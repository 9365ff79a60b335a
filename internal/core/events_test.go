package core

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ldirectord/checker"
	"ldirectord/internal/history"
	"ldirectord/internal/lvs"
	"ldirectord/internal/maintenance"
	"ldirectord/internal/notify"
	"ldirectord/internal/schedule"
	"ldirectord/internal/testkit"
	"ldirectord/parser"
)

// What is reported of results, and how often.
func TestResultsTell(t *testing.T) {
	const first, second = "10.2.0.1:80", "10.2.0.2:80"
	unjudged := checker.Result{Cause: checker.Unjudged, Detail: "too long"}
	sorry := "fallbackcheck = connect\n" + strings.Replace(web(1), real(2), "\tfallback = 10.2.0.9:80\n", 1)
	settled := func(w *world) { w.note("%s, settled %t", w.Snapshot(w.now).Status, w.e.Settled) }
	var rows []row
	for how, r := range map[string]checker.Result{"up": {OK: true}, "down": refused, "unjudged": unjudged} {
		rows = append(rows, row{"it has settled with the first results of all: " + how, "", func(w *world) {
			w.reload(web(1))
			w.result(r, first)
			settled(w)
			w.result(r, second)
			settled(w)
		}, "log - answered read claim checks", "\nreloading, settled false\nrunning, settled true"})
	}
	play(t, append(rows, []row{
		{"answers that can't be judged are a mail for the first server and a line for each other one, once " +
			"an hour", web(1),
			func(w *world) {
				for _, at := range []struct {
					wait time.Duration
					who  string
				}{{0, ""}, {0, ""}, {unjudgedQuiet, ""}, {1, ""}, {time.Hour + 1, first}, {1, second},
					{unjudgedQuiet, first}} {
					w.pass(at.wait)
					w.note("%v later: %s", at.wait, at.who)
					w.result(unjudged, at.who)
				}
			}, "read rules", `
0s later: 
log unjudged
log check-warning
0s later: 
1h0m0s later: 
1ns later: 
log unjudged
log check-warning
1h0m0.000000001s later: 10.2.0.1:80
log unjudged
1ns later: 10.2.0.2:80
log check-warning
1h0m0s later: 10.2.0.1:80
log check-warning`},
		{"a warning is told once for each text", web(1),
			func(w *world) {
				w.texts = true
				for _, text := range []string{"ends in 5 days", "ends in 5 days", "ends in 4 days",
					"ends in 4 days"} {
					w.result(checker.Result{OK: true, Warning: text}, first)
				}
			}, "", `
log Check warning: 10.2.0.1:80 (tcp:10.1.0.1:80): ends in 5 days
log Check warning: 10.2.0.1:80 (tcp:10.1.0.1:80): ends in 4 days`},
		{"a shortage that lasts is not waited for", "",
			func(w *world) {
				w.reload(web(1) + "\talsocheck = ping\n")
				w.results(true, "")
				for range 4 {
					for _, e := range w.plan.Services[0].Entries {
						w.Results(w.now,
							updates([]*schedule.Task{e.Line(1).Task},
								checker.Result{Cause: checker.Shortage,
									Detail: "not allowed"}, w.now))
					}
					w.step()
					settled(w)
					w.pass(time.Second)
				}
			}, "log read checks claim rules", `
-A -t 10.1.0.1:80 -s wrr
answered
reloading, settled false
reloading, settled false
running, settled true
running, settled true`},
		{"a renewed certificate makes a new check, which changes nothing: failurecount still applies", "",
			func(w *world) {
				cert := filepath.Join(w.TempDir(), "cert.pem")
				file := "failurecount = 3\nvirtual = 10.1.0.1:443\n\treal = 10.2.0.1:443 gate\n" +
					"\tservice = https\n\ttlscert = " + cert + "\n\ttlskey = " + cert + "\n"
				for _, text := range []string{"first", "second"} {
					if err := os.WriteFile(cert, []byte(text), 0o600); err != nil {
						w.Fatal(err)
					}
					w.reload(file)
					w.note("%d in place of others", w.heirs)
					w.results(text == "first", "")
				}
				w.show("State")
			}, "read -A -a claim answered log_added", `
checks 1
log added-virtual
0 in place of others
log added
1 in place of others
log soft-failure
up`},
		{"a folder that can't be read keeps servers in maintenance, after a reload too",
			"maintenancedir = /m\n" + web(1),
			func(w *world) {
				w.texts = true
				out := maintenance.Reading{
					Out: map[netip.AddrPort]string{netip.MustParseAddrPort(first): "web1"}}
				bad := maintenance.Reading{Err: errors.New("no answer")}
				for _, r := range []maintenance.Reading{out, bad, bad} {
					w.Maintained(w.now, r)
					w.step()
				}
				w.Replace(w.now, w.file("maintenancedir = /m\n"+web(1)), bad)
				w.step()
				w.show("State")
				w.show("Folder", w.Snapshot(w.now))
				w.Maintained(w.now, maintenance.Reading{})
				w.step()
				w.show("State")
				w.show("Folder", w.Snapshot(w.now))
			}, "read claim answered -", `
log Maintenance begins: 10.2.0.1:80 (tcp:10.1.0.1:80) by file web1
log Deleted real server: 10.2.0.1:80 (10.1.0.1:80)
log Maintenance folder can't be read; servers in maintenance stay there: /m: no answer
log Maintenance begins: 10.2.0.1:80 (tcp:10.1.0.1:80) by file web1
maintenance
up
no answer
log Maintenance folder can be read again: /m
log Maintenance ends: 10.2.0.1:80 (tcp:10.1.0.1:80)
log Added real server: 10.2.0.1:80 (10.1.0.1:80) (Weight set to 4)
up
up
`},
		{"a fallback server fails and passes; what its checks find is no mail", sorry,
			func(w *world) {
				for _, r := range []checker.Result{unjudged, refused, refused, {OK: true}} {
					w.result(r, "10.2.0.9:80")
				}
			}, "", `
log check-warning
log fallback-fails
log fallback-passes`},
	}...))
}

// A receiver gets everything that it must know with each change, in the order of the events.
func TestAReceiverIsToldOfEachChange(t *testing.T) {
	var w *world
	w = newWorld(t, func(before *World) {
		before.Tell = []Receiver{func(c *Change) {
			if c.Status == "" || c.Time != w.now || c.Global == nil {
				t.Errorf("%s: status %q at %v", c.Kind, c.Status, c.Time)
			}
			switch {
			case c.Result != nil && c.Past == history.Nothing:
			case c.Kind != "":
				w.note("%s", c.Kind)
			case c.After.Text != nil:
				w.note("%s has %d of %d up, before %d", c.Virtual, c.After.Up, c.After.Servers,
					c.Before.Up)
			case c.Before.Health != c.After.Health:
				w.note("it is %s, was %s, by %d of %d", c.After.Health, c.Before.Health, c.By.Count,
					c.By.Needed)
			case c.Result != nil && !c.Result.OK:
				w.note("it failed, %d of %d", c.By.Count, c.By.Needed)
			}
		}}
	})
	w.start("failurecount = 2\n" + web(1) + "\tonchange = tell\n")
	for range 2 {
		w.results(false, "10.2.0.1:80")
	}
	const want = `it failed, 1 of 2
soft-failure
it failed, 2 of 2
check-failed
it is down, was up, by 2 of 2
-d -t 10.1.0.1:80 -r 10.2.0.1:80
answered
deleted
tcp:10.1.0.1:80 has 1 of 2 up, before 2`
	testkit.Equal(t, w.saw("moving"), want)
}

// A file in maintenancedir is the reason for a change of its server.
func TestTheReasonOfAChange(t *testing.T) {
	addr := netip.MustParseAddrPort("10.2.0.1:80")
	s := serverOf(lvs.Dest{Addr: addr})
	s.entry.Real.Addr, s.first.reason = addr, "refused"
	v := virtualOf(&parser.Virtual{ID: "tcp:10.1.0.1:80"}, s)
	c := &Core{}
	for file, want := range map[string]string{"": "refused", "web1": "maintenance: web1"} {
		s.maintenance = file
		s.Maintained(file != "")
		e := notify.Event{}
		c.tell.destOp(v, lvs.Op{Kind: lvs.EditDest, Dest: s.Dest}, &e)
		testkit.Equal(t, e.Reason, want, "with file", file)
	}
}
