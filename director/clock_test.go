package director

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/core"
	"ldirectord/ipvsctl"
	"ldirectord/lvs"
	"ldirectord/notify"
	"ldirectord/orders"
	"ldirectord/run"
)

// An order for two hours lasts two hours by the boot clock, however the wall clock is set. The wall clock of this test
// is a fake one, so every sleep sets it forward against the boot clock.
func TestAnOrderForATimeFollowsTheBootClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lasts := func(wall, boot time.Duration) orders.Order {
			return orders.Order{Kind: orders.Maint, Until: time.Now().Add(wall), Ends: run.SinceBoot() + boot}
		}
		at := func(real string) lvs.Backend { return lvs.At("tcp:10.1.0.1:80", real) }
		p, _ := planned(t, "checkinterval = 1\nvirtual = 10.1.0.1:80\n\treal = 10.2.0.1:80 gate\n"+
			"\treal = 10.2.0.2:80 gate\n\treal = 10.2.0.3:80 gate\n\tchecktype = connect\n", neverChecked)
		given := orders.All{
			at("10.2.0.1:80"): lasts(2*time.Hour, 2*time.Hour),
			at("10.2.0.2:80"): lasts(10*time.Hour, time.Millisecond), // over: set back by ten hours
			at("10.2.0.3:80"): {Kind: orders.Maint, Until: time.Now().Add(2 * time.Hour)},
		}
		for run.SinceBoot() < given[at("10.2.0.2:80")].Ends { // the boot clock is not a fake one
		}
		journal := notify.NewJournal()
		d := New(Deps{Table: ipvsctl.NewMemory(nil), World: core.World{Tell: []core.Receiver{core.Words(journal.Emit)}, Orders: given}})
		ctx, end := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- d.Run(ctx, p) }()
		for _, step := range []struct {
			wait time.Duration
			left []string
		}{
			{time.Minute, []string{"10.2.0.1:80", "10.2.0.3:80"}},
			{time.Hour, []string{"10.2.0.1:80", "10.2.0.3:80"}},
			{3 * time.Hour, []string{"10.2.0.1:80"}},
		} {
			time.Sleep(step.wait)
			synctest.Wait()
			now, err := d.Snapshot(ctx)
			if err != nil || len(now.Orders) != len(step.left) {
				t.Fatalf("after %v: %v, %v; want %v", step.wait, now.Orders, err, step.left)
			}
			for _, real := range step.left {
				if now.Orders[at(real)].Kind != orders.Maint {
					t.Errorf("after %v: %v, want %v", step.wait, now.Orders, step.left)
				}
			}
		}
		if err := d.Order(ctx, given); err != nil { // the sender of orders doesn't know yet which ended
			t.Fatal(err)
		}
		now, _ := d.Snapshot(ctx)
		o, is := now.Orders[at("10.2.0.1:80")]
		left := time.Until(o.End())
		if !is || left < time.Hour || left > 2*time.Hour+time.Second || len(now.Orders) != 1 {
			t.Errorf("the order for two hours ends in %v: %v", left, now.Orders)
		}
		end()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := journal.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
