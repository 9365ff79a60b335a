package orders

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"ldirectord/internal/lvs"
)

// What becomes of the orders that are given after those of the servers a and b, of which that of a ended here.
func TestWhichOrdersAreInForce(t *testing.T) {
	drain, maint := Order{Kind: Drain}, Order{Kind: Maint}
	a, b, c := lvs.At("web", "a"), lvs.At("web", "b"), lvs.At("web", "c")
	for _, row := range []struct {
		what  string
		given All
		want  string // in force; ended, and still given; new; undone
	}{
		{"the same", All{a: drain, b: maint}, "map[b of web:maint] map[a of web:drain] map[] map[]"},
		{"another one for the server whose order ended", All{a: maint, b: maint},
			"map[a of web:maint b of web:maint] map[] map[a of web:maint] map[]"},
		{"without the one that ended", All{b: maint}, "map[b of web:maint] map[] map[] map[]"},
		{"another one", All{a: drain, b: drain},
			"map[b of web:drain] map[a of web:drain] map[b of web:drain] map[]"},
		{"more", All{b: maint, c: drain}, "map[b of web:maint c of web:drain] map[] map[c of web:drain] map[]"},
		{"none", nil, "map[] map[] map[] map[b of web:maint]"},
	} {
		var all Book
		all.Given(All{a: drain, b: maint})
		before := all.Held
		all.End(a)
		given := maps.Clone(row.given)
		begun, undone := all.Given(given)
		if got := fmt.Sprint(all.Held, all.Over, begun, undone); got != row.want || len(before) != 2 {
			t.Errorf("%s: %s, want %s; before %v", row.what, got, row.want, before)
		}
		if all.End(b); !maps.Equal(given, row.given) {
			t.Errorf("%s: what was given is changed: %v", row.what, given)
		}
	}
}

// Orders end by the clock, however it is set, and stay ended.
func TestWhenOrdersEnd(t *testing.T) {
	a, b, c := lvs.At("web", "a"), lvs.At("web", "b"), lvs.At("web", "c")
	drain, maint, noon := Order{Kind: Drain}, Order{Kind: Maint}, time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	ends := map[lvs.Backend]time.Time{a: noon, b: noon.Add(time.Hour)}
	var all Book
	all.Given(All{a: drain, b: maint, c: drain})
	for _, row := range []struct {
		what  string
		clock time.Duration
		over  string
		left  int
		next  time.Time
	}{
		{"before", -time.Second, "map[]", 3, noon},
		{"set back", -24 * time.Hour, "map[]", 3, noon},
		{"at the end of the first", 0, "map[a of web:drain]", 2, ends[b]},
		{"set back after it", -time.Minute, "map[]", 2, ends[b]},
		{"set forward", 48 * time.Hour, "map[b of web:maint]", 1, time.Time{}},
	} {
		maps.DeleteFunc(ends, func(at lvs.Backend, _ time.Time) bool { _, held := all.Held[at]; return !held })
		over, next := all.Expire(ends, noon.Add(row.clock))
		if fmt.Sprint(over) != row.over || len(all.Held) != row.left || !next.Equal(row.next) {
			t.Errorf("%s: over %v, %v left, next %v; want %+v", row.what, over, all.Held, next, row)
		}
	}
}
