package status

import (
	"net/netip"
	"testing"
	"time"

	"ldirectord/internal/view"
)

func TestNamesThatCannotBeLookedUpShowInEveryForm(t *testing.T) {
	now := &view.Snapshot{Time: process().Started.Add(time.Hour), Virtuals: []view.Virtual{{
		ID: "tcp:192.0.2.10:80", Scheduler: "wrr",
		Servers: []view.Server{{Real: "web1.example:80", State: "unknown", Since: process().Started, Weight: 3,
			Reason: "no address: web1.example: no such host"}},
	}}}
	now.Virtuals[0].Servers[0].Learn()
	p := process()
	p.Names = []Name{{Name: "web1.example", Error: "no such host"},
		{Name: "web2.example", Address: netip.MustParseAddr("192.0.2.22"), Error: "timeout"}}
	forms(t, "names", now, p)
}
