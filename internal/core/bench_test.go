package core

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"ldirectord/checker"
	"ldirectord/internal/health"
	"ldirectord/internal/history"
	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
	"ldirectord/internal/maintenance"
	"ldirectord/internal/orders"
	"ldirectord/internal/plan"
	"ldirectord/internal/schedule"
	"ldirectord/internal/testkit"
	"ldirectord/ipvsctl"
)

// bench is a core at work whose table is in memory, at a time of its own.
type bench struct {
	*Core
	memory
	now  time.Time
	plan *plan.Plan
}

func (w *bench) Now() time.Time { return w.now }

// benchOf is a core that has begun with a configuration. Its checks have no result.
func benchOf(b *testing.B, text string) *bench {
	b.ReportAllocs()
	return benchWith(b, ipvsctl.NewMemory(nil), text)
}

func benchWith(t testing.TB, client ipvsctl.Client, text string) *bench {
	w := &bench{newCore(), memory{client}, time.Now(), planned(t, text)}
	testkit.Must(w.Begin(w.now, w, Ready(w.plan), maintenance.Reading{}))(t)
	return w
}

// results gives some checks the same result, in one step.
func (w *bench) results(r checker.Result, from, to int) {
	w.Results(w.now, updates(w.plan.Tasks[from:to], r, w.now))
	w.Step(w.now)
}

// serving are the virtual services of a plan whose servers are all up and in the table.
func serving(p *plan.Plan) []*virtual {
	table, virtuals := p.Preview(nil, nil), virtualsOf(p)
	for _, v := range virtuals {
		for _, s := range v.servers {
			s.AssumeAll(health.Assume(health.Up))
		}
		v.Wrote(table[v.Key()].Dests)
	}
	return virtuals
}

func BenchmarkDesired10k(b *testing.B) {
	virtuals := serving(planOf(b, testkit.ManyServers(10000, 80, 1)))
	b.ReportAllocs()
	for b.Loop() {
		for _, v := range virtuals {
			judge.Decide(v.Case, time.Time{})
		}
	}
}

// BenchmarkStepOfMany is the cost of a failure and a recovery of one server, with a virtual service for each: it does
// not grow with the others, even if the name of one of them has moved.
func BenchmarkStepOfMany(b *testing.B) {
	for _, n := range []int{500, 50000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			w := benchOf(b, alone(n))
			w.results(checker.Result{OK: true}, 0, n)
			w.virtuals[0].servers[0].MovedTo, w.examiner.moved = 0, w.virtuals[:1]
			for b.Loop() {
				for _, ok := range []bool{false, true} {
					w.results(checker.Result{OK: ok}, n/2, n/2+1)
				}
			}
		})
	}
}

// alone is a configuration of n virtual services, each with a server of its own.
func alone(n int) string {
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, "virtual = 10.1.%d.%d:80\n\treal = 10.2.%[1]d.%[2]d:80 gate\n"+
			"\tchecktype = connect\n", i/250, i%250)
	}
	return text.String()
}

// All servers of 2,500 virtual services with four servers each go down and come back at once. The test logs how long
// the table takes to follow. On an otherwise idle machine that should be half a second at most.
func TestKernelFollowsARack(t *testing.T) {
	if _, err := os.Stat("/proc/net/ip_vs"); err != nil || os.Geteuid() != 0 {
		t.Skip("needs root and a kernel with IPVS: make test-kernel")
	}
	for _, quiescent := range []string{"yes", "no"} {
		kernel := testkit.Must(ipvsctl.Open(ipvsctl.Kernel))(t)
		w := benchWith(t, kernel, "quiescent = "+quiescent+"\n"+rack())
		for up, serving := range map[bool]int{true: 10_000, false: 0} {
			w.results(checker.Result{OK: !up}, 0, len(w.plan.Tasks))
			begun := time.Now()
			w.results(checker.Result{OK: up}, 0, len(w.plan.Tasks))
			t.Logf("quiescent = %s, up: %v: the table follows %v after the results", quiescent, up,
				time.Since(begun))
			have, _ := w.Read(0)
			for _, s := range have {
				for _, d := range s.Dests {
					serving -= int(min(d.Weight, 1))
				}
			}
			testkit.Equal(t, serving, 0, "the servers that should serve and don't, up:", up)
		}
		w.Stop(w.now, w)
		w.Clear(w.now)
		testkit.OK(t, kernel.Close())
	}
}

