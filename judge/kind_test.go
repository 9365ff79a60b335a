package judge

import (
	"slices"
	"testing"
	"time"

	"ldirectord/checker/health"
	"ldirectord/lvs"
)

// said are the sentences of all kinds about a server.
func said(v View) (all []string) {
	for i := range Kinds {
		if k := &Kinds[i]; k.Says != nil && k.Says(v) != "" {
			all = append(all, k.Name+": "+k.Says(v))
		}
	}
	return all
}

// Each kind says what an operator needs to know, and nothing while it does not hold.
func TestWhatKindsSay(t *testing.T) {
	in := func(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }
	fallen := func(c *Case) { c.Servers[0].Fallen, c.Servers[0].Falls, c.Servers[0].Turn = true, 3, in(20) }
	suspect := func(c *Case, n uint8) {
		fallen(c)
		c.Servers[0].Suspect, c.Servers[0].Suspects = true, n
	}
	failing := func(c *Case, o lvs.OnFail) {
		c.OnFail = o
		c.says(0, health.Down)
		c.has(1, 0)
	}
	for _, row := range []struct {
		what  string
		given func(*Case)
		want  []string
	}{
		{"it serves", func(*Case) {}, nil},
		{"it fails", func(c *Case) { c.says(0, health.Down) }, nil},
		{"pace", func(c *Case) {
			fallen(c)
			c.Servers[0].Until, c.Pace = in(5), lvs.Pace{Share: lvs.Share{N: 1}, Every: 10 * time.Second}
		}, []string{"pace: waits another 5s for its turn: pace = 1/10s"}},
		{"a turn that is over", func(c *Case) {
			fallen(c)
			c.Servers[0].Until, c.Pace = in(-5), lvs.Pace{Share: lvs.Share{N: 1}, Every: 10 * time.Second}
		}, []string{"pace: waits another 0s for its turn: pace = 1/10s"}},
		{"holddown", func(c *Case) { fallen(c); c.Servers[0].FellFirst = uint32(in(-90).Unix()) },
			[]string{"holddown: held down for another 20s: failed 3 times in 1m30s"}},
		{"holddown, while it fails", func(c *Case) { fallen(c); c.says(0, health.Down) }, nil},
		{"observe", func(c *Case) { suspect(c, 1) },
			[]string{"observe: held down for another 20s: its clients got no answers"}},
		{"observe, again", func(c *Case) { suspect(c, 2) },
			[]string{"observe: held down for another 20s: its clients got no answers, 2 times in a row"}},
		{"observe, until an order", func(c *Case) { suspect(c, 3) },
			[]string{"observe: held down until an order (set … ready): its clients got no answers, 3 times in a row"}},
		{"onfail = keep", func(c *Case) { failing(c, lvs.Keep) },
			[]string{"onfail: failed: weight 0 while it fails (onfail = keep)"}},
		{"onfail = cut, and it has not passed", func(c *Case) { failing(c, lvs.Cut) }, []string{
			"onfail: failed: weight 0: its check has not passed since the start, or since a reload changed it (onfail = cut)"}},
		{"onfail = cut, out of the table", func(c *Case) { failing(c, lvs.Cut); c.Have.Remove(at(1)) },
			[]string{"onfail: failed: not in the table until it passes (onfail = cut)"}},
		{"onfail with a time", func(c *Case) {
			failing(c, lvs.OnFail(30*time.Second))
			c.Servers[0].Failed = in(-10)
		}, []string{"onfail: failed: weight 0 for another 20s, then it is removed (onfail = 30s)"}},
		{"onfail with a time, drained", func(c *Case) {
			failing(c, lvs.OnFail(30*time.Second))
			c.Servers[0].Order.Kind = Drain
		}, []string{"onfail: failed: weight 0 while it is drained (onfail = 30s)"}},
		{"onfail, and it waits", func(c *Case) {
			fallen(c)
			c.OnFail, c.Servers[0].Failed = lvs.OnFail(30*time.Second), in(-10)
			c.Servers[0].FellFirst = uint32(in(-10).Unix())
			c.has(1, 0)
		}, []string{"holddown: held down for another 20s: failed 3 times in 10s", "onfail: removed in 20s (onfail = 30s)"}},
		{"onfail, and it waits out of the table", func(c *Case) {
			fallen(c)
			c.OnFail, c.Servers[0].Failed = lvs.OnFail(30*time.Second), in(-10)
			c.Servers[0].FellFirst = uint32(in(-10).Unix())
			c.Have.Remove(at(1))
		}, []string{"holddown: held down for another 20s: failed 3 times in 10s"}},
		{"onfail, and the table is unknown", func(c *Case) { failing(c, lvs.Keep); c.Known = false }, nil},
		{"onfail, and it was changed by hand", func(c *Case) { failing(c, lvs.Keep); c.byHand(1) }, nil},
		{"onfail, in maintenance", func(c *Case) { failing(c, lvs.Keep); c.Servers[0].File = true }, nil},
		{"paceout", func(c *Case) {
			c.says(0, health.Down)
			c.Servers[0].Held, c.Servers[0].Until = true, in(7)
			c.PaceOut = lvs.Pace{Share: lvs.Share{N: 1}, Every: 10 * time.Second}
		}, []string{"paceout: held for another 7s: paceout = 1/10s"}},
		{"held", func(c *Case) { c.says(0, health.Down); c.Servers[0].Held = true }, []string{"held: held"}},
		{"held and drained", func(c *Case) {
			c.says(0, health.Down)
			c.Servers[0].Held, c.Servers[0].Order.Kind = true, Drain
		}, nil},
		{"moved", func(c *Case) { c.Members[0].MovedTo = 1 }, []string{"moved: its name has a new address; this server " +
			"serves until it fails, or until the one at the new address is up"}},
		{"moved to the first place", func(c *Case) { c.Members[0].MovedTo = 0 }, []string{"moved: its name has a new " +
			"address; this server serves until it fails, or until the one at the new address is up"}},
		{"a backup server that is needed", func(c *Case) { c.Members[0].Backup, c.Backed = true, true },
			[]string{"backup: backup, needed: 1 of 1 real servers serve"}},
		{"one that drains", func(c *Case) { c.Members[0].Backup = true },
			[]string{"backup: backup, drains: 1 of 1 real servers serve"}},
		{"one that waits", func(c *Case) { c.Members[0].Backup = true; c.Have.Remove(at(1)) },
			[]string{"backup: backup, waits: 1 of 1 real servers serve"}},
		{"no weight", func(c *Case) { c.Members[0].Dest.Weight = 0 },
			[]string{"weightless: weight 0 in the file: it gets no new clients"}},
		{"no weight, and it fails", func(c *Case) { c.Members[0].Dest.Weight = 0; c.says(0, health.Down) }, nil},
		{"slowstart", func(c *Case) { c.SlowStart, c.Servers[0].Climbs = 40*time.Second, in(-10) },
			[]string{"slowstart: 25 % after 10 s of slowstart 40"}},
		{"slowstart at its end", func(c *Case) { c.SlowStart, c.Servers[0].Climbs = 40*time.Second, in(-40) }, nil},
	} {
		c := inService(4, 4)
		row.given(&c)
		if got := said(c.Seen(&c.Servers[0], noon)); !slices.Equal(got, row.want) {
			t.Errorf("%s: %q, want %q", row.what, got, row.want)
		}
	}
}

