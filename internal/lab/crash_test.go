package lab

import (
	"path/filepath"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// A daemon crashed. The next one removes what its own file no longer has. It leaves alone what now belongs to another
// daemon, and what never belonged to any.
func TestKernelCrashedDaemonLeavesNothingBehind(t *testing.T) {
	l := newLab(t)
	section := func(vip string) string {
		return "virtual = " + vip + ":7000\n        real = 192.0.2.21:7000 gate\n        checktype = on\n"
	}
	path := l.config(section("192.0.2.31") + section("192.0.2.32") + section("192.0.2.33"))
	l.does(path, "start")
	l.sh("ip netns exec %sdir ipvsadm -A -t 192.0.2.39:7000 -s rr", l.prefix)
	l.until(time.Second, "-t 192.0.2.31:7000 -r", "-t 192.0.2.32:7000 -r", "-t 192.0.2.33:7000 -r")
	l.kill()
	l.config(section("192.0.2.32"))
	other := filepath.Join(l.dir, "other.cf")
	testkit.Write(t, other, "logfile = \""+l.log+"2\"\n"+section("192.0.2.33"))
	l.does(other, "start")
	l.does(path, "start")
	l.until(time.Second, "no 192.0.2.31", "-t 192.0.2.32:7000 -r", "-t 192.0.2.33:7000 -r", "-A -t 192.0.2.39:7000")
	l.saysWithin(10*time.Second, "Purged virtual server (start): 192.0.2.31:7000") // after the table
	l.does(path, "stop")
	l.does(other, "stop")
	l.until(time.Second, "no 192.0.2.32", "no 192.0.2.33", "-A -t 192.0.2.39:7000")
}