// rack has 2,500 virtual services with the same four servers.
func rack() string {
	var text strings.Builder
	for i := range 2500 {
		fmt.Fprintf(&text, "virtual = 10.1.%d.%d:80\n\tchecktype = connect\n"+
			"\treal = 10.2.0.1->10.2.0.4:80 gate\n", i/250, i%250+1)
	}
	return text.String()
}

// BenchmarkRack is the same with a table in memory, to measure the core alone.
func BenchmarkRack(b *testing.B) {
	w := benchOf(b, rack())
	for ok := true; b.Loop(); ok = !ok {
		w.results(checker.Result{OK: ok}, 0, len(w.plan.Tasks))
	}
}

// BenchmarkReload reloads the same configuration.
func BenchmarkReload(b *testing.B) {
	text := testkit.ManyServers(10000, 80, 3600)
	w := benchOf(b, text)
	for b.Loop() {
		w.Replace(w.now, Ready(planOf(b, text)), maintenance.Reading{}, false)
		w.Step(w.now)
	}
}

// oneSection is a section of 10,000 servers.
const oneSection = "checkinterval = 3600\nvirtual = 10.0.0.1:80\n\tchecktype = connect\n" +
	"\treal = 10.1.0.0->10.1.39.15:80 masq\n"

// BenchmarkTenThousandLeave replaces all servers of a virtual service by another one, puts them back while they drain,
// and replaces them again until they are gone from the table.
func BenchmarkTenThousandLeave(b *testing.B) {
	all := "draintime = 60\n" + oneSection
	one := strings.Replace(all, "10.1.0.0->10.1.39.15", "10.2.0.1", 1)
	w := benchOf(b, all)
	for b.Loop() {
		for _, text := range []string{one, all, one} {
			b.StopTimer()
			p := planned(b, text)
			b.StartTimer()
			w.Replace(w.now, Ready(p), maintenance.Reading{}, false)
			w.Step(w.now)
		}
		w.now = w.now.Add(2 * LookInterval)
		w.Step(w.now)
	}
}

// BenchmarkBrake10k: 10,000 servers of a section fail through the virtual address alone, in a hundred steps. Then all
// pass.
func BenchmarkBrake10k(b *testing.B) {
	w := benchOf(b, strings.Replace(oneSection, " masq", " gate\n\tcheckvip = yes", 1))
	bring := func(r checker.Result) {
		r.Way = checker.WayThrough
		for i := 0; i < len(w.plan.Tasks); i += 100 {
			w.results(r, i, i+100)
		}
	}
	bring(checker.Result{OK: true})
	for b.Loop() {
		bring(checker.Result{OwnAnswers: true, Detail: "no answer in 5s"})
		bring(checker.Result{OK: true})
	}
}

// BenchmarkOrder10k gives each of 10,000 servers an order, and then lets all back that wait.
func BenchmarkOrder10k(b *testing.B) {
	w := benchOf(b, testkit.ManyServers(10_000, 80, 1))
	all := orders.All{}
	for v, s := range w.Snapshot(w.now).Each() {
		all[lvs.At(v.ID, s.Real)] = orders.Order{Kind: orders.Maint, Why: "disk"}
	}
	for b.Loop() {
		for _, v := range w.virtuals {
			for _, s := range v.servers {
				s.Fallen = true
			}
		}
		w.Order(w.now, all, nil)
		w.Order(w.now, nil, all)
	}
}

