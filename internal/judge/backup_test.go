package judge

import (
	"testing"
	"time"

	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
)

// backedUp is a section of three servers of weight 4, at 1 to 3. The last one is a backup server, and not in the
// table.
func backedUp() Case {
	c := inService(4, 4, 4)
	c.given("3 backup absent not entered")
	return c
}

func TestRuleBackup(t *testing.T) {
	const two = "backupbelow=2"
	for _, row := range []struct {
		what  string
		given string
		want  bool // the backup server serves
	}{
		{"both serve", "", false},
		{"one fails", "1 down", false},
		{"both fail", "1 down, 2 down", true},
		{"both are held", "1 2 down held", true},
		{"both are drained", "1 drained, 2 drained", true},
		{"both are in maintenance", "1 file, 2 file", true},
		{"both have no weight", "1 weight=0, 2 weight=0", true},
		{"by order both have one", "1 weight=0, 2 weight=0, 1 ordered=1", false},
		{"fewer than two serve", two + ", 1 down", true},
		{"fewer than half of three", "backupbelow.low=50%, backupbelow.high=50%, waiting=1/1, 1 down", true},
		{"one was taken out by hand", two + ", 1 byhand table=0", true},
		{"one climbs", two + ", 1 climbs", true},
		{"one has no result", two + ", 1 unknown", false},
		{"… and the backup server serves", two + ", 1 unknown, backed, 3 table=4", true},
		{"one waits for its first result", two + ", 1 pending", false},
		{"… and the backup server serves", two + ", 1 pending, backed, 3 table=4", true},
		{"one fails, and has another check without a result", two + ", 1 down pending", true},
		{"one has no result, and the other fails", two + ", 1 unknown, 2 down", true},
		{"one serves, of two numbers", "backupbelow=1/2, 1 down", false},
		{"… after none did", "backupbelow=1/2, 1 down, backed, 3 table=4", true},
		{"both serve, after none did", "backupbelow=1/2, backed, 3 table=4", false},
		{"the table has it as a director starts", "backupbelow=1/2, 1 down, 3 table=4, not known", true},
		{"… by hand", "backupbelow=1/2, 1 down, 3 table=4 byhand, not known", false},
		{"… beside enough", "backupbelow=1/2, 3 table=4, not known", false},
		{"… and drains", "backupbelow=1/2, 1 down, 3 table=0, not known", false},
		{"by hand it serves", "backupbelow=1/2, 1 down, 3 table=4", false},
		{"both fail while servers that are back wait for others", "1 down, 2 down, back", true},
		{"both are back, and wait for others", "back", false},
		{"… and the backup server serves", "back, backed, 3 table=4", true},
		{"one is back and waits for another, which has no result", two + ", back, 1 unknown", false},
		{"one has moved, and the new one serves not yet", two + ", 1 moved=2, 2 unknown", true},
		{"… which comes first in the file", two + ", 2 moved=1, 1 unknown", true},
		{"what was found serves", "1 down, 2 down, found=7, 7 table=1", false},
		{"it is not checked", "1 down, 2 down, 3 unchecked", false},
	} {
		c := backedUp()
		c.given(row.given)
		if h := hearRule("backup", c); h.Backed != row.want {
			t.Errorf("%s: the backup server serves: %v", row.what, h.Backed)
		}
	}
}

// The place of a backup server in the table, after all rules.
func TestABackupServerComesAndDrains(t *testing.T) {
	fails := "1 down, 2 down"
	serves := "backed, 3 table=4 entered"
	drains := "3 table=0"
	for _, row := range []struct {
		what  string
		given string
		want  string
	}{
		{"it waits", "", "1:4, 2:4"},
		{"… drained", "3 drained", "1:4, 2:4"},
		{"… quiescent, and fails", "quiescent, 3 down", "1:4, 2:4"},
		{"it takes over", fails, "3:4"},
		{"… with the weight of an order", fails + ", 3 ordered=9", "3:9"},
		{"… not drained", fails + ", 3 drained", "3:0, 9:1"},
		{"… not in maintenance", fails + ", 3 file", "9:1"},
		{"… not without a result", fails + ", 3 unknown", ""},
		{"… not if it fails", fails + ", 3 down", "9:1"},
		{"… not held", fails + ", 3 down held, keepserving=3", "9:1"},
		{"it gives back", serves, "1:4, 2:4, 3:0"},
		{"… quiescent", serves + ", quiescent", "1:4, 2:4, 3:0"},
		{"… and fails", serves + ", 3 down", "1:4, 2:4"},
		{"… and fails, quiescent", serves + ", 3 down, quiescent",
			"1:4, 2:4, 3:0"},
		{"… and has no result", serves + ", 3 unknown", "1:4, 2:4, 3:0"},
		{"… in maintenance", serves + ", 3 file", "1:4, 2:4"},
		{"it drains", drains, "1:4, 2:4, 3:0"},
		{"… and is needed again", drains + ", " + fails, "3:4"},
		{"… and is done", drains + ", leaver=3, over=drained", "1:4, 2:4"},
		{"by hand it has a weight", "3 table=7 byhand", "1:4, 2:4, 3:7"},
		{"… until it gives back", serves + ", 3 table=7 byhand", "1:4, 2:4, 3:0"},
	} {
		c := backedUp()
		c.given("fallback=9")
		c.given(row.given)
		d := Decide(c, noon)
		testkit.Equal(t, placed(&proposal{Decision: Decision{Places: d.Places}}), row.want, row.what)
	}
}

