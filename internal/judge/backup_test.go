package judge

import (
	"testing"
	"time"

	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
)

// The guard neither counts nor holds a backup server.
func TestTheGuardDoesNotCountBackupServers(t *testing.T) {
	c := sectionWith(reserve + ", keepserving=2, backed, 3 table=4 entered")
	for i := range c.Servers {
		s := &c.Servers[i]
		c.Result(s, &s.First, false, NoAnswer)
	}
	d := Decide(c, noon)
	if got := placed(d.Places); got != "1:4, 2:4" || len(d.Held) != 2 ||
		c.Weighted() != 2 {
		t.Errorf("the table is to have %s, %d servers are held of %d", got, len(d.Held), c.Weighted())
	}
}

// A backup server gets its whole weight at once. Slowstart does not count it among the servers that serve.
func TestABackupServerDoesNotClimb(t *testing.T) {
	c := sectionWith(reserve + ", slowstart=60, 3 weight=100, 1 absent not entered")
	if d := Decide(c, noon); !d.State.Servers[2].Climbs.IsZero() || d.State.Servers[0].Climbs.IsZero() ||
		!d.Places[at(1)].Addr.IsValid() {
		t.Errorf("the unused backup server climbs, or the returned server does not: %+v", d.Places)
	}
	c.given("1 down, backupbelow.low=2")
	if d := Decide(c, noon); d.Places[at(3)].Weight != 100 || d.Places[at(2)].Weight != 4 {
		t.Errorf("the backup server does not get its whole weight at once: %+v", d.Places)
	}
}

// A backup server drains until its connections end, or at most for draintime. A reload or a restart doesn't change
// that.
func TestHowLongABackupServerDrains(t *testing.T) {
	for _, drainTime := range []time.Duration{0, time.Minute} {
		c := sectionWith(reserve)
		c.DrainTime = drainTime
		c.given("backed, 3 table=4")
		d := Decide(c, noon)
		c.State = d.State
		c.Wrote(lvs.DestsOf(d.Places))
		l := c.Departure(at(3))
		if l == nil || l.Until.IsZero() != (drainTime == 0) {
			t.Fatalf("draintime %v: it drains as %+v", drainTime, l)
		}
		testkit.Equal(t, c.Looked(l, false, noon.Add(time.Hour)), drainTime > 0, "draintime", drainTime,
			"still connected after an hour, it is removed")
		l.Over = Stays
		if c.Looked(l, true, noon) || !c.Looked(l, true, noon) {
			t.Error("without connections it is not removed at the second look")
		}
		next := sectionWith(reserve)
		next.DrainTime = drainTime
		next.SendOff(Departure{Addr: at(3), Until: l.Until}, noon)
		if again := next.Departure(at(3)); again == nil || !again.Until.Equal(l.Until) {
			t.Errorf("draintime %v: after a restart it leaves as %+v", drainTime, again)
		}
	}
}

// Draintime begins when the table has weight 0. While the kernel refuses that weight, the connections are not cut.
func TestABackupServerDrainsFromWeight0(t *testing.T) {
	c := sectionWith(reserve + ", draintime=60, backed, 3 table=4")
	c.State = Decide(c, noon).State // the kernel refuses this decision's change
	c.Departure(at(3)).Name = "web"
	later := noon.Add(time.Hour)
	c.Looked(c.Departure(at(3)), false, later)
	d := Decide(c, later)
	if place, in := d.Places[at(3)]; !in || place.Weight > 0 {
		t.Errorf("its place is %v, in the table: %v; want weight 0, in the table", place, in)
	}
	if l := d.State.Departure(at(3)); l == nil || l.Name != "web" || !l.Until.Equal(later.Add(time.Minute)) {
		t.Errorf("it drains as %+v", l)
	}
}

// After a reload backup servers serve only if they did before and the new file has one. A server that was held is not
// held as a backup server.
func TestAReloadTurnsAServerIntoABackup(t *testing.T) {
	for _, backed := range []bool{false, true} {
		was := sectionWith(reserve)
		was.Backed = backed
		for _, kept := range []bool{true, false} {
			now := sectionWith(reserve)
			now.Members[2].Backup = kept
			now.Index()
			now.over(&was)
			if now.Backed != (backed && kept) {
				t.Errorf("served: %v, in the new file: %v, serves: %v", backed, kept, now.Backed)
			}
		}
	}
	held := sectionWith(reserve)
	held.hold(2)
	held.KeepServing.N = 3
	if d := Decide(held, noon); len(d.Held) > 0 {
		t.Error("a held server that became a backup server is still held")
	}
}