// BenchmarkClimb is a second of 2,500 climbing servers.
func BenchmarkClimb(b *testing.B) {
	w := benchOf(b, crowd(3600))
	w.results(checker.Result{OK: true}, 0, len(w.plan.Tasks))
	for _, ok := range []bool{false, true} {
		w.now = w.now.Add(2 * time.Hour)
		for i := 0; i < len(w.plan.Tasks); i += 50 { // half of each section: servers climb beside others
			w.results(checker.Result{OK: ok}, i, i+25)
		}
	}
	for b.Loop() {
		w.now = w.now.Add(time.Second)
		w.Step(w.now)
	}
}

// BenchmarkAnnounceMarks decides where the addresses of 2,000 marks belong, as after a change of a server's state.
func BenchmarkAnnounceMarks(b *testing.B) {
	text := "announce = lvs0\n"
	for i := range 2000 {
		text += fmt.Sprintf("virtual = %d\n\tmark = 10.1.%d.%d tcp 80\n\treal = 10.2.0.1 gate\n"+
			"\tcheckport = 80\n\tchecktype = connect\n", i+1, i/250, i%250)
	}
	p := planOf(b, text)
	c := New(World{}, Performers{Checks: unchecked{}, Watches: unwatched{}, Marks: true})
	c.virtuals, c.global = virtualsOf(p), &p.Config.Global
	c.Marked(time.Now(), p.Rules(), nil, nil)
	c.announcer.enlist(c.virtuals, time.Now())
	b.ReportAllocs()
	for b.Loop() {
		c.announcer.decide(time.Now())
	}
}

// BenchmarkObserve10k is one look of observe at 10,000 servers, without the time in which the kernel reads their
// counters.
func BenchmarkObserve10k(b *testing.B) {
	p := planOf(b, strings.ReplaceAll(testkit.ManyServers(10000, 80, 10), "\tservice",
		"\tobserve = yes\n\tservice"))
	virtuals := virtualsOf(p)
	all := &services{virtuals: virtuals, ours: virtuals, tell: teller{clock: time.Now()}}
	o, client := observer{services: all}, memory{ipvsctl.NewMemory(nil)}
	w := writer{services: all, table: table{Table: client}}
	for _, v := range virtuals {
		for _, s := range v.servers {
			v.Have.Put(s.Dest)
			client.Do(0, lvs.Op{Kind: lvs.AddService, Key: v.Key(), Settings: v.Settings},
				lvs.Op{Kind: lvs.AddDest, Key: v.Key(), Dest: s.Dest})
		}
	}
	for b.Loop() {
		o.look(&w)
	}
}

// BenchmarkCompare50k compares 50,000 servers with each other, in sections of four, and 10,000 of one section.
func BenchmarkCompare50k(b *testing.B) {
	for name, text := range map[string]string{"sections": testkit.ManyServers(50000, 80, 10),
		"one section": oneSection} {
		b.Run(name, func(b *testing.B) {
			p := planOf(b, text)
			e := examiner{services: &services{virtuals: virtualsOf(p), tell: teller{clock: time.Now()}}}
			e.enter(p)
			for i, t := range p.Tasks {
				e.checks[t].last.OK, e.checks[t].at, e.checks[t].mean = true, 1, uint32(1000+i%97)
			}
			b.ReportAllocs()
			for b.Loop() {
				e.compare()
			}
		})
	}
}

func BenchmarkSnapshot10k(b *testing.B) {
	p := planOf(b, testkit.ManyServers(10000, 80, 1))
	c := newCore()
	c.virtuals, c.global = serving(p), &p.Config.Global
	for _, v := range c.virtuals {
		for _, s := range v.servers {
			s.first.check = &check{at: history.At(time.Now()), last: checker.Result{OK: true}}
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		c.Snapshot(time.Now())
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

// updates are results of these checks.
func updates(tasks []*schedule.Task, r checker.Result, now time.Time) (all []schedule.Update) {
	for _, task := range tasks {
		all = append(all, schedule.Update{Task: task, Began: now, Result: r})
	}
	return all
}
