package judge

import (
	"testing"
	"time"

	"ldirectord/checker/health"
	"ldirectord/lvs"
)

// backedUp is a section of three servers of weight 4, at 1 to 3. The last one is a backup server, and not in the
// table.
func backedUp() Case {
	c := inService(4, 4, 4)
	c.Members[2].Backup = true
	c.Index()
	c.Have.Remove(at(3))
	c.Servers[2].Entered = false
	return c
}

// reserveServes puts the backup server into service.
func (c *Case) reserveServes() {
	c.Backed = true
	c.has(3, 4)
}

func TestRuleBackup(t *testing.T) {
	below := func(low, high int32) func(c *Case) {
		return func(c *Case) { c.BackupBelow = lvs.LowHigh{Low: lvs.Share{N: low}, High: lvs.Share{N: high}} }
	}
	two := below(2, 2)
	for _, row := range []struct {
		what  string
		given func(*Case)
		want  bool // the backup server serves
	}{
		{"both serve", func(c *Case) {}, false},
		{"one fails", func(c *Case) { c.says(0, health.Down) }, false},
		{"both fail", func(c *Case) { c.says(0, health.Down); c.says(1, health.Down) }, true},
		{"both are held", func(c *Case) { c.hold(0, 1) }, true},
		{"both are drained", func(c *Case) { c.Servers[0].Order.Kind, c.Servers[1].Order.Kind = Drain, Drain }, true},
		{"both are in maintenance", func(c *Case) { c.Servers[0].File, c.Servers[1].File = true, true }, true},
		{"both have no weight", func(c *Case) { c.Members[0].Dest.Weight, c.Members[1].Dest.Weight = 0, 0 }, true},
		{"by order both have one", func(c *Case) {
			c.Members[0].Dest.Weight, c.Members[1].Dest.Weight = 0, 0
			c.Servers[0].Order = Order{Weigh, 1}
		}, false},
		{"fewer than two serve", func(c *Case) { two(c); c.says(0, health.Down) }, true},
		{"fewer than half of three", func(c *Case) {
			c.BackupBelow.Low, c.BackupBelow.High = lvs.Share{N: 50, Percent: true}, lvs.Share{N: 50, Percent: true}
			c.Waiting = []uint32{1, 1}
			c.says(0, health.Down)
		}, true},
		{"one was taken out by hand", func(c *Case) { two(c); c.byHand(1); c.has(1, 0) }, true},
		{"one climbs", func(c *Case) { two(c); c.Servers[0].Climbs = noon }, true},
		{"one has no result", func(c *Case) { two(c); c.says(0, health.Unknown) }, false},
		{"… and the backup server serves", func(c *Case) { two(c); c.says(0, health.Unknown); c.reserveServes() }, true},
		{"one waits for its first result", func(c *Case) { two(c); c.Servers[0].First.Pending = true }, false},
		{"… and the backup server serves", func(c *Case) {
			two(c)
			c.Servers[0].First.Pending = true
			c.reserveServes()
		}, true},
		{"one fails, and has another check without a result", func(c *Case) {
			two(c)
			c.says(0, health.Down)
			c.Servers[0].First.Pending = true
		}, true},
		{"one has no result, and the other fails", func(c *Case) {
			two(c)
			c.says(0, health.Unknown)
			c.says(1, health.Down)
		}, true},
		{"one serves, of two numbers", func(c *Case) { below(1, 2)(c); c.says(0, health.Down) }, false},
		{"… after none did", func(c *Case) { below(1, 2)(c); c.says(0, health.Down); c.reserveServes() }, true},
		{"both serve, after none did", func(c *Case) { below(1, 2)(c); c.reserveServes() }, false},
		{"the table has it as a director starts", func(c *Case) {
			below(1, 2)(c)
			c.says(0, health.Down)
			c.has(3, 4)
			c.Known = false
		}, true},
		{"… by hand", func(c *Case) {
			below(1, 2)(c)
			c.says(0, health.Down)
			c.has(3, 4)
			c.byHand(3)
			c.Known = false
		}, false},
		{"… beside enough", func(c *Case) { below(1, 2)(c); c.has(3, 4); c.Known = false }, false},
		{"… and drains", func(c *Case) { below(1, 2)(c); c.says(0, health.Down); c.has(3, 0); c.Known = false }, false},
		{"by hand it serves", func(c *Case) { below(1, 2)(c); c.says(0, health.Down); c.has(3, 4) }, false},
		{"both fail while servers that are back wait for others", func(c *Case) {
			c.says(0, health.Down)
			c.says(1, health.Down)
			c.Back = noon
		}, true},
		{"both are back, and wait for others", func(c *Case) { c.Back = noon }, false},
		{"… and the backup server serves", func(c *Case) { c.Back = noon; c.reserveServes() }, true},
		{"one is back and waits for another, which has no result", func(c *Case) {
			two(c)
			c.Back = noon
			c.says(0, health.Unknown)
		}, false},
		{"one has moved, and the new one serves not yet", func(c *Case) {
			two(c)
			c.Members[0].MovedTo = 1
			c.says(1, health.Unknown)
		}, true},
		{"… which comes first in the file", func(c *Case) {
			two(c)
			c.Members[1].MovedTo = 0
			c.says(0, health.Unknown)
		}, true},
		{"what was found serves", func(c *Case) {
			c.says(0, health.Down)
			c.says(1, health.Down)
			c.Found = map[addrPort]bool{at(7): true}
			c.has(7, 1)
		}, false},
		{"it is not checked", func(c *Case) {
			c.says(0, health.Down)
			c.says(1, health.Down)
			c.Members[2].Unchecked = true
			c.Index()
		}, false},
	} {
		c := backedUp()
		row.given(&c)
		if h := hearRule("backup", c); h.Backed != row.want {
			t.Errorf("%s: the backup server serves: %v", row.what, h.Backed)
		}
	}
}