// The guard neither counts nor holds a backup server.
func TestTheGuardDoesNotCountBackupServers(t *testing.T) {
	c := backedUp()
	c.given("keepserving=2, backed, 3 table=4 entered")
	for i := range c.Servers {
		s := &c.Servers[i]
		c.Result(s, &s.First, false, NoAnswer)
	}
	d := Decide(c, noon)
	if got := placed(&proposal{Decision: Decision{Places: d.Places}}); got != "1:4, 2:4" || len(d.Held) != 2 || c.Weighted() != 2 {
		t.Errorf("the table is to have %s, %d servers are held of %d", got, len(d.Held), c.Weighted())
	}
}

// A backup server gets its whole weight at once. Slowstart does not count it among the servers that serve.
func TestABackupServerDoesNotClimb(t *testing.T) {
	c := backedUp()
	c.given("slowstart=60, 3 weight=100, 1 absent not entered")
	if d := Decide(c, noon); !d.State.Servers[2].Climbs.IsZero() || d.State.Servers[0].Climbs.IsZero() || !d.Places[at(1)].Addr.IsValid() {
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
		c := backedUp()
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
		next := backedUp()
		next.DrainTime = drainTime
		next.SendOff(Departure{Addr: at(3), Until: l.Until}, noon)
		if again := next.Departure(at(3)); again == nil || !again.Until.Equal(l.Until) {
			t.Errorf("draintime %v: after a restart it leaves as %+v", drainTime, again)
		}
	}
}

// Draintime begins when the table has weight 0. While the kernel refuses that weight, the connections are not cut.
func TestABackupServerDrainsFromWeight0(t *testing.T) {
	c := backedUp()
	c.given("draintime=60, backed, 3 table=4")
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

func TestAvailableByBackupServers(t *testing.T) {
	for _, row := range []struct {
		what  string
		given string
		up    bool
		known bool
	}{
		{"both serve", "", true, true},
		{"both fail", "1 down, 2 down", true, true},
		{"all fail", "1 down, 2 down, 3 down",
			false, true},
		{"one has no result", "1 unknown, 2 down", false, false},
		{"… and it serves", "1 unknown, 2 down, backed, 3 table=4", true, true},
		{"it has no result", "1 down, 2 down, 3 unknown", false, false},
	} {
		c := backedUp()
		c.given(row.given)
		if up, known := c.Available(); up != row.up || known != row.known {
			t.Errorf("%s: available %v, known %v", row.what, up, known)
		}
	}
}

func TestBackupServersCountForMinservers(t *testing.T) {
	c := backedUp()
	c.given("minservers=1")
	for i, row := range []struct {
		given string
		up    int
	}{
		{"", 2},
		{"1 down, 2 down, 1 table=0, 2 table=0", 0},
		{"backed, 3 table=4", 1},
	} {
		c.given(row.given)
		if c.Weigh(); c.Strength.Up != row.up || c.Strength.Enough != (row.up > 0) {
			t.Errorf("row %d: %+v", i, c.Strength)
		}
	}
}

// After a reload backup servers serve only if they did before and the new file has one. A server that was held is not
// held as a backup server.
func TestAReloadTurnsAServerIntoABackup(t *testing.T) {
	for _, backed := range []bool{false, true} {
		was := backedUp()
		was.Backed = backed
		for _, reserve := range []bool{true, false} {
			now := backedUp()
			now.Members[2].Backup = reserve
			now.Index()
			now.Carry(&was, true, func(i int) int { return i }, func(i, k int) *Check { return was.Servers[i].Check(k) })
			if now.Backed != (backed && reserve) {
				t.Errorf("served: %v, in the new file: %v, serves: %v", backed, reserve, now.Backed)
			}
		}
	}
	held := backedUp()
	held.hold(2)
	held.KeepServing.N = 3
	if d := Decide(held, noon); len(d.Held) > 0 {
		t.Error("a held server that became a backup server is still held")
	}
}
