package core

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"ldirectord/checker"
	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
	"ldirectord/internal/maintenance"
	"ldirectord/internal/plan"
	"ldirectord/internal/schedule"
	"ldirectord/internal/testkit"
	"ldirectord/ipvsctl"
)

// silent has the table give no answer.
func (w *world) silent() {
	w.answers = func(string) (judge.Outcome, time.Duration) {
		return judge.Outcome{Answer: judge.Unanswered, Err: errors.New("no answer")}, judge.TableTimeout
	}
}

// hand has somebody else make a change.
func (w *world) hand(kind lvs.OpKind, server string, weight uint32) {
	w.memory.Do(0, lvs.Op{Kind: kind, Key: keyOf(w, web(1)),
		Dest: lvs.Dest{Addr: netip.MustParseAddrPort(server), Forward: lvs.Route, Weight: weight}})
}

// Which requests the table gets, and what is said of them.
func TestRequestsToTheTable(t *testing.T) {
	const first, second = "10.2.0.1:80", "10.2.0.2:80"
	goesDown := func(before func(*world)) func(*world) {
		return func(w *world) {
			before(w)
			w.results(false, first)
		}
	}
	play(t, []row{
		{"a reload without a change is one reading", "checkinterval = 60\n" + web(1) + web(2),
			func(w *world) { w.reload("checkinterval = 60\n" + web(1) + web(2)) }, "log claim", `
read`},
		{"a failure is one request, whatever was changed by hand: drained", "quiescent = yes\n" + web(1),
			goesDown(func(w *world) { w.hand(lvs.EditDest, first, 0) }), "log moving", `
-e -t 10.1.0.1:80 -r 10.2.0.1:80 -g -w 0
answered`},
		{"the server was removed", "quiescent = yes\n" + web(1),
			goesDown(func(w *world) { w.hand(lvs.DelDest, first, 0) }), "log moving", `
-e -t 10.1.0.1:80 -r 10.2.0.1:80 -g -w 0
answered
read`},
		{"another was drained", "quiescent = yes\n" + web(1),
			goesDown(func(w *world) { w.hand(lvs.EditDest, second, 0) }), "log moving", `
-e -t 10.1.0.1:80 -r 10.2.0.1:80 -g -w 0
answered`},
		{"another was added", "quiescent = yes\n" + web(1),
			goesDown(func(w *world) { w.hand(lvs.AddDest, "10.2.0.9:80", 3) }), "log moving", `
-e -t 10.1.0.1:80 -r 10.2.0.1:80 -g -w 0
answered`},
		{"fallback servers come before servers go, of all services; one that is refused is tried again alone",
			"fallback = 10.2.0.9:80 gate\n" + web(1) + web(2),
			func(w *world) {
				w.refuse("-a -t 10.1.0.2:80 -r 10.2.0.9:80")
				w.results(false, "")
				w.pass(time.Second)
				w.note("accepted")
				w.answers = nil
				w.pass(5 * time.Second)
			}, "log moving read rules", `
-a -t 10.1.0.1:80 -r 10.2.0.9:80 -g -w 1
-a -t 10.1.0.2:80 -r 10.2.0.9:80 -g -w 1
answered
-d -t 10.1.0.1:80 -r 10.2.0.1:80
-d -t 10.1.0.1:80 -r 10.2.0.2:80
answered
-a -t 10.1.0.2:80 -r 10.2.0.9:80 -g -w 1
answered
-a -t 10.1.0.2:80 -r 10.2.0.9:80 -g -w 1
answered
-a -t 10.1.0.2:80 -r 10.2.0.9:80 -g -w 1
answered
accepted
-a -t 10.1.0.2:80 -r 10.2.0.9:80 -g -w 1
answered
-d -t 10.1.0.2:80 -r 10.2.0.1:80
-d -t 10.1.0.2:80 -r 10.2.0.2:80
answered`},
		{"one that is refused is tried less and less, and holds up no other", web(1),
			func(w *world) {
				w.results(false, second)
				w.refuse("-a -t 10.1.0.1:80 -r 10.2.0.2:80")
				w.results(true, second)
				w.saw()
				w.pass(110 * time.Second)
				tries := strings.Count(w.saw(), "-a ")
				w.reload(strings.Replace(web(1), real(2), real(2)+real(3), 1))
				w.results(true, "10.2.0.3:80")
				w.saw()
				w.results(false, first)
				w.note("%d tries", tries)
			}, "moving read", `
log check-failed
-a -t 10.1.0.1:80 -r 10.2.0.2:80 -g -w 4
answered
-d -t 10.1.0.1:80 -r 10.2.0.1:80
answered
log deleted
16 tries`},
		{"a table that gives no answer for ten minutes", web(1) + web(2),
			func(w *world) {
				w.silent()
				w.results(false, second)
				w.pass(10 * time.Minute)
				asked := w.saw("answered", "rules")
				w.note("%d requests, told %d times", strings.Count(asked, "-d")+
					strings.Count(asked, "read"), strings.Count(asked, "table-error"))
				w.show("State", w.first().Servers[1])
				w.answers = nil
				w.pass(judge.TableTimeout + judge.MaxPause)
			}, "rules answered", `
33 requests, told 1 times
down
read
moving 2
-d -t 10.1.0.1:80 -r 10.2.0.2:80
-d -t 10.1.0.2:80 -r 10.2.0.2:80
log deleted
log deleted
log table-recovered
read`},
		{"the kernel loses IPVS with all entries, and gets it back", web(1),
			func(w *world) {
				w.texts = true
				w.answers = func(string) (judge.Outcome, time.Duration) {
					return judge.Outcome{Answer: judge.Missing,
						Err: errors.New("ip_vs can't be loaded")}, 0
				}
				w.results(false, second)
				w.memory.Do(0, lvs.Op{Kind: lvs.DelService, Key: keyOf(w, web(1))})
				w.results(true, second)
				w.answers = nil
				w.pass(10 * time.Second)
			}, "rules answered moving read", `
log Check failed: 10.2.0.2:80 (tcp:10.1.0.1:80): 
-d -t 10.1.0.1:80 -r 10.2.0.2:80
log Table change failed: 10.1.0.1:80: ip_vs can't be loaded
log Resetting soft failure count: 10.2.0.2:80 (tcp:10.1.0.1:80)
-A -t 10.1.0.1:80 -s wrr
log Added virtual server: 10.1.0.1:80
-a -t 10.1.0.1:80 -r 10.2.0.1:80 -g -w 4
-a -t 10.1.0.1:80 -r 10.2.0.2:80 -g -w 4
log Added real server: 10.2.0.1:80 (10.1.0.1:80) (Weight set to 4)
log Added real server: 10.2.0.2:80 (10.1.0.1:80) (Weight set to 4)
log Table changes succeed again: 10.1.0.1:80`},
		{"it can't be read: told once for each reason", web(1),
			func(w *world) {
				w.texts = true
				for _, why := range []string{"permission denied", "no such device"} {
					w.answers = func(string) (judge.Outcome, time.Duration) {
						return judge.Outcome{Answer: judge.Refused, Err: errors.New(why)}, 0
					}
					w.pass(20 * time.Second)
				}
				w.answers = nil
				w.pass(20 * time.Second)
			}, "rules read", `
log Table can't be read: permission denied
log Table can't be read: no such device
log Table can be read again`},
		{"a demotion makes one request to a silent table, and empties it later", web(1) + web(2),
			func(w *world) {
				w.silent()
				w.SetStandby(w.now, true)
				w.step()
				w.answers = nil
				w.note("it answers again")
				w.pass(judge.MaxPause)
			}, "rules read claim", `
log standing-by
-D -t 10.1.0.1:80
answered
log table-error
it answers again
-D -t 10.1.0.1:80
answered
log purged-virtual
log table-recovered
-D -t 10.1.0.2:80
answered
log purged-virtual`},
		{"a stop makes one, and tells what is left", web(1) + web(2),
			func(w *world) {
				w.texts = true
				w.silent()
				w.Stop(w.now, w)
				w.Clear(w.now)
			}, "claim", `
-D -t 10.1.0.1:80
answered
log Table change failed: 10.1.0.1:80: no answer
log Table change failed: 1 more virtual services could not be removed: the table does not answer`},
	})
}

