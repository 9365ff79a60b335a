package status

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/testkit"
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
	report := NewReport(now, p, nil)
	form := shown(t, report)
	has(t, form,
		"\nthe name web2.example can't be looked up; its last address 192.0.2.22 stays in\nuse: timeout\n",
		"  web1.example:80       unknown        1h0m      -       -  -\n"+
			"    no address: web1.example: no such host\n")
	if strings.Contains(form, "the name web1") {
		t.Errorf("a name without an address is told of twice:\n%s", form)
	}
	testkit.Equal(t, object(t, report.Names), `[{"name":"web1.example","error":"no such host"},`+
		`{"name":"web2.example","address":"192.0.2.22","error":"timeout"}]`)
	testkit.Contains(t, metricsOf(t, now),
		`ldirectord_server_up{virtual="tcp:192.0.2.10:80",real="web1.example:80"} 0`)
}
