package orders

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
)

// What becomes of the orders that are given after those of the servers a and b, of which that of a ended here.
func TestWhichOrdersAreInForce(t *testing.T) {
	for _, row := range testkit.Table(t, "testdata/book.txt", 6) {
		var all Book
		all.Given(ordersOf("a:drain b:maint"))
		before := all.Held
		all.End(lvs.At("web", "a"))
		given := ordersOf(row[1])
		begun, undone := all.Given(given)
		for i, got := range []All{all.Held, all.Over, begun, undone} {
			testkit.Same(t, got, ordersOf(row[2+i]), row)
		}
		all.End(lvs.At("web", "b"))
		testkit.Same(t, given, ordersOf(row[1]), row, "what was given")
		testkit.Equal(t, len(before), 2, row, "before")
	}
}

// ordersOf are the orders of a cell: a:drain b:maint.
func ordersOf(cell string) All {
	all := All{}
	for word := range strings.FieldsSeq(cell) {
		server, kind, _ := strings.Cut(word, ":")
		all[lvs.At("web", server)] = Order{Kind: Kind(kind)}
	}
	return all
}

// Orders end by the clock, however it is set, and stay ended.
func TestWhenOrdersEnd(t *testing.T) {
	a, b, noon := lvs.At("web", "a"), lvs.At("web", "b"), time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	ends := map[lvs.Backend]time.Time{a: noon, b: noon.Add(time.Hour)}
	var all Book
	all.Given(ordersOf("a:drain b:maint c:drain"))
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