// The daemon ends while the first reading or the first change is made: that is no failure.
func TestTheDaemonEndsWhileItStarts(t *testing.T) {
	for _, during := range []string{"read", "-A"} {
		w := newWorld(t)
		w.answers = func(what string) (o judge.Outcome, _ time.Duration) {
			if strings.HasPrefix(what, during) {
				o = judge.Outcome{Answer: judge.Interrupted, Err: errors.New("stopped")}
			}
			return o, 0
		}
		if _, err := w.Begin(w.now, w, w.file(web(1)), maintenance.Reading{}); err != nil {
			t.Error(err)
		}
		testkit.Equal(t, w.saw("claim", "leavers", "checks", "answered", "-A"), "read", during)
	}
}

// 2,500 servers that come back at once climb together. Each second has one operation for each server, in batches of
// 64, and one reading of the table. There are a few records at the beginning and at the end.
func TestManyClimbAtOnce(t *testing.T) {
	const seconds = 30
	w := newWorld(t)
	w.start(crowd(seconds))
	returning := func(ok bool) {
		w.did = nil
		w.give(checker.Result{OK: ok}, func(e *plan.Entry) bool { return e.Real.Addr.Addr().As4()[3] <= 25 })
	}
	returning(false)
	w.pass(time.Minute)
	returning(true)
	for second := range seconds + 60 {
		n := map[string]int{}
		for _, what := range w.did {
			n[strings.Fields(what)[0]]++
		}
		if ops := n["-a"] + n["-e"]; ops > 2500 || second < seconds-2 && ops < 2500 ||
			ops > n["answered"]*lvs.Batch || n["read"] > 1 || n["moving"] > 2 {
			t.Errorf("second %d: %v", second, n)
		}
		w.did = nil
		w.pass(time.Second)
	}
	have, _ := w.memory.Read(0)
	for _, s := range have {
		for _, d := range s.Dests {
			if d.Weight != 1000 {
				t.Fatalf("%v is left with weight %d", d.Addr, d.Weight)
			}
		}
	}
}

