package judge

import (
	"fmt"
	"strings"
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
	for _, row := range testkit.Table(t, "../../testdata/judge/kinds.txt", 3) {
		c := inService(4, 4)
		c.given(row[1])
		testkit.Equal(t, strings.Join(said(c.Seen(&c.Servers[0], noon)), " / "), row[2], row[0])
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
		{"the second", falls(1), falls(2),
			[]Notice{{"held-down", "Held down for 20s", ": failed 2 times in 0s"}}},
		{"the third", falls(2), falls(3), []Notice{
			{"held-down", "Held down for 20s", ": failed 3 times in 0s"}}},
		{"the same", falls(3), falls(3), nil},
		{"it comes back", falls(3), nothing, nil},
		{"left out", nothing, suspects(1),
			[]Notice{{"held-down", "Held down for 20s", ": its clients got no answers"}}},
		{"left out until an order", nothing, suspects(3),
			[]Notice{{"held-down", "Held down until an order (set … ready)",
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
