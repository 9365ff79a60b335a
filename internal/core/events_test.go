package core

import (
	"net/netip"
	"path/filepath"
	"testing"

	"ldirectord/internal/history"
	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
	"ldirectord/parser"
)

// A renewed certificate makes a new check, which changes nothing: failurecount still applies.
func TestARenewedCertificate(t *testing.T) {
	w := newWorld(t)
	cert := filepath.Join(t.TempDir(), "cert.pem")
	file := "failurecount = 3\nvirtual = 10.1.0.1:443\n\treal = 10.2.0.1:443 gate\n" +
		"\tservice = https\n\ttlscert = " + cert + "\n\ttlskey = " + cert + "\n"
	w.start("")
	for i, text := range []string{"first", "second"} {
		testkit.Write(t, cert, text)
		w.reload(file)
		testkit.Equal(t, w.heirs, i, text, "checks in place of others")
		w.results(i == 0, "")
	}
	const want = "checks 1\nlog added-virtual\nlog added\nlog soft-failure"
	testkit.Equal(t, w.saw("read", "-A", "-a", "claim", "answered"), want)
	testkit.Equal(t, w.first().Servers[0].State, "up")
}

// A receiver gets everything that it must know with each change, in the order of the events.
func TestAReceiverIsToldOfEachChange(t *testing.T) {
	var w *world
	w = newWorld(t, func(before *World) {
		before.Tell = []Receiver{func(c *Change) {
			if c.Status == "" || c.Time != w.now || c.Global == nil {
				t.Errorf("%s: status %q at %v", c.Kind, c.Status, c.Time)
			}
			switch {
			case c.Result != nil && c.Past == history.Nothing:
			case c.Kind != "":
				w.note("%s", c.Kind)
			case c.After.Text != nil:
				w.note("%s has %d of %d up, before %d", c.Virtual, c.After.Up, c.After.Servers,
					c.Before.Up)
			case c.Before.Health != c.After.Health:
				w.note("it is %s, was %s, by %d of %d", c.After.Health, c.Before.Health, c.By.Count,
					c.By.Needed)
			case c.Result != nil && !c.Result.OK:
				w.note("it failed, %d of %d", c.By.Count, c.By.Needed)
			}
		}}
	})
	w.start("failurecount = 2\n" + web(1) + "\tonchange = tell\n")
	for range 2 {
		w.results(false, "10.2.0.1:80")
	}
	const want = `it failed, 1 of 2
soft-failure
it failed, 2 of 2
check-failed
it is down, was up, by 2 of 2
-d -t 10.1.0.1:80 -r 10.2.0.1:80
answered
deleted
tcp:10.1.0.1:80 has 1 of 2 up, before 2`
	testkit.Equal(t, w.saw("moving"), want)
}

// A file in maintenancedir is the reason for a change of its server.
func TestTheReasonOfAChange(t *testing.T) {
	addr := netip.MustParseAddrPort("10.2.0.1:80")
	s := serverOf(lvs.Dest{Addr: addr})
	s.entry.Real.Addr, s.first.reason = addr, "refused"
	v := virtualOf(&parser.Virtual{ID: "tcp:10.1.0.1:80"}, s)
	c := &Core{}
	for file, want := range map[string]string{"": "refused", "web1": "maintenance: web1"} {
		s.maintenance = file
		s.Maintained(file != "")
		change := Change{user: user{v: v, s: s}}
		c.tell.destOp(&change, nil, lvs.Op{Kind: lvs.EditDest, Dest: s.Dest})
		testkit.Equal(t, change.Reason, want, "with file", file)
	}
}
