package lab

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// A dead server is found in time while a tenth of 200 others don't answer at all.
func TestKernelLongDetection(t *testing.T) {
	onlyLong(t)
	const interval, timeout, count = 3 * time.Second, 2 * time.Second, 2
	detects(t, interval, timeout, (interval*count+timeout)*11/10, fmt.Sprint("failurecount = ", count))
}

// With fastinterval, four failures take less than half the time. Risecount is two.
func TestKernelLongFastDetection(t *testing.T) {
	onlyLong(t)
	const interval, fast, timeout, count = 3 * time.Second, 300 * time.Millisecond, 500 * time.Millisecond, 4
	detects(t, interval, timeout, interval*11/10+(count-1)*fast+count*timeout+200*time.Millisecond,
		fmt.Sprintf("failurecount = %d\nrisecount = 2\nfastinterval = %v", count, fast))
}

func detects(t *testing.T, interval, timeout, limit time.Duration, settings string) {
	const others = 200
	l := newLab(t)
	rs1 := l.web("rs1")
	l.web("rs2")
	// rs2 has every address of 10.3.0.0/24. Packets to 10.3.1.0/24 are lost in rs3.
	l.sh(`ip -n %[1]srs2 route add local 10.3.0.0/24 dev lo
		ip -n %[1]sdir route add 10.3.0.0/24 via 192.0.2.22
		ip -n %[1]sdir route add 10.3.1.0/24 via 192.0.2.23`, l.prefix)
	l.config(fmt.Sprintf(`checkinterval = %v
checktimeout = %v
negotiatetimeout = %[2]v
%s
virtual = %s:80
        real = %s masq
        service = http
        request = "check"
        receive = "OK"
virtual = %[4]s:81
%[6]s        service = http
        request = "check"
        receive = "OK"
`, interval, timeout, settings, natVIP, address("rs1"), crowd(others)))
	l.does("start")
	l.until(limit, entry("rs1"), fmt.Sprintf("10.3.0.%d:80", others*9/10))
	for i := range 6 {
		fail, heal := (*web).stop, (*web).start
		if i%2 > 0 {
			fail, heal = silent.on(), well.on()
		}
		time.Sleep(time.Duration(i) * interval / 6)
		fail(rs1)
		took := l.until(limit, "no "+entry("rs1"))
		heal(rs1)
		back := l.until(interval+timeout, entry("rs1"))
		t.Logf("out after %.1f s of %.1f s, back after %.1f s", took.Seconds(), limit.Seconds(), back.Seconds())
	}
	l.does("stop")
}

// crowd lists real servers, of which a tenth can't be reached.
func crowd(n int) string {
	var lines strings.Builder
	for i := range n {
		addr := fmt.Sprintf("10.3.0.%d:80", i+1)
		if i >= n*9/10 {
			addr = fmt.Sprintf("10.3.1.%d:80", i+1)
		}
		fmt.Fprintf(&lines, "        real = %s masq\n", addr)
	}
	return lines.String()
}