// A condition is told when it begins, when it begins once more, and when it ends.
func TestWhatKindsTell(t *testing.T) {
	tells := func(section bool, was, is Case) (all []Notice) {
		before, now := was.Seen(&was.Servers[0], noon), is.Seen(&is.Servers[0], noon)
		for i := range Kinds {
			k := &Kinds[i]
			if k.Count == nil || k.OfSection != section {
				continue
			}
			switch n, m := k.Count(before), k.Count(now); {
			case m > n:
				all = append(all, k.Begins(now))
			case m == 0 && n > 0 && k.Ends != nil:
				all = append(all, k.Ends(now))
			}
		}
		return all
	}
	falls := func(n uint8) func(*Case) {
		return func(c *Case) {
			s := &c.Servers[0]
			s.Fallen, s.Falls, s.FellFirst, s.Turn = true, n, uint32(noon.Unix()), noon.Add(20*time.Second)
			c.says(0, health.Down)
		}
	}
	suspects := func(n uint8) func(*Case) {
		return func(c *Case) { falls(n)(c); c.Servers[0].Suspect, c.Servers[0].Suspects = true, n }
	}
	climbs := func(c *Case) { c.Servers[0].Climbs = noon }
	backed := func(c *Case) { c.Backed = true }
	nothing := func(*Case) {}
	for _, row := range []struct {
		what    string
		was, is func(*Case)
		want    []Notice
	}{
		{"nothing", nothing, nothing, nil},
		{"the first failure", nothing, falls(1), nil},
		{"the second", falls(1), falls(2), []Notice{{"held-down", "Held down for 20s", ": failed 2 times in 0s"}}},
		{"the third", falls(2), falls(3), []Notice{{"held-down", "Held down for 20s", ": failed 3 times in 0s"}}},
		{"the same", falls(3), falls(3), nil},
		{"it comes back", falls(3), nothing, nil},
		{"left out", nothing, suspects(1), []Notice{{"held-down", "Held down for 20s", ": its clients got no answers"}}},
		{"left out until an order", nothing, suspects(3), []Notice{{"held-down", "Held down until an order (set … ready)",
			": its clients got no answers, 3 times in a row"}}},
		{"it climbs", nothing, climbs, []Notice{{"climbs", "Weight starts to rise to 4 (slowstart)", ""}}},
		{"it climbs on", climbs, climbs, nil},
		{"it has climbed", climbs, nothing, []Notice{{"climbed", "Full weight reached", ": 4"}}},
		{"it fails while it climbs", climbs, func(c *Case) { c.says(0, health.Down) }, []Notice{{}}},
		{"it is changed by hand while it climbs", climbs, func(c *Case) { c.byHand(1) }, []Notice{{}}},
		{"it is held while it climbs", climbs, func(c *Case) { c.Servers[0].Held = true }, []Notice{{}}},
	} {
		was, is := inService(4, 4), inService(4, 4)
		row.was(&was)
		row.is(&is)
		if got := tells(false, was, is); !slices.Equal(got, row.want) {
			t.Errorf("%s: %q, want %q", row.what, got, row.want)
		}
	}
	was, is := inService(4, 4), inService(4, 4)
	backed(&is)
	if got := tells(true, was, is); !slices.Equal(got, []Notice{{"backup-serves", "Backup servers take over", ": 2 of 2 real servers serve"}}) {
		t.Errorf("%q", got)
	}
	if got := tells(true, is, was); !slices.Equal(got, []Notice{{"backup-rests", "Backup servers are no longer needed", ": 2 of 2 real servers serve"}}) {
		t.Errorf("%q", got)
	}
}

// Time changes the weight of a server while it climbs.
func TestWhoseWeightMoves(t *testing.T) {
	c := inService(4, 4)
	c.SlowStart, c.Servers[0].Climbs = 40*time.Second, noon
	for i, want := range []bool{true, false} {
		if got := c.Seen(&c.Servers[i], noon).Moves(); got != want {
			t.Errorf("the weight of server %d moves: %v", i+1, got)
		}
	}
}

// A level has a name in JSON; one of another version attracts attention.
func TestTroubleHasAName(t *testing.T) {
	for level := Fine; level <= Broken; level++ {
		text, _ := level.MarshalText()
		var back Trouble
		if err := back.UnmarshalText(text); err != nil || back != level {
			t.Errorf("%v is %v after %q", level, back, text)
		}
	}
	var other Trouble
	if _ = other.UnmarshalText([]byte("severe")); other != Noted {
		t.Errorf("an unknown level is %v", other)
	}
	if got := (Broken + 1).String(); got != "broken" {
		t.Errorf("a level above all is %s", got)
	}
}
