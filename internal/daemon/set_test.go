package daemon

import (
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/internal/director"
	"ldirectord/internal/instance"
	"ldirectord/internal/lvs"
	"ldirectord/internal/notify"
	"ldirectord/internal/orders"
	"ldirectord/internal/testkit"
	"ldirectord/internal/view"
	"ldirectord/ipvsctl"
)

// whole is a time in whole seconds, as in the file of orders.
func whole(t time.Time) time.Time { return time.Unix(t.Unix(), 0).UTC() }

// ordersWith has the orders of a director, and those of its file, if there is one.
func ordersWith(t *testing.T, given, recorded orders.All) *standingOrders {
	t.Helper()
	lock := &instance.Lock{}
	lock.Drain = filepath.Join(t.TempDir(), "drain")
	o := &standingOrders{d: &daemon{lock: lock}}
	o.known.Store(&given)
	o.d.director = director.New(director.Deps{}) // which does not run
	if recorded != nil {
		testkit.OK(t, o.orderFile().Write(recorded))
	}
	return o
}

func TestAnAddressThatIsLeftAloneIsNotWithdrawn(t *testing.T) {
	now := &view.Snapshot{Announcements: []view.Announcement{
		{Address: "192.0.2.10", Foreign: "lvs0", IDs: []string{"fwm:1"}},
		{Address: "192.0.2.11", IDs: []string{"fwm:2"}},
		{Address: "192.0.2.12", Owner: "b.cf, pid 7", IDs: []string{"fwm:1"}}},
		Virtuals: []view.Virtual{{ID: "fwm:1", Key: lvs.Key{Mark: 1}}, {ID: "fwm:2", Key: lvs.Key{Mark: 2}}}}
	for named, want := range map[string]string{
		"192.0.2.10": "[192.0.2.10 is on lvs0, where ldirectord did not put it] []",
		"192.0.2.11": "[] [-f 2]",
		"192.0.2.12": "[192.0.2.12 belongs to b.cf, pid 7] []",
		orders.EveryAddress: "[192.0.2.10 is on lvs0, where ldirectord did not put it 192.0.2.12 belongs to " +
			"b.cf, pid 7] [-f 2]",
	} {
		meant := []lvs.Backend{{Virtual: named}}
		keys, _ := carrying(now, meant)
		testkit.Equal(t, fmt.Sprint(leftAlone(now, meant), keys), want, named)
	}
}

// Packets to an address are not told from those to the other addresses of its mark.
func TestAddressesThatStayBesideAWithdrawnOne(t *testing.T) {
	now := &view.Snapshot{Orders: orders.All{{Virtual: "192.0.2.13"}: {Kind: orders.Withdraw}}}
	for _, one := range []view.Announcement{{Address: "192.0.2.10"}, {Address: "192.0.2.11"},
		{Address: "192.0.2.12", State: "withdrawn"}, {Address: "192.0.2.13"},
		{Address: "192.0.2.14", State: "withdrawn", Foreign: "lvs0"}} {
		one.IDs = []string{"fwm:1"}
		now.Announcements = append(now.Announcements, one)
	}
	for named, want := range map[string]string{"192.0.2.10": "[192.0.2.11 192.0.2.14]",
		orders.EveryAddress: "[192.0.2.14]", "192.0.2.14": "[]"} {
		_, beside := carrying(now, []lvs.Backend{{Virtual: named}})
		testkit.Equal(t, fmt.Sprint(beside), want, named)
	}
}

