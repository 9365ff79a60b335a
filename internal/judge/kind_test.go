package judge

import (
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

// A condition is reported when it begins, when it begins once more, and when it ends.
func TestWhatKindsTell(t *testing.T) {
	for _, row := range testkit.Table(t, "../../testdata/judge/told.txt", 4) {
		was, is := sectionWith(row[1]), sectionWith(row[2])
		before, now := was.Seen(&was.Servers[0], noon), is.Seen(&is.Servers[0], noon)
		var all []string
		add := func(n Notice) { all = append(all, n.Event+": "+n.What+" …"+n.More) }
		for _, k := range Kinds {
			if k.Count == nil {
				continue
			}
			switch n, m := k.Count(before), k.Count(now); {
			case m > n:
				add(k.Begins(now))
			case m == 0 && n > 0 && k.Ends != nil:
				add(k.Ends(now))
			}
		}
		testkit.Equal(t, strings.Join(all, " / "), row[3], row[0])
	}
}

// A level has a name in JSON; one of another version attracts attention.
func TestTroubleHasAName(t *testing.T) {
	for level := Fine; level <= Broken; level++ {
		text, _ := level.MarshalText()
		var back Trouble
		testkit.OK(t, back.UnmarshalText(text))
		testkit.Equal(t, back, level, "after", string(text))
	}
	var other Trouble
	_ = other.UnmarshalText([]byte("severe"))
	testkit.Equal(t, other, Noted, "an unknown level")
}
