package core

import (
	"context"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/checker"
	"ldirectord/lvs"
	"ldirectord/notify"
	"ldirectord/parser"
)

// kindsOf calls test with a core that has not begun, and returns the kinds of its events.
func kindsOf(t *testing.T, test func(c *Core)) (kinds []notify.Kind) {
	t.Helper()
	journal := notify.NewJournal(func(e notify.Event) { kinds = append(kinds, e.Kind) })
	test(newCore(Words(journal.Emit)))
	if err := journal.Close(context.Background()); err != nil {
		t.Error(err)
	}
	return kinds
}

// Answers that can't be judged are one mail for the first server of a virtual service, and a line in the log for each
// other one. Each is reported once an hour.
func TestAnswersThatCantBeJudgedAreReportedOnceInAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, two := serverOf(lvs.Dest{}), serverOf(lvs.Dest{})
		v := virtualOf(&parser.Virtual{ID: "tcp:10.1.0.1:80"}, one, two)
		result := checker.Result{Cause: checker.Unjudged, Detail: "too long"}
		c := &check{}
		kinds := kindsOf(t, func(core *Core) {
			unjudged := func(servers ...*server) {
				c.users = nil
				for _, s := range servers {
					c.users = append(c.users, user{v, s, &s.first})
				}
				core.tell.clock = time.Now()
				core.tell.unjudged(c, &result)
			}
			unjudged(one, two)
			unjudged(one, two)
			time.Sleep(unjudgedQuiet)
			unjudged(one, two)
			time.Sleep(time.Nanosecond)
			unjudged(one, two)
			time.Sleep(time.Hour + 1)
			unjudged(one)
			time.Sleep(time.Nanosecond)
			unjudged(two)
			time.Sleep(unjudgedQuiet)
			unjudged(one) // an hour after the other server
		})
		want := []notify.Kind{
			notify.Unjudged, notify.CheckWarning, notify.Unjudged, notify.CheckWarning,
			notify.Unjudged, notify.CheckWarning, notify.CheckWarning,
		}
		if len(kinds) != len(want) {
			t.Fatalf("%v, want %v", kinds, want)
		}
		for i := range want {
			if kinds[i] != want[i] {
				t.Errorf("%v, want %v", kinds, want)
				break
			}
		}
		if one.first.cantJudge() != "too long" {
			t.Errorf("the check cannot be judged because of %q", one.first.cantJudge())
		}
	})
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
		e := notify.Event{}
		c.tell.destOp(v, lvs.Op{Kind: lvs.EditDest, Dest: s.Dest}, &e)
		if e.Reason != want {
			t.Errorf("with file %q: %q, want %q", file, e.Reason, want)
		}
	}
}