// The place of a backup server in the table, after all rules.
func TestABackupServerComesAndDrains(t *testing.T) {
	fails := func(c *Case) { c.says(0, health.Down); c.says(1, health.Down) }
	serves := func(c *Case) { c.reserveServes(); c.Servers[2].Entered = true }
	drains := func(c *Case) { c.has(3, 0) }
	for _, row := range []struct {
		what  string
		given func(*Case)
		want  string
	}{
		{"it waits", func(c *Case) {}, "1:4, 2:4"},
		{"… drained", func(c *Case) { c.Servers[2].Order.Kind = Drain }, "1:4, 2:4"},
		{"… quiescent, and fails", func(c *Case) { c.Quiescent = true; c.says(2, health.Down) }, "1:4, 2:4"},
		{"it takes over", fails, "3:4"},
		{"… with the weight of an order", func(c *Case) { fails(c); c.Servers[2].Order = Order{Weigh, 9} }, "3:9"},
		{"… not drained", func(c *Case) { fails(c); c.Servers[2].Order.Kind = Drain }, "3:0, 9:1"},
		{"… not in maintenance", func(c *Case) { fails(c); c.Servers[2].File = true }, "9:1"},
		{"… not without a result", func(c *Case) { fails(c); c.says(2, health.Unknown) }, ""},
		{"… not if it fails", func(c *Case) { fails(c); c.says(2, health.Down) }, "9:1"},
		{"… not held", func(c *Case) { fails(c); c.hold(2); c.KeepServing.N = 3 }, "9:1"},
		{"it gives back", serves, "1:4, 2:4, 3:0"},
		{"… quiescent", func(c *Case) { serves(c); c.Quiescent = true }, "1:4, 2:4, 3:0"},
		{"… and fails", func(c *Case) { serves(c); c.says(2, health.Down) }, "1:4, 2:4"},
		{"… and fails, quiescent", func(c *Case) { serves(c); c.says(2, health.Down); c.Quiescent = true },
			"1:4, 2:4, 3:0"},
		{"… and has no result", func(c *Case) { serves(c); c.says(2, health.Unknown) }, "1:4, 2:4, 3:0"},
		{"… in maintenance", func(c *Case) { serves(c); c.Servers[2].File = true }, "1:4, 2:4"},
		{"it drains", drains, "1:4, 2:4, 3:0"},
		{"… and is needed again", func(c *Case) { drains(c); fails(c) }, "3:4"},
		{"… and is done", func(c *Case) {
			drains(c)
			c.Leavers = []Leaver{{Addr: at(3), Over: Drained}}
		}, "1:4, 2:4"},
		{"by hand it has a weight", func(c *Case) { c.has(3, 7); c.byHand(3) }, "1:4, 2:4, 3:7"},
		{"… until it gives back", func(c *Case) { serves(c); c.has(3, 7); c.byHand(3) }, "1:4, 2:4, 3:0"},
	} {
		c := backedUp()
		c.Fallbacks = fallbackAt(9)
		row.given(&c)
		d := Decide(c, noon)
		if got := placed(&hearing{Decision: Decision{Places: d.Places}}); got != row.want {
			t.Errorf("%s: %s, want %s", row.what, got, row.want)
		}
	}
}

