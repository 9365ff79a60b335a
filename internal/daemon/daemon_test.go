package daemon

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/internal/instance"
	"ldirectord/internal/testkit"
)

func TestMain(m *testing.M) {
	syscall.Umask(0o022) // a run folder that a group can write is refused
	os.Exit(m.Run())
}

// stop waits longer than a daemon may take to end: for its director, for the programs that it starts then, and for
// its last messages.
func TestStopWaitsLongerThanTheEndTakes(t *testing.T) {
	const killed = 2 * time.Second // for the end of a command that was killed
	if took := max(directorTimeout, hooksTimeout+killed) + closeTimeout; took >= EndTimeout {
		t.Errorf("the end may take %v, stop waits %v", took, EndTimeout)
	}
}

// Until the next daemon begins nobody checks the servers. Another daemon that waits takes them after instance.Handover.
func TestAHandoverWaitsShortlyForCommands(t *testing.T) {
	if took := commandsEnd(handedOver) + closeTimeout; took > instance.Handover/2 {
		t.Errorf("a handover may take %v", took)
	}
	if commandsEnd("TERM") != hooksTimeout {
		t.Error("a stop leaves its commands less time")
	}
}

// When the director hangs at the end, the daemon ends without it, and the record of what is in the table is kept.
func TestADirectorThatHangsIsLeft(t *testing.T) {
	i := instance.New(t.TempDir(), instance.Daemon{Path: "/a.cf", Table: "memory", NetNS: instance.NetNS()}, "a.cf")
	lock := testkit.Must(i.Acquire(t.Context(), ""))(t)
	synctest.Test(t, func(t *testing.T) {
		d := &daemon{Options: Options{Manager: &ServiceManager{}}, lock: lock}
		testkit.OK(t, lock.Update(func(s *instance.State) { s.Phase = instance.Ending }))
		begun := time.Now()
		err := d.awaitEnd("TERM")
		if took := time.Since(begun); took > directorTimeout || err == nil ||
			!strings.Contains(err.Error(), "the table was not left within") {
			t.Errorf("%v after %v", err, took)
		}
		if s, err := i.State(); err != nil || s.Phase != instance.Running {
			t.Errorf("recorded: %v, %v", s.Phase, err)
		}
	})
	ended := make(chan error, 1)
	ended <- nil
	if err := (&daemon{Options: Options{Manager: &ServiceManager{}}, ended: ended}).awaitEnd(
		"TERM"); err != endedBy("TERM") {
		t.Errorf("one that ends: %v", err)
	}
}
