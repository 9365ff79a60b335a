package view

import (
	"testing"
	"time"

	"ldirectord/internal/lvs"
	"ldirectord/internal/orders"
	"ldirectord/internal/testkit"
)

// An order that waits is a condition of its server, whichever of its names was used.
func TestOrdersThatWaitAreConditions(t *testing.T) {
	const id = "tcp:10.1.0.1:80"
	at := time.Date(2026, 11, 27, 12, 0, 0, 0, time.Local)
	for _, row := range []struct {
		name string
		from time.Time
		want string
	}{
		{"web1:80", at.Add(time.Hour), "waiting order: drain from 2026-11-27 13:00:00"},
		{"10.2.0.1:80", at.Add(time.Hour), "waiting order: drain from 2026-11-27 13:00:00"},
		{"web1:80", at, "order waits for enough servers: drain from 2026-11-27 12:00:00"},
		{"web2:80", at.Add(time.Hour), ""},
		{"", at.Add(time.Hour), ""},
	} {
		now := &Snapshot{Time: at, Virtuals: []Virtual{{ID: id, Servers: []Server{
			{Real: "web1:80", ServerNames: ServerNames{Alias: "10.2.0.1:80"}}}}}}
		all := orders.All{lvs.At(id, row.name): {Kind: orders.Drain, From: row.from}}
		now.Await(all.Waiting())
		got := ""
		for _, c := range now.Virtuals[0].Servers[0].Conditions {
			got += c.Text
		}
		testkit.Equal(t, got, row.want, row.name, row.from)
	}
}
