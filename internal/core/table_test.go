package core

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"ldirectord/checker"
	"ldirectord/internal/lvs"
	"ldirectord/internal/plan"
	"ldirectord/internal/schedule"
)

// 2,500 servers that come back at once climb together. Each second has one operation for each server, in batches of
// 64, and one reading of the table. There are a few records at the beginning and at the end.
func TestManyClimbAtOnce(t *testing.T) {
	const seconds = 30
	w := newWorld(t)
	w.start(crowd(seconds))
	returning := func(ok bool) {
		w.did = nil
		w.give(checker.Result{OK: ok}, func(e *plan.Entry) bool { return e.Real.Addr.Addr().As4()[3] <= 25 })
	}
	returning(false)
	w.pass(time.Minute)
	returning(true)
	for second := range seconds + 60 {
		n := map[string]int{}
		for _, what := range w.did {
			n[strings.Fields(what)[0]]++
		}
		if ops := n["-a"] + n["-e"]; ops > 2500 || second < seconds-2 && ops < 2500 ||
			ops > n["answered"]*lvs.Batch || n["read"] > 1 || n["moving"] > 2 {
			t.Errorf("second %d: %v", second, n)
		}
		w.did = nil
		w.pass(time.Second)
	}
	have, _ := w.memory.Read(0)
	for _, s := range have {
		for _, d := range s.Dests {
			if d.Weight != 1000 {
				t.Fatalf("%v is left with weight %d", d.Addr, d.Weight)
			}
		}
	}
}

// crowd is a hundred sections of fifty servers.
func crowd(slowstart int) string {
	var file strings.Builder
	fmt.Fprintf(&file, "checkinterval = 3600\nslowstart = %d\n", slowstart)
	for i := range 100 {
		fmt.Fprintf(&file, "virtual = 10.0.0.%d:80\n\tchecktype = connect\n\tscheduler = wlc\n"+
			"\treal = 10.1.%d.1->10.1.%d.50:80 masq 1000\n", i, i, i)
	}
	return file.String()
}

// updates are results of these checks.
func updates(tasks []*schedule.Task, r checker.Result, now time.Time) (all []schedule.Update) {
	for _, task := range tasks {
		all = append(all, schedule.Update{Task: task, Began: now, Result: r})
	}
	return all
}
