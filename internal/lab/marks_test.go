package lab

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// The mark rules of the file exist while the daemon runs, survive its crash, follow a reload, and are removed at its
// end.
func TestKernelMarkRulesFollowTheFile(t *testing.T) {
	l := newLab(t)
	mark := func(ports string) string {
		return l.config(`checkinterval = 1
virtual = 3
        protocol = fwm
        mark = ` + drVIP + " tcp " + ports + `
        real = 192.0.2.21:80 gate
        checktype = connect
`)
	}
	cf := mark("80,443")
	l.run(exitOK, cf, "start")
	l.wantMarks("-m multiport --dports 80,443 -j MARK --set-xmark 0x3/0xffffffff")
	l.kill()
	l.wantMarks("--dports 80,443")
	cf = mark("80,8080")
	l.run(exitOK, cf, "start")
	l.wantMarks("--dports 80,8080", "no 443")
	l.sh("ip netns exec %sdir iptables -t mangle -F", l.prefix)
	l.within(1100*time.Millisecond+time.Second, "--dports 80,8080") // an interval, and a second for iptables
	mark("80:90")
	l.run(exitOK, cf, "reload")
	l.within(3*time.Second, "--dport 80:90", "no 8080")
	l.run(exitOK, cf, "restart")
	l.wantMarks("--dport 80:90")
	l.run(exitOK, cf, "stop")
	l.wantMarks("no MARK", "no LDIRECTORD")
}

// marks are the rules of the director's mangle table.
func (l *lab) marks() string {
	l.t.Helper()
	out, err := exec.Command("ip", "netns", "exec", l.prefix+"dir", "iptables", "-t", "mangle",
		"-S").CombinedOutput()
	if err != nil {
		l.t.Fatalf("iptables: %v: %s", err, out)
	}
	return string(out)
}

func (l *lab) wantMarks(lines ...string) {
	l.t.Helper()
	if missing := unlike(l.marks(), lines); missing != "" {
		l.t.Fatalf("the rules do not have: %s\n%s\nlog:\n%s", missing, l.marks(), l.logText())
	}
}

// within waits for rules, and for the only jump that leads to them: a chain is filled before the jump.
func (l *lab) within(limit time.Duration, lines ...string) {
	l.t.Helper()
	for start := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		marks := l.marks()
		missing, jumps := unlike(marks, lines), strings.Count(marks, "-A PREROUTING -j LDIRECTORD")
		if missing == "" && jumps == 1 {
			return
		}
		if time.Since(start)-l.idle.since(start) > limit {
			l.t.Fatalf("%d jumps, missing: %s\n%s\nlog:\n%s", jumps, missing, marks, l.logText())
		}
	}
}

// Without mark lines in the file the daemon changes no rules. It logs if no rule sets the mark.
func TestKernelMarkThatNobodySetsIsTold(t *testing.T) {
	l := newLab(t)
	cf := l.config("virtual = 3\n        protocol = fwm\n        real = 192.0.2.21:80 gate\n" +
		"        checktype = connect\n")
	l.run(exitOK, cf, "start")
	l.saysWithin(5*time.Second, "Nothing sets mark 3 on this machine: fwm:3 gets no packets")
	l.sh("ip netns exec %sdir iptables -t mangle -A PREROUTING -d %s -p tcp --dport 80 -j MARK --set-mark 3",
		l.prefix, drVIP)
	before := l.marks()
	l.run(exitOK, cf, "restart")
	time.Sleep(2 * time.Second)
	testkit.Equal(t, strings.Count(l.logText(), "Nothing sets mark"), 1, "the log",
		"times that no rule sets the mark", l.logText())
	testkit.Equal(t, l.marks(), before, "the operator's rules")
	l.run(exitOK, cf, "stop")
}

// saysWithin waits for a line of the log.
func (l *lab) saysWithin(limit time.Duration, text string) {
	l.t.Helper()
	l.saysSince(0, limit, text)
}

// saysSince waits for a line of the log after a position.
func (l *lab) saysSince(before int, limit time.Duration, text string) {
	l.t.Helper()
	l.fileSays(l.log, before, limit, text)
}

// fileSays is saysSince for any log, which may not exist yet.
func (l *lab) fileSays(log string, before int, limit time.Duration, text string) {
	l.t.Helper()
	for start := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		said, _ := os.ReadFile(log)
		said = said[min(before, len(said)):]
		if strings.Contains(string(said), text) {
			return
		}
		if time.Since(start)-l.idle.since(start) > limit {
			l.t.Fatalf("%s does not have: %s\n%s", log, text, said)
		}
	}
}
