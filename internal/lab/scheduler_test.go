package lab

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// schedulers are the schedulers of Linux with their flags, as the table shows them.
var schedulers = []struct{ name, flags string }{
	{"rr", ""}, {"wrr", ""}, {"lc", ""}, {"wlc", ""}, {"lblc", ""}, {"lblcr", ""}, {"dh", ""}, {"sed", ""},
	{"nq", ""},
	{"fo", ""}, {"ovf", ""}, {"twos", ""},
	{"sh", ""}, {"sh", "sh-fallback"}, {"sh", "sh-port"}, {"sh", "sh-fallback,sh-port"},
	{"mh", ""}, {"mh", "mh-fallback"}, {"mh", "mh-port"}, {"mh", "mh-fallback,mh-port"},
}

// Each scheduler's module is loaded when a virtual service needs it, and its flags are set.
func TestKernelSchedulers(t *testing.T) {
	l := newLabOf(t, 0)
	var config strings.Builder
	for i, s := range schedulers {
		fmt.Fprintf(&config, "virtual = 192.0.2.10:%d\n    real = 192.0.2.21:80 masq\n    checktype = on\n"+
			"    scheduler = %s\n", 1001+i, s.name)
		if s.flags != "" {
			fmt.Fprintf(&config, "    schedflags = %s\n", s.flags)
		}
	}
	path := l.config(config.String())
	checked := l.does(path, "check")
	var lines []string
	var refused []string
	for i, s := range schedulers {
		line := fmt.Sprintf("-A -t 192.0.2.10:%d -s %s", 1001+i, s.name)
		if s.flags != "" {
			line += " -b " + s.flags
		}
		if strings.Contains(checked, "no module ip_vs_"+s.name+":") {
			t.Logf("this kernel has no %s", s.name)
			line = "no " + line
			refused = append(refused, fmt.Sprintf("Table change failed: 192.0.2.10:%d", 1001+i))
		}
		lines = append(lines, line+"\n")
	}
	l.does(path, "start")
	l.until(5*time.Second, lines...)
	for _, text := range refused { // logged after the changes that succeeded
		l.saysWithin(5*time.Second, text)
	}
	if log := l.logText(); strings.Count(log, "failed") != len(refused) {
		t.Errorf("the log must have %d failures:\n%s", len(refused), log)
	}
	l.does(path, "stop")
	if table := l.table(); table != "" {
		t.Errorf("stop leaves\n%s", table)
	}
}

const unknownScheduler = `checkinterval = 1
virtual = 192.0.2.10:80
    real = 192.0.2.1:80 masq 5
    real = 192.0.2.22:80 masq
    checktype = on
    scheduler = %s
virtual = 192.0.2.10:81
    real = 192.0.2.1:81 masq
    checktype = on
    scheduler = wlc
    persistent = %d
`

// A scheduler without a module is one error, which names it. The virtual service keeps its old scheduler, its servers
// still follow their checks, and other services are set up.
func TestKernelSchedulerThatTheKernelLacks(t *testing.T) {
	l := newLabOf(t, 0)
	maintenance := l.dir + "/maintenance"
	testkit.OK(t, os.Mkdir(maintenance, 0o700))
	config := "maintenancedir = " + maintenance + "\n" + unknownScheduler
	path := l.config(fmt.Sprintf(config, "rr", 60))
	l.does(path, "start")
	old := "-A -t 192.0.2.10:80 -s rr\n-a -t 192.0.2.10:80 -r 192.0.2.1:80 -m -w 5\n" +
		"-a -t 192.0.2.10:80 -r 192.0.2.22:80 -m -w 1\n"
	l.until(2*time.Second, old, "-A -t 192.0.2.10:81 -s wlc -p 60\n")

	l.config(fmt.Sprintf(config, "nosuch", 90) +
		"virtual = 192.0.2.10:82\n    real = 192.0.2.1:82 masq\n    checktype = on\n")
	l.says(l.does(path, "check"), ":8:17: warning: this machine's kernel has no module ip_vs_nosuch")
	l.does(path, "reload")
	l.until(2*time.Second, old, "-A -t 192.0.2.10:81 -s wlc -p 90\n",
		"-a -t 192.0.2.10:82 -r 192.0.2.1:82 -m -w 1\n")
	const told = "Table change failed: 192.0.2.10:80: ipvs -E -t 192.0.2.10:80 -s nosuch: no such file or " +
		"directory (the kernel lacks module ip_vs_nosuch)"
	l.saysWithin(5*time.Second, told)
	time.Sleep(1500 * time.Millisecond) // longer than one retry
	if log := l.logText(); strings.Count(log, told) != 1 || strings.Count(log, "Table change failed") != 1 {
		t.Errorf("the log has not one error:\n%s", log)
	}

	testkit.Write(t, maintenance+"/192.0.2.22", "")
	l.until(2*time.Second, "-A -t 192.0.2.10:80 -s rr\n", "no -r 192.0.2.22:80")

	l.config(fmt.Sprintf(config, "wlc", 90))
	l.does(path, "reload")
	l.until(2*time.Second, "-A -t 192.0.2.10:80 -s wlc\n", "no 192.0.2.10:82")
	l.does(path, "stop")
}
