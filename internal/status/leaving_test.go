package status

import (
	"strings"
	"testing"
	"time"

	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
	"ldirectord/internal/view"
)

func TestServersThatLeave(t *testing.T) {
	began := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	now := &view.Snapshot{Time: began, Virtuals: []view.Virtual{{
		ID: "tcp:192.0.2.10:80", Scheduler: "wrr",
		Leaving: []view.Departure{
			{Real: "192.0.2.21:80", State: "drained", Until: began.Add(220 * time.Second),
				Connections: lvs.Counters{Active: 9, Inactive: 3}},
			{Real: "192.0.2.22:80", State: "drained", Until: began.Add(-time.Second),
				Connections: lvs.Counters{Active: 1, Persistent: 2}, Effective: 5, ByHand: true},
		},
	}, {ID: "tcp:192.0.2.11:80"}}}
	report := NewReport(now, process(), nil)
	const text = `tcp:192.0.2.10:80 wrr, 0 of 0 up
  192.0.2.22:80         drained                  5       1  -
    not in the file: draining, 1 connection, 2 persistent clients, 0s left
    changed externally; kept until the server's state changes, or a reload
  192.0.2.21:80         drained                  0       9  -
    not in the file: draining, 12 connections, 3m40s left
`
	testkit.Contains(t, shown(t, report), text)
	const leaving = `{"real":"192.0.2.21:80","state":"drained","note":"draining, 12 connections, 3m40s left",` +
		`"table_weight":0,"connections":{"active":9,"inactive":3,"persistent":0,` +
		`"traffic":{"connections":0,"packets_in":0,"packets_out":0,"bytes_in":0,"bytes_out":0}},` +
		`"seconds_left":220}`
	testkit.Equal(t, object(t, report.Virtuals[0].Leaving[0]), leaving)
	if none := object(t, report.Virtuals[1]); strings.Contains(none, "leaving") {
		t.Errorf("without any the JSON is %s", none)
	}
	counted := metricsOf(t, now)
	if !strings.Contains(counted, "\nldirectord_virtual_draining{virtual=\"tcp:192.0.2.10:80\"} 2\n") ||
		strings.Contains(counted, "draining{virtual=\"tcp:192.0.2.11") {
		t.Errorf("the metrics are\n%s", counted)
	}
}
