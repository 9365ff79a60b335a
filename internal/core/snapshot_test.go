package core

import (
	"testing"
	"time"

	"ldirectord/checker"
	"ldirectord/internal/health"
	"ldirectord/internal/history"
	"ldirectord/internal/testkit"
)

func BenchmarkSnapshot10k(b *testing.B) {
	p := planOf(b, testkit.ManyServers(10000, 80, 1))
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
