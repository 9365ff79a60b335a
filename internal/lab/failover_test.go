package lab

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

const failoverConfig = `checkinterval = 1
checktimeout = 2
negotiatetimeout = 2
failurecount = 2
fallback = 127.0.0.1:80 gate
virtual = 192.0.2.10:80
        real = 192.0.2.21:80 gate
        real = 192.0.2.22:80 gate %s
        service = http
        receive = "OK"
        scheduler = rr
        quiescent = yes
virtual = 198.51.100.10:80
        real = 192.0.2.21:80 masq
        real = 192.0.2.22:80 masq
        service = http
        receive = "OK"
        scheduler = rr
        quiescent = no
`

// detection is interval × failurecount + timeout + 10 %.
const detection = (2*time.Second + 2*time.Second) * 11 / 10

// A client's real packets, with gate and with masq, through the kernel's own table.
func TestKernelFailover(t *testing.T) {
	l := newLab(t)
	rs1, rs2 := l.web("rs1"), l.web("rs2")
	l.web("dir")
	path := l.config(fmt.Sprintf(failoverConfig, ""))
	l.does(path, "start")
	l.until(time.Second, "-t 192.0.2.10:80 -r 192.0.2.21:80 -g -w 1", "-t 192.0.2.10:80 -r 192.0.2.22:80 -g -w 1",
		"-t 198.51.100.10:80 -r 192.0.2.21:80 -m -w 1", "-t 198.51.100.10:80 -r 192.0.2.22:80 -m -w 1",
		"no 127.0.0.1")
	for _, vip := range []string{drVIP, natVIP} {
		l.served(vip, "rs1", "rs2")
	}

	t.Log("killed with all up:")
	l.crash(path)

	rs1.stop()
	took := l.until(detection, "-t 192.0.2.10:80 -r 192.0.2.21:80 -g -w 0",
		"no -t 198.51.100.10:80 -r 192.0.2.21:80")
	t.Logf("a dead server was out after %v", took.Round(time.Millisecond))
	for vip, told := range map[string]string{drVIP: "table: weight 0", natVIP: "table: removed"} {
		if text := l.does(path, "why", vip+":80", "192.0.2.21:80"); !strings.Contains(text, "refused") ||
			!strings.Contains(text, "down: 2 of 2 failures") || !strings.Contains(text, told) {
			t.Errorf("why does not show the results of the checks and the changes of the table:\n%s", text)
		}
	}
	for _, vip := range []string{drVIP, natVIP} {
		l.served(vip, "rs2")
	}
	t.Log("killed with one dead:")
	l.crash(path)

	rs2.stop()
	took = l.until(detection, "-t 192.0.2.10:80 -r 127.0.0.1:80 -g -w 1",
		"-t 198.51.100.10:80 -r 127.0.0.1:80 -g -w 1",
		"-t 192.0.2.10:80 -r 192.0.2.22:80 -g -w 0", "no -t 198.51.100.10:80 -r 192.0.2.22:80")
	t.Logf("the fallback server was in after %v", took.Round(time.Millisecond))
	for _, vip := range []string{drVIP, natVIP} {
		l.served(vip, "dir")
	}
	t.Log("killed with the fallback server in:")
	l.crash(path)

	rs1.start()
	took = l.until(detection, "-t 192.0.2.10:80 -r 192.0.2.21:80 -g -w 1",
		"-t 198.51.100.10:80 -r 192.0.2.21:80 -m -w 1", "no 127.0.0.1")
	t.Logf("a server was back after %v", took.Round(time.Millisecond))
	before := len(l.logText())
	rs2.start()
	l.until(detection, "-t 192.0.2.10:80 -r 192.0.2.22:80 -g -w 1", "-t 198.51.100.10:80 -r 192.0.2.22:80 -m -w 1")
	l.saysSince(before, 10*time.Second, "] Restored real server: 192.0.2.22:80 (192.0.2.10:80)") // after the table
	l.saysSince(before, 10*time.Second, "] Added real server: 192.0.2.22:80 (198.51.100.10:80)")
	for _, vip := range []string{drVIP, natVIP} {
		l.served(vip, "rs1", "rs2")
	}

	before = len(l.logText())
	l.config(fmt.Sprintf(failoverConfig, "7"))
	l.does(path, "reload")
	l.until(2*time.Second, "-t 192.0.2.10:80 -r 192.0.2.22:80 -g -w 7")
	l.saysSince(before, 10*time.Second, "192.0.2.22:80 (192.0.2.10:80) (Weight set to 7)")
	time.Sleep(2 * time.Second)
	if n, lines := l.changes(before); n != 1 {
		t.Errorf("a reload that changes one weight made %d changes:\n%s", n, lines)
	}

	l.does(path, "restart")
	l.does(path, "status")
	l.does(path, "stop")
	if table := l.table(); table != "" {
		t.Errorf("left after stop:\n%s", table)
	}
	l.run(3, path, "status")
}

// crash kills the daemon, starts another one, and checks that it changes nothing.
func (l *lab) crash(path string) {
	l.t.Helper()
	was := l.table()
	l.kill()
	before := len(l.logText())
	l.does(path, "start")
	time.Sleep(3 * time.Second)
	if n, lines := l.changes(before); n != 0 {
		l.t.Errorf("after a kill the new daemon made %d changes:\n%s", n, lines)
	}
	testkit.Equal(l.t, l.table(), was, "the table")
}

// served makes several requests to a virtual address, and checks which servers answer.
func (l *lab) served(vip string, want ...string) {
	l.t.Helper()
	got := map[string]int{}
	for range 4 * len(want) {
		got[l.ask(vip)]++
	}
	for _, name := range want {
		if got[name] == 0 {
			l.t.Errorf("%s: %v, want answers of %s\n%s", vip, got, strings.Join(want, " and "), l.table())
			return
		}
	}
	if len(got) != len(want) {
		l.t.Errorf("%s: %v, want answers of %s only", vip, got, strings.Join(want, " and "))
	}
}
