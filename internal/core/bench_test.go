package core

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/health"
	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
	"ldirectord/internal/maintenance"
	"ldirectord/internal/testkit"
	"ldirectord/ipvsctl"
)

func BenchmarkDesired10k(b *testing.B) {
	p := planOf(b, testkit.ManyServers(10000, 80, 1))
	table, virtuals := p.Preview(nil, nil), virtualsOf(p)
	for _, v := range virtuals {
		for _, s := range v.servers {
			s.AssumeAll(health.Assume(health.Up))
		}
		v.Wrote(table[v.Key()].Dests)
	}
	b.ReportAllocs()
	for b.Loop() {
		for _, v := range virtuals {
			judge.Decide(v.Case, time.Time{})
		}
	}
}

// BenchmarkWake50k is what a step costs that changes nothing, in 50,000 virtual services.
func BenchmarkWake50k(b *testing.B) {
	p := planOf(b, alone(50000))
	c := newCore()
	if _, err := c.Begin(time.Now(), memory{ipvsctl.NewMemory(nil)}, Ready(p), maintenance.Reading{}); err != nil {
		b.Fatal(err)
	}
	for _, v := range c.virtuals {
		for _, s := range v.servers {
			s.AssumeAll(health.Assume(health.Up))
		}
	}
	now := time.Now()
	c.Step(now)
	b.ReportAllocs()
	for b.Loop() {
		c.Step(now)
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
		"one section": oneSection(10000)} {
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

// oneSection is a configuration of n servers in one section.
func oneSection(n int) string {
	var text strings.Builder
	text.WriteString("virtual = 10.1.0.1:80\n\tchecktype = connect\n")
	for i := range n {
		fmt.Fprintf(&text, "\treal = 10.2.%d.%d:80 gate\n", i/250, i%250+1)
	}
	return text.String()
}
