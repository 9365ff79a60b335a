package status

import (
	"testing"
	"time"

	"ldirectord/checker"
	"ldirectord/internal/testkit"
	"ldirectord/internal/view"
)

// A server whose checks pass, but which waits, does not count as serving. One that is suspected serves, and needs
// attention.
func TestEachCheckOfAServerShows(t *testing.T) {
	began := testkit.Time("2000-01-01T00:00:00Z")
	refused := checker.Result{Cause: checker.Refused, Detail: "connect: refused"}
	now := &view.Snapshot{Time: began, Virtuals: []view.Virtual{
		{ID: "fwm:3", Scheduler: "wrr", Servers: []view.Server{{
			Real: "192.0.2.21:80", State: "down", Since: began, Reason: "https 443: connect: refused",
			ServerResult: view.ServerResult{Checked: began, Last: refused},
			Checks: []view.Check{
				{Name: "http 80", State: "up", Checked: began,
					Last: checker.Result{OK: true, Way: checker.WayThrough,
						Took: time.Millisecond}},
				{Name: "https 443", State: "down", Streak: 1, Checked: began, Last: refused},
				{Name: "ping", State: "unknown", Unjudged: "why"},
				{Name: "agent 81", Agent: true, State: "up", Checked: began,
					Last: checker.Result{OK: true, Detail: `reports "50%"`,
						Took: time.Millisecond}},
			},
		}}},
		{ID: "fwm:4", Scheduler: "wrr", Servers: []view.Server{
			{Real: "192.0.2.22:80", State: "up", Since: began, Conditions: []view.Condition{
				{Kind: "holddown", Trouble: Doubt, Text: "held down for another 40s"}}},
			{Real: "192.0.2.23:80", State: "up", Since: began, Conditions: []view.Condition{
				{Kind: "suspected", Trouble: Doubt,
					Text: "suspected: 28 connections in 4 s, 0 packets back"}}},
		}},
	}}
	for _, s := range now.Each() {
		s.FillOld()
		s.Learn()
	}
	forms(t, "checks", now, process())
}