// crowd is a hundred sections of fifty servers.
func crowd(slowstart int) string {
	var file strings.Builder
	fmt.Fprintf(&file, "checkinterval = 3600\nslowstart = %d\n", slowstart)
	for i := range 100 {
		fmt.Fprintf(&file, "virtual = 10.0.0.%d:80\n\tchecktype = connect\n\tscheduler = wlc\n"+
			"\treal = 10.1.%d.1->10.1.%d.50:80 masq 1000\n", i, i, i)
	}
	return file.String()
}

// clock is a table in memory at a time of its own.
type clock struct {
	memory
	now *time.Time
}

func (c clock) Now() time.Time { return *c.now }

// updates are results of these checks.
func updates(tasks []*schedule.Task, r checker.Result, now time.Time) (all []schedule.Update) {
	for _, task := range tasks {
		all = append(all, schedule.Update{Task: task, Began: now, Result: r})
	}
	return all
}

// BenchmarkClimb is a second of 2,500 climbing servers.
func BenchmarkClimb(b *testing.B) {
	now, p := time.Now(), planned(b, crowd(3600), neverChecked)
	c := newCore()
	if _, err := c.Begin(now, clock{memory{ipvsctl.NewMemory(nil)}, &now}, Ready(p),
		maintenance.Reading{}); err != nil {
		b.Fatal(err)
	}
	for i, ok := range []bool{true, false, true} {
		tasks := p.Tasks
		if i > 0 {
			tasks = tasks[:2500]
		}
		now = now.Add(2 * time.Hour)
		c.Results(now, updates(tasks, checker.Result{OK: ok}, now))
		c.Step(now)
	}
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Second)
		c.Step(now)
	}
}
