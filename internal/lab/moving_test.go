package lab

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// A daemon that is killed at every step neither sets back nor speeds up a climbing server. A change by another program
// while no daemon ran is kept.
func TestKernelClimbsOverCrashes(t *testing.T) {
	const whole, ramp = 1000, 2 * time.Second
	l := newLab(t)
	for _, ns := range []string{"rs1", "rs2"} {
		l.echo(ns, ":7000")
	}
	l.config(`checkinterval = 1
slowstart = 2
virtual = 198.51.100.10:7000
        real = 192.0.2.21:7000 masq 1000
        real = 192.0.2.22:7000 masq 1000
        real = 192.0.2.23:7000 masq 1000
        scheduler = wlc
        checktype = connect
`)
	l.does("start")
	l.until(5*time.Second, "-r 192.0.2.21:7000 -m -w 1000", "-r 192.0.2.22:7000 -m -w 1000", "no 192.0.2.23")
	opened := time.Now()
	listener := l.echoing("rs3", ":7000")
	steps, last := 0, uint32(0)
	for last < whole {
		weight := l.climbsFrom(last)
		if most := float64(whole)*float64(time.Since(opened))/float64(ramp) + 1; weight < last ||
			float64(weight) > most {
			t.Fatalf("after %v weight %d follows %d\n%s", time.Since(opened), weight, last, l.logText())
		}
		steps, last = steps+1, weight
		if weight < whole {
			l.kill()
			l.does("start")
		}
	}
	if time.Since(opened) < ramp {
		t.Errorf("the server climbed in %d steps and only %v", steps, time.Since(opened))
	}
	l.saysWithin(5*time.Second, "Full weight reached: 192.0.2.23:7000 (tcp:198.51.100.10:7000): 1000")
	testkit.Equal(t, strings.Count(l.logText(), "Weight starts to rise to 1000 (slowstart): "), 1,
		"lines of the log say that it climbs", l.logText())
	listener.Close()
	l.until(10*time.Second, "no 192.0.2.23")
	l.echoing("rs3", ":7000")
	l.climbsFrom(0)
	l.kill()
	l.sh("ip netns exec %sdir ipvsadm -e -t 198.51.100.10:7000 -r 192.0.2.23:7000 -m -w 2000", l.prefix)
	l.does("start")
	l.saysWithin(5*time.Second, "Changed externally: 192.0.2.23:7000 (198.51.100.10:7000) has weight 2000; kept "+
		"until")
	l.until(0, "-r 192.0.2.23:7000 -m -w 2000")
	l.does("stop")
}

// climbsFrom waits until the weight of rs3 differs from the last one, and returns it.
func (l *lab) climbsFrom(last uint32) (weight uint32) {
	l.t.Helper()
	began := time.Now()
	for weight = last; weight == last; time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > 30*time.Second {
			l.t.Fatalf("the weight of rs3 stays %d\n%s", last, l.logText())
		}
		for _, service := range l.read() {
			weight = service.Dests.Weight(netip.MustParseAddrPort("192.0.2.23:7000"))
		}
	}
	return weight
}
