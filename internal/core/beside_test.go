package core

import (
	"strings"
	"testing"
	"time"

	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
	"ldirectord/internal/maintenance"
	"ldirectord/internal/orders"
	"ldirectord/internal/testkit"
)

// A virtual service of another daemon is checked, and nothing of it is changed or reported. When that one ends, it is
// taken over as found. One that another daemon waits for is left to it.
func TestBesideAnotherDaemon(t *testing.T) {
	const tells = "virtual = 10.1.0.1:80\n\treal = 10.2.0.1:80 gate 5\n\tchecktype = connect\n\tonchange = tell\n"
	taken := map[lvs.Key]string{keyOf(t, web(1)): "b.cf"}
	play(t, []row{
		{"the other has it, ends, and another one waits", "",
			func(w *world) {
				w.memory.Do(0, lvs.Op{Kind: lvs.AddService, Key: keyOf(w, tells),
					Settings: lvs.Settings{Scheduler: "wrr", Netmask: 0xffffffff}})
				w.hand(lvs.AddDest, "10.2.0.1:80", 1)
				w.taken = taken
				w.reload(tells + web(2))
				w.results(true, "")
				w.show("Owner", w.first())
				w.show("State")
				w.Order(w.now, orders.All{
					lvs.At("tcp:10.1.0.1:80", "10.2.0.1:80"): {Kind: orders.Weigh, Weight: 7}})
				w.taken = nil
				w.note("the other ends")
				w.Claimed(w.now)
				w.beside = taken
				w.hand(lvs.DelDest, "10.2.0.1:80", 0)
				w.note("another waits, and empties it")
				w.Claimed(w.now)
				w.Stop(w.now, w)
				w.Clear(w.now)
			}, "answered checks claim", `
read
-A -t 10.1.0.2:80 -s wrr
log added-virtual
-a -t 10.1.0.2:80 -r 10.2.0.1:80 -g -w 4
-a -t 10.1.0.2:80 -r 10.2.0.2:80 -g -w 4
log added
log added
b.cf
up
log ordered
the other ends
log taken-over
read
-e -t 10.1.0.1:80 -r 10.2.0.1:80 -g -w 7
log restored
run -c tell tcp:10.1.0.1:80 available 1 1
read
another waits, and empties it
read
log changed-by-hand
-a -t 10.1.0.1:80 -r 10.2.0.1:80 -g -w 7
log added
log taken-over
-D -t 10.1.0.2:80
log purged
log purged
log purged-virtual`},
		{"one that can't be removed stays claimed", web(1) + web(2),
			func(w *world) {
				w.refuse("-D")
				w.reload(web(1))
				w.answers = nil
				w.note("it can be removed")
				w.pass(10 * time.Second)
			}, "answered log read rules", `
claim 1, left 2
claim 1, left 1
-D -t 10.1.0.2:80
it can be removed
-D -t 10.1.0.2:80
claim 1, left 0`},
		{"a file without timeouts doesn't claim them", "timeouts = 7200/0/60\n" + web(1),
			func(w *world) { w.reload(web(1)) }, "read log", `
claim 2, left 1
claim 1, left 0`},
	})
}

// A standby removes what the daemon before it served and had not removed when it crashed, except with cleanstop = no.
func TestAStandbyAfterACrash(t *testing.T) {
	w := newWorld(t, func(before *World) {
		before.Standby = true
		for i := range 3 {
			before.Former = append(before.Former, keyOf(t, web(i+1)))
		}
	})
	for i := range 4 {
		w.memory.Do(0, lvs.Op{Kind: lvs.AddService, Key: keyOf(t, web(i+1)),
			Settings: lvs.Settings{Scheduler: "wrr"}})
	}
	w.Begin(w.now, w, w.file(web(1)+web(2)+"\tcleanstop = no\n"), maintenance.Reading{})
	const want = "read\nclaim 0, left 3\nclaim 0, left 3\n-D -t 10.1.0.1:80\n-D -t 10.1.0.3:80\nclaim 0, left 1"
	testkit.Equal(t, w.saw("log", "answered", "checks", "leavers"), want)
}

