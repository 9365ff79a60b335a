package core

import (
	"strings"
	"testing"
	"time"

	"ldirectord/internal/lvs"
	"ldirectord/internal/maintenance"
	"ldirectord/internal/testkit"
)

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