// The guard neither counts nor holds a backup server.
func TestTheGuardDoesNotCountBackupServers(t *testing.T) {
	c := backedUp()
	c.KeepServing = lvs.Share{N: 2}
	c.reserveServes()
	c.Servers[2].Entered = true
	for i := range c.Servers {
		s := &c.Servers[i]
		c.Result(s, &s.First, false, NoAnswer)
	}
	d := Decide(c, noon)
	if got := placed(&hearing{Decision: Decision{Places: d.Places}}); got != "1:4, 2:4" || len(d.Held) != 2 || c.Weighted() != 2 {
		t.Errorf("the table is to have %s, %d servers are held of %d", got, len(d.Held), c.Weighted())
	}
}

// A backup server gets its whole weight at once. Slowstart does not count it among the servers that serve.
func TestABackupServerDoesNotClimb(t *testing.T) {
	c := backedUp()
	c.SlowStart, c.Members[2].Dest.Weight = time.Minute, 100
	c.Have.Remove(at(1))
	c.Servers[0].Entered = false
	if d := Decide(c, noon); !d.State.Servers[2].Climbs.IsZero() || d.State.Servers[0].Climbs.IsZero() || !d.Places[at(1)].Addr.IsValid() {
		t.Errorf("the unused backup server climbs, or the returned server does not: %+v", d.Places)
	}
	c.says(0, health.Down)
	c.BackupBelow.Low = lvs.Share{N: 2}
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
		c.has(3, 4)
		c.reserveServes()
		d := Decide(c, noon)
		c.State = d.State
		c.Wrote(lvs.DestsOf(d.Places))
		l := c.Leaver(at(3))
		if l == nil || l.Until.IsZero() != (drainTime == 0) {
			t.Fatalf("draintime %v: it drains as %+v", drainTime, l)
		}
		if late := c.Looked(l, false, noon.Add(time.Hour)); late != (drainTime > 0) {
			t.Errorf("draintime %v: still connected after an hour, it is removed: %v", drainTime, late)
		}
		l.Over = Stays
		if c.Looked(l, true, noon) || !c.Looked(l, true, noon) {
			t.Error("without connections it is not removed at the second look")
		}
		next := backedUp()
		next.DrainTime = drainTime
		next.SendOff(Leaver{Addr: at(3), Until: l.Until}, noon)
		if again := next.Leaver(at(3)); again == nil || !again.Until.Equal(l.Until) {
			t.Errorf("draintime %v: after a restart it leaves as %+v", drainTime, again)
		}
	}
}

// Draintime begins when the table has weight 0. While the kernel refuses that weight, the connections are not cut.
func TestABackupServerDrainsFromWeight0(t *testing.T) {
	c := backedUp()
	c.DrainTime = time.Minute
	c.reserveServes()
	c.State = Decide(c, noon).State // the kernel refuses this decision's change
	c.Leaver(at(3)).Name = "web"
	later := noon.Add(time.Hour)
	c.Looked(c.Leaver(at(3)), false, later)
	d := Decide(c, later)
	if place, in := d.Places[at(3)]; !in || place.Weight > 0 {
		t.Errorf("its place is %v, in the table: %v; want weight 0, in the table", place, in)
	}
	if l := d.State.Leaver(at(3)); l == nil || l.Name != "web" || !l.Until.Equal(later.Add(time.Minute)) {
		t.Errorf("it drains as %+v", l)
	}
}

func TestAvailableByBackupServers(t *testing.T) {
	for _, row := range []struct {
		what  string
		given func(*Case)
		up    bool
		known bool
	}{
		{"both serve", func(c *Case) {}, true, true},
		{"both fail", func(c *Case) { c.says(0, health.Down); c.says(1, health.Down) }, true, true},
		{"all fail", func(c *Case) { c.says(0, health.Down); c.says(1, health.Down); c.says(2, health.Down) },
			false, true},
		{"one has no result", func(c *Case) { c.says(0, health.Unknown); c.says(1, health.Down) }, false, false},
		{"… and it serves", func(c *Case) {
			c.says(0, health.Unknown)
			c.says(1, health.Down)
			c.reserveServes()
		}, true, true},
		{"it has no result", func(c *Case) {
			c.says(0, health.Down)
			c.says(1, health.Down)
			c.says(2, health.Unknown)
		}, false, false},
	} {
		c := backedUp()
		row.given(&c)
		if up, known := c.Available(); up != row.up || known != row.known {
			t.Errorf("%s: available %v, known %v", row.what, up, known)
		}
	}
}

func TestBackupServersCountForMinservers(t *testing.T) {
	c := backedUp()
	c.MinServers = lvs.LowHigh{Low: lvs.Share{N: 1}, High: lvs.Share{N: 1}}
	for i, row := range []struct {
		given func(*Case)
		up    int
	}{
		{func(c *Case) {}, 2},
		{func(c *Case) { c.says(0, health.Down); c.says(1, health.Down); c.has(1, 0); c.has(2, 0) }, 0},
		{func(c *Case) { c.reserveServes() }, 1},
	} {
		row.given(&c)
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
