package daemon

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/director"
	"ldirectord/internal/instance"
	"ldirectord/internal/lvs"
	"ldirectord/internal/notify"
	"ldirectord/internal/orders"
	"ldirectord/internal/testkit"
	"ldirectord/internal/view"
)

// whole is a time in whole seconds, as in the file of orders.
func whole(t time.Time) time.Time { return time.Unix(t.Unix(), 0).UTC() }

// An order that has ended is removed from the file. If a command has recorded another one meanwhile, that one is
// carried out first.
func TestOrdersThatAreOverAreDropped(t *testing.T) {
	a, b := lvs.Backend{Virtual: "fwm:3", Real: "10.2.0.1:25"}, lvs.Backend{Virtual: "fwm:3", Real: "10.2.0.2:25"}
	over := orders.Order{Kind: orders.Maint, Until: whole(time.Now().Add(-time.Hour))}
	holds := orders.Order{Kind: orders.Maint, Until: whole(time.Now().Add(time.Hour))}
	for what, c := range map[string]struct{ given, recorded, left orders.All }{
		"none is over": {orders.All{a: holds}, orders.All{a: holds}, orders.All{a: holds}},
		"one is over": {orders.All{a: over, b: holds}, orders.All{a: over, b: holds},
			orders.All{b: holds}},
		"all are over":     {orders.All{a: over}, orders.All{a: over}, orders.All{}},
		"another recorded": {orders.All{a: over}, orders.All{a: over, b: holds}, orders.All{a: over, b: holds}},
		"the file is lost": {orders.All{a: over, b: holds}, nil, orders.All{b: holds}},
	} {
		t.Run(what, func(t *testing.T) {
			lock := &instance.Lock{}
			lock.Drain = filepath.Join(t.TempDir(), "drain")
			o := &standingOrders{d: &daemon{lock: lock}, given: c.given}
			if c.recorded != nil {
				testkit.OK(t, o.orderFile().Write(c.recorded))
			}
			o.keepGiven(t.Context())
			if got, err := o.orderFile().Read(); !maps.Equal(got, c.left) || err != nil {
				t.Errorf("the file has %v, %v; want %v", got, err, c.left)
			}
		})
	}
}

// An order that is over before it could begin ends with a word, by mail too. One that the director had is ended there.
func TestAnOrderThatNeverBegan(t *testing.T) {
	at := lvs.Backend{Virtual: "fwm:3", Real: "10.2.0.1:25"}
	since, until := time.Unix(1e9, 0).UTC(), time.Unix(1e9+60, 0).UTC()
	waited := orders.Order{Kind: orders.Maint, Since: since, From: since, Until: until, Why: "disk"}
	began := waited
	began.From = time.Time{}
	for _, row := range []struct {
		order orders.Order
		late  map[time.Time]bool
		want  string
	}{
		{waited, map[time.Time]bool{since: true},
			"order-ended fwm:3 10.2.0.1:25 running: Order ended: 10.2.0.1:25 (fwm:3): " + waited.String() +
				"; it never began: too few servers were left"},
		{waited, nil, "order-ended fwm:3 10.2.0.1:25 running: Order ended: 10.2.0.1:25 (fwm:3): " +
			waited.String() + "; it never began"},
		{began, nil, ""},
	} {
		lock := &instance.Lock{}
		lock.Drain = filepath.Join(t.TempDir(), "drain")
		var said []string
		d := &daemon{lock: lock}
		d.journal = notify.NewJournal(func(e notify.Event) {
			said = append(said, fmt.Sprintf("%s %s %s %s: %s", e.Kind, e.Virtual, e.Real, e.Status, e.Text))
		})
		o := &standingOrders{d: d, given: orders.All{at: row.order}, late: row.late}
		testkit.OK(t, o.orderFile().Write(o.given))
		o.keepGiven(t.Context())
		d.journal.Close(t.Context())
		testkit.Equal(t, strings.Join(said, "\n"), row.want)
		testkit.Equal(t, len(o.given), 0, "left")
	}
}

