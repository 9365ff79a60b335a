package lab

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// Orders with an end, on a real table: another weight, and maintenance that survives kill -9 and ends by itself.
func TestKernelOrdersEnd(t *testing.T) {
	l := newLab(t)
	for _, ns := range []string{"rs1", "rs2"} {
		l.echo(ns, ":7000")
	}
	path := l.config(`checkinterval = 1
virtual = 198.51.100.10:7000
        real = 192.0.2.21:7000 masq
        real = 192.0.2.22:7000 masq 3
        scheduler = wrr
        checktype = connect
`)
	l.does(path, "start")
	l.until(time.Second, "-r 192.0.2.21:7000 -m -w 1", "-r 192.0.2.22:7000 -m -w 3")
	l.does(path, "set", "192.0.2.22", "weight", "20", "--for", "1h")
	l.until(time.Second, "-r 192.0.2.22:7000 -m -w 20")
	begun := time.Now()
	l.does(path, "set", "192.0.2.21", "maint", "--why", "new disk", "--for", "8s")
	l.until(time.Second, "-r 192.0.2.22:7000 -m -w 20", "no 192.0.2.21")
	l.run(1, path, "set", "192.0.2.22", "maint") // refused: it is the last server
	l.kill()
	l.does(path, "start")
	table := l.table()
	early := time.Since(begun) < 7*time.Second // later it may have ended: it counts whole seconds
	if early && strings.Contains(table, "192.0.2.21") || !strings.Contains(table, "-r 192.0.2.22:7000 -m -w 20") {
		t.Errorf("after kill -9:\n%s", table)
	}
	l.until(15*time.Second, "-r 192.0.2.21:7000 -m -w 1", "-r 192.0.2.22:7000 -m -w 20")
	l.does(path, "undo", "192.0.2.22")
	l.until(time.Second, "-r 192.0.2.21:7000 -m -w 1", "-r 192.0.2.22:7000 -m -w 3")
	l.does(path, "stop")
}

// The machine's clock is set, and set back again. An order for a time lasts that time nevertheless.
func TestKernelAnOrderOutlastsTheClock(t *testing.T) {
	if text, _ := os.ReadFile("/proc/cpuinfo"); !strings.Contains(string(text), "User Mode Linux") {
		t.Skip("only the clock of a guest is set")
	}
	l := newLab(t)
	for _, ns := range []string{"rs1", "rs2"} {
		l.echo(ns, ":7000")
	}
	path := l.config(`checkinterval = 1
virtual = 198.51.100.10:7000
        real = 192.0.2.21:7000 masq
        real = 192.0.2.22:7000 masq
        scheduler = wrr
        checktype = connect
`)
	l.does(path, "start")
	l.until(5*time.Second, "-r 192.0.2.21:7000 -m -w 1", "-r 192.0.2.22:7000 -m -w 1")
	begun := time.Now()
	l.does(path, "set", "192.0.2.21", "maint", "--for", "6s")
	put := func(by time.Duration) {
		now := syscall.NsecToTimeval(time.Now().Add(by).UnixNano())
		testkit.OK(t, syscall.Settimeofday(&now))
	}
	put(3 * time.Hour)
	t.Cleanup(func() { put(-3 * time.Hour) })
	l.saysWithin(10*time.Second, "The clock was set forward by ")
	table := l.table()
	early := time.Since(begun) < 5*time.Second // by the monotonic clock
	if early && strings.Contains(table, "192.0.2.21") {
		t.Errorf("the order ended because the clock was set:\n%s", table)
	}
	put(-5 * time.Hour)
	t.Cleanup(func() { put(5 * time.Hour) })
	l.saysWithin(10*time.Second, "The clock was set back by ")
	l.until(25*time.Second, "-r 192.0.2.21:7000 -m -w 1")
	if took := time.Since(begun); took < 5*time.Second {
		t.Errorf("the order for 6 s ended after %v", took)
	}
	l.does(path, "stop")
}
