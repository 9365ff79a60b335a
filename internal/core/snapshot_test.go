package core

import (
	"maps"
	"net/netip"
	"strings"
	"testing"
	"time"

	"ldirectord/checker"
	"ldirectord/internal/health"
	"ldirectord/internal/history"
	"ldirectord/internal/lvs"
	"ldirectord/internal/maintenance"
	"ldirectord/internal/orders"
	"ldirectord/internal/schedule"
)

func BenchmarkSnapshot10k(b *testing.B) {
	p := planOf(b, many(10000, 80, 1))
	c := newCore()
	c.virtuals, c.global = virtualsOf(p), &p.Config.Global
	table := p.Preview(nil, nil)
	for _, v := range c.virtuals {
		service := table[v.Key()]
		v.Wrote(service.Dests)
		for _, s := range v.servers {
			s.AssumeAll(health.Assume(health.Up))
			s.first.check = &check{at: history.At(time.Now()), last: checker.Result{OK: true}}
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		c.Snapshot(time.Now())
	}
}

var refused = checker.Result{Detail: "connect: refused", Cause: checker.Refused}

// What a snapshot has, field by field.
func TestASnapshot(t *testing.T) {
	const first, second, third = "10.2.0.1:80", "10.2.0.2:80", "10.2.0.3:80"
	const three = "failurecount = 2\nvirtual = 10.1.0.1:80\n\treal = 10.2.0.1:80 gate 3\n" +
		"\treal = 10.2.0.2:80 gate\n" +
		"\treal = 10.2.0.3:80 gate\n\tfallback = 127.0.0.1:80\n\tchecktype = connect\n" +
		"virtual = 10.1.0.2:80\n\treal = 10.2.0.4:80 gate\n\tchecktype = off\n"
	sorry := "fallbackcheck = connect\n" + strings.Replace(web(1), real(2),
		"\tfallback = 10.2.0.9:80\n\tminservers = 1\n", 1) +
		"virtual = 10.1.0.2:80\n\treal = 10.2.0.9:80 gate\n\tchecktype = connect\n"
	counts := func(w *world) {
		for _, s := range w.first().Servers {
			w.note("%d checks, failures %v", s.Tally.Checks, maps.Collect(s.Tally.Failures()))
		}
	}
	now := func(w *world, names string) { w.show(names, w.Snapshot(w.now)) }
	fails := func(w *world) {
		for range 3 {
			w.pass(2 * time.Second)
			w.result(refused, second)
		}
		w.saw()
	}
	play(t, []row{
		{"servers that pass, one that fails, one that is not checked", three,
			func(w *world) {
				fails(w)
				w.show("ID Scheduler Written Error Serving", w.first())
				w.show("Server Active State", w.first().Fallback)
				w.show("Real State Since Effective Weight Streak Reason Up Serves Transitions Checked")
				counts(w)
				w.show("Detail", w.first().Servers[1].Last)
				w.show("Count", w.first().Took)
				w.show("Real State Up", w.Snapshot(w.now).Virtuals[1].Servers[0])
				w.note("%v %v", w.Snapshot(w.now).Table[lvs.AddService],
					w.Snapshot(w.now).Table[lvs.DelDest])
			}, "", `
tcp:10.1.0.1:80, wrr, true, , 2
127.0.0.1:80, false, 
10.2.0.1:80, up, 8s, 3, 3, 0, , true, true, 0, 8s
10.2.0.2:80, down, 2s, 0, 1, 0, connect: refused, false, false, 1, 0s
10.2.0.3:80, up, 8s, 1, 1, 0, , true, true, 0, 8s
1 checks, failures map[]
4 checks, failures map[refused:3]
1 checks, failures map[]
connect: refused
6
10.2.0.4:80, off, false
{2 0} {1 0}`},
		{"a reload keeps what was counted, and since when", three,
			func(w *world) {
				fails(w)
				w.reload(strings.Replace(three, "\tfallback",
					"\treal = 10.2.0.5:80 gate\n\tquiescent = yes\n\tfallback", 1))
				w.saw()
				w.show("Real State Since Streak Reason Transitions")
				counts(w)
			}, "", `
10.2.0.1:80, up, 8s, 0, , 0
10.2.0.2:80, down, 2s, 0, connect: refused, 1
10.2.0.3:80, up, 8s, 0, , 0
10.2.0.5:80, unknown, 0s, 0, , 0
1 checks, failures map[]
4 checks, failures map[refused:3]
1 checks, failures map[]
0 checks, failures map[]`},
		{"a table that refuses", three,
			func(w *world) {
				w.refuse("-d")
				fails(w)
				w.show("Written Error", w.first())
				w.note("%v", w.Snapshot(w.now).Table[lvs.DelDest])
				w.answers = nil
				w.pass(5 * time.Second)
				w.show("Written Error", w.first())
			}, "log -d answered rules read", `
false, refused
{0 5}
moving 1
true, `},
		{"one that can't be read", three,
			func(w *world) {
				w.refuse("read")
				w.pass(20 * time.Second)
				now(w, "Unread")
			}, "log read", `
rules 0
refused`},
		{"a drained server", three,
			func(w *world) {
				w.Order(w.now, orders.All{lvs.At("tcp:10.1.0.1:80", third): {Kind: orders.Drain}})
				w.pass(3 * time.Second)
				w.show("State Up Effective InTable Since", w.first().Servers[2])
			}, "log -e answered moving", `
drained, false, 0, true, 3s`},
		{"shortages of this machine", three,
			func(w *world) {
				w.result(checker.Result{Cause: checker.Shortage}, first)
				counts(w)
				now(w, "Shortages")
			}, "log", `
2 checks, failures map[shortage:1]
1 checks, failures map[]
1 checks, failures map[]
1`},
		{"a check that lacks a program", "",
			func(w *world) {
				w.reload(web(1))
				w.saw()
				w.result(checker.Result{Cause: checker.Shortage, Detail: "it is not installed"}, first)
				w.show("State Reason InTable", w.first().Servers[0])
				w.result(checker.Result{OK: true}, first)
				w.show("State Reason InTable", w.first().Servers[0])
			}, "log read -A -a answered", `
unknown, it is not installed, false
up, , true`},
		{"an answer that can't be judged", web(1),
			func(w *world) {
				w.pass(time.Minute)
				w.result(checker.Result{Cause: checker.Unjudged, Detail: "it took too long"}, first)
				w.show("State Unjudged Transitions Checked")
				w.results(true, first)
				w.show("Unjudged Up")
			}, "log read", `
rules 0
up, it took too long, 0, 1m2s
up, , 0, 1m2s
, true
, true`},
		{"what was added by hand", web(1),
			func(w *world) {
				w.memory.Do(0, lvs.Op{Kind: lvs.AddDest, Key: keyOf(w, web(1)),
					Dest: lvs.Dest{Addr: netip.MustParseAddrPort("10.2.0.99:80")}})
				w.pass(10 * time.Second)
				w.show("Added", w.first())
			}, "read", `
log changed-by-hand
rules 0
[10.2.0.99:80]`},
		{"a brake, and an order besides", strings.Replace(web(1), real(2), real(2)+
			"\treal = 10.2.0.3:80 masq\n\tcheckvip = yes\n", 1),
			func(w *world) {
				for _, r := range []checker.Result{{OK: true, Way: checker.WayThrough},
					{OwnAnswers: true, Way: checker.WayThrough}} {
					w.result(r, first)
					w.result(r, second)
					w.pass(5 * time.Second)
				}
				w.Order(w.now, orders.All{
					lvs.At("tcp:10.1.0.1:80", first): {Kind: orders.Weigh, Weight: 2, Why: "slow"}})
				w.show("Real Up Withheld Note")
			}, "log -e answered read rules", `
10.2.0.1:80, true, true, not believed: every server that was up fails only through 10.1.0.1; order: weight 2: slow
10.2.0.2:80, true, true, not believed: every server that was up fails only through 10.1.0.1
10.2.0.3:80, true, false, `},
		{"a backup server", strings.Replace(web(1), real(2), real(2)+
			"\tbackup = 10.2.0.3:80 gate\n\tbackupbelow = 2/2\n", 1),
			func(w *world) {
				for _, ok := range []bool{true, false, true} {
					w.results(ok, first)
					w.pass(time.Second / 2)
					w.show("Backup Note", w.first().Servers[2])
				}
			}, "log read - answered leavers moving counters", `
waits, backup, waits: 2 of 2 real servers serve
needed, backup, needed: 1 of 2 real servers serve
drains, backup, drains: 2 of 2 real servers serve`},
		{"each check of a server", "failurecount = 3\n" + web(1) +
			"\talsocheck = connect 81\n\talsocheck = https 443\n",
			func(w *world) {
				give := func(line int, r checker.Result) {
					w.Results(w.now,
						updates([]*schedule.Task{w.plan.Services[0].Entries[0].Line(line).Task},
							r, w.now))
				}
				w.Results(w.now, updates(w.plan.Tasks, checker.Result{OK: true}, w.now))
				give(0, checker.Result{Cause: checker.Unjudged, Detail: "it took too long"})
				give(1, refused)
				give(1, refused)
				w.show("Real State Streak Unjudged")
				of := func() []any {
					var all []any
					for _, c := range w.first().Servers[0].Checks {
						all = append(all, c)
					}
					return all
				}
				w.show("Name State Streak Unjudged", of()...)
				give(1, refused)
				w.show("State Reason Transitions", w.first().Servers[0])
			}, "log", `
10.2.0.1:80, up, 2, connect 80: it took too long
10.2.0.2:80, up, 0, 
connect 80, up, 0, it took too long
connect 81, up, 2, 
https 443, up, 0, 
down, connect 81: connect: refused, 1`},
		{"fallback servers, which count as none", sorry,
			func(w *world) {
				fallback := func() { w.show("Server Active State Reason", w.first().Fallback) }
				w.results(false, first)
				fallback()
				w.results(true, first)
				w.result(refused, "10.2.0.9:80")
				fallback()
				w.show("Up", w.first().Enough)
				counts(w)
				for _, file := range []string{sorry, strings.Replace(sorry, "connect", "no", 1), sorry,
					strings.NewReplacer("fallbackcheck = connect", "fallbackcheck = section",
						"minservers", "checkport = 82\n\tminservers").Replace(sorry)} {
					w.reload(file)
					fallback()
				}
			}, "log read checks claim - answered", `
moving 1
10.2.0.9:80, true, up, 
10.2.0.9:80, false, down, connect: refused
1
3 checks, failures map[other:1]
10.2.0.9:80, false, down, connect: refused
10.2.0.9:80, false, , 
10.2.0.9:80, false, down, connect: refused
10.2.0.9:80, false, unknown, `},
		{"servers whose names have no address come last", "",
			func(w *world) {
				const file = "virtual = 10.1.0.1:80\n\treal = web1.example:80 gate 3\n" +
					"\treal = 10.2.0.2:80 gate\n\treal = web3.example:80 gate\n" +
					"\tchecktype = connect\n"
				w.reload(file)
				w.results(true, second)
				w.pass(5 * time.Second)
				w.names = map[string]netip.Addr{"web1.example": netip.MustParseAddr("10.2.0.1")}
				w.Refine(w.now, w.file(file), maintenance.Reading{})
				w.results(true, first)
				w.pass(5 * time.Second)
				w.saw()
				w.show("Real State Since Effective Weight Reason")
				now(w, "Status")
			}, "", `
10.2.0.1:80, up, 5s, 3, 3, 
10.2.0.2:80, up, 10s, 1, 1, 
web3.example:80, unknown, 10s, 0, 1, no address: web3.example: no answer
running`},
	})
}
