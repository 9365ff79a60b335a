package judge

import (
	"fmt"
	"testing"

	"ldirectord/internal/testkit"
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
	fallen := "1 fallen falls=3 turn=20s"
	for _, row := range []struct {
		what  string
		given string
		want  []string
	}{
		{"it serves", "", nil},
		{"it fails", "1 down", nil},
		{"pace", fallen + ", 1 until=5s, pace=1/10", []string{"pace: waits another 5s for its turn: pace = 1/10s"}},
		{"a turn that is over", fallen + ", 1 until=-5s, pace=1/10", []string{"pace: waits another 0s for its turn: pace = 1/10s"}},
		{"holddown", fallen + ", 1 fellfirst=-90s",
			[]string{"holddown: held down for another 20s: failed 3 times in 1m30s"}},
		{"holddown, while it fails", fallen + ", 1 down", nil},
		{"observe", fallen + ", 1 suspect suspects=1",
			[]string{"observe: held down for another 20s: its clients got no answers"}},
		{"observe, again", fallen + ", 1 suspect suspects=2",
			[]string{"observe: held down for another 20s: its clients got no answers, 2 times in a row"}},
		{"observe, until an order", fallen + ", 1 suspect suspects=3",
			[]string{"observe: held down until an order (set … ready): its clients got no answers, 3 times in a row"}},
		{"onfail = keep", "onfail=keep, 1 down table=0",
			[]string{"onfail: failed: weight 0 while it fails (onfail = keep)"}},
		{"onfail = cut, and it has not passed", "onfail=cut, 1 down table=0", []string{
			"onfail: failed: weight 0: its check has not passed since the start, or since a reload changed it (onfail = cut)"}},
		{"onfail = cut, out of the table", "onfail=cut, 1 down table=0 absent",
			[]string{"onfail: failed: not in the table until it passes (onfail = cut)"}},
		{"onfail with a time", "onfail=30, 1 down table=0 failed=-10s", []string{"onfail: failed: weight 0 for another 20s, then it is removed (onfail = 30s)"}},
		{"onfail with a time, drained", "onfail=30, 1 down table=0 drained", []string{"onfail: failed: weight 0 while it is drained (onfail = 30s)"}},
		{"onfail, and it waits", fallen + ", onfail=30, 1 failed=-10s fellfirst=-10s table=0", []string{"holddown: held down for another 20s: failed 3 times in 10s", "onfail: removed in 20s (onfail = 30s)"}},
		{"onfail, and it waits out of the table", fallen + ", onfail=30, 1 failed=-10s fellfirst=-10s absent", []string{"holddown: held down for another 20s: failed 3 times in 10s"}},
		{"onfail, and the table is unknown", "onfail=keep, 1 down table=0, not known", nil},
		{"onfail, and it was changed by hand", "onfail=keep, 1 down table=0 byhand", nil},
		{"onfail, in maintenance", "onfail=keep, 1 down table=0 file", nil},
		{"paceout", "1 down held until=7s, paceout=1/10", []string{"paceout: held for another 7s: paceout = 1/10s"}},
		{"held", "1 down held", []string{"held: held"}},
		{"held and drained", "1 down held drained", nil},
		{"moved", "1 moved=2", []string{"moved: its name has a new address; this server " +
			"serves until it fails, or until the one at the new address is up"}},
		{"moved to the first place", "1 moved=1", []string{"moved: its name has a new " +
			"address; this server serves until it fails, or until the one at the new address is up"}},
		{"a backup server that is needed", "1 backup, backed",
			[]string{"backup: backup, needed: 1 of 1 real servers serve"}},
		{"one that drains", "1 backup",
			[]string{"backup: backup, drains: 1 of 1 real servers serve"}},
		{"one that waits", "1 backup absent",
			[]string{"backup: backup, waits: 1 of 1 real servers serve"}},
		{"no weight", "1 weight=0",
			[]string{"weightless: weight 0 in the file: it gets no new clients"}},
		{"no weight, and it fails", "1 weight=0 down", nil},
		{"slowstart", "slowstart=40, 1 climbs=-10s",
			[]string{"slowstart: 25 % after 10 s of slowstart 40"}},
		{"slowstart at its end", "slowstart=40, 1 climbs=-40s", nil},
	} {
		c := inService(4, 4)
		c.given(row.given)
		testkit.Same(t, said(c.Seen(&c.Servers[0], noon)), row.want, row.what)
	}
}

// A condition is reported when it begins, when it begins once more, and when it ends.
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
	falls := func(n int) string {
		return fmt.Sprintf("1 fallen falls=%d fellfirst=0s turn=20s down", n)
	}
	suspects := func(n int) string { return falls(n) + fmt.Sprint(" suspect suspects=", n) }
	climbs := "1 climbs"
	nothing := ""
	for _, row := range []struct {
		what    string
		was, is string
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
		{"it fails while it climbs", climbs, "1 down", []Notice{{}}},
		{"it is changed by hand while it climbs", climbs, "1 byhand", []Notice{{}}},
		{"it is held while it climbs", climbs, "1 held", []Notice{{}}},
	} {
		was, is := inService(4, 4), inService(4, 4)
		was.given(row.was)
		is.given(row.is)
		testkit.Same(t, tells(false, was, is), row.want, row.what)
	}
	was, is := inService(4, 4), inService(4, 4)
	is.given("backed")
	testkit.Same(t, tells(true, was, is),
		[]Notice{{"backup-serves", "Backup servers take over", ": 2 of 2 real servers serve"}})
	testkit.Same(t, tells(true, is, was),
		[]Notice{{"backup-rests", "Backup servers are no longer needed", ": 2 of 2 real servers serve"}})
}

// Time changes the weight of a server while it climbs.
func TestWhoseWeightMoves(t *testing.T) {
	c := inService(4, 4)
	c.given("slowstart=40, 1 climbs")
	for i, want := range []bool{true, false} {
		testkit.Equal(t, c.Seen(&c.Servers[i], noon).Moves(), want, "the weight of server", i+1, "moves")
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
	testkit.Equal(t, (Broken + 1).String(), "broken", "a level above all")
}