// The timeouts of the file are set at the start, after a change by hand, and after a reload. They stay at the end. They
// are not changed while another daemon has them, and not on standby.
func TestTimeoutsOfIdleConnections(t *testing.T) {
	w := newWorld(t)
	w.texts = true
	const file = "timeouts = 7200/0/60\n"
	if _, err := w.Begin(w.now, w, w.file(file+web(1)), maintenance.Reading{}); err != nil {
		t.Fatal(err)
	}
	taken := map[lvs.Key]string{lvs.TimeoutsKey: "b.cf"}
	for _, step := range []struct {
		what       string
		hand, want lvs.Timeouts
		does       func()
	}{
		{"start", lvs.Timeouts{}, lvs.Timeouts{7200, 120, 60}, func() {}},
		{"by hand", lvs.Timeouts{5, 0, 0}, lvs.Timeouts{7200, 120, 60}, func() {}},
		{"one that is left as it is", lvs.Timeouts{0, 7, 0}, lvs.Timeouts{7200, 7, 60}, func() {}},
		{"reload", lvs.Timeouts{}, lvs.Timeouts{7200, 90, 60},
			func() { w.reload("timeouts = 0/90/0\n" + web(1)) }},
		{"none in the file", lvs.Timeouts{1, 1, 1}, lvs.Timeouts{1, 1, 1}, func() { w.reload(web(1)) }},
		{"another daemon has them", lvs.Timeouts{}, lvs.Timeouts{1, 1, 1}, func() {
			w.taken = taken
			w.reload(file + web(1))
		}},
		{"that one ends", lvs.Timeouts{}, lvs.Timeouts{7200, 1, 60}, func() {
			w.taken = nil
			w.Claimed(w.now)
		}},
		{"demotion", lvs.Timeouts{9, 9, 9}, lvs.Timeouts{9, 9, 9}, func() { w.SetStandby(w.now, true) }},
		{"promotion", lvs.Timeouts{}, lvs.Timeouts{7200, 9, 60}, func() { w.SetStandby(w.now, false) }},
		{"stop", lvs.Timeouts{}, lvs.Timeouts{7200, 9, 60}, func() {
			w.Stop(w.now, w)
			w.Clear(w.now)
		}},
	} {
		step.does()
		if _, o := w.Timeouts(judge.TableTimeout, step.hand); o.Err != nil {
			t.Fatal(o.Err)
		}
		if step.what != "stop" {
			w.pass(10 * time.Second)
		}
		if now, _ := w.Timeouts(judge.TableTimeout, lvs.Timeouts{}); now != step.want {
			t.Errorf("%s: %v, want %v", step.what, now, step.want)
		}
	}
	const said = "log Set timeouts: 7200/120/60, before: 900/120/300\n" +
		"log Set timeouts: 7200/120/60, before: 5/120/60\n" +
		"log Set timeouts: 7200/90/60, before: 7200/7/60\nlog Set timeouts: 7200/1/60, before: 1/1/1\n" +
		"log Set timeouts: 7200/9/60, before: 9/9/9"
	testkit.Equal(t,
		w.saw("claim", "-", "log A", "log T", "log St", "log No", "answered", "read", "rules", "leavers",
			"checks", "log D", "log P"),
		said)
}

// A daemon that crashed left a virtual service, which another one claimed. The next one is to remove it when it knows
// where the addresses are, but takes it over before.
func TestWhatIsTakenOverIsNotRemoved(t *testing.T) {
	key := keyOf(t, web(1))
	w := newWorld(t, func(before *World) { before.Former, before.Withdraw = []lvs.Key{key}, true })
	w.memory.Do(0, lvs.Op{Kind: lvs.AddService, Key: key,
		Settings: lvs.Settings{Scheduler: "wrr", Netmask: 0xffffffff}})
	w.slow, w.taken = true, map[lvs.Key]string{key: "b.cf"}
	var err error
	if w.e, err = w.Begin(w.now, w, w.file("cleanstop = yes\n"+web(1)), maintenance.Reading{}); err != nil {
		t.Fatal(err)
	}
	w.pending()
	w.taken = nil
	w.Claimed(w.now)
	w.step()
	w.perform()
	w.pass(time.Minute)
	if have, _ := w.memory.Read(0); have[key].Key != key || len(w.purges) > 0 {
		t.Errorf("the table has %v, and %d are to be removed", have, len(w.purges))
	}
	if strings.Contains(w.saw(), "-D") {
		t.Error("it was removed")
	}
}
