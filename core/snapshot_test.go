package core

import (
	"testing"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/health"
	"ldirectord/history"
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

// The status of a backup server: what it does, and how many other servers serve.
func TestABackupServerInASnapshot(t *testing.T) {
	p := planOf(t, "virtual = 10.1.0.1:80\n\treal = 10.2.0.1:80 gate\n\treal = 10.2.0.2:80 gate\n\tbackup = 10.2.0.3:80 gate\n\tchecktype = connect\n")
	v := virtualsOf(p)[0]
	for _, s := range v.servers {
		s.AssumeAll(health.Assume(health.Up))
	}
	told := func() string {
		s := describeAll([]*virtual{v}, nil, time.Now())[0].Servers[2]
		return s.Backup + "; " + s.Note
	}
	if got, want := told(), "waits; backup, waits: 2 of 2 real servers serve"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	v.servers[0].AssumeAll(health.Assume(health.Down))
	v.Backed = true
	if got, want := told(), "needed; backup, needed: 1 of 2 real servers serve"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	v.Backed, v.Known = false, true
	v.Have.Put(v.servers[2].Dest)
	if got, want := told(), "drains; backup, drains: 1 of 2 real servers serve"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
