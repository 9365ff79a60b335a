package main

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/instance"
)

// stop waits longer than a daemon may take to end: for its director, for what it runs then, and for the last words.
func TestStopWaitsLongerThanTheEndTakes(t *testing.T) {
	const killed = 2 * time.Second // until a command that was killed is known to have ended
	if took := max(directorWait, hooksWait+killed) + closeWait; took >= endTimeout {
		t.Errorf("the end may take %v, stop waits %v", took, endTimeout)
	}
}

// A director that hangs at the end is left, and what is in the table is not forgotten.
func TestADirectorThatHangsIsLeft(t *testing.T) {
	o := options{runDir: t.TempDir(), config: "a.cf", path: "/a.cf", ipvs: "memory"}
	hold, err := o.instance().Acquire(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(hold.Release)
	synctest.Test(t, func(t *testing.T) {
		d := &daemon{app: &app{options: o}, hold: hold}
		if err := hold.SetPhase(instance.Ending); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		err := d.awaitEnd(make(chan error), "TERM")
		if took := time.Since(begun); took > directorWait || err == nil || !strings.Contains(err.Error(), "the table was not left within") {
			t.Errorf("%v after %v", err, took)
		}
		if s, err := o.instance().State(); err != nil || s.Phase != instance.Running {
			t.Errorf("recorded: %v, %v", s.Phase, err)
		}
	})
	ended := make(chan error, 1)
	ended <- nil
	if err := (&daemon{app: &app{}}).awaitEnd(ended, "TERM"); err != endedBy("TERM") {
		t.Errorf("one that ends: %v", err)
	}
}
