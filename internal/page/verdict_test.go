package page

import (
	"strings"
	"testing"

	"ldirectord/internal/status"
	"ldirectord/internal/testkit"
	seen "ldirectord/internal/view"
)

// The first words of the page are enough to know if anybody has to do anything.
func TestVerdict(t *testing.T) {
	service := func(states ...string) (v status.Virtual) {
		v.ID = "tcp:192.0.2.1:80"
		for _, state := range states {
			v.Servers = append(v.Servers, newServer("10.0.0.1:80", state))
		}
		return v
	}
	fine, full := service("up", "drained"), service("up")
	full.Conditions = []seen.Condition{{Kind: "all full", Trouble: status.Broken, Text: "new clients are refused"}}
	off := service("off", "off")
	off.Servers[1].Conditions = []seen.Condition{{Kind: "maintenance", Trouble: status.Noted, Text: "new disk"}}
	machine := func(t status.Trouble) *status.Report {
		r := newReport(fine, service("up", "down"))
		r.Conditions = []seen.Condition{{Trouble: t, Text: "it does not forward; to fix it: sysctl"}}
		return r
	}
	for _, row := range []struct {
		report *status.Report
		want   string
	}{
		{newReport(fine, fine), `good">All well`},
		{newReport(fine, service("up", "down")), `doubt">1 virtual service in trouble, but all serve`},
		{newReport(fine, service("up", "down"), service("down"), service("down", "down")),
			`bad">2 virtual services without a server`},
		{newReport(fine, full, service("up", "down")), `bad">2 virtual services in trouble`},
		{machine(status.Doubt), `doubt">1 virtual service in trouble, but all serve`},
		{machine(status.Broken), `bad">This machine: it does not forward`},
		{newReport(fine, service("off")), `good">All well`},
		{newReport(fine, off), `good">All well`},
		{newReport(), `bad">No virtual service`},
	} {
		_, text := ask(t, newPages(row.report).Page, "/", nil)
		testkit.Contains(t, text, `<h1 class="verdict `+row.want+" <small>")
		class, words, _ := strings.Cut(row.want, `">`)
		title := "<title>www.cf, ldirectord</title>"
		if class != good {
			title = "<title>" + words + ", www.cf, ldirectord</title>"
		}
		testkit.Contains(t, text, title)
	}
	r := newReport(fine)
	r.Table.Error = "permission denied; and more"
	if text := read(t, r, "/"); !strings.HasPrefix(text, " Every virtual service serves, but: www.cf") {
		t.Error(text)
	}
	if _, text := ask(t, newPages(r).Page, "/", nil); !strings.Contains(text,
		"<title>the table can&#39;t be read: permission denied, www.cf, ldirectord</title>") {
		t.Error(text)
	}
}

// A reason that several servers have is there once, the worst first, and no more than three are.
func TestWhys(t *testing.T) {
	server := func(state, reason string) status.Server {
		s := newServer("10.0.0.1:80", state)
		s.Reason = reason
		return learned(s)
	}
	v := &status.Virtual{Servers: []status.Server{server("maintenance", "new disk"), server("up", ""),
		server("down", "refused"),
		server("down", "status 500"), server("down", "refused")}}
	testkit.Equal(t, whys(v), "2 × down: refused; down: status 500; maintenance: new disk")
	v.Servers = append(v.Servers, server("down", "timeout"))
	testkit.Equal(t, whys(v), "2 × down: refused; down: status 500; down: timeout; 1 other reason")
}
