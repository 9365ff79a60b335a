package status

import (
	"strings"
	"testing"
	"time"

	"ldirectord/internal/lvs"
	"ldirectord/internal/orders"
	"ldirectord/internal/testkit"
)

// All times of a text are the director's, as those in its own texts. The zone is named to readers in another.
func TestTimesAreInTheDirectorsZone(t *testing.T) {
	inUTC(t)
	now := time.Date(2026, 11, 27, 23, 30, 0, 0, time.UTC)
	at := now.Add(-90 * time.Minute)
	order := orders.Order{Kind: orders.Maint, From: at, Until: at}
	lost := orders.Entry{Backend: lvs.Backend{Real: "10.2.0.1:80"}, Order: order, Lost: true}
	for _, row := range testkit.Table(t, testdata+"zones.txt", 5) {
		zone := Zone(row[0])
		r := &Report{Time: now, Zone: zone, Checks: &Checks{}, Orders: []orders.Entry{lost},
			Last: []Failure{{Text: "Added", At: at}}}
		testkit.Contains(t, shown(t, r), row[1]+"\nan order", row)
		testkit.Contains(t, r.Remarks()[0], "maint from "+row[2]+" until "+row[2], row)
		testkit.Contains(t, shown(t, r), "\n  "+row[3]+" ", row)
		s := &Screen{Plain: true}
		s.Take(r, nil)
		testkit.Contains(t, s.Draw(at, 80, 24), row[4], row)
		w := &Why{Time: now, Zone: zone, Started: at, Servers: []Case{{Server: Server{Since: at},
			History: []Entry{{First: at, Last: at}}}}}
		testkit.Equal(t, strings.Count(explained(t, w), row[2]), 2, row)
		testkit.Contains(t, explained(t, w), row[3], row)
	}
}
