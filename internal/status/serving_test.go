package status

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/internal/core"
	"ldirectord/internal/director"
	"ldirectord/internal/lvs"
	"ldirectord/internal/orders"
	"ldirectord/internal/testkit"
	"ldirectord/ipvsctl"
)

// Where no destination of the table has a weight, clients get nothing, and every output says so, whatever the checks
// find; where one has, none does. A fallback server passes or fails only where it is checked.
func TestWhatIsSaidOfServices(t *testing.T) {
	inUTC(t)
	var all strings.Builder
	for _, row := range testkit.Table(t, testdata+"services.txt", 4) {
		fmt.Fprintf(&all, "==== %s\n", row[0])
		var given orders.All
		if row[2] != "" {
			order := orders.Order{Kind: orders.Kind(strings.Fields(row[2])[0]), By: "root", Weight: 5}
			if strings.HasSuffix(row[2], "an hour ago") {
				order.Since = testkit.Time("1999-12-31T23:00:00Z")
			}
			given = orders.All{{Virtual: "tcp:192.0.2.10:80", Real: "192.0.2.21:80"}: order}
		}
		tell(t, &all, strings.ReplaceAll(row[1], "; ", "\n\t"), given, row[3] != "")
	}
	golden(t, "services", all.String())
}

// told are the metrics of a virtual service and its fallback.
var told = regexp.MustCompile(`(?m)^ldirectord_(virtual_serving|fallback_up)\{.*`)

// tell writes what each output says of the only virtual service of a file after ten seconds. The table must agree with
// that.
func tell(t *testing.T, all io.Writer, config string, given orders.All, standby bool) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		table := ipvsctl.NewMemory(nil)
		d := director.New(director.Deps{Table: table, World: core.World{Orders: given, Standby: standby}})
		ctx, stop := running(t, d,
			[]byte("checkinterval = 1\nvirtual = 192.0.2.10:80\n\tchecktype = connect\n\t"+config))
		time.Sleep(10 * time.Second)
		now, err := d.Snapshot(ctx)
		past, err2 := d.Why(ctx, "", "")
		have, err3 := table.Read(ctx)
		testkit.OK(t, errors.Join(err, err2, err3))
		report := NewReport(now, process())
		lacking := testkit.Must(d.Lacking(ctx))(t)
		testkit.Equal(t, lacking[0], report.Lacking(), config)
		fmt.Fprintf(all, "%s%s%s\n%s\ntrouble %d, the table:\n%s", shown(t, report),
			explained(t, NewWhy(past, now.Time)), object(t, report.Virtuals[0]),
			strings.Join(told.FindAllString(metricsOf(t, now), -1), "\n"), report.Virtuals[0].Trouble(),
			lvs.Format(have))
		stop()
		time.Sleep(time.Minute) // checks in flight end
	})
}

// A reason that several servers have is there once, with their number, and what is ill comes first.
func TestAReasonIsToldOnce(t *testing.T) {
	s := observed(t)
	same := s.Virtuals[0].Servers[1]
	s.Virtuals[2].Servers = append(s.Virtuals[2].Servers, same, same)
	s.Virtuals[1].Servers = append(s.Virtuals[1].Servers, same)
	inUTC(t)
	forms(t, "reasons", s, process())
}