// An order that begins or has ended is written into the file. If a command has recorded another one meanwhile, that one
// is carried out first.
func TestOrdersThatBeginOrEnd(t *testing.T) {
	now := whole(time.Now())
	words := map[string]orders.Order{
		"over":   {Kind: orders.Maint, Until: now.Add(-time.Hour)},
		"holds":  {Kind: orders.Maint, Until: now.Add(time.Hour)},
		"waits":  {Kind: orders.Drain, From: now.Add(-time.Second)},
		"begins": {Kind: orders.Drain, Since: now},
		"other":  {Kind: orders.Maint},
	}
	of := func(cell string) orders.All {
		if cell == "lost" {
			return nil
		}
		all := orders.All{}
		for word := range strings.FieldsSeq(cell) {
			server, order, _ := strings.Cut(word, ":")
			all[lvs.At("fwm:3", server)] = words[order]
		}
		return all
	}
	gone := testkit.Ended(t)
	for _, row := range testkit.Table(t, "testdata/orders.txt", 5) {
		o := ordersWith(t, of(row[2]), of(row[3]))
		if row[1] == "begins" {
			testkit.OK(t, o.begin(gone, o.given().Due(time.Now())))
		} else {
			o.keepGiven(t.Context())
		}
		got := testkit.Must(o.orderFile().Read())(t)
		for at, order := range got {
			if !order.Since.IsZero() {
				order.Since = now // it may be a second later
				got[at] = order
			}
		}
		testkit.Same(t, got, of(row[4]), row[0], "in the file")
	}
	waits := of("a:waits")
	o := ordersWith(t, waits, nil)
	testkit.Write(t, o.d.lock.Drain, "no order")
	if err := o.begin(gone, waits.Due(time.Now())); err == nil {
		t.Error("orders that can't be read are written over")
	}
}

// The orders of several commands whose time has come begin in one turn, as far as enough servers are left.
func TestOrdersOfSeveralCommandsBegin(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ld.cf")
	testkit.Write(t, file, "logfile = \""+file+".log\"\nvirtual = 10.1.0.1:80\n\tchecktype = on\n"+
		"\treal = 10.2.0.1->10.2.0.3:80 gate\n")
	synctest.Test(t, func(t *testing.T) {
		d, endRest := loadedDaemon(t, file)
		given := orders.All{}
		for i := range 3 {
			given[lvs.At("tcp:10.1.0.1:80", fmt.Sprintf("10.2.0.%d:80", i+1))] = orders.Order{
				Kind: orders.Drain, From: whole(time.Now()), Since: time.Unix(int64(i), 0).UTC()}
		}
		o := ordersWith(t, given, given)
		d.lock, o.d, o.late = o.d.lock, d, map[time.Time]bool{}
		d.director = director.New(director.Deps{Table: ipvsctl.NewMemory(nil)})
		ctx, end := context.WithCancel(t.Context())
		go d.director.Run(ctx, d.Loaded.Plan)
		<-d.director.Settled()
		o.beginDue(ctx)
		testkit.Same(t, o.given().Waiting().Sorted(),
			[]lvs.Backend{lvs.At("tcp:10.1.0.1:80", "10.2.0.3:80")}, "waiting")
		end()
		endRest()
	})
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
		given := orders.All{at: row.order}
		o := ordersWith(t, given, given)
		o.late = row.late
		var said []string
		o.d.journal = notify.NewJournal(func(e notify.Event) {
			said = append(said, fmt.Sprintf("%s %s %s %s: %s", e.Kind, e.Virtual, e.Real, e.Status, e.Text))
		})
		o.keepGiven(t.Context())
		o.d.journal.Close(t.Context())
		testkit.Equal(t, strings.Join(said, "\n"), row.want)
		testkit.Equal(t, len(o.given()), 0, "left")
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
		r, _ := orders.Parse(url.Values{"order": {what}, "server": {"10.2.0.1"}})
		meant, _ := meantBy(r, now, all, "a.cf")
		err := carryOut(r, now, all, orders.File(filepath.Join(t.TempDir(), "drain")), meant)
		testkit.OK(t, err, what)
		testkit.Same(t, meant, []lvs.Backend{lvs.At(id, "web:80")}, what)
		testkit.Equal(t, len(all), left, what)
	}
	all := orders.All{lvs.At(id, addr.String()): {Kind: orders.Drain}}
	later := orders.Request{Order: orders.Order{Kind: orders.Drain, From: time.Now()}}
	testkit.FailsWith(t, carryOut(later, now, all, "", []lvs.Backend{lvs.At(id, "web:80")}), "has an order, drain")
	now.Orders = orders.All{lvs.At(id, addr.String()): later.Order}
	undone := answerTo(orders.Request{}, now, []lvs.Backend{lvs.At(id, "web:80")}).Undone
	testkit.Equal(t, len(undone), 1, "waiting orders that another one undoes:", undone)
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
	o := ordersWith(t, nil, orders.All{at: {Kind: orders.Drain}})
	gone := testkit.Ended(t)
	for range 2 {
		if o.followGiven(gone) || len(o.given()) != 0 {
			t.Fatalf("the director has %v", o.given())
		}
	}
}
