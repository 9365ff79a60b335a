package status

import (
	"testing"
	"time"

	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
	"ldirectord/internal/view"
)

func TestServersThatLeave(t *testing.T) {
	began := testkit.Time("2000-01-01T00:00:00Z")
	now := &view.Snapshot{Time: began, Virtuals: []view.Virtual{{
		ID: "tcp:192.0.2.10:80", Scheduler: "wrr",
		Leaving: []view.Departure{
			{Real: "192.0.2.21:80", State: "drained", Until: began.Add(220 * time.Second),
				Connections: lvs.Counters{Active: 9, Inactive: 3}},
			{Real: "192.0.2.22:80", State: "drained", Until: began.Add(-time.Second),
				Connections: lvs.Counters{Active: 1, Persistent: 2}, Effective: 5, ByHand: true},
			{Real: "192.0.2.23:80", State: "drained", Effective: 1, Serves: true,
				Connections: lvs.Counters{Active: 7}},
		},
	}, {ID: "tcp:192.0.2.11:80"}}}
	forms(t, "leaving", now, process())
}