// An order begins in the file, unless a command has recorded another one there: that is carried out first.
func TestAnOrderBeginsAfterThoseThatAreRecorded(t *testing.T) {
	a, b := lvs.Backend{Virtual: "fwm:3", Real: "10.2.0.1:25"}, lvs.Backend{Virtual: "fwm:3", Real: "10.2.0.2:25"}
	now, d := whole(time.Now()), director.New(director.Deps{}) // which does not run
	waits := orders.Order{Kind: orders.Drain, From: now.Add(-time.Second)}
	begins, other := orders.Order{Kind: orders.Drain, Since: now}, orders.Order{Kind: orders.Maint}
	gone, end := context.WithCancel(t.Context())
	end()
	for what, c := range map[string]struct{ recorded, left orders.All }{
		"no other":             {orders.All{a: waits}, orders.All{a: begins}},
		"another":              {orders.All{a: waits, b: other}, orders.All{a: waits, b: other}},
		"it is undone":         {orders.All{}, orders.All{}},
		"the file is lost":     {nil, orders.All{a: begins}},
		"another in its place": {orders.All{a: other}, orders.All{a: other}},
	} {
		lock := &instance.Lock{}
		lock.Drain = filepath.Join(t.TempDir(), "drain")
		o := &standingOrders{d: &daemon{lock: lock, director: d}}
		if o.given = (orders.All{a: waits}); c.recorded != nil {
			testkit.OK(t, o.orderFile().Write(c.recorded))
		}
		due := o.given.Due(time.Now())
		testkit.OK(t, o.begin(gone, due))
		got, err := o.orderFile().Read()
		if began := got[a]; !began.Since.IsZero() {
			began.Since = now // it may be a second later
			got[a] = began
		}
		if !maps.Equal(got, c.left) || err != nil {
			t.Errorf("%s: the file has %v, %v; want %v", what, got, err, c.left)
		}
	}
	lock := &instance.Lock{}
	lock.Drain = filepath.Join(t.TempDir(), "drain")
	testkit.Write(t, lock.Drain, "no order")
	o := &standingOrders{d: &daemon{lock: lock, director: d}, given: orders.All{a: waits}}
	if err := o.begin(gone, o.given.Due(time.Now())); err == nil {
		t.Error("orders that can't be read are written over")
	}
}

// A server that is known by a name and by an address has one order, whichever of them was used, and is listed once.
func TestAServerWithTwoNamesHasOneOrder(t *testing.T) {
	const id = "tcp:10.1.0.1:80"
	addr := netip.MustParseAddrPort("10.2.0.1:80")
	now := &view.Snapshot{Virtuals: []view.Virtual{{ID: id, Servers: []view.Server{
		{Real: "web:80", Addr: addr, ServerNames: view.ServerNames{Address: "10.2.0.1", Alias: addr.String()}},
	}}}}
	for what, left := range map[string]int{"weight 3": 1, "ready": 0} {
		all := orders.All{{Virtual: id, Real: addr.String()}: {Kind: orders.Maint}}
		r, _ := orders.Parse(url.Values{"order": {what}})
		r.Real = "10.2.0.1"
		meant, err := carryOut(r, now, all, "a.cf", orders.File(filepath.Join(t.TempDir(), "drain")),
			func([]lvs.Backend) error { return nil })
		if len(meant) != 1 || meant[0].Real != "web:80" || len(all) != left || err != nil {
			t.Errorf("%s: %v, %v, left %v", what, meant, err, all)
		}
	}
}

// The end of an order is reported from a command that found none; a server that waited to come back is released by it.
func TestWhichServersHadNoOrder(t *testing.T) {
	const id = "tcp:10.1.0.1:80"
	now := &view.Snapshot{Virtuals: []view.Virtual{{ID: id, Servers: []view.Server{
		{Real: "none"}, {Real: "undone", Order: &orders.Order{}},
		{Real: "given"}, {Real: "alias", Order: &orders.Order{Kind: orders.Drain}},
		{Real: "fallen", ServerResult: view.ServerResult{WaitsFor: "holddown"}},
	}}}, Orders: orders.All{lvs.At(id, "given"): {Kind: orders.Maint}, lvs.At(id, "lost"): {Kind: orders.Maint}}}
	var meant []lvs.Backend
	for _, name := range []string{"none", "undone", "given", "alias", "fallen", "lost", ""} {
		meant = append(meant, lvs.At(id, name))
	}
	var fresh []string
	for _, s := range inTable(now, meant) {
		if s.Fresh {
			fresh = append(fresh, s.Real)
		}
	}
	testkit.Same(t, fresh, []string{"none", "undone", ""}, "without an order")
}

// Recorded orders that the director did not take are passed to it again until it does.
func TestOrdersThatTheDirectorDidNotTakeAreGivenAgain(t *testing.T) {
	at := lvs.Backend{Virtual: "fwm:3", Real: "10.2.0.1:25"}
	lock := &instance.Lock{}
	lock.Drain = filepath.Join(t.TempDir(), "drain")
	o := &standingOrders{d: &daemon{lock: lock, director: director.New(director.Deps{})}} // which does not run
	testkit.OK(t, o.orderFile().Write(orders.All{at: {Kind: orders.Drain}}))
	gone, end := context.WithCancel(t.Context())
	end()
	for range 2 {
		if o.followGiven(gone) || len(o.given) != 0 {
			t.Fatalf("the director has %v", o.given)
		}
	}
}
